#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The log line in a real syslog and a real journal; how severe; how many of them; and `starttls report` over what they wrote.

load helper
load servers/syslog

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  unset STARTTLS_POLICY STARTTLS_LOG LD_PRELOAD
  export HOME=$PWD LC_ALL=C
  needs_private
  syslog=
}

teardown() {
  [ -z "$syslog" ] || syslog_stop
  peer_stop
  cat syslog 2>/dev/null || true
}

# mail: one mail from the mailer, its log to syslog
mail() { env LD_PRELOAD="$runtime $build/libstarttls.so" STARTTLS_POLICY="$PWD/policy" "$legacy/mailer" localhost "$PORT" a@b c@d <<<hello || true; }

# written PATTERN: a line of syslog, when it has come
written() {
  for _ in {1..100}; do
    ! grep -qE -- "$1" syslog || return 0
    sleep 0.05
  done
  echo "syslog has no line like $1"
  return 1
}

@test "rsyslog: verified is info of mail, plaintext a warning, refused an error" {
  rsyslog_start "$PWD"
  serve
  watch verify
  mail
  written '^mail\.info .* mailer\[[0-9]+\]: starttls verified to=localhost addr=127\.0\.0\.1 port=[0-9]+ proto=smtp tls=1\.3 cipher=[A-Z0-9_]+ need=verify rule=[^ ]+ ms=[0-9]+ expires=20[0-9-]{8}$'
  peer_stop
  serve_plain
  printf 'may to any port %s proto smtp\n' "$PORT" >policy
  mail
  written '^mail\.warning .* starttls plaintext to=localhost .* why="server did not offer TLS"$'
  watch verify
  mail
  written '^mail\.err .* starttls refused to=localhost .* why="server did not offer TLS"$'
  run "$build/starttls" report syslog
  [[ $output == *'3 connections to '* && $output == *'plaintext left to eliminate: 1 connection'* && $output == *'refused: 1 connection'* ]]
}

@test "rsyslog: a protocol that is not mail goes to daemon" {
  rsyslog_start "$PWD"
  serve_plain
  printf 'verify to any port %s proto nntp\n' "$PORT" >policy
  mail
  written '^daemon\.err .* starttls refused to=localhost .* proto=nntp '
}

@test "rsyslog: a broken policy is said once per process, critically, and each connection is an error" {
  rsyslog_start "$PWD"
  serve
  printf 'verify to any port %s proto smtp\nverfy to any\n' "$PORT" >policy
  PORT=25
  run env LD_PRELOAD="$runtime $build/libstarttls.so" STARTTLS_POLICY="$PWD/policy" /usr/bin/python3 -c '
import socket
for i in range(3):
    try: socket.create_connection(("127.0.0.1", 25))
    except PermissionError as e: print("denied")'
  [ "$output" = $'denied\ndenied\ndenied' ]
  written '\.err .* starttls refused .* why="'
  [ "$(grep -c 'starttls broken why=".*policy:2:' syslog)" = 1 ]
  grep -qE '^[a-z]+\.crit .* starttls broken ' syslog
  [ "$(grep -c 'starttls refused' syslog)" = 3 ]
}

@test "rsyslog: too many lines are counted, not written, and the next line says how many" {
  rsyslog_start "$PWD"
  printf 'refuse to any proto smtp\n' >policy
  run env LD_PRELOAD="$runtime $build/libstarttls.so" STARTTLS_POLICY="$PWD/policy" /usr/bin/python3 -c '
import socket, time
def dial():
    try: socket.create_connection(("127.0.0.1", 25))
    except PermissionError as e: pass
for i in range(2000): dial()
time.sleep(0.2)
dial()'
  written ' lost=[0-9]+$'
  all=$(grep -c 'starttls refused' syslog)
  lost=$(awk -F' lost=' '{sum += $2} END {print sum + 0}' syslog)
  [ "$all" -lt 2000 ]
  [ "$((all + lost))" = 2001 ]
}

@test "a program without a syslog is not disturbed" {
  serve
  watch verify
  mail
  peer_saw hello
}

@test "an old syslog that listens on a stream gets its line, with NUL behind it" {
  /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind("/dev/log")
s.listen()
open("ready", "w")
open("syslog", "wb").write(s.accept()[0].makefile("rb").read())' 3>&- &
  local listener=$!
  until [ -e ready ]; do kill -0 "$listener"; sleep 0.05; done
  serve
  watch verify
  mail
  wait "$listener"
  rm -f /dev/log
  grep -qaP '^<22>[A-Z][a-z]{2} .\d \d\d:\d\d:\d\d mailer\[\d+\]: starttls verified .*\x00$' syslog
}

@test "the journal: priority, identifier, process and facility are as of any program" {
  journald_start
  serve
  watch verify
  mail
  for _ in {1..100}; do
    journal -t mailer -o short >syslog
    [ ! -s syslog ] || break
    sleep 0.05
  done
  grep -qE ' mailer\[[0-9]+\]: starttls verified to=localhost ' syslog
  run bash -c '"$0" report <"$1"' "$build/starttls" syslog
  [[ $output == *'1 connection to 1 destination'* ]]
  run journal -t mailer -o verbose
  [[ $output == *PRIORITY=6* && $output == *SYSLOG_FACILITY=2* && $output == *SYSLOG_PID=* ]]
}
