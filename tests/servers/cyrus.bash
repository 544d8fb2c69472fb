# SPDX-License-Identifier: MIT
# A real Cyrus in the private machine of tests/private: IMAP, POP3 and ManageSieve, which take no password outside TLS (LOGINDISABLED) and inside
# it any. On 127.0.0.9, and with the other certificate on 127.0.0.10. IMAP and POP3 with TLS from the first byte there too.
# shellcheck shell=bash

cyrus_bin=/usr/lib/cyrus/bin

# cyrus_config DIR NAME CERTIFICATE: DIR/NAME.conf, for one of the two addresses
cyrus_config() {
  install -o cyrus -g cyrus -m 600 "$3" "$1/$2.pem"
  cat >"$1/$2.conf" <<END
configdirectory: $1/state
partition-default: $1/partition
defaultpartition: default
sievedir: $1/sieve
unixhierarchysep: yes
servername: mail.test
allowplaintext: no
allowapop: no
sasl_mech_list: PLAIN
sasl_pwcheck_method: alwaystrue
autocreate_quota: 0
maxlogins_per_host: 0
tls_server_cert: $1/$2.pem
tls_server_key: $1/$2.pem
END
}

# cyrus_services DIR NAME ADDRESS: what master listens to there
cyrus_services() {
  local service
  for service in imap:imapd:143 imaps:'imapd -s':993 pop3:pop3d:110 pop3s:'pop3d -s':995 sieve:timsieved:4190; do
    IFS=: read -r word command port <<<"$service"
    echo "  $word$2 cmd=\"$command -C $1/$2.conf\" listen=\"$3:$port\" prefork=0"
  done
}

# cyrus_start DIR CERTIFICATE WRONG-CERTIFICATE
cyrus_start() {
  local dir=$1
  echo "cyrus:x:61012:61012::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
  echo "cyrus:x:61012:" >>/etc/group
  mkdir -p "$dir"/{state/socket,partition,sieve}
  cyrus_config "$dir" good "$2"
  cyrus_config "$dir" wrong "$3"
  {
    printf 'START {\n  recover cmd="ctl_cyrusdb -C %s/good.conf -r"\n}\nSERVICES {\n' "$dir"
    cyrus_services "$dir" good 127.0.0.9
    cyrus_services "$dir" wrong 127.0.0.10
    printf '}\nEVENTS {\n}\n'
  } >"$dir/cyrus.conf"
  chown -R cyrus: "$dir"
  # in the foreground, so that its messages are ours to read
  detached sh -c 'echo $$ >"$1/pid"; exec "$2/master" -D -C "$1/good.conf" -M "$1/cyrus.conf" -p "$1/master.pid" >"$1/out" 2>&1' sh "$dir" "$cyrus_bin" &
  timeout 20 bash -c 'until (: </dev/tcp/127.0.0.10/4190) 2>/dev/null; do sleep 0.1; done' || {
    cat "$dir/out"
    return 1
  }
}

# cyrus_stop DIR
cyrus_stop() { kill "$(cat "$1/pid")"; }

# cyrus_keep_only USER FILE: the one mail in the user's inbox, lines ending as in the file; by IMAP, as it has no files for others to write
cyrus_keep_only() {
  /usr/bin/python3 - "$@" <<'END'
import imaplib, ssl, sys
m = imaplib.IMAP4("127.0.0.9")
m.starttls(ssl._create_unverified_context())
m.login(sys.argv[1], "any")
if m.select("INBOX")[0] != "OK":
    m.create("INBOX")
    m.select("INBOX")
m.store("1:*", "+FLAGS.SILENT", r"\Deleted")
m.expunge()
assert m.append("INBOX", None, None, open(sys.argv[2], "rb").read())[0] == "OK"
m.logout()
END
}
