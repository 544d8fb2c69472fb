#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The second server of mail readers: a real Cyrus, which takes no password outside TLS and says so (LOGINDISABLED). What is tried is in
# reading.bash, with fewer programs than against Dovecot (imap.bats, pop3.bats, sieve.bats). What goes over the wire is recorded (wire.bash).

load helper
load wire
load readers
load reading
load servers/cyrus

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/cyrus.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  cyrus_start "$server" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${server-}" ] || cyrus_stop "$server"; }

keep_only() { cyrus_keep_only joe "$1"; }

@test "cyrus, imap: curl fails without the shim" { fails_alone imap curl 67; }
@test "cyrus, imap: curl reads" { needs_runtime curl && reads imap curl; }
@test "cyrus, imap: mutt fails without the shim" { fails_alone imap mutt 1; }
@test "cyrus, imap: mutt reads" { reads imap mutt; }
@test "cyrus, imap: mutt shows the alert" { is_told imap mutt 1 "libstarttls: the certificate is not for wrong.test"; }
@test "cyrus, imap: fetchmail fails without the shim" { fails_alone imap fetchmail 3; }
@test "cyrus, imap: fetchmail reads" { reads imap fetchmail; }
@test "cyrus, imap: mbsync fails without the shim" { fails_alone imap mbsync 1; }
@test "cyrus, imap: mbsync reads" { reads imap mbsync; }
@test "cyrus, imap: Python's imaplib fails without the shim" { fails_alone imap python 1; }
@test "cyrus, imap: Python's imaplib reads" { reads imap python; }
@test "cyrus, imaps: Python's imaplib reads, in plaintext as it thinks" { reads_wrapped imaps; }

@test "cyrus, pop3: curl fails without the shim" { fails_alone pop3 curl 67; }
@test "cyrus, pop3: curl reads" { needs_runtime curl && reads pop3 curl; }
@test "cyrus, pop3: fetchmail fails without the shim" { fails_alone pop3 fetchmail 3; }
@test "cyrus, pop3: fetchmail reads" { reads pop3 fetchmail; }
@test "cyrus, pop3: fetchmail shows our sentence" { is_told pop3 fetchmail 3 "libstarttls: the certificate is not for wrong.test"; }
@test "cyrus, pop3s: Python's poplib reads, in plaintext as it thinks" { reads_wrapped pop3s; }

@test "cyrus, sieve: a plain program finds no way to log in without the shim" {
  needs_private
  tap 4190
  run -1 keep_script mail.test
  [[ $output == *"no way to log in"* ]]
}

@test "cyrus, sieve: with it a script goes up, becomes active, and comes back" {
  needs_private
  echo >mail
  keep_only mail # Cyrus keeps scripts for users who have an inbox
  tap 4190
  with_policy
  launch=("${shim_command[@]}")
  keep_script mail.test
  cmp script fetched
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=4190 proto=sieve"
  only_words STARTTLS
}

@test "cyrus, sieve: a wrong certificate is BYE (TRYLATER) with our sentence" {
  needs_private
  tap 4190
  with_policy
  launch=("${shim_command[@]}")
  run -1 keep_script wrong.test
  [[ $output == 'BYE (TRYLATER) "libstarttls: the certificate is not for wrong.test'* ]]
  only_words STARTTLS
}
