#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The corners of a socket's contract: what the kernel answers on a plain connection, the program hears on a TLS connection too.

load helper

@test "SO_RCVLOWAT, set before and after connect" { same_as_native -- contract lowat; }
@test "close with SO_LINGER" {
  same_as_native -- contract linger
  peer_saw "SILENCE last"
  facts "^end close_notify"
}
@test "close with SO_LINGER 0 neither hangs nor fails" { same_as_native -- contract abort; }
@test "AF_UNSPEC dissolves the connection under all its numbers; it can be dialled again" { same_as_native -- contract unspec; }
@test "connect to a closed port, then to the peer, with the same socket" { same_as_native -- contract refused; }
@test "the same without blocking" { same_as_native -- contract refused_later; }
@test "a number closed by a raw system call and used again for a file, a pipe, a socket pair, an accepted socket" { same_as_native -- contract stale; }
@test "the highest descriptor there may be, after RLIMIT_NOFILE was raised" { same_as_native -- contract numbers; }
@test "daemon(3) takes descriptor 0 away, and a copy goes on" {
  same_as_native -- contract daemon
  peer_saw "NOOP kept"
  run -1 grep -q "NOOP lost" journal/*.tls
}
@test "a thread that takes descriptors of its own and closes them" { same_as_native -- contract unshared; }
@test "bad pointers are EFAULT" { same_as_native -- contract pointers; }
@test "a bad address of a name, an option, a poll set" {
  [ -z "$runtime" ] || skip "the sanitizer's runtime looks there first, and ends the program"
  same_as_native -- contract bad_names
}
@test "a write into a hole in memory sends what is in front of it, and says how much" { same_as_native -- contract hole; }
@test "TCP_FASTOPEN_CONNECT does not keep the connection waiting for the first bytes" { same_as_native -- contract fast_open; }
@test "odd calls, drawn at random, answer as the kernel does" {
  same_as_native -- odd 0 40 ${runtime:+gentle}
  [ "$(grep -c . native)" -gt 1000 ]
}
@test "options that would show what is encrypted are refused, as by kernels that do not have them" {
  serve
  watch verify
  shim timeout 60 "$legacy/contract" localhost "$PORT" encrypted >shimmed
  diff - shimmed <<'END'
220 220 
220 peer.test ESMTP
setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start): EOPNOTSUPP
getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &map, &n): ENOPROTOOPT
setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start): fine
250 peer.test
221 2.0.0 bye
done
END
}
@test "1024 pieces, empty ones among them" { same_as_native -- contract pieces; }
@test "calls of length zero" { same_as_native -- contract zero; }
@test "SCM_RIGHTS: another process goes on with the connection, inside TLS" { same_as_native -- contract rights; }
@test "SCM_RIGHTS before a word was said" { same_as_native -- contract rights_early; }

@test "MSG_OOB is refused: urgent data would go beside TLS" {
  serve
  watch verify
  shim timeout 60 "$legacy/contract" localhost "$PORT" oob >shimmed
  diff shimmed - <<'END'
220 peer.test ESMTP
250 peer.test
EOPNOTSUPP
EINVAL
221 2.0.0 bye
done
END
}

@test "a connection that the policy leaves alone: all as without the shim" {
  serve_plain
  policy "none to any"
  for act in lowat linger abort oob rights rights_early unspec refused refused_later stale numbers pointers hole pieces zero fast_open $([ -n "$runtime" ] || echo bad_names); do
    timeout 60 "$legacy/contract" localhost "$PORT" "$act" >native
    shim timeout 60 "$legacy/contract" localhost "$PORT" "$act" >shimmed
    diff native shimmed
  done
}
