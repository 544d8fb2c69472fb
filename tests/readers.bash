# SPDX-License-Identifier: MIT
# readers: unmodified programs of Debian, each with its own TLS off, behind one interface:
#
#   read_imap_with_NAME HOST, read_pop3_with_NAME HOST    (python: HOST PORT too)    the only mail of joe (password: secret), into the file `fetched`
#
# The exit code is the program's. `launch` is what stands in front of it: nothing, or shim_command.
# shellcheck shell=bash disable=SC2154
launch=()

# --- IMAP

read_imap_with_curl() { "${launch[@]}" curl -sS --user joe:secret -o fetched "imap://$1/INBOX;MAILINDEX=1"; }

read_imap_with_mutt() {
  cat >muttrc <<END
set folder=. ssl_starttls=no ssl_force_tls=no imap_user=joe imap_pass=secret mbox_type=Maildir copy=no confirmcreate=no confirmappend=no timeout=5
set delete=no quit=yes header_cache="" sleep_time=0 wait_key=no
push '<copy-message>./copied<enter><quit>'
END
  rm -rf copied keyboard
  mkfifo keyboard
  TERM=xterm "${launch[@]}" script -qec "mutt -n -F muttrc -f imap://$1/INBOX" /dev/null <>keyboard
  [ -d copied ] && sed '1,/^$/{/^\(Content-Length\|Lines\): /d}' copied/*/* >fetched # which mutt adds
}

read_imap_with_fetchmail() { fetchmail_as imap "$1"; }

read_imap_with_mbsync() {
  mkdir -p synced
  cat >mbsyncrc <<END
IMAPStore far
Host $1
User joe
Pass secret
SSLType None
AuthMechs LOGIN

MaildirStore near
Inbox $PWD/synced/

Channel only
Far :far:INBOX
Near :near:INBOX
END
  "${launch[@]}" mbsync -c mbsyncrc only || return
  cat synced/*/*U=1* | grep -v '^X-TUID' >fetched
}

read_imap_with_python() {
  "${launch[@]}" /usr/bin/python3 - "$@" <<'END'
import imaplib, sys
try:
    m = imaplib.IMAP4(*sys.argv[1:])
    m.login("joe", "secret")
    m.select("INBOX")
    open("fetched", "wb").write(m.fetch("1", "(RFC822)")[1][0][1])
    m.logout()
except imaplib.IMAP4.error as e:
    sys.exit(f"imaplib.error {e}")
END
}

read_imap_with_imapclient() {
  "${launch[@]}" perl -MMail::IMAPClient -e '
    my $m = Mail::IMAPClient->new(Server => shift, User => "joe", Password => "secret", Uid => 1) or die "IMAPClient: $@\n";
    $m->select("INBOX") or die $m->LastError;
    $m->message_to_file("fetched", 1) or die $m->LastError;
    $m->logout;' "$1"
}

read_imap_with_simple() {
  "${launch[@]}" perl -MNet::IMAP::Simple -e '
    my $m = Net::IMAP::Simple->new(shift) or die "Simple: $Net::IMAP::Simple::errstr\n";
    $m->login("joe", "secret") or die "Simple: " . $m->errstr . "\n";
    $m->select("INBOX") or die $m->errstr;
    open my $out, ">", "fetched"; print $out join("", @{$m->get(1)});
    $m->quit;' "$1"
}

# --- POP3

read_pop3_with_curl() { "${launch[@]}" curl -sS --user joe:secret -o fetched "pop3://$1/1"; }

read_pop3_with_fetchmail() { fetchmail_as pop3 "$1"; }

read_pop3_with_mpop() {
  rm -rf popped && mkdir -p popped/{new,cur,tmp}
  "${launch[@]}" mpop -C /dev/null --host="$1" --user=joe --passwordeval='echo secret' --auth=user --tls=off --delivery=maildir,popped \
    --uidls-file=uidls --keep=on --received-header=off || return
  cat popped/new/* >fetched
}

read_pop3_with_python() {
  "${launch[@]}" /usr/bin/python3 - "$@" <<'END'
import poplib, sys
try:
    p = poplib.POP3(*sys.argv[1:])
    p.user("joe")
    p.pass_("secret")
    open("fetched", "wb").write(b"\r\n".join(p.retr(1)[1]) + b"\r\n")
    p.quit()
except poplib.error_proto as e:
    sys.exit(f"poplib.error_proto {e}")
END
}

read_pop3_with_perl() {
  "${launch[@]}" perl -MNet::POP3 -e '
    my $p = Net::POP3->new(shift) or die "Net::POP3: no connection\n";
    defined $p->login("joe", "secret") or die "Net::POP3: " . $p->message;
    open my $out, ">", "fetched"; print $out @{$p->get(1)};
    $p->quit;' "$1"
}

fetchmail_as() {
  touch .fetchmailrc
  chmod 600 .fetchmailrc
  cat >.fetchmailrc <<END
poll $2 protocol $1 username joe password secret sslproto '' keep fetchall no rewrite mda "cat >$PWD/fetched"
set no bouncemail
set invisible
END
  "${launch[@]}" fetchmail -v -f "$PWD/.fetchmailrc" -i "$PWD/ids" --pidfile "$PWD/fetchmail.pid"
}

# --- ManageSieve: a script, not a mail

# keep_script HOST: log in, put a script there, make it active, read it back into `fetched`
keep_script() {
  printf 'require ["fileinto"];\r\nif header :contains "subject" "x" { fileinto "x"; }\r\n' >script
  "${launch[@]}" /usr/bin/python3 "$root/tests/sieve_client.py" "$1" script fetched
}
