#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# TLS from the first byte (`proto tls` and the …s words), and what programs that know nothing of it expect of a connection.

load helper

# shellcheck disable=SC2031

# await COMMAND …: until it succeeds, ten seconds long
await() {
  local end=$((SECONDS + 10))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    read -rt 0.05 <> <(:) || true
  done
}

# What the program said reaches the peer although it never calls again.
arrives_while_idle() {
  mkfifo hold
  shim "$legacy/shipper" localhost "$PORT" <hold >out &
  local pid=$!
  exec 9>hold
  await grep -aqs 'HELO shipper.test' journal/1.tls
  exec 9>&-
  wait "$pid"
  peer_never_saw_in_clear HELO
}

@test "a blocking write is on its way when it returns: TLS from the first byte" {
  serve --proto tls
  PROTO=tls watch verify
  arrives_while_idle
}

@test "a blocking write is on its way when it returns: STARTTLS" {
  serve
  watch verify
  arrives_while_idle
}

serve_wrapped() {
  serve --proto tls "$@"
  PROTO=$word watch verify
}

# same_wrapped WORD [PEER OPTION …] -- PROGRAM [WORD]: TLS from the first byte
same_wrapped() {
  local word=$1
  shift
  compare_native serve_wrapped "$@"
  log_says "proto=$word"
  peer_saw HELO
  peer_never_saw_in_clear HELO
}

@test "every word for TLS from the first byte, but ftps, which speaks for itself (ftp.bats)" {
  for word in tls smtps imaps pop3s nntps ldaps; do
    rm -rf journal
    same_wrapped "$word" -- lines
  done
}

@test "half close: close_notify and FIN, and the answer still arrives" {
  same_wrapped tls -- half_close
  facts "^end close_notify"
}

@test "full duplex, non-blocking" { same_wrapped tls -- epoll edge; }
@test "a peer that sends byte by byte" { same_wrapped tls --dribble -- nonblocking; }
@test "a reader and a writer thread" { same_wrapped tls -- threads; }
@test "fork: the parent writes while the child reads" { same_wrapped tls -- children split; }
@test "exit with an open connection: last words arrive, then close_notify" {
  same_wrapped tls -- exit
  peer_saw "SILENCE from atexit"
  facts "^end close_notify"
}

@test "an end without close_notify may be a cut: ECONNRESET where nothing but the end delimits the data" {
  serve --proto tls --no-close-notify
  PROTO=tls watch verify
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *"250 2.0.0 ok three"*"read gave -1"*ECONNRESET* ]]
}

@test "an end without close_notify is an end where the protocol has its own words for it" {
  same_wrapped smtps --no-close-notify -- lines
}

@test "a wrong certificate under smtps: 421, and not a byte of the program's" {
  serve --proto tls --cert "$certs/wrong-name.pem"
  PROTO=smtps watch verify
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *"421 4.7.5 libstarttls: "* ]]
  log_says 'starttls refused'
  nothing_leaked
}

@test "a wrong certificate under tls: an error, never an end of file that could be taken for an empty answer" {
  serve --proto tls --cert "$certs/wrong-name.pem"
  PROTO=tls watch verify
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *"read gave -1"*ECONNABORTED* ]]
  log_says 'starttls refused'
  nothing_leaked
}

@test "a server that speaks plaintext is refused, though it greets as one would expect" {
  serve_plain
  PROTO=smtps watch encrypt
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *"421 4.7."*"libstarttls: "* ]]
  [[ $output != *"220 "* ]]
  nothing_leaked
}

@test "openssl s_server" {
  coproc server { exec openssl s_server -rev -accept 127.0.0.1:0 -naccept 1 -cert "$certs/good.pem" -cert_chain "$certs/good.pem" 2>&1; }
  while [[ ${line-} != ACCEPT* ]]; do read -rt 10 -u "${server[0]}" line; done
  PORT=${line##*:} PROTO=tls watch verify
  run -0 shim bash -c "exec 3<>/dev/tcp/localhost/${line##*:}; echo hello >&3; read -r answer <&3; echo \$answer"
  [ "$output" = olleh ]
  log_says "starttls verified to=localhost"
}

@test "may: a plaintext server on the port gets the program's words, and the log says so" {
  serve_plain
  PROTO=smtps watch may
  shim timeout 60 "$legacy/lines" localhost "$PORT" >shimmed
  grep -q '^done' shimmed
  log_says "starttls plaintext to=localhost"
}

@test "said without blocking and closed at once by a raw system call, as libuv does: all arrives, then close_notify" {
  serve --proto tls
  PROTO=tls watch verify
  shim timeout 30 "$legacy/raw_close" localhost "$PORT"
  peer_saw "HELO raw.test"
  facts "^end close_notify"
}

# nothing_lost VERSION HOW: the server, which is far away, has all that the program wrote, and a proper end
nothing_lost() {
  local line
  coproc server { exec python3 "$BATS_TEST_DIRNAME/collector.py" "$certs/good.pem" "$1" got; }
  exec 9<&"${server[0]}" # bash takes its own away when the server ends
  read -rt 10 -u 9 PORT
  PROTO=tls watch verify
  shim timeout 30 "$legacy/write_only" localhost "$PORT" "$2"
  read -rt 10 -u 9 line
  [ "$line" = close_notify ] || { echo "$line, after $(wc -l <got) lines"; return 1; }
  [ "$(tail -n 1 got)" = "<13>line 1000 of 1000 for the log" ]
}

# With TLS 1.3 tickets come behind the handshake. Who closes before they are here would have the kernel answer them with RST.
@test "a program that only writes, then closes" { nothing_lost TLSv1_3 close; }
@test "a program that only writes, then closes without blocking" { nothing_lost TLSv1_3 nonblocking; }
@test "a program that only writes, then shuts down and closes" { nothing_lost TLSv1_3 shutdown; }
@test "a program that only writes, then exits" { nothing_lost TLSv1_3 exit; }
@test "a program that only writes, TLS 1.2" { nothing_lost TLSv1_2 close; }
