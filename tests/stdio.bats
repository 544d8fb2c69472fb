#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Standard I/O on a connection: what a program does with a FILE natively, it does under the shim, and no byte of it is plaintext.

load helper

@test "streams opened before the socket is connected" { same_as_native -- stdio early; }
@test "streams opened after it is connected, the second on a dup" { same_as_native -- stdio late; }
@test "one stream that reads and writes" { same_as_native -- stdio update; }
@test "one stream that reads and appends" { same_as_native -- stdio append; }
@test "setvbuf in its three modes" { same_as_native -- stdio buffers; }
@test "fscanf, ungetc, getline, getdelim, fread; wide functions fail on a byte stream" { same_as_native -- stdio words; }
@test "3 MB by one fread and by one fwrite" { same_as_native -- stdio bulk; }
@test "EAGAIN, ferror, clearerr" { same_as_native -- stdio again; }
@test "EPIPE after shutdown; fclose closes the descriptor" { same_as_native -- stdio closed; }
@test "freopen" { same_as_native -- stdio reopen; }
@test "stdin and stdout after dup2 of a connection onto 0 and 1" { same_as_native -- stdio standard; }
@test "perror and stderr after dup2 of a connection onto 2" { same_as_native -- stdio perror; }
@test "C++ streams on a connection" { same_as_native -- iostream; }

@test "exit: what is still in a buffer arrives, then close_notify" {
  same_as_native -- stdio left
  peer_saw "SILENCE last words"
  facts "^end close_notify"
}

@test "quick_exit: what was flushed arrives, then close_notify" {
  same_as_native -- stdio quick
  peer_saw "SILENCE last words"
  facts "^end close_notify"
}

@test "wide functions on a fresh stream fail, and leave it as it was" {
  serve
  watch verify
  shim timeout 60 "$legacy/stdio" localhost "$PORT" wide >shimmed
  diff shimmed - <<'END'
fwide -1 -1
1 1
1 1
-1 1
-1 -1
220 peer.test ESMTP
250 peer.test
221 2.0.0 bye
done
END
  peer_never_saw_in_clear HELO
}

@test "a stream of libc's own says nothing in plaintext when its number becomes a connection" {
  serve
  watch verify
  shim timeout 60 "$legacy/stdio" localhost "$PORT" usurped >shimmed
  grep -q EBADF shimmed
  peer_never_saw_in_clear secret
}

@test "a connection that the policy leaves alone: all as without the shim" {
  serve_plain
  policy "none to any"
  for act in early late update append buffers words bulk again closed reopen standard perror left; do
    timeout 60 "$legacy/stdio" localhost "$PORT" "$act" >native
    shim timeout 60 "$legacy/stdio" localhost "$PORT" "$act" >shimmed
    diff native shimmed
  done
}
