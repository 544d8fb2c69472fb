#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Out of memory: one allocation fails, whichever it is. That connection works all the same or is refused; nothing crashes, and nothing is
# said in plaintext.

load helper

# scarce cold|warm
scarce() {
  [ -z "${SAN-}" ] || skip "the allocator is the sanitizer's own then, and never fails"
  serve
  watch verify
  LD_PRELOAD="$build/libstarttls.so $build/tests/oom.so" STARTTLS_LOG=off STARTTLS_POLICY=$PWD/policy "$legacy/scarce" "$PORT" "$1" 2>counts
  cat counts
  grep -qE '[1-9][0-9]* refused, [1-9][0-9]* worked' counts
  peer_stop
  ! in_clear | grep -aqE 'HELO|NOOP|QUIT'
}

@test "any allocation of a process's first session fails: policy, engine, OpenSSL" { scarce cold; }
@test "any allocation of a later session fails, and the one after that works" {
  scarce warm
  grep -q ' 0 lame' counts
}
