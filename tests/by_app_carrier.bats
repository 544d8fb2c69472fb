#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `by app` and every way of doing I/O. A program that never does TLS, at level `may`, is guarded until its first word that is not harmless, and on its own
# from then on; at level `encrypt` a program that says harmless words only is guarded to its end. Both print what they print without us.

load helper

serve_guarded() {
  serve_plain "$@"
  policy "${level-may} to any port $PORT proto smtp by app"
}

# same_guarded -- PROGRAM [WORD]
same_guarded() {
  compare_native serve_guarded "$@"
  peer_saw_in_clear HELO
}

# goes_on PROGRAM [WORD]: and the log says so
goes_on() {
  same_guarded -- "$@"
  log_says 'starttls plaintext to=localhost'
}

# stays PROGRAM [WORD]: guarded to the end
stays() {
  level=encrypt same_guarded -- "$@"
  [ ! -s log ]
}

@test "blocking read and write" { goes_on lines; }
@test "select" { goes_on select; }
@test "poll" { goes_on poll; }
@test "poll, then recv without waiting, on a blocking descriptor" { stays dontwait poll; }
@test "epoll, level-triggered" { goes_on epoll level; }
@test "epoll, edge-triggered" { goes_on epoll edge; }
@test "non-blocking connect" { stays nonblocking; }
@test "a loop that polls" { goes_on loop poll; }
@test "a loop on nested edges" { goes_on loop nested-edge; }
@test "waiting for POLLOUT only" { goes_on only_out; }
@test "a reader and a writer thread" { goes_on threads; }
@test "reads and writes of one byte" { goes_on one_byte; }
@test "MSG_PEEK" { goes_on flags peek; }
@test "MSG_WAITALL" { goes_on flags waitall; }
@test "MSG_DONTWAIT" { stays flags dontwait; }
@test "MSG_TRUNC" { goes_on flags trunc; }
@test "writev, readv, sendmsg, recvmsg, sendto, recvfrom" { goes_on vectors; }
@test "a signal during a blocking read, with and without SA_RESTART" { goes_on interrupted; }
@test "SO_RCVTIMEO" { goes_on rcvtimeo; }
@test "dup, dup2, dup3, F_DUPFD_CLOEXEC" { goes_on dup; }
@test "FIONREAD" { goes_on fionread; }
@test "several connections, and a descriptor number used again" { goes_on again; }
@test "8 MB up and 8 MB down in big blocking calls" { goes_on bulk; }
@test "half close" { goes_on half_close; }
@test "streams of stdio" { stays stdio early; }
@test "stdin and stdout after dup2 of a connection onto 0 and 1" { goes_on stdio standard; }
@test "fork: the child talks, the parent only closes" { goes_on children child; }
@test "fork: the parent talks, the child only closes" { goes_on children parent; }
@test "fork: the parent writes while the child reads" { goes_on children split; }
@test "exec: sh on standard input and output" { goes_on exec sh; }
@test "exec in a child, while the parent waits" { goes_on exec child; }
@test "exec in a child of vfork()" { goes_on exec vfork; }
@test "system() on a connection that is standard input and output" { goes_on exec system; }
@test "helpers that inherit the connection by the way do not disturb it" { goes_on exec helpers; }
@test "exec fails: the program goes on" { goes_on exec failure; }
@test "SO_RCVLOWAT, set before and after connect" { goes_on contract lowat; }
@test "AF_UNSPEC dissolves the connection under all its numbers; it can be dialled again" { same_guarded -- contract unspec; }
@test "a number closed by a raw system call and used again for a file, a pipe, a socket pair, an accepted socket" { same_guarded -- contract stale; }
@test "bad pointers are EFAULT" { same_guarded -- contract pointers; }
@test "calls of length zero" { same_guarded -- contract zero; }
@test "SCM_RIGHTS: another process goes on with the connection" { goes_on contract rights; }
@test "SCM_RIGHTS before a word was said" { same_guarded -- contract rights_early; }
@test "pthread_cancel() in read()" { goes_on interplay cancel; }
@test "close() while another thread reads" { goes_on interplay close; }
@test "a signal handler that closes what its thread reads from, and leaves read()" { stays jumper close; }
@test "a program with an OpenSSL of its own in use, and harmless words only" { stays own_tls; }

# refused_by_python PROGRAM: it prints what it hears after MAIL
refused_by_python() {
  serve_plain
  policy "encrypt to any port $PORT proto smtp by app"
  run -0 shim timeout 30 python3 -c "$1" "$PORT"
  [ "$output" = "421 4.7.0 libstarttls: the program went on in plaintext where it should have brought TLS up itself (\`by app\`)" ]
  log_says 'starttls refused to=localhost'
  peer_never_saw_in_clear MAIL
}

@test "refused while another thread waits in recv(): that thread is told" {
  refused_by_python '
import socket, sys, threading
s = socket.create_connection(("localhost", int(sys.argv[1])))
s.recv(100)
reader = threading.Thread(target=lambda: print(s.recv(200).decode().strip(), s.recv(1).decode(), sep=""))
reader.start()
while open(f"/proc/self/task/{reader.native_id}/syscall").read().split()[0] not in ("45", "47", "207", "212"):
    pass  # recvfrom, recvmsg
s.sendall(b"MAIL FROM:<a@b>\r\n")
reader.join()'
}

@test "refused on a descriptor that does not block: the kernel says readable" {
  refused_by_python '
import select, socket, sys
s = socket.create_connection(("localhost", int(sys.argv[1])))
s.setblocking(False)
e = select.epoll()
e.register(s, select.EPOLLIN | select.EPOLLET)
assert e.poll(20)
s.recv(100)
s.send(b"EHLO box\r\n")
assert e.poll(20)
s.recv(100)
s.send(b"MAIL FR")
s.send(b"OM:<a@b>\r\n")
assert e.poll(20)
print(s.recv(200).decode().strip(), s.recv(1).decode(), sep="")
try:
    s.send(b"QUIT\r\n")
except ConnectionAbortedError:
    sys.exit(0)
sys.exit(1)'
}

@test "nobody listens: connect() says so, and nothing of ours" {
  policy "verify to any port 1 proto smtp by app"
  run -0 shim python3 -c '
import socket, select
s = socket.socket()
s.setblocking(False)
assert s.connect_ex(("127.0.0.1", 1)) in (111, 115)
select.select([], [s], [])
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or "told before")'
  [[ $output = 111 || $output = "told before" ]]
  [ ! -s log ]
}

# What is ours is hidden from programs that are executed: the kernel has it as close-on-exec, whatever the program wished.
@test "with its ClientHello a connection is the kernel's alone again" {
  serve
  watch encrypt by app
  run -0 shim timeout 30 python3 -c '
import socket, ssl, sys
s = socket.socket()
s.set_inheritable(True)
def is_ours():
    return bool(int(open(f"/proc/self/fdinfo/{s.fileno()}").read().split("flags:")[1].split()[0], 8) & 0o2000000)
s.connect(("localhost", int(sys.argv[1])))
s.recv(100)
for line in b"EHLO box\r\n", b"STARTTLS\r\n":
    s.sendall(line)
    s.recv(1000)
print(is_ours())
context = ssl._create_unverified_context()
s = context.wrap_socket(s, do_handshake_on_connect=False)
s.do_handshake()
print(is_ours())
s.sendall(b"NOOP of our own\r\n")
print(s.recv(100).decode().strip())' "$PORT"
  [ "$output" = $'True\nFalse\n250 2.0.0 ok of our own' ]
  log_says 'starttls own to=localhost'
  peer_saw 'NOOP of our own'
}
