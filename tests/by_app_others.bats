#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `by app` for the protocols that few programs of today speak: OpenSSL's s_client, which knows STARTTLS in each of them, NUT's own client and
# the library of CUPS, with real servers: they are left alone, and the log says `own`. (Plaintext that is refused: tests/dialogues; here the one of CUPS.)

load helper
load servers/dovecot
load servers/inn
load servers/inspircd
load servers/upsd
load servers/prosody
load servers/cups

# serves STOP DIR START [ARGUMENT …]: for this test
serves() {
  needs_private
  stop=$1 server=$2
  shift 2
  rm -rf "$server"
  "$1" "$server" "${@:2}"
  policy "verify to any by app"
}

teardown() {
  [ -z "${stop-}" ] || "$stop" "$server"
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f" && cat "$f"; }; done
}

# starts PROTO ADDRESS PORT [s_client's word]: TLS is up
starts() {
  run shim timeout 30 openssl s_client -starttls "${4-$1}" -xmpphost mail.test -connect "$2:$3" </dev/null
  [[ $output == *"New, TLSv1."* ]] || { echo "$output"; return 1; }
  log_says "starttls own addr=$2 port=$3 proto=$1 need=verify"
  [ "$(wc -l <log)" = 1 ]
}

@test "lmtp and sieve: s_client and Dovecot" {
  needs_private
  stop=dovecot_stop server=/var/lib/app.dovecot
  dovecot_start_readers "$server" "$certs/good.pem" "$certs/good.pem"
  policy "verify to any by app"
  starts lmtp 127.0.0.1 24
  rm log
  starts sieve 127.0.0.9 4190
}
@test "nntp: s_client and INN's nnrpd" {
  serves inn_stop /var/lib/app.news inn_start "$certs/good.pem" "$certs/wrong-name.pem"
  starts nntp 127.0.0.10 119
}
@test "irc: s_client and InspIRCd" {
  serves inspircd_stop /var/lib/app.irc inspircd_start "$certs/good.pem" "$certs/wrong-name.pem"
  starts irc 127.0.0.9 6667
}
@test "xmpp: s_client and Prosody" {
  serves prosody_stop /var/lib/app.xmpp prosody_start "$certs/good.pem"
  starts xmpp 127.0.0.1 5222
}
@test "tls from the first byte, on any port" {
  needs_private
  stop=dovecot_stop server=/var/lib/app.dovecot
  dovecot_start_readers "$server" "$certs/good.pem" "$certs/good.pem"
  policy "verify to any port 993 proto tls by app"
  run shim timeout 30 openssl s_client -connect 127.0.0.9:993 </dev/null
  [[ $output == *"New, TLSv1."* ]]
  log_says "starttls own addr=127.0.0.9 port=993 proto=tls need=verify"
}
@test "nut: upsc tries STARTTLS by itself, and is left alone" {
  serves upsd_stop /var/lib/app.nut upsd_start "$certs/good.pem" "$certs/wrong-name.pem"
  LD_LIBRARY_PATH=$nut/libupsclient6/lib/x86_64-linux-gnu run shim "$nut/nut-client/bin/upsc" dummy@127.0.0.9 ups.status
  echo "$output"
  log_says "starttls own addr=127.0.0.9 port=3493 proto=nut need=verify"
  [[ $output == *OL ]]
}

with_cups() {
  shim timeout 30 python3 -c '
import ctypes, sys
cups = ctypes.CDLL("libcups.so.2")
cups.httpConnectEncrypt.restype = ctypes.c_void_p
http = cups.httpConnectEncrypt(b"print.test", 631, int(sys.argv[1]))
print("connected" if http else "refused")
if http:
    cups.httpGet(ctypes.c_void_p(http), b"/")
    print(cups.httpUpdate(ctypes.c_void_p(http)))' "$1"
}

@test "http: the library of CUPS that wants encryption, and cupsd" {
  serves cups_stop /var/lib/app.cups cups_start "$certs/good.pem"
  run -0 with_cups 2
  echo "$output"
  [[ $output == connected* ]]
  log_says "starttls own to=print.test addr=192.0.2.1 port=631 proto=http need=verify"
}
@test "http: the library of CUPS that does without: its request never leaves" {
  serves cups_stop /var/lib/app.cups cups_start "$certs/good.pem"
  run -0 with_cups 1
  echo "$output"
  log_says "starttls refused to=print.test addr=192.0.2.1 port=631 proto=http"
  [ ! -s "$server/access" ]
}
