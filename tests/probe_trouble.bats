#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# starttls probe against peers that have no TLS, or none that works, and where nobody answers.

load helper
load probe

# --- no TLS

@test "probe: no offer: refused where TLS is required, with plaintext as the only way out" {
  serve_plain
  watch verify
  probes 77
  shows "offer: no" "verdict: refused" "why: server did not offer TLS" "suggest: may to localhost port $PORT proto smtp"
  suggestion_works "$(value suggest)"
  shows "verdict: plaintext"
}

@test "probe: no offer: it says QUIT in the clear, and nothing else" {
  serve_plain
  watch may
  probes 0
  shows "offer: no" "verdict: plaintext"
  only_words 'EHLO [127.0.0.1]' QUIT
}

@test "probe: an offer that is taken back" {
  serve --starttls-reply $'454 not now\r\n'
  watch verify
  probes 77
  shows "reply: 454 not now" "offer: no" "why: server refused STARTTLS"
}

@test "probe: garbage where TLS is expected" {
  serve --garbage-instead-of-ServerHello
  watch encrypt
  probes 77
  shows "why: the server's answer is not TLS; nothing between here and there may speak for it"
  watch may
  probes 0
  shows "verdict: plaintext"
}

@test "probe: another protocol, and words behind the agreement, are refused at every level" {
  serve --greeting $'SSH-2.0-OpenSSH_9.2\r\n'
  watch may
  probes 77
  shows "greeting: SSH-2.0-OpenSSH_9.2" "verdict: refused"
  peer_stop
  serve --inject-behind-220 $'250 injected\r\n'
  watch may
  probes 77
  shows "reply: 250 injected" "why: peer sent plaintext after agreeing to TLS"
}

@test "probe: a handshake that fails where no second connection can take its place: refused under may too, and no rule helps" {
  coproc server { exec python3 -u - 3>&- <<'END'
import socket, struct
caps = 0x0200 | 0x0800 | 0x8000 | 0x80000 # CLIENT_SSL among them
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
c = s.accept()[0]
hello = b"\x0a8.0.0\0" + bytes(4) + b"saltsalt\0" + struct.pack("<HBHHB", caps & 0xffff, 33, 2, caps >> 16, 21) + bytes(10) + b"saltsaltsalt\0mysql_native_password\0"
c.sendall(struct.pack("<I", len(hello))[:3] + b"\0" + hello)
c.recv(36, socket.MSG_WAITALL) # SSLRequest
c.recv(1000) # ClientHello
c.sendall(b"\x15\x03\x03\0\x02\x02\x28") # handshake_failure
c.recv(1000)
END
  }
  read -r -u "${server[0]}" PORT
  pid=$server_PID # bash forgets it when the server has ended
  policy "may to any port $PORT proto mysql"
  run --separate-stderr -77 probe "localhost:$PORT"
  shows "offer: yes" "verdict: refused" "hint: no rule makes TLS work with this server"
  wait "$pid"
}

# --- nobody there

# in_vain TEXT: 69 and a sentence, with no verdict; `probe` waits for 30 seconds, which is less than 60
in_vain() {
  probes 69 --timeout 1 "${@:2}"
  [ -z "$(value verdict)" ]
  [[ $stderr == "starttls probe: localhost port $PORT: $1" ]]
}

@test "probe: silence at every step ends with the timeout" {
  watch() { policy "verify to any port $PORT proto smtp ca $certs/ca.pem"; }
  for step in connect greeting offer starttls; do
    serve --stall-at $step
    watch
    in_vain "the server did not answer in time"
    kill "$PEER"
  done
  serve --stall-at handshake
  watch
  in_vain "the server did not bring TLS up in time"
}

@test "probe: the rule's timeout counts too" {
  serve --stall-at greeting
  watch verify timeout 1
  probes 69
  [[ $stderr == *"the server did not answer in time"* ]]
}

@test "probe: reset and closed" {
  serve --reset-at offer
  watch verify
  in_vain "the server reset the connection before TLS"
  peer_stop
  serve --close-at greeting
  watch verify
  in_vain "the server closed the connection before TLS"
}

@test "probe: a port where nobody listens, a name that does not resolve, an address that swallows everything" {
  policy "verify to any"
  run --separate-stderr -69 probe --proto smtp localhost:1
  shows "unreachable: Connection refused"
  [[ $stderr == "starttls probe: nobody can be reached at localhost port 1" ]]
  run --separate-stderr -69 probe no.such.name.invalid:25
  [[ $stderr == "starttls probe: 'no.such.name.invalid' does not resolve: "* ]]
  # a full backlog: the kernel drops what comes
  coproc server { exec python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0), backlog=0)
full = [socket.socket() for _ in range(3)]
for one in full: one.setblocking(False); one.connect_ex(s.getsockname())
print(s.getsockname()[1], flush=True); input()'; }
  read -r PORT <&"${server[0]}"
  run --separate-stderr probe --timeout 1 --proto smtp "127.0.0.1:$PORT"
  kill "$server_PID"
  [ "$status" = 69 ]
  shows "unreachable: Connection timed out"
}

# server_of CODE: Python over `s`, a listening socket on PORT
server_of() {
  coproc server { exec python3 -c "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); c = s.accept()[0]
$1"; }
  pid=$server_PID
  read -r PORT <&"${server[0]}"
}

@test "probe: irc: silence is how a server says that it has no STARTTLS" {
  server_of 'c.recv(4096); input()'
  policy "verify to any port $PORT proto irc"
  run --separate-stderr probe --timeout 1 "localhost:$PORT"
  kill "$server_PID"
  [ "$status" = 77 ]
  shows "said: STARTTLS" "offer: no" "verdict: refused" "suggest: may to localhost port $PORT proto irc"
}

@test "probe: a server that never stops talking" {
  server_of '
try:
    while True: c.sendall(b"220-more\r\n" * 1000)
except OSError: pass'
  policy "verify to any port $PORT proto smtp"
  run --separate-stderr probe --timeout 5 "localhost:$PORT"
  [ "$status" = 77 ]
  shows "greeting: 220-more" "verdict: refused"
  wait "$pid"
}

@test "probe: a resolver that does not answer" {
  needs_private
  [ "${SAN-}" != thread ] || skip "TSan puts signal handlers off until getaddrinfo() has returned"
  coproc server { exec python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); print("bound", flush=True); input()'; }
  read -r _ <&"${server[0]}"
  cp /etc/resolv.conf resolv.conf
  printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:2\n' >/etc/resolv.conf
  policy "verify to any"
  run --separate-stderr probe --timeout 1 mx.example.org:25
  kill "$server_PID"
  cat resolv.conf >/etc/resolv.conf
  [ "$status" = 69 ]
  [ "$stderr" = "starttls probe: the resolver did not answer in time" ]
}

@test "probe: every address is tried, in the resolver's order" {
  needs_private
  grep -q two.test /etc/hosts || printf '%s two.test\n' ::1 127.0.0.1 >>/etc/hosts
  serve
  watch verify name localhost
  run --separate-stderr -0 probe --proto smtp "two.test:$PORT"
  shows "address: ::1 port $PORT" "unreachable: Connection refused" "address: 127.0.0.1 port $PORT" "verdict: verified"
}

@test "probe: IPv6" {
  serve --bind ::1
  watch verify
  run --separate-stderr -0 probe --proto smtp "[::1]:$PORT"
  shows "address: ::1 port $PORT" "said: EHLO [IPv6:::1]" "checked: ::1" "suggest: verify to ::1 port $PORT proto smtp ca $certs/ca.pem"
  policy "$(value suggest)"
  run --separate-stderr -0 probe "[::1]:$PORT"
}
