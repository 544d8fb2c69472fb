#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified POP3 programs with their own TLS off (readers.bash), and a real Dovecot that takes no password outside TLS. Each fails without
# the shim, reads its mail byte for byte with it, and is told of a wrong certificate. What goes over the wire is recorded (wire.bash).

load helper
load wire
load readers
load servers/dovecot

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/mail.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  dovecot_serve_readers "$server" "$certs/wrong-name.pem"
  dovecot_start "$server" "$certs/good.pem"
}

teardown_file() { [ -z "${server-}" ] || dovecot_stop "$server"; }

our_words=$'CAPA\nSTLS'

one_mail() {
  needs_private
  rm -rf "$server/lmtp/joe"
  hard_mail >mail
  maildir_add "$server" joe mail
  tap 110 995
}

# fails_alone NAME CODE
fails_alone() {
  one_mail
  run -"$2" "read_pop3_with_$1" mail.test
  [ ! -s fetched ]
}

# reads NAME
reads() {
  one_mail
  with_policy
  launch=("${shim_command[@]}")
  "read_pop3_with_$1" mail.test
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=110 proto=pop3"
  only_words "$our_words"
}

# is_told NAME CODE TEXT
is_told() {
  one_mail
  with_policy
  launch=("${shim_command[@]}")
  run -"$2" "read_pop3_with_$1" wrong.test
  [[ $output == *"$3"* ]]
  [ ! -s fetched ]
  log_says 'why="the certificate is not for wrong.test'
  only_words "$our_words"
}

@test "pop3: curl fails without the shim" { fails_alone curl 67; }
@test "pop3: curl reads" { needs_runtime curl && reads curl; }
@test "pop3: curl ends with a weird server reply" { needs_runtime curl && is_told curl 8 "Got unexpected pop3-server response"; }

@test "pop3: fetchmail fails without the shim" { fails_alone fetchmail 3; }
@test "pop3: fetchmail reads" { reads fetchmail; }
@test "pop3: fetchmail shows our sentence" { is_told fetchmail 3 "libstarttls: the certificate is not for wrong.test"; }

@test "pop3: mpop fails without the shim" { fails_alone mpop 77; }
@test "pop3: mpop reads" { reads mpop; }
@test "pop3: mpop shows our sentence" { is_told mpop 76 "libstarttls: the certificate is not for wrong.test"; }

@test "pop3: Python's poplib fails without the shim" { fails_alone python 1; }
@test "pop3: Python's poplib reads" { reads python; }
@test "pop3: Python's poplib raises error_proto with our sentence, as temporary" {
  is_told python 1 "poplib.error_proto b'-ERR [SYS/TEMP] libstarttls: the certificate is not for wrong.test"
}

@test "pop3: Perl's Net::POP3 fails without the shim" { fails_alone perl 255; }
@test "pop3: Perl's Net::POP3 reads" { reads perl; }
@test "pop3: Perl's Net::POP3 makes no object" { is_told perl 255 "Net::POP3: no connection"; }

@test "pop3: APOP, with the timestamp of the greeting" {
  one_mail
  with_policy
  shim /usr/bin/python3 - <<'END'
import poplib
p = poplib.POP3("mail.test")
assert b"<" in p.welcome
p.apop("joe", "secret")
open("fetched", "wb").write(b"\r\n".join(p.retr(1)[1]) + b"\r\n")
p.quit()
END
  diff mail <(tr -d '\r' <fetched)
  only_words "$our_words"
}

@test "pop3s: Python's poplib reads, in plaintext as it thinks, on the port for TLS from the first byte" {
  one_mail
  policy "verify to any proto pop3s port 995 ca $certs/ca.pem"
  shim /usr/bin/python3 - <<'END'
import poplib
p = poplib.POP3("mail.test", 995)
p.user("joe")
p.pass_("secret")
open("fetched", "wb").write(b"\r\n".join(p.retr(1)[1]) + b"\r\n")
p.quit()
END
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=995 proto=pop3s"
  only_words ""
}
