#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A connection in several programs at once, as scripts have it: the shell reads a line, a child that it runs reads the next one or writes, then it is the
# shell's turn again. Natively they have one socket, and the kernel keeps the order. Each script says the same under the shim, against a peer that
# insists on TLS, as natively; and the peer hears the same.

load helper


# Debian's own programs: a wrapper ahead of them would execute things of its own.
setup() {
  PATH=/usr/bin:/bin:$PATH
  begin_test
}

# What the tool that connects executes, followed by the script.
under_shim=(env "LD_PRELOAD=$runtime" "$build/starttls" run --policy policy --)

options=() # of the peer that speaks TLS

# heard FILE: what the peer heard of the script, without what we said ourselves before TLS was up
heard() { tr -d '\r' <"$1" | grep -avE '^(EHLO|STARTTLS)'; }

# same SCRIPT: native and under the shim alike. `dial [COMMAND …]` has the connection made, and executes COMMAND.
same() {
  serve_plain
  STARTTLS_LOG=/dev/null dial "$@" >native
  peer_stop
  heard journal/1.wire >heard.native
  [ -s native ]
  rm -r journal
  serve "${options[@]}"
  watch verify
  STARTTLS_LOG=$PWD/log dial "${under_shim[@]}" "$@" >shimmed
  peer_stop
  diff native shimmed
  heard journal/1.tls >heard.shimmed
  diff heard.native heard.shimmed
  log_says "starttls verified"
  peer_never_saw_in_clear NOOP
  peer_never_saw_in_clear HELO
  facts "^end close_notify"
}

# On 0 and 1, as inetd and socat EXEC have it; the old standard output is 9. On 6 and 7, as UCSPI has it for clients.
on_stdio() {
  dial() { timeout 20 "$legacy/tcpclient" localhost "$PORT" 0 "$@"; }
  same "$@"
}
on_six() {
  dial() { timeout 20 "$legacy/tcpclient" localhost "$PORT" 6 "$@"; }
  same "$@"
}

# Without `starttls run`, which starts nothing that lacks the library.
bare() { under_shim=(env "LD_PRELOAD=$runtime:$build/libstarttls.so" "STARTTLS_POLICY=$PWD/policy"); }

# --- children that do not touch it

idle='/bin/true; read -r g; echo "$g" >&9; /bin/true; printf "HELO sh\r\n"; /bin/true; read -r a; echo "$a" >&9; printf "QUIT\r\n"; /bin/true; while read -r l; do echo "$l" >&9; done; /bin/true'
@test "stdio: dash runs /bin/true between reading and writing" { on_stdio dash -c "$idle"; }
@test "stdio: bash runs /bin/true between reading and writing" { on_stdio bash -c "$idle"; }

idle_six='/bin/true; read -r g <&6; echo "$g"; /bin/true; printf "HELO sh\r\n" >&7; read -r a <&6; echo "$a"; printf "QUIT\r\n" >&7; /bin/true; while read -r l; do echo "$l"; done <&6; /bin/true'
@test "6 and 7: dash runs /bin/true between reading and writing" { on_six dash -c "$idle_six"; }
@test "6 and 7: bash runs /bin/true between reading and writing" { on_six bash -c "$idle_six"; }

# --- children that read and write, in turns with the shell

turns='read -r g; echo "$g" >&9
/bin/echo "HELO sh"; read -r a; echo "$a" >&9
echo "NOOP from the shell"; a=$(head -n 1); echo "$a" >&9
printf "NOOP one\nNOOP two\n"; (read -r a; echo "$a" >&9); read -r a; echo "$a" >&9
env echo "NOOP from a child"; sh -c "read -r a; echo \"nested: \$a\" >&9"
echo "NOOP again"; read -r a; echo "$a" >&9
/bin/echo QUIT; exec cat >&9'
@test "stdio: dash and its children in turns, exec cat in the end" { on_stdio dash -c "$turns"; }
@test "stdio: bash and its children in turns, exec cat in the end" { on_stdio bash -c "$turns"; }

turns_six='read -r g <&6; echo "$g"
/bin/echo "HELO sh" >&7; read -r a <&6; echo "$a"
echo "NOOP from the shell" >&7; head -n 1 <&6
/bin/echo "NOOP from a child" >&7; read -r a <&6; echo "$a"
/bin/echo "NOOP for six itself" >&7; perl -e "open I, \"<&=6\"; print scalar <I>"
echo QUIT >&7; exec 7>&-; cat <&6; echo "and then $?"'
@test "6 and 7: dash and its children in turns" { on_six dash -c "$turns_six"; }
@test "6 and 7: bash and its children in turns" { on_six bash -c "$turns_six"; }

@test "stdio: a child for each line" {
  on_stdio sh -c 'read -r g; for i in 1 2 3 4 5; do /bin/echo "NOOP $i"; read -r l; /bin/echo "got $l" >&9; done; echo QUIT; while read -r l; do /bin/echo "got $l" >&9; done'
}

@test "stdio: the greeting is read by a child" {
  on_stdio sh -c 'head -n 1 >&9; echo "HELO sh"; read -r l; echo "$l" >&9; echo QUIT; cat >&9; echo done >&9'
}

@test "stdio: the shell speaks before the greeting is read, a child reads both answers" {
  on_stdio sh -c 'printf "HELO sh\r\nQUIT\r\n"; cat >&9; echo done >&9'
}

@test "stdio: shells nested three deep, each with a word and a line" {
  on_stdio sh -c 'read -r g; echo "$g" >&9; echo "NOOP 1"; sh -c "read -r l; echo \"\$l\" >&9; echo NOOP 2; sh -c \"read -r l; echo \\\"2 \\\$l\\\" >&9; echo NOOP 3; /bin/true\"; read -r l; echo \"3 \$l\" >&9"; echo QUIT; read -r l; echo "4 $l" >&9; cat >&9'
}

@test "stdio: a pipeline takes the rest" {
  on_stdio sh -c 'read -r g; printf "HELO sh\r\nNOOP\r\nQUIT\r\n"; cat | tr a-z A-Z | cat >&9; echo done >&9'
}

@test "stdio: a pipeline says what is said" {
  on_stdio sh -c 'read -r g; printf "HELO sh\nNOOP\nQUIT\n" | sed "s/\$/\r/" | cat; cat >&9; echo done >&9'
}

@test "stdio: a child in the background writes when the shell is gone, and the end comes after it" {
  on_stdio sh -c 'read -r g; echo "$g" >&9; mkfifo go; (read -r x <go; echo "NOOP behind"; read -r l; echo "$l" >&9; /bin/echo QUIT; cat >&9) <&0 & echo "HELO sh"; read -r l; echo "$l" >&9; echo x >go'
}

@test "6 and 7: a child in the background reads, the shell writes" {
  on_six bash -c 'cat <&6 & read -r -t 30 g < <(echo); for i in 1 2 3; do echo "NOOP $i" >&7; done; echo QUIT >&7; exec 6<&- 7>&-; wait; echo "all of it"'
}

@test "stdio: 300 kB to a child, then the shell reads on" {
  on_stdio sh -c 'read -r g; echo "SOURCE 300000"; read -r l; echo "$l" >&9; head -c 300000 | cksum >&9; echo "NOOP behind"; read -r l; echo "$l" >&9; echo QUIT; read -r l; echo "$l" >&9'
}

@test "stdio: 300 kB from a child, then the shell says more" {
  on_stdio sh -c 'read -r g; echo "SINK 300000"; read -r l; echo "$l" >&9; head -c 300000 /dev/zero | tr "\0" z; read -r l; echo "$l" >&9; echo QUIT; cat >&9'
}

@test "stdio: env -i, a child without the library says and hears the same" {
  bare
  on_stdio sh -c 'read -r g; env -i /bin/echo "HELO bare"; read -r l; echo "$l" >&9; echo "NOOP from the shell"; env -i sh -c "read l; echo \"bare \$l\" >&9"; echo QUIT; env -i cat >&9; echo done >&9'
}

@test "6 and 7: env -i, a child without the library says and hears the same" {
  bare
  on_six bash -c 'read -r g <&6; env -i /bin/echo "HELO bare" >&7; read -r l <&6; echo "$l"; env -i /bin/sh -c "echo NOOP on seven itself >&7; read l <&6; echo \"bare \$l\""; echo QUIT >&7; env -i cat <&6; echo done'
}

# --- other languages

@test "stdio: perl and its children" {
  on_stdio perl -e '
    open T, ">&=9"; T->autoflush; $| = 1;
    sub line { my ($l, $c); while (sysread(STDIN, $c, 1) == 1) { $l .= $c; last if $c eq "\n" } print T $l }
    line; system "true"; system "echo NOOP from system"; line;
    print "NOOP from perl\n"; system "read l; echo \"child \$l\" >&9";
    my $said = `read l <&0; echo "substituted \$l"` if print "NOOP for a substitution\n"; print T $said;
    if (my $pid = fork) { waitpid $pid, 0 } else { print "NOOP from a fork\n"; line; exec "true" }
    print "QUIT\n"; line; line while !eof(STDIN)'
}

@test "stdio: python and its children" {
  on_stdio python3 -c '
import os, subprocess
told = os.fdopen(9, "w", buffering=1)
def line():
    text = b""
    while not text.endswith(b"\n"):
        c = os.read(0, 1)
        if not c: break
        text += c
    print(text, file=told)
    return text
line()
os.system("true")
subprocess.run(["true"])
os.system("echo NOOP from system")
line()
subprocess.run(["echo", "NOOP from run"])
subprocess.run(["head", "-n", "1"], stdout=told)
os.write(1, b"NOOP from python\n")
subprocess.run(["sh", "-c", "read l; echo \"$l\" >&9"], pass_fds=[9])
if os.fork() == 0:
    os.execlp("echo", "echo", "NOOP from a fork")
os.wait()
line()
os.write(1, b"QUIT\n")
while line(): pass'
}

# --- who waits while another program has it

waits='import os, select, subprocess, sys
told = os.fdopen(9, "w", buffering=1)
def line():
    text = b""
    while not text.endswith(b"\n"):
        c = os.read(0, 1)
        if not c: break
        text += c
    print(text, file=told)
    return text
def other():
    return subprocess.Popen(["sh", "-c", "read x <&8"], pass_fds=[8])
hold, release = os.pipe()
os.dup2(hold, 8)
line()
def begin():
    os.write(1, b"PAUSE 300\r\n")
    return other()
def end(child):
    os.write(release, b"\n")
    child.wait()
'

@test "stdio: poll() wakes up the parent of a program that only has it, and is silent again" {
  on_stdio python3 -c "$waits"'
child = begin()
p = select.poll()
p.register(0, select.POLLIN)
print(p.poll(20000), file=told)
line()
print(p.poll(0), file=told)
end(child)
os.write(1, b"NOOP\r\n"); line()
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: select() does" {
  on_stdio python3 -c "$waits"'
child = begin()
print(select.select([0], [], [], 20)[0], file=told)
line()
end(child)
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: so does epoll, edge by edge, and a read that blocks" {
  on_stdio python3 -c "$waits"'
child = begin()
e = select.epoll()
e.register(0, select.EPOLLIN | select.EPOLLET)
print(e.poll(20), file=told)
line()
end(child)
child = begin()
line()
end(child)
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: what a program has read is not readable for its parent, what it has left is" {
  on_stdio python3 -c "$waits"'
os.write(1, b"NOOP\r\n")
subprocess.run(["sh", "-c", "read l; echo \"$l\" >&9"], pass_fds=[9])
p = select.poll()
p.register(0, select.POLLIN)
print(p.poll(0), file=told)
os.write(1, b"NOOP\r\n")
subprocess.run(["sh", "-c", "head -c 3 >&9"], pass_fds=[9])
print(p.poll(0), file=told)
line()
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: the parent sets O_NONBLOCK while another program has it" {
  on_stdio python3 -c "$waits"'
child = other()
os.set_blocking(0, False)
try: os.read(0, 1)
except BlockingIOError: print("nothing yet", file=told)
end(child)
os.set_blocking(0, True)
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: a program that ends in silence, and then its parent, say the end once" {
  on_stdio python3 -c "$waits"'
subprocess.run("true")
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: a program shuts writing down, its parent hears the answer" {
  on_stdio python3 -c "$waits"'
os.write(1, b"SINK\r\n"); line()
subprocess.run([sys.executable, "-c", "import os, socket; os.write(1, b\"x\" * 300000); socket.socket(fileno=1).shutdown(socket.SHUT_WR)"])
while line(): pass'
}

@test "stdio: the parent asks who its peer is, after its children" {
  on_stdio python3 -c "$waits"'
import socket
subprocess.run("true")
os.write(1, b"NOOP\r\n"); line()
s = socket.socket(fileno=os.dup(0))
print(s.family, s.getpeername()[0], s.getsockname()[0], s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), file=told)
os.write(1, b"QUIT\r\n")
while line(): pass'
}

@test "stdio: in turns under TLS 1.2, with a KeyUpdate every third time, and in small records" {
  options=(--tls-max 1.2)
  on_stdio bash -c "$turns"
  rm -r journal
  options=(--keyupdate-every 3)
  on_stdio bash -c "$turns"
  rm -r journal
  options=(--record 512)
  on_stdio sh -c 'read -r g; echo "SOURCE 300000"; read -r l; echo "$l" >&9; /bin/true; head -c 100001 | cksum >&9; head -c 199999 | cksum >&9; echo QUIT; read -r l; echo "$l" >&9'
}

# cut_short PYTHON: a write is cut short, for the peer takes nothing yet. PYTHON has the connection handed over by a program, and the rest is written. Of the
# byte that was sealed, but not counted, nothing may go out twice, nor be taken for it.
cut_short() {
  serve
  watch verify
  STARTTLS_LOG=$PWD/log timeout 20 "$legacy/tcpclient" localhost "$PORT" 0 "${under_shim[@]}" python3 -c "
import os, subprocess
def cut():
    global left
    os.set_blocking(1, False)
    try:
        while left: left -= os.write(1, bytes(min(left, 50000)))
    except BlockingIOError: os.write(9, b'cut short')
def hear():
    try: os.read(0, 1)
    except BlockingIOError: pass
left = 16000000
os.read(0, 100)
os.write(1, b'HOARD 500\r\n')
$1
os.set_blocking(1, True)
while left: left -= os.write(1, bytes(min(left, 50000)))" >said
  peer_stop
  [ "$(<said)" = "cut short" ]
  facts "^hoarded 16000000\$"
}

@test "stdio: a write is cut short, then a program runs, then it is written on" { cut_short 'cut(); subprocess.run("true")'; }
@test "stdio: the same, but the parent reads before it writes on" { cut_short 'cut(); subprocess.run("true"); hear()'; }
@test "stdio: a write is cut short between fork() and exec(), the parent reads and only then writes on" {
  cut_short '
go, gone = os.pipe()
if os.fork() == 0:
    os.read(go, 1)
    os.execv("/bin/true", ["true"])
cut()
os.write(gone, b"x")
os.wait()
hear()'
}
@test "stdio: a write is cut short, and a child writes what is left" {
  cut_short '
cut()
if os.fork():
    os.wait()
    raise SystemExit'
}

# --- what cannot be had

@test "a daemon: forked twice, its parents gone, programs in between" {
  on_stdio python3 -c '
import os, subprocess
def line():
    text = b""
    while not text.endswith(b"\n"):
        c = os.read(0, 1)
        if not c: break
        text += c
    os.write(9, b"heard " + text)
done, gone = os.pipe()
if os.fork():
    os.close(gone)
    os.read(done, 1)
    os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
line()
subprocess.run(["echo", "NOOP a"]); line()
if os.fork(): os._exit(0)
subprocess.run(["echo", "NOOP b"]); line()
subprocess.run(["sh", "-c", "echo QUIT; cat >&9"], pass_fds=[9])'
}

@test "the parent ends last, unused and not waited for: the peer hears the end all the same" {
  serve
  watch verify
  STARTTLS_LOG=$PWD/log timeout 20 "$legacy/tcpclient" localhost "$PORT" 0 "${under_shim[@]}" python3 -c '
import os, pathlib, subprocess, time
os.dup2(9, 2)
os.read(0, 100)
child = os.fork()
if child == 0:
    subprocess.run("true")
    os._exit(0)
os.close(0), os.close(1)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
os.write(9, b"a zombie")
while not any("end" in f.read_text() for f in pathlib.Path("journal").glob("*.facts")): time.sleep(0.05)' >said
  grep -q zombie said
  facts "^end close_notify"
}

# refused COMMAND …: in place of NOOP the peer hears nothing in the clear; "$output" is what COMMAND said
refused() {
  serve
  watch verify
  STARTTLS_LOG=$PWD/log run timeout 20 "$legacy/tcpclient" localhost "$PORT" 0 "${under_shim[@]}" "$@"
  echo "$output"
  peer_never_saw_in_clear NOOP
  peer_never_saw_in_clear LEAK
}

@test "no process for a relay: the program finds the descriptor closed, its parent goes on" {
  [ "$(id -u)" = 0 ] || skip "needs a user of its own"
  refused python3 -c '
import os, resource
os.read(0, 100)
os.setuid(61998)
if os.fork() == 0:
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    os.dup2(9, 2)
    os.execv("/bin/echo", ["echo", "LEAK"])
os.wait()
os.write(1, b"NOOP\r\n")
os.write(9, os.read(0, 100))'
  [[ $output == *"Bad file descriptor"*"250 2.0.0 ok"* ]]
}

@test "the relay is killed: errors for all, and nothing in the clear" {
  needs_private
  refused bash -c 'read -r g; /bin/true; for p in /proc/[0-9]*; do [ "$(cat $p/comm 2>&9)" != starttls-relay ] || kill -9 "${p#/proc/}"; done 9>/dev/null
    trap "" PIPE; echo NOOP LEAK || echo "write failed" >&9; read -r l || echo "read failed" >&9; /bin/echo NOOP LEAK || echo "child failed" >&9' 2>/dev/null
  [[ $output == *"write failed"*"read failed"*"child failed"* ]]
}

@test "RLIMIT_NOFILE lowered below the descriptor: it is closed, and nothing goes out in the clear" {
  refused python3 -c '
import os, resource, subprocess
os.dup2(0, 50)
os.read(50, 100)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
subprocess.run("true")
try: os.write(1, b"NOOP\r\n"), os.write(50, b"LEAK\r\n")
except OSError as e: os.write(9, e.strerror.encode())'
  [[ $output == *"Bad file descriptor"* ]]
}

# --- a connection that the script makes itself

@test "bash on /dev/tcp: children in turns, those that only inherit it too" {
  dial() { PEER_PORT=$PORT timeout 20 "$@"; }
  same bash -c '
exec 3<>"/dev/tcp/localhost/$PEER_PORT"
read -r -u 3 g; echo "$g"; /bin/true
/bin/echo "HELO bash" >&3; read -r -u 3 l; echo "$l"
echo "NOOP from bash" >&3; head -n 1 <&3; /bin/true
echo "NOOP more" >&3; /bin/true; l=$(head -n 1 <&3); echo "$l"
/bin/echo QUIT >&3; cat <&3; echo "$?"'
}

@test "bash on /dev/tcp: before anything is heard a child in the background reads, and bash writes" {
  dial() { PEER_PORT=$PORT timeout 20 "$@"; }
  same bash -c '
exec 3<>"/dev/tcp/localhost/$PEER_PORT"
cat <&3 &
for i in 1 2 3; do echo "NOOP $i" >&3; done
echo QUIT >&3
wait'
}

@test "bash on /dev/tcp: two programs that have it by the way speak on it, one after the other" {
  dial() { PEER_PORT=$PORT timeout 20 "$@"; }
  same bash -c '
mkfifo a b end said
exec 4<>end 5<>said
speaker="\$| = 1; open I, q(<&=3); open O, q(>&=3); open G, q(<), \$ARGV[0]; <G>; syswrite O, qq(NOOP from \$ARGV[0]\r\n); print scalar <I>; sysread STDIN, \$x, 1"
exec 3<>"/dev/tcp/localhost/$PEER_PORT"
read -r -u 3 g; echo "$g"
perl -e "$speaker" a <end >said & perl -e "$speaker" b <end >said &
for who in a b; do : >$who; read -r -u 5 l; echo "$l"; done
printf "\n\n" >&4; wait
echo "NOOP from bash" >&3; read -r -u 3 l; echo "$l"
echo QUIT >&3; cat <&3'
}
