#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified mailers with their own TLS off (mailers.bash), and a real Postfix that insists on TLS. Each fails without the shim, delivers
# byte for byte with it, and learns of a wrong certificate in a way that keeps the mail.

load helper
load mailers
load servers/postfix
load servers/dovecot

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/mail.test # in memory; BATS_FILE_TMPDIR is closed to the users of Postfix
  dovecot_start "$server" "$certs/good.pem"
  postfix_start "$server" "$certs/good.pem"
}

teardown_file() {
  [ -z "${server-}" ] || { postfix_stop "$server" && dovecot_stop "$server"; }
}

new_inbox() { rm -rf "$server/mail/inbox"; }

# The program behind send_with_NAME.
program() {
  case $1 in
  s_nail) echo s-nail ;;
  python) echo /usr/bin/python3 ;;
  nullmailer) echo /usr/lib/nullmailer/smtp ;;
  postfix) echo /usr/lib/postfix/sbin/smtp ;;
  *) echo "$1" ;;
  esac
}

# With what the machine's owner would write: the private CA, and nothing but that.
shimmed() {
  policy "verify to any ca $certs/ca.pem"
  launch=("${shim_command[@]}")
}

# fails_alone NAME CODE: without the shim, before it has said what the mail is
fails_alone() {
  needs_private
  new_inbox
  hard_mail >mail
  run -"$2" "send_with_$1" mail.test 25 mail
  [ ! -e "$server/mail/inbox" ]
}

# delivers NAME [auth]
delivers() {
  needs_private
  needs_runtime "$(program "$1")"
  new_inbox
  shimmed
  hard_mail >mail
  "send_with_$1" mail.test "$([ -n "${2-}" ] && echo 587 || echo 25)" mail "${2-}"
  same_body mail "$(postfix_inbox "$server")"
  log_says "starttls verified to=mail.test addr=127.0.0.1"
}

# keeps NAME CODE TEXT: what a mailer makes of a certificate for another name: its exit code, and what it says
keeps() {
  needs_private
  needs_runtime "$(program "$1")"
  serve --cert "$certs/wrong-name.pem"
  watch verify
  launch=("${shim_command[@]}")
  hard_mail >mail
  run -"$2" "send_with_$1" mail.test "$PORT" mail
  [[ $output == *"$3"* ]]
  nothing_leaked
  log_says 'why="the certificate is not for mail.test'
}

@test "msmtp fails without the shim" { fails_alone msmtp 65; }
@test "msmtp delivers" { delivers msmtp; }
@test "msmtp delivers with a password" { delivers msmtp auth; }
@test "msmtp ends with EX_PROTOCOL and the 421: its caller, who has the mail, tries again" { keeps msmtp 76 "421 4.7.5 libstarttls: "; }

@test "ssmtp fails without the shim" { fails_alone ssmtp 1; }
@test "ssmtp delivers" { delivers ssmtp; }
@test "ssmtp delivers with a password" { delivers ssmtp auth; }
@test "ssmtp ends with 1, its only failure: its caller has the mail" { keeps ssmtp 1 "Invalid response SMTP server"; }

@test "nullmailer fails without the shim" { fails_alone nullmailer 69; }
@test "nullmailer delivers" { delivers nullmailer; }
@test "nullmailer delivers with a password" { delivers nullmailer auth; }
@test "nullmailer calls it temporary and keeps the mail in its queue" {
  keeps nullmailer 75 "Temporary error in sending the message"
  [ "$(find /var/spool/nullmailer/queue -type f | wc -l)" = 1 ]
  [ -z "$(ls /var/spool/nullmailer/failed)" ]
}

@test "s-nail fails without the shim" { fails_alone s_nail 4; }
@test "s-nail delivers" { delivers s_nail; }
@test "s-nail delivers with a password" { delivers s_nail auth; }
@test "s-nail ends with 4 and saves the mail in dead.letter" {
  keeps s_nail 4 "421 4.7.5 libstarttls: "
  grep -q "^injected" <(tr -d '<' <dead.letter | sed 's/^MAIL FROM://')
}

@test "swaks fails without the shim" { fails_alone swaks 23; }
@test "swaks delivers" { delivers swaks; }
@test "swaks delivers with a password" { delivers swaks auth; }
@test "swaks ends with 21, no greeting, and shows the 421" { keeps swaks 21 "421 4.7.5 libstarttls: "; }

@test "curl fails without the shim" { fails_alone curl 55; }
@test "curl delivers" { delivers curl; }
@test "curl delivers with a password" { delivers curl auth; }
@test "curl ends with 8, weird server reply, and the 421" { keeps curl 8 "421"; }

@test "Python's smtplib fails without the shim" { fails_alone python 69; }
@test "Python's smtplib delivers" { delivers python; }
@test "Python's smtplib delivers with a password" { delivers python auth; }
@test "Python's smtplib raises SMTPConnectError with 421 and our sentence" { keeps python 75 "SMTPConnectError 421 4.7.5 libstarttls: "; }

@test "Perl's Net::SMTP fails without the shim" { fails_alone perl 69; }
@test "Perl's Net::SMTP delivers" { delivers perl; }
@test "Perl's Net::SMTP makes no object and leaves our sentence in \$@" { keeps perl 75 "421 4.7.5 libstarttls: "; }

@test "Postfix as a relay fails without the shim" { fails_alone postfix 69; }
@test "Postfix as a relay delivers" { delivers postfix; }
@test "Postfix as a relay keeps the mail in its queue" {
  keeps postfix 75 "421 4.7.5 libstarttls: "
  [ "$(find /var/lib/relay/queue/deferred -type f | wc -l)" = 1 ]
}

@test "a shell script fails without the shim" { fails_alone bash 69; }
@test "a shell script delivers" { delivers bash; }
@test "a shell script reads 421 and our sentence" { keeps bash 75 "421 4.7.5 libstarttls: "; }

@test "a program of node's fails without the shim" { fails_alone node 69; }
@test "a program of node's delivers" { delivers node; }
@test "a program of node's reads 421 and our sentence" { keeps node 75 "421 4.7.5 libstarttls: "; }

@test "a password is asked for only inside TLS: port 587 shows no AUTH in the clear" {
  needs_private
  hard_mail >mail
  run -1 send_with_python mail.test 587 mail auth
  [[ $output == *"SMTP AUTH extension not supported by server"* ]]
}

@test "one mail of 25 MiB arrives whole" {
  needs_private
  needs_runtime msmtp
  new_inbox
  shimmed
  { printf 'From: sender@example.org\nTo: joe@mail.test\nSubject: big\n\n'
    head -c $((25 * 1024 * 1024 * 3 / 4)) /dev/urandom | base64; } >mail
  send_with_msmtp mail.test 25 mail
  [ "$(body mail | sha256sum)" = "$(body "$(postfix_inbox "$server")" | sha256sum)" ]
}

@test "several mails over one connection" {
  needs_private
  needs_runtime curl
  new_inbox
  shimmed
  hard_mail >mail
  curl_config() { printf 'url = smtp://mail.test\nmail-from = sender@example.org\nmail-rcpt = joe@mail.test\ncrlf\nupload-file = mail\n'; }
  "${launch[@]}" curl -sS -K <(curl_config; echo next; curl_config; echo next; curl_config)
  postfix_inbox "$server" >inbox
  [ "$(wc -l <inbox)" = 3 ]
  [ "$(grep -c 'starttls verified' log)" = 1 ]
}

# --- LMTP

# taken NAME: NAME has the mail, it is the one sent, and it came inside TLS
taken() {
  same_body mail "$server/lmtp/$1"/new/*
  grep -q "with LMTPS" "$server/lmtp/$1"/new/*
}

@test "lmtp: swaks delivers to Dovecot" {
  needs_private
  shimmed
  hard_mail >mail
  head -c -1 mail >without_last_newline
  "${launch[@]}" swaks --protocol LMTP --server mail.test --port 24 --from sender@example.org --to swaks@mail.test --data @without_last_newline
  taken swaks
  log_says "proto=lmtp"
}

@test "lmtp: Python's smtplib delivers to two recipients at Dovecot" {
  needs_private
  shimmed
  hard_mail >mail
  "${launch[@]}" /usr/bin/python3 - <<'END'
import smtplib
server = smtplib.LMTP("mail.test", 24)
mail = open("mail", "rb").read().replace(b"\n", b"\r\n")
assert server.sendmail("sender@example.org", ["one@mail.test", "two@mail.test"], mail) == {}
server.quit()
END
  taken one
  taken two
}

@test "lmtp: a wrong certificate is a 421 for all recipients" {
  needs_private
  serve --proto lmtp --cert "$certs/wrong-name.pem"
  PROTO=lmtp watch verify
  run -21 shim swaks --protocol LMTP --server mail.test --port "$PORT" --from sender@example.org --to joe@mail.test
  [[ $output == *"421 4.7.5 libstarttls: the certificate is not for mail.test"* ]]
  nothing_leaked
}

@test "smtps: a mailer delivers on port 465, in plaintext as it thinks, and fails there without the shim" {
  needs_private
  needs_runtime msmtp
  new_inbox
  hard_mail >mail
  launch=(timeout 5) # Postfix waits for a ClientHello, and the mailer for a greeting
  run ! send_with_msmtp mail.test 465 mail
  policy "verify to any proto smtps port 465 ca $certs/ca.pem"
  launch=("${shim_command[@]}")
  send_with_msmtp mail.test 465 mail
  same_body mail "$(postfix_inbox "$server")"
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=465 proto=smtps"
}
