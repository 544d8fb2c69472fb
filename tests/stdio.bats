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

@test "_exit: what was written arrives, though nothing was ever read inside TLS" {
  for _ in {1..6}; do
    serve
    watch verify
    shim python3 -c "
import os, socket
s = socket.create_connection(('localhost', $PORT))
s.recv(100)
s.sendall(b'HOARD 300\r\n')
s.sendall(bytes(2000000))
os._exit(7)" || [ $? = 7 ]
    peer_stop
    facts "^hoarded 2000000\$"
    rm journal/*
  done
}

@test "wide characters: UTF-8" { same_as_native -- wide utf8; }
@test "wide characters: a locale without them" { same_as_native -- wide c; }
@test "wide characters: fwscanf" { same_as_native -- wide scan; }
@test "wide characters: EAGAIN" { same_as_native -- wide again; }
@test "wide characters: half of one, and the other half later" {
  serve
  watch verify
  shim timeout 60 "$legacy/wide" localhost "$PORT" half >shimmed
  grep -x 20ac shimmed
  grep -x "done" shimmed
}
@test "wide characters: freopen, setvbuf" { same_as_native -- wide reopen; }
@test "wide characters: stdin and stdout after dup2 of a connection onto 0 and 1" { same_as_native -- wide standard; }
@test "wide characters: functions fail on a stream that was used for bytes" { same_as_native -- wide bytes; }

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
  for act in utf8 c bytes scan again reopen standard; do
    timeout 60 "$legacy/wide" localhost "$PORT" "$act" >native
    shim timeout 60 "$legacy/wide" localhost "$PORT" "$act" >shimmed
    diff native shimmed
  done
}
