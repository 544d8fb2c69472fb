#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified IMAP programs with their own TLS off (readers.bash), and a real Dovecot that takes no password outside TLS. Each fails without
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

our_words=$'[0-9a-f]{32} CAPABILITY\n[0-9a-f]{32} STARTTLS'

one_mail() {
  needs_private
  rm -rf "$server/lmtp/joe"
  hard_mail >mail
  maildir_add "$server" joe mail
  tap 143 993
}

# fails_alone NAME CODE
fails_alone() {
  one_mail
  run -"$2" "read_imap_with_$1" mail.test
  [ ! -s fetched ]
}

# reads NAME
reads() {
  one_mail
  with_policy
  launch=("${shim_command[@]}")
  "read_imap_with_$1" mail.test
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=143 proto=imap"
  only_words "$our_words"
}

# is_told NAME CODE TEXT
is_told() {
  one_mail
  with_policy
  launch=("${shim_command[@]}")
  run -"$2" "read_imap_with_$1" wrong.test
  [[ $output == *"$3"* ]]
  [ ! -s fetched ]
  log_says 'why="the certificate is not for wrong.test'
  only_words "$our_words"
}

@test "imap: curl fails without the shim" { fails_alone curl 67; }
@test "imap: curl reads" { needs_runtime curl && reads curl; }
@test "imap: curl ends with a weird server reply" { needs_runtime curl && is_told curl 8 ""; }

@test "imap: mutt fails without the shim" { fails_alone mutt 1; }
@test "imap: mutt reads" { reads mutt; }
@test "imap: mutt shows the alert" { is_told mutt 1 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: fetchmail fails without the shim" { fails_alone fetchmail 3; }
@test "imap: fetchmail reads" { reads fetchmail; }
@test "imap: fetchmail shows our sentence" { is_told fetchmail 2 "LIBSTARTTLS: THE CERTIFICATE IS NOT FOR WRONG.TEST"; }

@test "imap: mbsync fails without the shim" { fails_alone mbsync 1; }
# Its descriptor is non-blocking, and to it EAGAIN after poll() said readable is an error.
@test "imap: mbsync reads" { reads mbsync; }
@test "imap: mbsync shows our sentence" { is_told mbsync 1 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: Python's imaplib fails without the shim" { fails_alone python 1; }
@test "imap: Python's imaplib reads" { reads python; }
@test "imap: Python's imaplib raises error with our sentence" {
  is_told python 1 "imaplib.error b'* BYE [ALERT] libstarttls: the certificate is not for wrong.test"
}

@test "imap: Mail::IMAPClient fails without the shim" { fails_alone imapclient 255; }
@test "imap: Mail::IMAPClient reads" { reads imapclient; }
@test "imap: Mail::IMAPClient shows our sentence" { is_told imapclient 255 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: Net::IMAP::Simple fails without the shim" { fails_alone simple 255; }
@test "imap: Net::IMAP::Simple reads" { reads simple; }
@test "imap: Net::IMAP::Simple shows our sentence" { is_told simple 255 ""; }

@test "imap: IDLE in one thread while another writes" {
  one_mail
  with_policy
  shim /usr/bin/python3 - "$server/lmtp/joe" <<'END'
import imaplib, os, shutil, sys, threading
box = sys.argv[1]
m = imaplib.IMAP4("mail.test")
m.login("joe", "secret")
m.select("INBOX")
idling, lines = threading.Event(), []

def listen():
    while True:
        line = m.readline()
        lines.append(line)
        if line.startswith(b"+"):
            idling.set()
        if line.startswith(b"* 2 EXISTS"):
            m.send(b"DONE\r\n")
        if line.startswith(b"x1 "):
            return

listener = threading.Thread(target=listen)
listener.start()
m.send(b"x1 IDLE\r\n")
assert idling.wait(30)
shutil.copy("mail", box + "/tmp/second")
shutil.chown(box + "/tmp/second", "vmail", "vmail")
os.rename(box + "/tmp/second", box + "/new/2.second.mail.test")
listener.join(60)
assert b"* 2 EXISTS\r\n" in lines and lines[-1].startswith(b"x1 OK"), lines
m.logout()
END
  only_words "$our_words"
}

@test "imap: a mail of 8 MiB goes up and comes back whole" {
  one_mail
  with_policy
  shim /usr/bin/python3 - <<'END'
import imaplib, os
m = imaplib.IMAP4("mail.test")
m.login("joe", "secret")
big = b"Subject: big\r\n\r\n" + b"".join(os.urandom(36).hex().encode() + b"\r\n" for _ in range(8 << 14))
assert m.append("INBOX", None, None, big)[0] == "OK"
m.select("INBOX")
assert m.fetch("2", "(RFC822)")[1][0][1] == big
m.logout()
END
  only_words "$our_words"
}

@test "imaps: Python's imaplib reads, in plaintext as it thinks, on the port for TLS from the first byte" {
  one_mail
  policy "verify to any proto imaps port 993 ca $certs/ca.pem"
  shim /usr/bin/python3 - <<'END'
import imaplib
m = imaplib.IMAP4("mail.test", 993)
m.login("joe", "secret")
m.select("INBOX")
open("fetched", "wb").write(m.fetch("1", "(RFC822)")[1][0][1])
m.logout()
END
  diff mail <(tr -d '\r' <fetched)
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=993 proto=imaps"
  only_words ""
}
