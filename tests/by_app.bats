#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `by app`: programs of Debian that can do TLS, and real servers. With their TLS on they are left alone, and the log says `own`; with it off
# nothing of theirs leaves but what any stranger may hear. What goes over the wire is recorded (wire.bash):
#
#   client ─ app.test (127.0.0.3) ─► wiretap ─► the server, whose certificate is nobody's concern here

load helper
load wire
load servers/postfix
load servers/dovecot
load servers/slapd
load servers/postgresql
load servers/mariadb
load servers/ftpd

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export mail=/var/lib/mail.test ldap=/var/lib/ldap.test pgsql=/var/lib/pgsql.test mysql=/var/lib/mysql.test ftp=/var/lib/ftp.test
  echo '127.0.0.3 app.test' >>/etc/hosts
  dovecot_start_readers "$mail" "$certs/good.pem" "$certs/wrong-name.pem"
  postfix_start "$mail" "$certs/good.pem"
  slapd_start "$ldap" "$certs/good.pem" ldap://127.0.0.1:389
  postgresql_start "$pgsql" "$certs/good.pem" 5432
  mariadb_start "$mysql" "$certs/good.pem" 3306
  vsftpd_start "$ftp" "$certs/good.pem" listen_address=127.0.0.1 require_ssl_reuse=NO strict_ssl_read_eof=NO
  echo there >"$ftp/home/there"
}

teardown_file() {
  [ -n "${mail-}" ] || return 0
  postfix_stop "$mail"
  dovecot_stop "$mail"
  slapd_stop "$ldap"
  postgresql_stop "$pgsql"
  mariadb_stop "$mysql"
  kill "$(cat "$ftp/pid")"
}

# at PORT [SERVER-PORT]: the server, behind the cable
at() {
  local server=127.0.0.1
  case $1 in 143 | 110 | 4190) server=127.0.0.9 ;; esac
  needs_private
  mkdir -p wire
  coproc tapped { exec "$root/tests/wiretap" "$PWD/wire" "127.0.0.3:$1=$server:${2-$1}" 3>&-; }
  TAP=$tapped_PID
  read -r line <&"${tapped[0]}"
  [ "$line" = ready ]
  policy "${level-verify} to any ${rule-} by app"
  hard_mail >mail
}

# in_the_clear REGEX: what the server heard outside TLS, all lines of it
in_the_clear() {
  tap_stop
  local heard
  heard=$("$root/tests/wiretap" --clear wire/1.up | tr -d '\r')
  [[ $heard =~ ^($1)$ ]] || { echo "in the clear: $heard"; return 1; }
}

# is_own PROTO: the program was let do it, and the server saw TLS
is_own() {
  log_says "starttls own ${to-to=app.test }addr=127.0.0.3 port=$2 proto=$1 need=verify"
  [ "$(wc -l <log)" = 1 ]
  tap_stop
  [ "$(wc -c <wire/1.up)" -gt "$("$root/tests/wiretap" --clear wire/1.up | wc -c)" ]
}

# is_refused PROTO: and nothing but words in the clear was ever there
is_refused() {
  log_says "starttls refused ${to-to=app.test }addr=127.0.0.3"
  log_says "proto=$1 need=verify"
  log_says 'why="the program went on in plaintext where it should have brought TLS up itself (`by app`)"'
  tap_stop
  cmp wire/1.up <("$root/tests/wiretap" --clear wire/1.up)
}

our_words='libstarttls: the program went on in plaintext'

# --- SMTP

with_msmtp() { shim msmtp --host=app.test --port=25 "$@" --auth=off --from=sender@example.org joe@mail.test <mail; }

@test "msmtp with its TLS on delivers, and is left alone" {
  needs_runtime msmtp
  at 25
  rm -rf "$mail/mail/inbox"
  run -0 with_msmtp --tls=on --tls-certcheck=off
  is_own smtp 25
  in_the_clear $'EHLO [^\n]*\nSTARTTLS'
  same_body mail "$(postfix_inbox "$mail")"
}
@test "msmtp with its TLS off is told 421, and MAIL never leaves" {
  needs_runtime msmtp
  at 25
  run -69 with_msmtp --tls=off # so it is with every 4yz to MAIL
  [[ $output == *"421 4.7.0 $our_words"* ]]
  is_refused smtp
  in_the_clear 'EHLO [^\n]*'
}
@test "msmtp with TLS from the first byte" {
  needs_runtime msmtp
  rule='port 465 proto smtps' at 465
  run -0 shim msmtp --host=app.test --port=465 --tls=on --tls-starttls=off --tls-certcheck=off --auth=off --from=sender@example.org joe@mail.test <mail
  is_own smtps 465
  in_the_clear ''
}
@test "msmtp that should begin with TLS, and does not, is not even heard to say EHLO" {
  needs_runtime msmtp
  rule='port 465 proto smtps' at 465 25
  run -76 shim msmtp --host=app.test --port=465 --tls=off --auth=off --from=sender@example.org joe@mail.test <mail
  is_refused smtps
  in_the_clear ''
}

with_curl_smtp() { shim curl -sS -k "$@" smtp://app.test --mail-from sender@example.org --mail-rcpt joe@mail.test --crlf -T mail; }

@test "curl with its TLS on delivers, and is left alone" {
  needs_runtime curl
  at 25
  run -0 with_curl_smtp --ssl-reqd
  is_own smtp 25
  in_the_clear $'EHLO [^\n]*\nSTARTTLS'
}
@test "curl with its TLS off does not get to MAIL" {
  needs_runtime curl
  at 25
  run ! with_curl_smtp
  is_refused smtp
  in_the_clear 'EHLO [^\n]*'
}
@test "may: curl with its TLS off may go on, and the log says plaintext" {
  needs_runtime curl
  level=may at 25
  run ! with_curl_smtp # for Postfix insists on TLS
  log_says "starttls plaintext to=app.test"
  in_the_clear $'EHLO [^\n]*\nMAIL FROM:<sender@example.org>[^\n]*\n.*'
}

# --- IMAP and POP3

with_curl() { shim curl -sS -k --user joe:secret "$@"; }

fetches_by_itself() {
  needs_runtime curl
  at "$2"
  dovecot_keep_only "$mail" joe mail
  run -0 with_curl --ssl-reqd -o fetched "$1://app.test/$3"
  is_own "$1" "$2"
  same_body mail fetched
}
gets_nowhere() {
  needs_runtime curl
  at "$2"
  run ! with_curl -o fetched "$1://app.test/$3"
  is_refused "$1"
  [ ! -s fetched ]
}

@test "imap: curl with its TLS on reads" {
  fetches_by_itself imap 143 'INBOX;MAILINDEX=1'
  in_the_clear $'A001 CAPABILITY\nA002 STARTTLS'
}
# Somebody in between, who takes STARTTLS out of the list and LOGINDISABLED too; a true Dovecot asks for no password in plaintext.
@test "imap: curl with its TLS off does not get to its password" {
  needs_runtime curl
  needs_private
  coproc stripped {
    exec python3 - 3>&- <<'END'
import socket
s = socket.create_server(("127.0.0.3", 143))
print("ready", flush=True)
c = s.accept()[0]
c.sendall(b"* OK hello\r\n")
with open("heard", "wb", 0) as heard:
    for line in c.makefile("rb"):
        heard.write(line)
        c.sendall(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n" + line.split()[0] + b" OK\r\n")
END
  }
  local pid=$stripped_PID
  read -r line <&"${stripped[0]}"
  policy "verify to any by app"
  run ! with_curl "imap://app.test/INBOX;MAILINDEX=1"
  wait "$pid"
  log_says "starttls refused to=app.test addr=127.0.0.3 port=143 proto=imap"
  [ "$(tr -d '\r' <heard)" = 'A001 CAPABILITY' ]
}
@test "pop3: curl with its TLS on reads" {
  fetches_by_itself pop3 110 1
  in_the_clear $'CAPA\nSTLS'
}
@test "pop3: curl with its TLS off does not get to its name" {
  gets_nowhere pop3 110 1
  in_the_clear 'CAPA'
}

# --- programs that would do TLS, and are talked out of it

# Opportunistic: TLS if it can be had.
tries_in_vain() {
  needs_runtime curl
  watch verify by app
  printf 'Subject: x\n\nx\n' >mail
  run ! shim curl -sS -k --ssl "smtp://localhost:$PORT" --mail-from sender@example.org --mail-rcpt joe@mail.test --crlf -T mail
  log_says "starttls refused addr=127.0.0.1 port=$PORT proto=smtp" # curl knows localhost by itself
  nothing_leaked_but_ehlo
}

nothing_leaked_but_ehlo() {
  peer_stop
  run -0 tr -d '\r' <journal/1.wire
  [[ $output =~ ^EHLO\ [^[:space:]]*([[:space:]]STARTTLS)?$ ]]
  [ -z "$(ls mailbox)" ]
}

@test "curl --ssl, and somebody takes STARTTLS out of the list" {
  serve_plain
  tries_in_vain
}
@test "curl --ssl, and the server says 454" {
  serve --starttls-reply '454 4.7.0 not now'
  tries_in_vain
}
@test "psql with sslmode=prefer, and somebody says N" {
  needs_private
  coproc denying {
    exec python3 - 3>&- <<'END'
import socket
s = socket.create_server(("127.0.0.3", 5432))
print("ready", flush=True)
with open("heard", "wb", 0) as heard:
    c = s.accept()[0]
    heard.write(c.recv(1000))
    c.sendall(b"N")
    heard.write(c.recv(1000))
END
  }
  local pid=$denying_PID # bash forgets it when it ends
  read -r line <&"${denying[0]}"
  policy "verify to any by app"
  run -2 with_psql prefer
  wait "$pid"
  [[ $output == *"$our_words"* ]]
  log_says "starttls refused to=app.test addr=127.0.0.3 port=5432 proto=pgsql"
  [ "$(od -An -tx1 heard | tr -d ' \n')" = 0000000804d2162f ]
}

# --- PostgreSQL, MySQL, LDAP

with_psql() { shim env PGHOST=app.test PGUSER=joe PGPASSWORD=secret PGDATABASE=joe PGSSLMODE="$1" PGCONNECT_TIMEOUT=30 psql -AtXc 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'; }

@test "psql with sslmode=require asks, and is left alone" {
  at 5432
  run -0 with_psql require
  [ "$output" = t ]
  is_own pgsql 5432
}
@test "psql with sslmode=disable shows our sentence, and no StartupMessage leaves" {
  at 5432
  run -2 with_psql disable
  [[ $output == *"FATAL:  $our_words"* ]]
  is_refused pgsql
  [ ! -s wire/1.up ]
}

with_mariadb() { shim mariadb --no-defaults -N -B -h app.test -u joe -psecret "$@" -e "show status like 'Ssl_version'"; }

@test "mariadb with --ssl asks, and is left alone" {
  at 3306
  run -0 with_mariadb --ssl
  [[ $output == *TLSv1* ]]
  is_own mysql 3306
}
@test "mariadb with --skip-ssl shows our sentence, and no user name leaves" {
  at 3306
  run -1 with_mariadb --skip-ssl
  [[ $output == *"ERROR 1043 (08S01)"*"$our_words"* ]]
  is_refused mysql
  [ ! -s wire/1.up ]
}

with_ldapsearch() { LDAPTLS_REQCERT=never shim ldapsearch -x -LLL -H ldap://app.test -b dc=example,dc=org "$@" uid=user7 mail; }

@test "ldapsearch -ZZ finds, and is left alone" {
  at 389
  run -0 with_ldapsearch -ZZ
  [[ $output == *"mail: user7@example.org"* ]]
  is_own ldap 389
}
@test "ldapsearch with a password is told 52, and the bind never leaves" {
  at 389
  run -52 with_ldapsearch -D cn=admin,dc=example,dc=org -w secret
  [[ $output == *"$our_words"* ]]
  is_refused ldap
  [ ! -s wire/1.up ]
}
@test "ldapsearch without a bind is disconnected, and the search never leaves" {
  at 389
  run ! with_ldapsearch -o nettimeout=5
  is_refused ldap
  [ ! -s wire/1.up ]
}

# --- FTP

# It asks the resolver in a child of its own, so we do not hear the name. With TLS 1.3 it loses uploads, with us or without: it closes before it has
# read the server's tickets.
with_lftp() {
  shim timeout 100 lftp --norc -c "set ftp:ssl-force $1; set ftp:ssl-allow $1; set ftp:ssl-protect-data $1; set ssl:verify-certificate no; set ssl:priority NORMAL:-VERS-TLS1.3; \
set net:max-retries 1; set net:timeout 30; set ftp:prefer-epsv no; set ftp:fix-pasv-address no; set cmd:fail-exit yes; open -u joe,x app.test; put up -o stored; get stored -o down; ls"
}

@test "lftp with its TLS on puts, gets and lists, its data connections its own too" {
  at 21
  seq 40000 >up
  run with_lftp true
  echo "$output"
  [ "$status" = 0 ]
  cmp up "$ftp/home/stored"
  cmp up down
  to='' is_own ftp 21
  run -0 "$root/tests/wiretap" --clear wire/1.up
  [[ $output == *"AUTH TLS"* && $output != *USER* ]]
}
@test "lftp, where the rule is for all ports: its data connections are looked at too, and let through" {
  rule='port 21,1024-65535 proto ftp' at 21
  seq 40000 >up
  run with_lftp true
  echo "$output"
  [ "$status" = 0 ]
  cmp up "$ftp/home/stored"
  cmp up down
  run -1 grep -v 'starttls own ' log
  [ "$(wc -l <log)" = 4 ]
}
@test "lftp with its TLS off does not get to USER" {
  at 21
  seq 100 >up
  run ! with_lftp false
  [[ $output == *"$our_words"* ]]
  to='' is_refused ftp
  run ! grep -aq 'USER\|PASS' wire/*.up
}
@test "ftp: curl with its TLS on reads" {
  needs_runtime curl
  at 21
  run -0 with_curl --ssl-reqd --no-ftp-skip-pasv-ip ftp://app.test/there
  [ "$output" = there ]
  is_own ftp 21
  in_the_clear 'AUTH SSL'
}
@test "ftp: curl with its TLS off does not get to USER" {
  needs_runtime curl
  at 21
  run ! with_curl ftp://app.test/there
  is_refused ftp
  [ ! -s wire/1.up ]
}
