#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Event loops (legacy/loop.c, only_out.c, many.c). No readiness call is hooked: what the kernel says of the descriptor must be true of
# the app's bytes. The programs touch a descriptor only when they are told that it is ready, so that each missed event is a hang.

load helper

# same_in_loop PROGRAM [WORD …]: natively with a plaintext peer, with STARTTLS, and with TLS from the first byte
same_in_loop() {
  local program=$legacy/$1
  shift
  serve_plain
  timeout 60 "$program" localhost "$PORT" "$@" >native
  peer_stop
  rm -r journal
  serve
  watch verify
  shim timeout 60 "$program" localhost "$PORT" "$@" >shimmed || { cat shimmed; return 1; }
  diff native shimmed
  log_says "starttls verified to=localhost"
  peer_saw HELO
  peer_never_saw_in_clear HELO
  rm -r journal
  serve --proto tls
  PROTO=smtps watch verify
  shim timeout 60 "$program" localhost "$PORT" "$@" >wrapped || { cat wrapped; return 1; }
  diff native wrapped
  log_says "proto=smtps"
  peer_saw HELO
  peer_never_saw_in_clear HELO
}

@test "select" { same_in_loop loop select; }
@test "pselect, interrupted by signals" { same_in_loop loop pselect; }
@test "poll" { same_in_loop loop poll; }
@test "ppoll" { same_in_loop loop ppoll; }
@test "epoll, level-triggered" { same_in_loop loop level; }
@test "epoll, edge-triggered" { same_in_loop loop edge; }
@test "epoll, EPOLLONESHOT" { same_in_loop loop oneshot; }
@test "epoll, EPOLLEXCLUSIVE" { same_in_loop loop exclusive; }
@test "epoll in epoll" { same_in_loop loop nested; }
@test "epoll in epoll, edge-triggered" { same_in_loop loop nested-edge; }
@test "io_uring polls" { same_in_loop loop uring; }
@test "a short read means drained: level-triggered" { same_in_loop loop level short; }
@test "a short read means drained: edge-triggered" { same_in_loop loop edge short; }
@test "a short read means drained: nested edges" { same_in_loop loop nested-edge short; }
@test "waiting for POLLOUT only" { same_in_loop only_out; }

# The machine may allow fewer descriptors than 5,000 connections need; then as many as it allows.
@test "five thousand connections opened, held and used in one epoll loop" {
  local n=5000 room
  room=$(ulimit -Hn)
  if [ "$room" != unlimited ] && [ "$room" -lt 5100 ]; then
    n=$((room - 100))
    echo "# only $n connections: the hard limit of descriptors here is $room" >&3
  fi
  read -r PORT PEER < <(ulimit -Sn "$room"; "$build/tests/peer") # no journal: that would be five descriptors for each
  timeout 120 "$legacy/many" localhost "$PORT" "$n" >native
  kill "$PEER"
  read -r PORT PEER < <(ulimit -Sn "$room"; "$build/tests/peer" --cert "$certs/good.pem" --require-tls)
  watch verify
  shim timeout 120 "$legacy/many" localhost "$PORT" "$n" >shimmed 2>memory
  kill "$PEER"
  PEER=
  diff native shimmed
  [ "$(grep -c 'starttls verified' log)" = "$n" ]
  echo "# $n connections, $(cat memory)" >&3
}

@test "poll() says writable while there is no room, because TLS is not up yet: the app asks in vain a thousand times a second, not a million" {
  serve --stall-at greeting
  watch verify timeout 1
  run -0 shim python3 -c "
import select, socket
s = socket.create_connection(('localhost', $PORT))
s.setblocking(False)
asked = 0
try:
    for _ in range(1000):
        s.send(bytes(100000))
except BlockingIOError:
    while not select.select([s], [s], [])[0]:
        asked += 1
        try:
            s.send(b'x')
        except BlockingIOError:
            pass
print(asked)"
  echo "$output"
  [ "$output" -gt 0 ]
  [ "$output" -lt 1500 ]
}
