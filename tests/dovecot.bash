# SPDX-License-Identifier: MIT
# dovecot: for the bats files in which mail readers talk to one real Dovecot, which takes no password outside TLS. On its second
# address, wrong.test, it shows a certificate for another name.
# shellcheck shell=bash disable=SC2154

load servers/dovecot

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/mail.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  dovecot_start_readers "$server" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${server-}" ] || dovecot_stop "$server"; }

# keep_only FILE: the one mail in the inbox of joe
keep_only() { dovecot_keep_only "$server" joe "$1"; }
