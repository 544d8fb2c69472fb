# SPDX-License-Identifier: MIT
# databases: what is tried with each program of mysql.bats and pgsql.bats, and in part of ldap.bats: the server turns it away without the shim; with it, it does its job; a
# wrong certificate it is told of. The bats file says: proto; odd_port, where the server with the wrong certificate is; turned_away, what a
# program says that the server did not let in without TLS (a pattern).
# shellcheck shell=bash disable=SC2154

# What the machine's owner would write, and where the odd port is.
use_policy() { policy "verify to any port $odd_port proto $proto ca $certs/ca.pem" "verify to any ca $certs/ca.pem"; }

# does COMMAND …: without the shim the server turns it away; with it, it ends well and says $expect
does() {
  needs_private
  use_policy
  run ! "$@"
  [[ $output =~ $turned_away ]]
  run -0 shim "$@"
  echo "$output"
  [[ $output == *"$expect"* ]]
  log_says "starttls verified to=mail.test addr=127.0.0.1"
}

# is_told COMMAND …: the certificate is for another name
is_told() {
  needs_private
  use_policy
  run ! shim "$@"
  echo "$output"
  [[ $output == *"libstarttls: the certificate is not for mail.test"* ]]
  log_says 'starttls refused to=mail.test addr=127.0.0.1'
}
