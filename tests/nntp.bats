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

# Post the article in the file `article`, and write the body of the group's last one into `fetched`.
news_with_python() {
  "${launch[@]}" /usr/bin/python3 -W ignore - "$1" <<'END'
import nntplib, sys
try:
    s = nntplib.NNTP(sys.argv[1], readermode=True)
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
