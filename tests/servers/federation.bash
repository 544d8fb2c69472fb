# SPDX-License-Identifier: MIT
# Two real Prosodys in the private machine of tests/private:
#
#   joe ─► other.test (c2s 5222)  ── 5269 ─► wire.py ─► 15269  mail.test (c2s 15222) ─► joe
#          no TLS of its own                                   takes no stream of another server but inside TLS
#
# Dialback (XEP-0220) would have mail.test call back, into a server without TLS. So it goes by the certificate of the stream instead, as
# XEP-0344 has it: the plugin below.
# shellcheck shell=bash disable=SC2154

# federation_names: a name server that knows mail.test, as 127.0.0.1: Prosody does not read /etc/hosts
federation_names() {
  echo 'nameserver 127.0.0.1' >/etc/resolv.conf
  exec {names}< <(exec python3 -c '
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("127.0.0.1", 53))
    print("bound", flush=True)
    while True:
        query, who = s.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        known = query[12:end] == b"\4mail\4test\0\0\1\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if known else b""
        s.sendto(query[:2] + b"\x85\x80\0\1" + bytes([0, known]) + bytes(4) + query[12:end] + answer, who)' 3>&-)
  federation_pids=($!)
  read -r _ <&"$names"
}

# federation_config DIR DOMAIN C2S S2S MODULES OPTION…; C2S, S2S: ports
federation_config() {
  local dir=$1 domain=$2 c2s=$3 s2s=$4 modules=$5
  shift 5
  rm -rf "$dir"
  mkdir -p "$dir/data/${domain/./%2e}/accounts" "$dir/plugins"
  echo 'return { ["password"] = "secret"; };' >"$dir/data/${domain/./%2e}/accounts/joe.dat"
  cat >"$dir/plugins/mod_by_certificate.lua" <<'END'
local stanza = require "util.stanza"
module:hook("stanza/jabber:server:dialback:result", function(event)
	local origin, attr = event.origin, event.stanza.attr
	if origin.type ~= "s2sin_unauthed" or (origin.secure and origin.cert_identity_status ~= "valid") then return end
	origin.hosts[attr.from] = {}
	module:fire_event("s2s-authenticated", { session = origin, host = attr.from, mechanism = "dialback" })
	origin.sends2s(stanza.stanza("db:result", { from = attr.to, to = attr.from, type = "valid" }))
	return true
end, 10)
END
  cat >"$dir/prosody.cfg.lua" <<END
run_as_root = true
daemonize = false
pidfile = "$dir/prosody.pid"
data_path = "$dir/data"
log = { { levels = { min = "debug" }, to = "file", filename = "$dir/log" } }
interfaces = { "127.0.0.1" }
c2s_ports = { $c2s }
s2s_ports = { $s2s }
plugin_paths = { "$dir/plugins", "/usr/lib/prosody/modules" }
modules_enabled = { "saslauth", "disco", "roster", "message", "iq", "presence", "dialback", $modules }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
$(printf '%s\n' "$@")
VirtualHost "$domain"
END
}

# federation_launch DIR PORT [COMMAND …]: Prosody under COMMAND
federation_launch() {
  local dir=$1 port=$2
  shift 2
  "$@" prosody --config "$dir/prosody.cfg.lua" >"$dir/out" 2>&1 3>&- &
  federation_pids+=($!)
  timeout 20 bash -c "until (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do kill -0 $! || exit; sleep 0.1; done" || {
    cat "$dir/out" "$dir/log"
    return 1
  }
}

# federation_start CERTIFICATE [COMMAND …]: mail.test with CERTIFICATE, other.test under COMMAND
federation_start() {
  local certificate=$1
  shift
  federation=/var/lib/federation.test
  federation_names
  federation_config "$federation/mail" mail.test 15222 15269 '"offline", "tls", "by_certificate"' 's2s_require_encryption = true' \
    "ssl = { certificate = '$certificate', key = '$certificate', cafile = '$certs/ca.pem' }"
  federation_config "$federation/other" other.test 5222 25269 '' 's2s_require_encryption = false' 'modules_disabled = { "tls" }'
  federation_launch "$federation/mail" 15222
  federation_launch "$federation/other" 5222 "$@"
}

federation_stop() {
  local pid
  for pid in "${federation_pids[@]}"; do
    kill "$pid"
    wait "$pid" || true
  done
}
