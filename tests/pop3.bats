#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified POP3 programs with their own TLS off (readers.bash), and a real Dovecot that takes no password outside TLS. Each fails without
# the shim, reads its mail byte for byte with it, and is told of a wrong certificate. What goes over the wire is recorded (wire.bash).

load helper
load wire
load readers
load reading
load dovecot

@test "pop3: curl fails without the shim" { fails_alone pop3 curl 67; }
@test "pop3: curl reads" { needs_runtime curl && reads pop3 curl; }
@test "pop3: curl ends with a weird server reply" { needs_runtime curl && is_told pop3 curl 8 "Got unexpected pop3-server response"; }

@test "pop3: fetchmail fails without the shim" { fails_alone pop3 fetchmail 3; }
@test "pop3: fetchmail reads" { reads pop3 fetchmail; }
@test "pop3: fetchmail shows our sentence" { is_told pop3 fetchmail 3 "libstarttls: the certificate is not for wrong.test"; }

@test "pop3: mpop fails without the shim" { fails_alone pop3 mpop 77; }
@test "pop3: mpop reads" { reads pop3 mpop; }
@test "pop3: mpop shows our sentence" { is_told pop3 mpop 76 "libstarttls: the certificate is not for wrong.test"; }

@test "pop3: Python's poplib fails without the shim" { fails_alone pop3 python 1; }
@test "pop3: Python's poplib reads" { reads pop3 python; }
@test "pop3: Python's poplib raises error_proto with our sentence, as temporary" {
  is_told pop3 python 1 "poplib.error_proto b'-ERR [SYS/TEMP] libstarttls: the certificate is not for wrong.test"
}

@test "pop3: Perl's Net::POP3 fails without the shim" { fails_alone pop3 perl 255; }
@test "pop3: Perl's Net::POP3 reads" { reads pop3 perl; }
@test "pop3: Perl's Net::POP3 makes no object" { is_told pop3 perl 255 "Net::POP3: no connection"; }

@test "pop3: APOP, with the timestamp of the greeting" {
  one_mail pop3
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
  only_words "$(our_words pop3)"
}

@test "pop3s: Python's poplib reads, in plaintext as it thinks, on the port for TLS from the first byte" { reads_wrapped pop3s; }
