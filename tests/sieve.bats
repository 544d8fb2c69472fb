#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ManageSieve: a plain program that speaks RFC 5804, and a real Dovecot that offers no SASL mechanism outside TLS. What goes over the wire
# is recorded (wire.bash).

load helper
load wire
load readers
load dovecot

@test "sieve: a plain program finds no way to log in without the shim" {
  needs_private
  tap 4190
  run -1 keep_script mail.test
  [[ $output == *"no way to log in"* ]]
}

@test "sieve: with it a script goes up, becomes active, and comes back; the list from inside TLS was the greeting" {
  needs_private
  tap 4190
  with_policy
  launch=("${shim_command[@]}")
  keep_script mail.test
  cmp script fetched
  cmp script "$server/sieve/joe/mine.sieve"
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=4190 proto=sieve"
  only_words STARTTLS
}

@test "sieve: a wrong certificate is BYE (TRYLATER) with our sentence" {
  needs_private
  tap 4190
  with_policy
  launch=("${shim_command[@]}")
  run -1 keep_script wrong.test
  [[ $output == 'BYE (TRYLATER) "libstarttls: the certificate is not for wrong.test'* ]]
  only_words STARTTLS
}

# It would upgrade itself; here it finds a server that offers no STARTTLS and takes passwords: one inside TLS.
@test "sieve: sieve-connect sees no STARTTLS any more, and lists the scripts" {
  needs_private
  tap 4190
  with_policy
  echo 'keep;' >"$server/sieve/joe/other.sieve"
  chown -R vmail: "$server/sieve"
  echo secret | shim sieve-connect --server mail.test --user joe --passwordfd 0 --notlsverify --nosslverify --list >list
  grep -q other list
  only_words STARTTLS
}
