#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified IMAP programs with their own TLS off (readers.bash), and a real Dovecot that takes no password outside TLS. Each fails without
# the shim, reads its mail byte for byte with it, and is told of a wrong certificate. What goes over the wire is recorded (wire.bash).

load helper
load wire
load readers
load reading
load dovecot

@test "imap: curl fails without the shim" { fails_alone imap curl 67; }
@test "imap: curl reads" { needs_runtime curl && reads imap curl; }
@test "imap: curl ends with a weird server reply" { needs_runtime curl && is_told imap curl 8 ""; }

@test "imap: mutt fails without the shim" { fails_alone imap mutt 1; }
@test "imap: mutt reads" { reads imap mutt; }
@test "imap: mutt shows the alert" { is_told imap mutt 1 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: fetchmail fails without the shim" { fails_alone imap fetchmail 3; }
@test "imap: fetchmail reads" { reads imap fetchmail; }
@test "imap: fetchmail shows our sentence" { is_told imap fetchmail 2 "LIBSTARTTLS: THE CERTIFICATE IS NOT FOR WRONG.TEST"; }

@test "imap: mbsync fails without the shim" { fails_alone imap mbsync 1; }
# Its descriptor is non-blocking, and to it EAGAIN after poll() said readable is an error.
@test "imap: mbsync reads" { reads imap mbsync; }
@test "imap: mbsync shows our sentence" { is_told imap mbsync 1 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: Python's imaplib fails without the shim" { fails_alone imap python 1; }
@test "imap: Python's imaplib reads" { reads imap python; }
@test "imap: Python's imaplib raises error with our sentence" {
  is_told imap python 1 "imaplib.error b'* BYE [ALERT] libstarttls: the certificate is not for wrong.test"
}

@test "imap: Mail::IMAPClient fails without the shim" { fails_alone imap imapclient 255; }
@test "imap: Mail::IMAPClient reads" { reads imap imapclient; }
@test "imap: Mail::IMAPClient shows our sentence" { is_told imap imapclient 255 "libstarttls: the certificate is not for wrong.test"; }

@test "imap: Net::IMAP::Simple fails without the shim" { fails_alone imap simple 255; }
@test "imap: Net::IMAP::Simple reads" { reads imap simple; }
@test "imap: Net::IMAP::Simple shows our sentence" { is_told imap simple 255 ""; }

@test "imap: IDLE in one thread while another writes" {
  one_mail imap
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
  only_words "$(our_words imap)"
}

@test "imap: a mail of 8 MiB goes up and comes back whole" {
  one_mail imap
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
  only_words "$(our_words imap)"
}

@test "imaps: Python's imaplib reads, in plaintext as it thinks, on the port for TLS from the first byte" { reads_wrapped imaps; }
