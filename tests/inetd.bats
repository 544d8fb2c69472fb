#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Connections that somebody else made: the program under the shim finds them on 0 and 1 (inetd, socat EXEC), or on 6 and 7 (UCSPI
# clients), and never calls connect(). The tool that connects is not under the shim.

load helper

# What the tool that connects executes, followed by the program's words.
under_shim=(env "LD_PRELOAD=$runtime" "$build/starttls" run --policy policy --)

# arrives 0|6 COMMAND …: COMMAND says the same natively, against a plaintext peer, as under the shim against one that insists on TLS.
arrives() {
  local place=$1
  shift
  serve_plain
  timeout 60 "$legacy/tcpclient" localhost "$PORT" "$place" "$@" >native
  peer_stop
  [ -s native ]
  serve
  watch verify
  STARTTLS_LOG=$PWD/log timeout 60 "$legacy/tcpclient" localhost "$PORT" "$place" "${under_shim[@]}" "$@" >shimmed
  diff native shimmed
  log_says "starttls verified"
  peer_saw HELO
  peer_never_saw_in_clear HELO
}

@test "stdin and stdout: printf, puts, putchar, scanf, getchar, getline" { arrives 0 "$legacy/standard" stdio; }
@test "stdin and stdout: read and write" { arrives 0 "$legacy/standard" raw; }

@test "stdin and stdout: a shell's read and printf" {
  arrives 0 sh -c 'read greeting; echo "$greeting" >&9; printf "HELO sh\r\nQUIT\r\n"; while read line; do echo "$line" >&9; done'
}

@test "stdin and stdout: perl" {
  arrives 0 perl -e 'open T, ">&=9"; $| = 1; print T scalar <STDIN>; print "HELO perl\r\nQUIT\r\n"; print T $_ while <STDIN>'
}

@test "stdin and stdout: python" {
  arrives 0 python3 -c '
import os, sys
told = os.fdopen(9, "w")
told.write(sys.stdin.readline())
print("HELO python\r\nQUIT\r", flush=True)
told.write(sys.stdin.read())'
}

@test "descriptors 6 and 7: a shell whose cat reads" {
  arrives 6 sh -c 'printf "HELO sh\r\nQUIT\r\n" >&7; exec 7>&-; cat <&6'
}

@test "descriptors 6 and 7: a shell" {
  arrives 6 bash -c 'read -r -u 6 greeting; echo "$greeting"; printf "HELO bash\r\nQUIT\r\n" >&7; exec 7>&-; while read -r -u 6 line; do echo "$line"; done'
}

@test "descriptors 6 and 7: perl" {
  arrives 6 perl -e 'open I, "<&=6"; open O, ">&=7"; O->autoflush; print scalar <I>; print O "HELO perl\r\nQUIT\r\n"; print while <I>'
}

@test "socat EXEC with its client end" {
  serve
  watch verify
  export STARTTLS_LOG=$PWD/log
  timeout 60 socat "TCP4:127.0.0.1:$PORT" "EXEC:${under_shim[*]//:/\\:} $legacy/standard stdio,nofork" 9>heard
  grep -q "^221" heard
  grep -q 'done' heard
  peer_saw HELO
  peer_never_saw_in_clear HELO
}

@test "refused by the policy: the program finds the connection shut, and nothing leaves it" {
  serve
  policy "refuse to any port $PORT proto smtp"
  STARTTLS_LOG=$PWD/log timeout 60 "$legacy/tcpclient" localhost "$PORT" 0 "${under_shim[@]}" \
    sh -c 'trap "" PIPE; echo HELO sh' || true
  log_says "the policy refuses this destination"
  nothing_leaked
}

@test "wrong certificate: the program is told, and nothing leaves it" {
  serve --cert "$certs/wrong-name.pem"
  watch verify
  STARTTLS_LOG=$PWD/log timeout 60 "$legacy/tcpclient" localhost "$PORT" 0 "${under_shim[@]}" \
    sh -c 'read line; echo "$line" >&9; echo HELO sh' >heard || true
  grep -q "^421 4.7" heard
  nothing_leaked
}

@test "an accepted connection is left alone, though the peer's port looks like a service's" {
  serve_plain
  policy "verify to any"
  timeout 60 python3 - "${under_shim[@]}" <<'PYTHON'
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 2525))
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
client.bind(("127.0.0.1", 4190))
client.connect(("127.0.0.1", 2525))
server, peer = listener.accept()
subprocess.run([*sys.argv[1:], "sh", "-c", "echo 220 hello"], stdin=server, stdout=server, check=True)
server.close()
assert client.makefile().read() == "220 hello\n"
PYTHON
}
