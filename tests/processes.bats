#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Other processes and a connection: programs that are executed on it, children that share it. As in carrier.bats, each program prints under the shim what
# it prints natively, and the peer insists on TLS.

load helper

@test "exec: sh on standard input and output goes on with the session" {
  same_as_native -- exec sh
  peer_saw "NOOP from sh"
  facts "^end close_notify"
}

@test "exec: python on standard input asks who its peer is, and for TCP_NODELAY" { same_as_native -- exec python; }
@test "exec: descriptors 6 and 7, as tcpclient hands them on" { same_as_native -- exec six; }
@test "exec in a child, while the parent waits" { same_as_native -- exec child; }
@test "exec in a child of vfork()" { same_as_native -- exec vfork; }
@test "posix_spawn with file actions" { same_as_native -- exec spawn; }
@test "system() on a connection that is standard input and output; afterwards the program itself" { same_as_native -- exec system; }
@test "helpers that inherit the connection by the way do not disturb it" { same_as_native -- exec helpers; }
@test "exec fails: the program goes on, still knows its peer, and hears of no child" { same_as_native -- exec failure; }
@test "FD_CLOEXEC is told as the program set it, and means what it says" { same_as_native -- exec cloexec; }
@test "exec: half close, and the answer still arrives" { same_as_native -- exec half-close; }
@test "exec: a reset of the peer arrives as ECONNRESET" { same_as_native --reset-at quit -- exec reset; }
@test "exec: 700 kB each way at once" { same_as_native -- exec flow; }
@test "exec under TLS 1.2" { same_as_native --tls-max 1.2 -- exec sh; }
@test "exec fails under TLS 1.2: 700 kB each way at once" { same_as_native --tls-max 1.2 -- exec flow; }

@test "fork: the child uses it and is gone, then the parent does" {
  same_as_native -- children after-child
  facts "^end close_notify"
}

@test "fork: 700 kB each way in a child that is killed, then the parent goes on" {
  same_as_native -- children after-flow
  facts "^end close_notify"
}

@test "fork: both read and both write, in turns" {
  same_as_native -- children turns
  facts "^end close_notify"
}

@test "fork: both write at once, and nothing is mixed up" {
  same_as_native -- children at-once
  [ "$(grep -ac '^SILENCE parent' journal/1.tls)" = 500 ]
  [ "$(grep -ac '^SILENCE child' journal/1.tls)" = 500 ]
}

@test "fork: the program's own handlers use the connection, and close it in the child" { same_as_native -- atfork; }

@test "fork under TLS 1.2: both read and both write, in turns" { same_as_native --tls-max 1.2 -- children turns; }
@test "fork: in turns, with a KeyUpdate every third time" { same_as_native --keyupdate-every 3 -- children turns; }
@test "fork: in turns, in records of 512 bytes" { same_as_native --record 512 -- children turns; }
@test "fork: 700 kB in a child, with KeyUpdates" { same_as_native --keyupdate-every 3 -- children after-flow; }

# Natively the kernel sends what it took. What we told the program is taken is sent, too, and at most the one byte more that a writer always comes back for.
rest_arrives() {
  serve
  watch verify
  shim "$legacy/hasty" localhost "$PORT" "$1" 2>said >/dev/null
  peer_stop
  local told arrived
  read -r _ told <said
  arrived=$(sed -n 's/^hoarded //p' journal/1.facts)
  echo "told $told, arrived $arrived"
  [ $((arrived - told)) -ge 0 ]
  [ $((arrived - told)) -le 1 ]
  facts "^end close_notify"
}

@test "close() while the peer takes nothing: what was accepted arrives, then close_notify" { rest_arrives close; }
@test "exit() while the peer takes nothing: the same" { rest_arrives exit; }

@test "SIGKILL: the relay ends with its program, and says close_notify" {
  serve
  watch verify
  run shim "$legacy/interplay" localhost "$PORT" kill
  [ "$status" = 137 ]
  peer_stop # waits until the connection has ended
  facts "^end close_notify"
}

@test "a daemon: two forks, everything closed, an empty root, no privileges, all signals blocked" { same_as_native -- daemon; }

@test "a first connection after chroot() is refused when the policy cannot be read there" {
  [ "$(id -u)" = 0 ] || skip "chroot needs root"
  serve --port 587
  watch verify
  mkdir nowhere
  run shim python3 -c "
import os, socket
s = socket.socket()
os.chroot('nowhere')
s.connect(('127.0.0.1', $PORT))"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *PermissionError* ]]
  nothing_leaked
}

# no_way_back CHANGE: the policy is about a port that no protocol has, and root's alone
no_way_back() {
  [ "$(id -u)" = 0 ] || skip "needs a user of its own"
  serve
  watch verify
  chmod 600 policy
  mkdir nowhere
  run shim python3 -c "
import os, socket
s = socket.socket()
$1
try:
    s.connect(('127.0.0.1', $PORT))
    s.recv(100)
    s.sendall(b'NOOP LEAK\\r\\n')
    s.recv(100)
except PermissionError:
    pass"
  echo "$output"
  [ "$status" = 0 ]
  peer_stop
  peer_never_saw_in_clear LEAK
}

@test "the policy that STARTTLS_POLICY names holds after chroot()" { no_way_back "os.chroot('nowhere')"; }
@test "the policy that STARTTLS_POLICY names holds after setuid()" { no_way_back "os.setuid(61999)"; }
@test "the policy that STARTTLS_POLICY names holds after setresuid()" { no_way_back "os.setresuid(61999, 61999, 61999)"; }
@test "the policy that STARTTLS_POLICY names holds after seteuid()" { no_way_back "os.seteuid(61999)"; }
@test "the policy that STARTTLS_POLICY names holds after setgid(), for a group" {
  no_way_back "os.chmod('policy', 0o640); os.chown('policy', 0, 61998); os.setgroups([]); os.setgid(61999); os.setreuid(61999, 61999)"
}

@test "exec when no process can be made: the descriptor is closed, and nothing goes out in the clear" {
  [ "$(id -u)" = 0 ] || skip "needs a user of its own"
  serve
  watch verify
  shim python3 -c "
import os, resource, socket
s = socket.create_connection(('localhost', $PORT))
s.recv(100)
s.sendall(b'HELO legacy.test\\r\\n')
s.recv(100)
os.dup2(s.fileno(), 0)
os.setuid(61999)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
os.execv('/bin/sh', ['sh', '-c', '{ echo LEAK >&0; } 2>/dev/null && echo open || echo closed'])" >out
  [ "$(<out)" = closed ]
  peer_saw HELO
  peer_never_saw_in_clear LEAK
}

@test "a fork() that fails: nobody is taken to share the connection, and the peer hears its end" {
  [ "$(id -u)" = 0 ] || skip "needs a user of its own"
  serve
  watch verify
  shim python3 -c "
import os, resource, socket
s = socket.create_connection(('localhost', $PORT))
s.recv(100)
os.setuid(61997)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try: os.fork()
except OSError as e: print(e.strerror)
s.close()" >out
  [ "$(<out)" = "Resource temporarily unavailable" ]
  peer_stop
  facts "^end close_notify"
}

@test "more children than can be listed, and all are gone: the peer hears the end" {
  serve
  watch verify
  shim python3 -c "
import os, socket
s = socket.create_connection(('localhost', $PORT))
s.recv(100)
go, gone = os.pipe()
for i in range(40):
    if os.fork() == 0:
        os.close(gone)
        os.read(go, 1)
        os._exit(0)
os.close(gone)
for i in range(40): os.wait()
s.close()"
  peer_stop
  facts "^end close_notify"
}

@test "fork: who has missed more than can be caught up with reads EIO, and may still write" {
  serve
  watch verify
  shim python3 -c "
import os, socket
s = socket.create_connection(('localhost', $PORT))
s.recv(100)
s.sendall(b'SOURCE 6000000\\r\\n')
if os.fork() == 0:
    left = len(b'250 source\\r\\n') + 6000000
    while left:
        left -= len(s.recv(left))
    os._exit(0)
os.wait()
s.sendall(b'NOOP from the parent\\r\\n')
try:
    s.recv(100)
except OSError as e:
    print(e.strerror)" >out
  [ "$(<out)" = "Input/output error" ]
  peer_saw "NOOP from the parent"
  peer_never_saw_in_clear NOOP
}

@test "fork before the first word: the connection is of the process that uses it first" {
  serve
  watch verify
  shim python3 -c "
import os, socket
s = socket.create_connection(('localhost', $PORT))
if os.fork() == 0:
    print(s.recv(100)[:3], flush=True)
    os._exit(0)
os.wait()
try:
    s.sendall(b'NOOP from the parent\\r\\n')
except OSError as e:
    print(e.strerror)" >out
  [ "$(<out)" = "b'220'
Input/output error" ]
  peer_never_saw_in_clear NOOP
}
