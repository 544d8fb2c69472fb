#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Corners of the socket interface that programs seldom visit, where a shim leaks, hangs or spins before anybody notices.

load helper

# over_tls PROGRAM [WORD]: it prints under the shim what it prints natively, and the peer insists on TLS
over_tls() {
  serve_plain
  timeout 60 "$legacy/$1" localhost "$PORT" "${@:2}" >native
  peer_stop
  serve
  watch verify
  shim timeout 60 "$legacy/$1" localhost "$PORT" "${@:2}" >shimmed
  diff native shimmed
  log_says "starttls verified"
  peer_never_saw_in_clear HELO
  peer_never_saw_in_clear NOOP
}

@test "preadv2 and pwritev2 at the current position" { over_tls offset; }
@test "POSIX aio, which libc would carry out in plaintext, is refused" { over_tls offset aio; }
@test "recv without room" { over_tls no_room; }

@test "recv without room, where the policy lets the program go on in plaintext" {
  serve_plain
  watch may
  shim timeout 60 "$legacy/no_room" localhost "$PORT"
  log_says "starttls plaintext"
}

@test "a second connect on the same descriptor, to another host, is decided anew" {
  serve_plain
  policy "may to 127.0.0.9 port $PORT proto smtp" "verify to any port $PORT proto smtp ca $certs/ca.pem"
  run shim timeout 60 "$legacy/second" localhost "$PORT"
  [ "$status" -ne 0 ]
  log_says "starttls refused"
  nothing_leaked
}

@test "a second connect on the same descriptor is upgraded" {
  serve
  policy "verify to 127.0.0.9 port $PORT proto smtp name other.test" \
    "verify to any port $PORT proto smtp ca $certs/ca.pem"
  shim timeout 60 "$legacy/second" localhost "$PORT" >shimmed
  grep -q "^done" shimmed
  log_says "starttls verified addr=127.0.0.1"
}

# Trust anchors are looked up in files, and opening one is a cancellation point.
@test "a thread cancelled in the middle of the handshake leaves no lock behind" {
  serve
  policy "verify to any port $PORT proto smtp"
  mkdir anchors
  cp "$certs/ca.pem" anchors
  openssl rehash anchors
  export SSL_CERT_DIR=$PWD/anchors
  for nth in 1 2 3 4 5; do
    run shim timeout 60 "$legacy/cancelled" localhost "$PORT" "$nth"
    [ "$status" = 0 ]
    [[ $output == *closed* ]]
  done
}

# said_by_those_who_left HOW: what was said before TLS was up arrives, though its program is gone
said_by_those_who_left() {
  serve
  watch verify
  shim "$legacy/goodbye" localhost "$PORT" "$1"
  for ((tries = 0; tries < 200; tries++)); do
    grep -qs '^end close_notify' journal/1.facts && break
    read -rt 0.05 <> <(:) || true
  done
  peer_saw "HELO goodbye.test"
  peer_never_saw_in_clear HELO
}

@test "close on a descriptor that does not block: what was said before TLS was up arrives all the same" { said_by_those_who_left close; }
@test "exit: what was said before TLS was up arrives all the same" { said_by_those_who_left exit; }

@test "close on a descriptor that does not block does not wait for a peer that says nothing" {
  serve --stall-at connect
  policy "verify to any port $PORT proto smtp ca $certs/ca.pem timeout 30"
  shim "$legacy/goodbye" localhost "$PORT" close
  nothing_leaked
}
