#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# irssi and a plain program, and a real InspIRCd that lets nobody register outside TLS. What goes over the wire is recorded (wire.bash).

load helper
load wire
load servers/inspircd

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/irc.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  inspircd_start "$server" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${server-}" ] || inspircd_stop "$server"; }

# chat HOST [NICK …] [-- COMMAND …]: register, ask who we are, join #tests; greet each NICK that comes there, and leave when all have gone
chat() {
  local friends=() host=$1
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    friends+=("$1")
    shift
  done
  "${@:2}" /usr/bin/python3 -u - "$host" "${friends[@]}" <<'END'
import socket, sys
s = socket.create_connection((sys.argv[1], 6667), 60)
friends = set(sys.argv[2:])
s.sendall(b"NICK plain\r\nUSER plain 0 * :plain\r\n")
for line in s.makefile("r"):
    line = line.strip()
    word = line.split()
    print(line)
    if word[0] == "ERROR":
        sys.exit(1)
    if word[0] == "PING":
        s.sendall(b"PONG " + word[1].encode() + b"\r\n")
    if word[1] == "001":
        s.sendall(b"WHOIS plain\r\nJOIN #tests\r\n")
    if word[1] == "JOIN" and word[0].split("!")[0][1:] in friends:
        s.sendall(b"PRIVMSG #tests :welcome from the plain program\r\n")
    if word[1] == "PRIVMSG":
        friends.discard(word[0].split("!")[0][1:])
    if word[1] == "366" and not friends or word[1] == "PRIVMSG" and not friends:
        s.sendall(b"QUIT :done\r\n")
        sys.exit(0)
END
}

begin() {
  needs_private
  tap 6667
  with_policy
}

@test "irc: a plain program may not register without the shim" {
  needs_private
  tap 6667
  run -1 chat mail.test
  [[ $output == *"ERROR :"* && $output != *" 001 "* ]]
}

@test "irc: a plain program registers, and the server says that it uses TLS" {
  begin
  chat mail.test -- "${shim_command[@]}" >./talk
  grep -q " 671 plain plain :is using a secure connection" talk
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=6667 proto=irc"
  only_words STARTTLS
}

@test "irc: a wrong certificate is an ERROR with our sentence" {
  begin
  run -1 chat wrong.test -- "${shim_command[@]}"
  [ "${output%%;*}" = "ERROR :libstarttls: the certificate is not for wrong.test" ]
  only_words STARTTLS
}

@test "irc: under may, a server without STARTTLS is used in plaintext" {
  needs_private
  policy "may to any"
  server_without_starttls
  chat mail.test -- "${shim_command[@]}" | grep -q " 001 plain"
  log_says "starttls plaintext to=mail.test"
}

# It answers as RFC 2812 says, 451, and registers whoever asks.
server_without_starttls() {
  coproc old { exec 3>&-; exec /usr/bin/python3 -u -c '
import socket
l = socket.create_server(("127.0.0.1", 6667))
print("ready")
s, _ = l.accept()
s.sendall(b":old NOTICE * :*** hello\r\n")
for line in s.makefile("rb"):
    if line.startswith(b"STARTTLS"):
        s.sendall(b":old 451 * :You have not registered\r\n")
    if line.startswith(b"USER"):
        s.sendall(b":old 001 plain :Welcome\r\n")
    if line.startswith(b"JOIN"):
        s.sendall(b":old 366 plain #tests :End\r\n")
'; }
  read -r line <&"${old[0]}"
}

@test "irc: irssi joins, is greeted and answers" {
  begin
  mkdir home
  cat >home/config <<'END'
servers = ({ address = "mail.test"; chatnet = "tests"; port = "6667"; use_tls = "no"; autoconnect = "yes"; });
chatnets = { tests = { type = "IRC"; nick = "irssi"; }; };
channels = ({ name = "#tests"; chatnet = "tests"; autojoin = "yes"; });
settings = { core = { real_name = "irssi"; user_name = "irssi"; nick = "irssi"; }; };
END
  mkdir home/scripts home/scripts/autorun
  cat >home/scripts/autorun/answer.pl <<'END'
use Irssi;
Irssi::signal_add("message public", sub { my ($s, $text) = @_; $s->command("msg #tests thanks, $text"); });
END
  mkfifo keyboard
  exec 7<>keyboard
  chat mail.test irssi -- "${shim_command[@]}" >./talk 3>&- 7>&- &
  local plain=$! irssi
  until grep -q " 366 " talk; do sleep 0.1; done # it is in the channel, so it sees who comes
  TERM=xterm "${shim_command[@]}" script -qec "irssi --home=$PWD/home" /dev/null <&7 >screen 3>&- 2>&1 &
  irssi=$!
  wait "$plain"
  echo /quit >&7
  wait "$irssi"
  grep -q "^:irssi!.* PRIVMSG #tests :thanks, welcome from the plain program" talk
  only_words STARTTLS
}
