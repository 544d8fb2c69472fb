# SPDX-License-Identifier: MIT
# reading: what is tried with each of the programs of readers.bash against each server: alone it gets nothing; under the shim it reads its mail
# byte for byte; a wrong certificate it is told of. The server is at 127.0.0.9 and 127.0.0.10, and what goes by is recorded (wire.bash). The
# bats file says how a mail gets there: keep_only FILE.
# shellcheck shell=bash disable=SC2154

# our_words PROTO: all that may be in the clear
our_words() {
  case $1 in
  imap) printf '[0-9a-f]{32} CAPABILITY\n[0-9a-f]{32} STARTTLS' ;;
  pop3) printf 'CAPA\nSTLS' ;;
  imaps | pop3s) ;;
  esac
}

port_of() {
  case $1 in imap) echo 143 ;; pop3) echo 110 ;; imaps) echo 993 ;; pop3s) echo 995 ;; esac
}

# one_mail PROTO
one_mail() {
  needs_private
  hard_mail >mail
  keep_only mail
  tap "$(port_of "$1")"
}

# fails_alone PROTO NAME CODE
fails_alone() {
  one_mail "$1"
  run -"$3" "read_$1_with_$2" mail.test
  [ ! -s fetched ]
}

# reads PROTO NAME
reads() {
  one_mail "$1"
  with_policy
  launch=("${shim_command[@]}")
  "read_$1_with_$2" mail.test
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=$(port_of "$1") proto=$1"
  only_words "$(our_words "$1")"
}

# reads_wrapped PROTO: on the port for TLS from the first byte, by a program of Python that knows nothing of it
reads_wrapped() {
  one_mail "$1"
  policy "verify to any proto $1 port $(port_of "$1") ca $certs/ca.pem"
  launch=("${shim_command[@]}")
  "read_${1%s}_with_python" mail.test "$(port_of "$1")"
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=$(port_of "$1") proto=$1"
  only_words ""
}

# is_told PROTO NAME CODE TEXT
is_told() {
  one_mail "$1"
  with_policy
  launch=("${shim_command[@]}")
  run -"$3" "read_$1_with_$2" wrong.test
  [[ $output == *"$4"* ]]
  [ ! -s fetched ]
  log_says 'why="the certificate is not for wrong.test'
  only_words "$(our_words "$1")"
}
