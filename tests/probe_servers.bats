#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# starttls probe against real servers of every protocol, which insist on TLS. Their certificate is signed by nobody whom this machine knows, so
# each is refused, and the line that is suggested lets the probe and then a plain program in. What goes over the wire is recorded:
#
#   tapped.test (127.0.0.3) ─► wiretap ─► where the server listens

# shellcheck disable=SC2154  # set by the servers' files

load helper
load wire
load servers/cups
load servers/dovecot
load servers/federation
load servers/ftpd
load servers/inn
load servers/inspircd
load servers/mariadb
load servers/postfix
load servers/postgresql
load servers/prosody
load servers/slapd
load servers/upsd

stop=()

# Dovecot for all of its tests; the others are started where they are needed.
setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export dovecot=/var/lib/mail.test # in memory
  echo '127.0.0.3 tapped.test' >>/etc/hosts
  dovecot_start_readers "$dovecot" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${dovecot-}" ] || dovecot_stop "$dovecot"; }

teardown() {
  [ -z "${TAP-}" ] || { kill -KILL "$TAP"; wait "$TAP" || true; }
  [ ${#stop[@]} = 0 ] || "${stop[@]}"
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f"; cat "$f"; }; done
}

# with_server STOP START [ARGUMENT …]: a server in a directory of its own
with_server() {
  needs_private
  server=/var/lib/probed.test # in memory
  rm -rf "$server"
  "$2" "$server" "${@:3}"
  stop=("$1" "$server")
}

# tap_to [PORT=]ADDRESS:PORT: listen on the cable from tapped.test; which port that has is in PORT
tap_to() {
  rm -rf wire
  mkdir wire
  PORT=${1##*:}
  [[ $1 != *=* ]] || PORT=${1%%=*}
  coproc tapped { exec "$root/tests/wiretap" "$PWD/wire" "127.0.0.3:$PORT=${1#*=}" 3>&-; }
  TAP=$tapped_PID
  read -r line <&"${tapped[0]}"
  [ "$line" = ready ]
}

probe() { STARTTLS_POLICY=$PWD/policy timeout 60 "$build/starttls" probe "$@"; }

shows() {
  local wanted
  for wanted; do grep -qxF -- "$wanted" <<<"$output" || { printf 'no line is: %s\n--- in\n%s\n%s\n' "$wanted" "$output" "$stderr"; return 1; }; done
}

# only_bytes HEX: as only_words, where it is no text
only_bytes() {
  local file
  tap_stop
  for file in wire/*.up; do
    [[ "$("$root/tests/wiretap" --clear "$file" | od -An -v -tx1 | tr -d ' \n')" =~ ^$1$ ]] || {
      "$root/tests/wiretap" --clear "$file" | od -c
      return 1
    }
  done
}

# is_probed PROTO [PORT=]ADDRESS:PORT HOW WORDS [OPTION …]: refused, and pinned with the line that is suggested; HOW only_words WORDS are in the
# clear, each time. Afterwards the tap is there for a program.
is_probed() {
  tap_to "$2"
  policy "verify to any"
  run --separate-stderr -77 probe "${@:5}" "tapped.test:$PORT"
  shows "address: 127.0.0.3 port $PORT" "subject: CN=libstarttls test ${certificate-good}" "issuer: CN=libstarttls test ca" "verdict: refused"
  [[ $output == *"proto: $1"* && $output =~ 'why: '[^$'\n']*'`ca FILE`' ]]
  policy "$(sed -n 's/^suggest: //p' <<<"$output")"
  run --separate-stderr -0 probe "${@:5}" "tapped.test:$PORT"
  shows "verdict: pinned" "rule: $PWD/policy:1 (fingerprint)"
  "$3" "$4"
  tap_to "$2"
}

# Python under the shim, with the program on stdin; the log says that its peer was pinned
python() {
  shim /usr/bin/python3 -W ignore -
  log_says "starttls pinned to=tapped.test"
}

# --- mail

ehlo=$'EHLO \\[127.0.0.1\\]\nSTARTTLS'

@test "probe, Postfix: smtp and smtps" {
  with_server postfix_stop postfix_start "$certs/good.pem"
  is_probed smtp 127.0.0.1:25 only_words "$ehlo"
  shim "$legacy/mailer" tapped.test 25 sender@example.org joe@mail.test <<<hello
  log_says "starttls pinned to=tapped.test"
  timeout 20 bash -c 'until grep -qs "lost connection\|disconnect from" "$1/log"; do sleep 0.1; done' _ "$server"
  ! grep "lost connection" "$server/log" || false
  tap_stop
  is_probed smtps 127.0.0.1:465 only_words ''
  [[ $output == *"greeting: 220 mail.test ESMTP"* ]]
  shim "$legacy/mailer" tapped.test 465 sender@example.org joe@mail.test <<<hello
  log_says "starttls pinned to=tapped.test"
}

@test "probe, Dovecot: lmtp" {
  needs_private
  is_probed lmtp 127.0.0.1:24 only_words $'LHLO \\[127.0.0.1\\]\nSTARTTLS'
  python <<<'import smtplib; s = smtplib.LMTP("tapped.test", 24); s.ehlo(); s.noop(); s.quit()'
}

@test "probe, Dovecot: imap" {
  needs_private
  is_probed imap 127.0.0.9:143 only_words $'[0-9a-f]{32} CAPABILITY\n[0-9a-f]{32} STARTTLS'
  shows "offer: yes"
  python <<<'import imaplib; s = imaplib.IMAP4("tapped.test"); s.login("joe", "secret"); s.logout()'
}

@test "probe, Dovecot: imaps" {
  needs_private
  is_probed imaps 127.0.0.9:993 only_words ''
  python <<<'import imaplib; s = imaplib.IMAP4("tapped.test", 993); s.login("joe", "secret"); s.logout()'
}

@test "probe, Dovecot: proto tls, whatever is inside" {
  needs_private
  is_probed tls 127.0.0.9:993 only_words '' --proto tls
  python <<<'import imaplib; s = imaplib.IMAP4("tapped.test", 993); s.login("joe", "secret"); s.logout()'
}

@test "probe, Dovecot: pop3" {
  needs_private
  is_probed pop3 127.0.0.9:110 only_words $'CAPA\nSTLS'
  python <<<'import poplib; s = poplib.POP3("tapped.test"); s.user("joe"); s.pass_("secret"); s.quit()'
}

@test "probe, Dovecot: pop3s" {
  needs_private
  is_probed pop3s 127.0.0.9:995 only_words ''
  python <<<'import poplib; s = poplib.POP3("tapped.test", 995); s.user("joe"); s.pass_("secret"); s.quit()'
}

@test "probe, Dovecot: sieve" {
  needs_private
  is_probed sieve 127.0.0.9:4190 only_words STARTTLS
  printf 'keep;\r\n' >script
  shim /usr/bin/python3 "$root/tests/sieve_client.py" tapped.test script fetched
  log_says "starttls pinned to=tapped.test"
}

# --- news, chat, power

@test "probe, INN: nntp, after MODE READER, and nntps" {
  with_server inn_stop inn_start "$certs/good.pem" "$certs/wrong-name.pem"
  is_probed nntp 127.0.0.9:119 only_words $'CAPABILITIES\nMODE READER\nCAPABILITIES\nSTARTTLS'
  python <<<'import nntplib; s = nntplib.NNTP("tapped.test", readermode=True); s.group("local.test"); s.quit()'
  tap_stop
  is_probed nntps 127.0.0.9:563 only_words ''
  [[ $output == *"greeting: 200 "* ]]
  python <<<'import nntplib; s = nntplib.NNTP("tapped.test", 563, readermode=True); s.group("local.test"); s.quit()'
}

@test "probe, InspIRCd: irc" {
  with_server inspircd_stop inspircd_start "$certs/good.pem" "$certs/wrong-name.pem"
  is_probed irc 127.0.0.9:6667 only_words STARTTLS
  python <<'END'
import socket, sys
s = socket.create_connection(("tapped.test", 6667), 60)
s.sendall(b"NICK plain\r\nUSER plain 0 * :plain\r\n")
for line in s.makefile("r"):
    word = line.split()
    if word[0] == "PING":
        s.sendall(b"PONG " + word[1].encode() + b"\r\n")
    if word[1] == "001":
        sys.exit(0)
sys.exit("not registered")
END
}

@test "probe, upsd: nut" {
  with_server upsd_stop upsd_start "$certs/good.pem" "$certs/wrong-name.pem"
  is_probed nut 127.0.0.9:3493 only_words STARTTLS
  LD_LIBRARY_PATH=$nut/libupsclient6/lib/x86_64-linux-gnu shim "$nut/nut-client/bin/upsc" dummy@tapped.test >vars
  log_says "starttls pinned to=tapped.test"
}

stream() { echo "<\\?xml version='1.0'\\?><stream:stream to='$1' version='1.0' xmlns='jabber:$2' xmlns:stream='http://etherx.jabber.org/streams'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"; }

@test "probe, Prosody: xmpp, for a domain of another name" {
  with_server prosody_stop prosody_start "$certs/wrong-name.pem"
  certificate=wrong-name is_probed xmpp 127.0.0.1:5222 only_words "$(stream other.test client)" --domain other.test
  run -0 shim perl "$root/tests/xmpp_client.pl" tapped.test 5222 other.test hello
  policy "verify to any ca $certs/ca.pem"
  run --separate-stderr -0 probe --domain other.test tapped.test:5222
  shows "checked: other.test" "verdict: verified"
  run --separate-stderr -77 probe --domain mail.test tapped.test:5222
  shows "checked: mail.test" "why: the certificate is not for mail.test; connect by a name that it holds, or put \`name NAME\` into the rule"
}

federation_here() { federation_start "$certs/good.pem"; }

@test "probe, Prosody: xmpp-server" {
  with_server federation_stop federation_here
  is_probed xmpp-server 127.0.0.1:15269 only_words "$(stream mail.test server)" --domain mail.test --proto xmpp-server
}

# --- files and printers

@test "probe, vsftpd and ProFTPD: ftp" {
  for kind in vsftpd proftpd; do
    with_server ftpd_stop "${kind}_start" "$certs/good.pem"
    is_probed ftp 2121=127.0.0.1:21 only_words 'AUTH TLS' --proto ftp
    python <<<'import ftplib; s = ftplib.FTP(); s.connect("tapped.test", 2121); s.login("joe", "x"); s.pwd(); s.quit()'
    tap_stop
    ftpd_stop "$server"
    stop=()
  done
}

@test "probe, vsftpd: ftps" {
  with_server ftpd_stop vsftpd_start "$certs/good.pem" implicit_ssl=YES listen_port=990
  is_probed ftps 9990=127.0.0.1:990 only_words '' --proto ftps
  python <<<'import ftplib; s = ftplib.FTP(); s.connect("tapped.test", 9990); s.login("joe", "x"); s.pwd(); s.quit()'
}

@test "probe, CUPS: http" {
  with_server cups_stop cups_start "$certs/good.pem"
  is_probed http 192.0.2.1:631 only_words $'OPTIONS \\* HTTP/1.1\nHost: tapped.test\nConnection: Upgrade\nUpgrade: TLS/1.0'
  shows "reply: HTTP/1.1 101 Switching Protocols"
  shim curl -sS -o page -w '%{http_code}' -H "Host: print.test:631" http://tapped.test:631/nothing | grep -qx 404
  log_says "starttls pinned to=tapped.test"
}

# --- directories and databases

@test "probe, slapd: ldap and ldaps" {
  with_server slapd_stop slapd_start "$certs/good.pem" ldap://127.0.0.1:389 ldaps://127.0.0.1:636
  is_probed ldap 127.0.0.1:389 only_bytes "302002047ffffff077188016$(printf 1.3.6.1.4.1.1466.20037 | od -An -v -tx1 | tr -d ' \n')"
  shim ldapsearch -x -LLL -H ldap://tapped.test -b dc=example,dc=org -s base | grep -qx 'dc: example'
  log_says "starttls pinned to=tapped.test"
  tap_stop
  is_probed ldaps 127.0.0.1:636 only_words ''
  shim ldapsearch -x -LLL -H ldap://tapped.test:636 -b dc=example,dc=org -s base | grep -qx 'dc: example'
  log_says "starttls pinned to=tapped.test"
}

@test "probe, PostgreSQL: pgsql" {
  with_server postgresql_stop postgresql_start "$certs/good.pem" 5432
  is_probed pgsql 127.0.0.1:5432 only_bytes 0000000804d2162f
  shows "reply: S"
  PGHOST=tapped.test PGUSER=joe PGPASSWORD=secret PGDATABASE=joe PGSSLMODE=disable run -0 shim psql -AtXc 'select 6 * 7'
  [ "$output" = 42 ]
  log_says "starttls pinned to=tapped.test"
}

@test "probe, MariaDB: mysql; the 32 bytes of SSLRequest, and no user" {
  with_server mariadb_stop mariadb_start "$certs/good.pem" 3306
  is_probed mysql 127.0.0.1:3306 only_bytes "20000001008a00000000000121$(printf '00%.0s' {1..23})"
  run -0 shim mariadb --no-defaults --skip-ssl -N -B -h tapped.test -u joe -psecret -e 'select 6 * 7'
  [ "$output" = 42 ]
  log_says "starttls pinned to=tapped.test"
}

@test "probe, Prosody without TLS: the offer is missing" {
  with_server prosody_stop prosody_start "$certs/good.pem" plain
  policy "verify to any"
  run --separate-stderr -77 probe --domain other.test localhost:5222
  shows "offer: no" "why: server did not offer TLS" "suggest: may to localhost port 5222"
  policy "may to localhost port 5222"
  run --separate-stderr -0 probe --domain other.test localhost:5222
  shows "verdict: plaintext"
}
