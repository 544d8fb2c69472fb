# SPDX-License-Identifier: MIT
# A real Prosody in the private machine of tests/private, on port 5222: it serves other.test and mail.test, both with the one certificate
# given, and lets nobody in but with TLS; or, "plain", knows no TLS. There is one user, joe, with the password "secret".
# shellcheck shell=bash

# prosody_start DIR CERTIFICATE [plain]
prosody_start() {
  local dir=$1 host without='' required=true
  [ -z "${3-}" ] || without='"tls",' required=false
  mkdir -p "$dir/data"
  for host in other mail; do
    mkdir -p "$dir/data/$host%2etest/accounts"
    echo 'return { ["password"] = "secret"; };' >"$dir/data/$host%2etest/accounts/joe.dat"
  done
  cat >"$dir/prosody.cfg.lua" <<END
run_as_root = true
daemonize = false
pidfile = "$dir/prosody.pid"
data_path = "$dir/data"
log = { { levels = { min = "debug" }, to = "file", filename = "$dir/log" } }
interfaces = { "127.0.0.1" }
plugin_paths = { "/usr/lib/prosody/modules" }
modules_enabled = { "saslauth", "tls", "disco", "roster", "message", "iq", "presence", "ping" }
modules_disabled = { $without "s2s", "offline" }
authentication = "internal_plain"
c2s_require_encryption = $required
allow_unencrypted_plain_auth = true
ssl = { certificate = "$2", key = "$2" }
VirtualHost "other.test"
VirtualHost "mail.test"
END
  prosody --config "$dir/prosody.cfg.lua" >"$dir/out" 2>&1 3>&- &
  echo $! >"$dir/pid"
  timeout 20 bash -c "until (: </dev/tcp/127.0.0.1/5222) 2>/dev/null; do sleep 0.1; done" || {
    cat "$dir/out" "$dir/log"
    return 1
  }
}

# prosody_stop DIR
prosody_stop() {
  kill "$(cat "$1/pid")"
  wait "$(cat "$1/pid")" || true
}
