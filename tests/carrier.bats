#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every I/O style of old programs (legacy/): what they print natively, against a plaintext peer, they print under the shim too,
# against a peer that insists on TLS.

load helper

@test "blocking read and write" { same_as_native -- lines; }
@test "select" { same_as_native -- select; }
@test "poll" { same_as_native -- poll; }
@test "poll, then recv without waiting, on a blocking descriptor" { same_as_native -- dontwait poll; }
@test "ppoll, then recv without waiting, on a blocking descriptor" { same_as_native -- dontwait ppoll; }
@test "select, then recv without waiting, on a blocking descriptor" { same_as_native -- dontwait select; }
@test "pselect, then recv without waiting, on a blocking descriptor" { same_as_native -- dontwait pselect; }
@test "epoll, level-triggered" { same_as_native -- epoll level; }
@test "epoll, edge-triggered" { same_as_native -- epoll edge; }
@test "non-blocking connect" { same_as_native -- nonblocking; }
@test "a reader and a writer thread" { same_as_native -- threads; }
@test "reads and writes of one byte" { same_as_native -- one_byte; }
@test "MSG_PEEK" { same_as_native -- flags peek; }
@test "MSG_WAITALL" { same_as_native -- flags waitall; }
@test "MSG_DONTWAIT" { same_as_native -- flags dontwait; }
@test "MSG_TRUNC" { same_as_native -- flags trunc; }
@test "writev, readv, sendmsg, recvmsg, sendto, recvfrom" { same_as_native -- vectors; }
@test "a signal during a blocking read, with and without SA_RESTART" { same_as_native -- interrupted; }
@test "SO_RCVTIMEO" { same_as_native -- rcvtimeo; }
@test "dup, dup2, dup3, F_DUPFD_CLOEXEC" { same_as_native -- dup; }
@test "FIONREAD" { same_as_native -- fionread; }
@test "several connections, and a descriptor number used again" { same_as_native -- again; }
@test "8 MB up and 8 MB down in big blocking calls" { same_as_native -- bulk; }

@test "vfork: a child that closes everything leaves the parent's connection alone" { same_as_native -- children vfork; }
@test "posix_spawn: file actions that close everything leave it alone too" { same_as_native -- children spawn; }
@test "fork: the child talks, the parent only closes" { same_as_native -- children child; }
@test "fork: the parent talks, the child only closes" { same_as_native -- children parent; }
@test "fork: the parent writes while the child reads" { same_as_native -- children split; }

@test "half close: close_notify and FIN, and the answer still arrives" {
  same_as_native -- half_close
  facts "^end close_notify"
}

@test "half close with the kernel's buffer full, of a descriptor that blocks, and one that does not: nobody needs to come back for the rest" {
  same_as_native -- shut_full blocking
  facts "^end close_notify"
  rm -f journal/*
  same_as_native -- shut_full nonblocking
  facts "^end close_notify"
}

@test "half close before the peer has said a word, then only poll()" {
  same_as_native -- shut_full early
  facts "^end close_notify"
}

@test "exit with an open connection: last words arrive, then close_notify" {
  same_as_native -- exit
  peer_saw "SILENCE from atexit"
  facts "^end close_notify"
}

@test "close sends close_notify and never RST, though tickets were not read" {
  same_as_native --tickets 8 -- bulk
  facts "^end close_notify"
}

@test "TLS 1.2" {
  same_as_native --tls-max 1.2 -- epoll edge
  facts "^tls TLSv1.2"
}

@test "TLS 1.2: the parent writes while the child reads" { same_as_native --tls-max 1.2 -- children split; }
@test "a KeyUpdate before every third thing the peer says" { same_as_native --keyupdate-every 3 -- epoll edge; }
@test "KeyUpdates while the parent writes and the child reads" { same_as_native --keyupdate-every 3 -- children split; }
@test "KeyUpdates under two threads" { same_as_native --keyupdate-every 3 -- threads; }
@test "records of 512 bytes" { same_as_native --record 512 -- poll; }
@test "a peer that sends byte by byte, to a blocking program" { same_as_native --dribble -- lines; }
@test "a peer that sends byte by byte, to a non-blocking program" { same_as_native --dribble -- nonblocking; }
@test "a peer that sends byte by byte, to an edge-triggered program" { same_as_native --dribble --record 16384 -- flags dontwait; }
