#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified news programs without TLS, and a real INN whose groups are for readers inside TLS only. innd offers no STARTTLS; the nnrpd
# behind its MODE READER does. What goes over the wire is recorded (wire.bash).

load helper
load wire
load servers/inn

launch=()

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/news.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  inn_start "$server" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${server-}" ] || inn_stop "$server"; }

our_words=$'CAPABILITIES\nMODE READER\nCAPABILITIES\nSTARTTLS'

an_article() {
  printf 'From: joe@mail.test (Joe)\nNewsgroups: local.test\nSubject: %s\nMIME-Version: 1.0\n' "$1"
  printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n.\n..\n.one\nGr\303\274\303\237e, \342\202\254 5\n\nend\n'
}

# news_with_NAME HOST (python: HOST PORT too): post the article in the file `article`, and write the body of the group's last one into `fetched`.
news_with_python() {
  "${launch[@]}" /usr/bin/python3 -W ignore - "$@" <<'END'
import nntplib, sys
try:
    s = nntplib.NNTP(sys.argv[1], int([*sys.argv, 119][2]), readermode=True)
    s.post(open("article", "rb"))
    last = s.group("local.test")[3]
    open("fetched", "wb").write(b"".join(line + b"\n" for line in s.body(str(last))[1].lines))
    s.quit()
except nntplib.NNTPError as e:
    sys.exit(f"{type(e).__name__} {e}")
END
}

news_with_perl() {
  "${launch[@]}" perl -MNet::NNTP -e '
    my $s = Net::NNTP->new(shift, Reader => 1) or die "Net::NNTP: no connection: $@\n";
    open my $in, "<", "article"; my @lines = <$in>;
    $s->post(@lines) or die "Net::NNTP: " . $s->message;
    my (undef, undef, $last) = $s->group("local.test") or die "Net::NNTP: " . $s->message;
    open my $out, ">", "fetched"; print $out @{$s->body($last)};
    $s->quit;' "$1"
}

# fails_alone NAME CODE TEXT
fails_alone() {
  needs_private
  tap 119
  an_article "$1 alone" >article
  run -"$2" "news_with_$1" mail.test
  [[ $output == *"$3"* ]]
  ! grep -rqs "Subject: $1 alone" "$server/spool/articles"
}

# posts_and_reads NAME
posts_and_reads() {
  needs_private
  tap 119
  with_policy
  launch=("${shim_command[@]}")
  an_article "$1" >article
  "news_with_$1" mail.test
  diff <(body article) fetched
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=119 proto=nntp"
  only_words "$our_words"
}

# is_told NAME CODE TEXT; nnrpd alone needs no MODE READER
is_told() {
  needs_private
  tap 119
  with_policy
  launch=("${shim_command[@]}")
  an_article "$1 told" >article
  run -"$2" "news_with_$1" wrong.test
  [[ $output == *"$3"* ]]
  log_says 'why="the certificate is not for wrong.test'
  only_words $'CAPABILITIES\nSTARTTLS'
}

@test "nntp: Python's nntplib fails without the shim" { fails_alone python 1 "480"; }
@test "nntp: Python's nntplib posts and reads" { posts_and_reads python; }
@test "nntp: Python's nntplib raises NNTPTemporaryError with our sentence" {
  is_told python 1 "NNTPTemporaryError 400 libstarttls: the certificate is not for wrong.test"
}

@test "nntp: Perl's Net::NNTP fails without the shim" { fails_alone perl 255 "Net::NNTP: Authentication required"; }
@test "nntp: Perl's Net::NNTP posts and reads" { posts_and_reads perl; }
@test "nntp: Perl's Net::NNTP makes no object" { is_told perl 255 "Net::NNTP: no connection"; }

# --- TLS from the first byte

@test "nntps: Python's nntplib posts and reads, in plaintext as it thinks" {
  needs_private
  tap 563
  policy "verify to any port 563 proto nntps ca $certs/ca.pem"
  launch=("${shim_command[@]}")
  an_article nntps >article
  news_with_python mail.test 563
  diff <(body article) fetched
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=563 proto=nntps"
  only_words ""
}

# --- news readers for people

# with_an_article SUBJECT: it is there, unread, in the only group subscribed to
with_an_article() {
  needs_private
  tap 119
  with_policy
  an_article "$1" >article
  launch=("${shim_command[@]}")
  news_with_python mail.test
  launch=()
  printf 'local.test:\n' >newsrc
}

# with_slrn WAIT KEYS …: somebody in front of it (typed.py)
with_slrn() {
  printf '#!/bin/sh\ncat typed >>"$1"\n' >editor
  chmod +x editor
  cat >slrnrc <<END
set hostname "mail.test"
set username "joe"
set realname "Joe"
set editor_command "$PWD/editor '%s'"
END
  NNTPSERVER=mail.test python3 "$root/tests/typed.py" screen "$@" -- "${launch[@]}" slrn -n -i slrnrc -f newsrc --nntp -h mail.test -C-
}

@test "nntp: slrn shows no article without the shim" {
  with_an_article "for slrn alone"
  with_slrn "SPC:Select" '\r' "480|[Aa]uthent|[Uu]ser" '\x03' || true
  run -1 grep -q "slrn alone" screen
}

@test "nntp: slrn shows an article and posts one" {
  with_an_article "for slrn"
  launch=("${shim_command[@]}")
  body article >typed
  with_slrn "SPC:Select" '\r' "for slrn.*Group: local.test" '\r' "From:.*Gr.*e, .* 5.*end" q "done" \
    P "want to post" y "ewsgroup" '\r' "Subject" 'by slrn\r' "Post the" y "ing \\.\\.\\..*done" q "really" y
  # which keeps articles as they come over the wire
  diff typed <(body "$(grep -rl "Subject: by slrn" "$server/spool/articles")" | sed -e '$d' -e 's/^\.//')
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=119 proto=nntp"
  only_words "$our_words"
}

# save_with_tin: all that is new, into News/
save_with_tin() { TERM=xterm HOME=$PWD "${launch[@]}" tin -Q -S -g mail.test -f newsrc; }

@test "nntp: tin saves nothing without the shim" {
  with_an_article "for tin alone"
  save_with_tin || true
  run ! grep -rqs "for tin alone" News
}

@test "nntp: tin saves what is new" {
  with_an_article "for tin"
  launch=("${shim_command[@]}")
  save_with_tin
  diff <(body article) <(body "$(grep -rl "Subject: for tin$" News)")
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=119 proto=nntp"
  only_words "$our_words"
}
