#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Valgrind's memcheck over whole sessions, the library as it is shipped: no bad access, no decision on an undefined value, nothing lost for good.
# (memcheck.supp says what it cannot know.)

load helper

setup() {
  [ -z "${SAN-}" ] || skip "a sanitizer watches the memory then; the two do not go together"
  begin_test
}

# clean PROGRAM [WORD …]: a session under the shim without a finding
clean() {
  local program=$1
  shift
  # not by `starttls run`, which holds all that is executed below it: valgrind's tools are static
  env LD_PRELOAD="$build/libstarttls.so" STARTTLS_LOG="$PWD/log" STARTTLS_POLICY="$PWD/policy" valgrind -q --error-exitcode=99 --trace-children=yes --suppressions="$root/tests/memcheck.supp" --leak-check=full \
    --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=25 \
    "$legacy/$program" localhost "$PORT" "$@" >out 2>findings || { grep '^==' findings; return 1; }
  log_says starttls
}

smtp_session() {
  serve --keyupdate-every 5
  watch verify
  clean "$@"
}

@test "a session in an edge-triggered loop" { smtp_session loop edge short; }
@test "blocking calls, much in each direction" { smtp_session bulk; }
@test "a reader and a writer thread" { smtp_session threads; }
@test "several connections, one after another and at once" { smtp_session again; }
@test "half close" { smtp_session half_close; }
@test "fork: the parent writes while the child reads" { smtp_session children split; }
@test "fwscanf allocates what comes in pieces" { smtp_session wide scan; }
@test "exit with an open connection" { smtp_session exit; }

@test "TLS from the first byte, TLS 1.2" {
  serve --proto tls --tls-max 1.2
  PROTO=smtps watch verify
  clean loop poll
}

@test "a refusal" {
  serve --cert "$certs/wrong-name.pem"
  watch verify
  run ! clean lines
  run ! grep '^==' findings
  log_says "starttls refused"
}
