#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# /etc/ld.so.preload: the library in every program of the machine. Programs start, run and end as without it, whatever they are; and programs
# that obey no environment obey the host's policy.

load helper
load hosts
load servers/dovecot
load servers/postfix

setup_file() {
  own_usr || return 0
  make -s -C "$root" BUILD="$build" install
}

teardown() {
  own_machine || return 0
  in_no_program
  rm -rf /etc/starttls/policy.d/*
  peer_stop
}

# said FILE COMMAND …: what it says on stdout and stderr, and its status
said() {
  local file=$1 code=0
  shift
  timeout -k 5 60 "$@" >"$file" 2>&1 </dev/null || code=$?
  echo "status $code" >>"$file"
}

# Of packages that every Debian has, and of the tools of the tests. Not groff, whose parts answer in any order,
# and not bashbug, which names a file after its process.
programs() {
  dpkg --listfiles coreutils util-linux util-linux-extra mount findutils grep sed tar gzip bzip2 xz-utils bash dash diffutils debianutils dpkg apt \
    login passwd perl-base procps iproute2 hostname libc-bin binutils-x86-64-linux-gnu gcc-12 g++-12 make openssl strace python3-minimal \
    python3.11-minimal man-db groff-base busybox-static systemd e2fsprogs curl ca-certificates patchelf 2>/dev/null |
    grep -xE '(/usr)?/s?bin/[^/]+' | grep -vE '/(groff|bashbug)$' | sort -u
}

# versions DIRECTORY
versions() {
  mkdir "$1"
  while read -r program; do
    said "$1/${program##*/}" "$program" --version
  done < <(programs)
}

@test "every program: hundreds say their version, or what they have against the question, as ever" {
  versions native
  in_every_program
  grep -q /libstarttls.so /proc/self/maps
  versions shimmed
  diff -r native shimmed
  n=$(find shimmed -type f | wc -l)
  echo "$n programs"
  [ "$n" -ge 200 ]
}

# Lines of a shell that do what the programs are for.
work() {
  cat <<'END'
for i in 1 2 3; do echo $i | cat; done | sort -r | tr '\n' ' '; echo $(<<<x cat) >&2; exit 3
exec 5<>/dev/tcp/127.0.0.1/$HTTP; printf 'GET /file HTTP/1.0\r\n\r\n' >&5; grep -v ^Date <&5
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:$ENV{HTTP}"); print $s "GET /file HTTP/1.0\r\n\r\n"; print grep !/^Date/, <$s>'
perl -e 'pipe R, W; if (fork) { close W; print <R>; wait; exit $? >> 8 } close R; print W "child\n"; close W; exit 7'
python3 -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:$HTTP/file").read())'
python3 -c 'import subprocess; print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in", capture_output=True, close_fds=True))'
python3 -c 'import multiprocessing as m; print(m.Pool(3).map(abs, range(-5, 5)))'
python3 -c 'import asyncio, os; r, w = os.pipe(); print(asyncio.run(asyncio.wait_for(asyncio.to_thread(lambda: os.write(w, b"x")), 9)))'
node -e 'require("http").get("http://127.0.0.1:$HTTP/file", r => r.on("data", d => console.log(String(d))))'
node -e 'require("child_process").exec("echo from a child; exit 4", (e, out) => console.log(out, e.code))'
curl -s http://127.0.0.1:$HTTP/file; curl -s http://127.0.0.1:1/; echo $?
printf 'GET /file HTTP/1.0\r\n\r\n' | socat -t 9 - tcp:127.0.0.1:$HTTP | grep -v ^Date; echo back | socat - exec:cat
busybox wget -q -O - http://127.0.0.1:$HTTP/file; busybox ash -c 'echo $((6 * 7))'
openssl s_client -connect 127.0.0.1:$HTTP 2>&1 | sed -n '1s/^[0-9A-F]*://p'; openssl dgst -sha256 /etc/hostname
dpkg --list coreutils bash; dpkg --audit; dpkg-query --search /bin/sh; dpkg-deb --fsys-tarfile $DEB | tar --list
apt-get --simulate install coreutils; apt-cache show bash | head; apt-config dump | sort
mkdir -p lists/partial; apt-get -o APT::Sandbox::Seccomp=1 -o APT::Sandbox::User=root -o Dir::Etc::SourceList=$PWD/sources -o Dir::Etc::SourceParts=- -o Dir::State::Lists=$PWD/lists update | sed 's/ in .*//'
systemctl --root=/ list-unit-files --no-pager; systemctl is-system-running; systemd-analyze verify basic.target; systemd-escape 'a b'
man -P cat -E ascii man | head -n 20; man -w man
printf 'int main(void) { return 5; }' | gcc -x c - -o made && ./made; echo $?
printf 'all: a b\na b:\n\t@echo $@\n' | make -j2 -O -f - | sort
find /etc/init.d -type f -print0 | sort -z | xargs -0 -P 4 -n 1 wc -c | sort
tar -C /etc -cz init.d | tar -tz | sort; gzip -c /etc/passwd | zcat | cmp - /etc/passwd
su nobody -s /bin/sh -c 'id; exit 6'
setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'passwd --status; chage --list nobody; umount /proc; mount | wc -l; gpasswd -d x y; newgrp - </dev/null'
getent hosts localhost; getent passwd root; ip -brief link show lo; ss -Htl 'sport = 1'; ps -o comm= -p $$; free >/dev/null; uptime >/dev/null
ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -y -f key | cut -d' ' -f1; ssh -o BatchMode=yes -p 1 127.0.0.1 true
fakeroot sh -c 'touch f; chown 1:1 f; stat -c %u f'; stdbuf -oL seq 3; valgrind -q --error-exitcode=9 true; echo $?
php -r 'echo file_get_contents("http://127.0.0.1:$argv[1]/file");' $HTTP
xz -T2 -c /etc/services | xz -dc | cmp - /etc/services; sort -S1M --parallel=2 /etc/services | cksum; coproc cat; echo through >&${COPROC[1]}; read -ru ${COPROC[0]}; echo $REPLY
timeout 1 sleep 9; echo $?; nice -n 5 nice; env -i /usr/bin/env; python3 -c 'import os; print(os.system("kill -9 $$"))'; nohup true
script -qec 'tty -s && echo terminal' /dev/null | tr -d '\r'
END
}

# at_work DIRECTORY: one file for each line
at_work() {
  local n=0 line
  mkdir "$1"
  while read -r line; do
    n=$((n + 1))
    rm -rf lists key* made
    said "$1/$n" bash -c "${line//\$HTTP/$HTTP}"
    echo "$line" >>"$1/$n"
  done < <(work)
}

@test "every program: shells, interpreters, package tools, set-user-ID tools and sandboxed ones do their work as ever" {
  mkdir www
  echo content >www/file
  : >www/Packages
  python3 -u -m http.server --bind 127.0.0.1 --directory www 0 >server 2>&1 3>&- &
  server=$!
  until HTTP=$(grep -oP 'port \K\d+' server); do sleep 0.05; done
  echo "deb [trusted=yes] http://127.0.0.1:$HTTP ./" >sources
  mkdir -p package/DEBIAN
  printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\nDescription: x\n' >package/DEBIAN/control
  dpkg-deb --build package x.deb
  export HTTP DEB=$PWD/x.deb
  at_work native
  in_every_program
  at_work shimmed
  in_no_program
  kill "$server"
  diff native shimmed
}

@test "every program: systemd as process 1, and what it starts" {
  cat >/etc/systemd/system/look.service <<END
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
SystemCallFilter=@basic-io @file-system @io-event @ipc @network-io @process @signal @timer
SystemCallErrorNumber=EPERM
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=$PWD
StandardOutput=file:$PWD/maps
ExecStart=grep -o "/[^ ]*/libstarttls.so" /proc/1/maps /proc/self/maps
END
  in_every_program
  with_systemd look.service
  [ "$(sort -u maps)" = $'/proc/1/maps:/usr/local/lib/libstarttls.so\n/proc/self/maps:/usr/local/lib/libstarttls.so' ]
}

@test "every program: sshd, which gives up its rights and locks itself up" {
  mkdir -p /run/sshd
  echo 'sshd:x:61020:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
  ssh-keygen -q -t ed25519 -N '' -f host
  ssh-keygen -q -t ed25519 -N '' -f key
  printf '%s\n' "HostKey $PWD/host" "AuthorizedKeysFile $PWD/key.pub" 'StrictModes no' 'UsePAM no' 'ListenAddress 127.0.0.1' 'Port 2022' \
    'PidFile none' 'LogLevel DEBUG3' >config
  echo "[127.0.0.1]:2022 $(cat host.pub)" >known
  in_every_program
  /usr/sbin/sshd -D -e -f config 2>said 3>&- &
  sshd=$!
  until grep -q listening said; do sleep 0.05; kill -0 "$sshd"; done
  run -5 ssh -F none -i key -o BatchMode=yes -o UserKnownHostsFile=known -p 2022 root@127.0.0.1 'grep -ho /.*/libstarttls.so /proc/self/maps; exit 5'
  kill "$sshd"
  cat said
  [[ $output == */libstarttls.so* ]]
  grep -q 'attaching seccomp filter' said
}

# Each is many programs, of several users and with an empty root; the mailer and the reader know no TLS, and the servers insist on it.
@test "every program: Postfix takes a mail and Dovecot hands one out" {
  server=/var/lib/everywhere
  echo "verify to any name mail.test ca $certs/ca.pem" >/etc/starttls/policy.d/here.policy
  in_every_program
  dovecot_start_readers "$server" "$certs/good.pem" "$certs/wrong-name.pem"
  postfix_start "$server" "$certs/good.pem"
  hard_mail >mail
  "$legacy/mailer" localhost 25 a@b.example joe@mail.test <mail
  same_body mail "$(postfix_inbox "$server")"
  dovecot_keep_only "$server" joe mail
  curl -sS --user joe:secret --output fetched 'imap://127.0.0.9/INBOX;MAILINDEX=1'
  same_body mail fetched
  for program in dovecot imap-login imap auth master qmgr smtpd cleanup virtual; do
    pid=$(pgrep -nx "$program") || continue
    grep -q /libstarttls.so "/proc/$pid/maps"
    seen+=" $program"
  done
  echo "seen:$seen"
  [[ $seen == *" dovecot"*" master"*" smtpd"* ]]
  postfix_stop "$server"
  dovecot_stop "$server"
}

# A program of the test's own, from stdin, with what else gcc is told.
program() { gcc -O1 -g -x c -o program "$@" -; }

@test "every program: one that allows itself the system calls that it makes, and no other" {
  program <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(read), ALLOW(readv), ALLOW(write), ALLOW(writev), ALLOW(sendto), ALLOW(recvfrom), ALLOW(sendmsg), ALLOW(recvmsg),
	ALLOW(poll), ALLOW(close), ALLOW(dup), ALLOW(dup2), ALLOW(fcntl), ALLOW(ioctl), ALLOW(shutdown), ALLOW(exit_group),
	ALLOW(getsockopt), ALLOW(setsockopt),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

int main(void)
{
	struct sock_fprog all = {sizeof filter / sizeof *filter, filter};
	int pair[2], waiting, copy;
	char bytes[16] = "hello";
	struct iovec iov = {bytes, 5};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	socklen_t n = sizeof waiting;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all))
		return 1;
	send(pair[0], bytes, 5, 0); recv(pair[1], bytes, 5, 0);
	write(pair[0], bytes, 5); read(pair[1], bytes, 5);
	writev(pair[0], &iov, 1); readv(pair[1], &iov, 1);
	sendmsg(pair[0], &msg, 0); ioctl(pair[1], FIONREAD, &waiting); recvmsg(pair[1], &msg, 0);
	copy = dup(pair[0]); dup2(pair[0], copy); fcntl(copy, F_GETFL);
	getsockopt(copy, SOL_SOCKET, SO_ERROR, &waiting, &n);
	poll(&(struct pollfd){pair[0], POLLOUT, 0}, 1, 0);
	shutdown(pair[0], SHUT_WR); close(copy); close(pair[0]);
	write(1, bytes, strlen(bytes));
	return 7; /* with what the library does at the end */
}
END
  in_every_program
  run -7 ./program
  [ "$output" = hello ]
}

@test "every program: ones that are built with a sanitizer" {
  for kind in address thread undefined leak; do
    program -fsanitize=$kind -pthread <<'END'
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void *talk(void *fd) { return write(*(int *)fd, "hello", 6) == 6 ? fd : NULL; }

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int pair[2], fd = socket(AF_INET, SOCK_STREAM, 0), status;
	char *text = malloc(6);
	pthread_t thread;

	(void)argv;
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pthread_create(&thread, NULL, talk, &pair[0]);
	read(pair[1], text, 6);
	pthread_join(thread, NULL);
	printf("%s %d\n", text, connect(fd, (void *)&to, sizeof to));
	fflush(stdout);
	if (fork() == 0)
		exit(3);
	wait(&status);
	free(text);
	if (argc > 1)
		text[0]++; /* the sanitizer is awake */
	return WEXITSTATUS(status) + 2;
}
END
    said native ./program
    grep -qx 'status 5' native
    in_every_program
    said shimmed ./program
    in_no_program
    diff native shimmed
    [ $kind != address ] || { in_every_program; said bad ./program more; in_no_program; grep -q heap-use-after-free bad; }
  done
}

@test "every program: with another allocator preloaded too" {
  in_every_program
  for command in 'bash -c "echo \$((6 * 7))"' 'perl -e "print 6 * 7"' 'python3 -c "print(6 * 7)"'; do
    run -0 env LD_PRELOAD=libjemalloc.so.2 bash -c "$command"
    [ "$output" = 42 ]
  done
}

@test "every program: a 32-bit one runs without the library, and the loader says so" {
  gcc -m32 -nostdlib -no-pie -Wl,--dynamic-linker=/lib/ld-linux.so.2 -x assembler -o program - -x none /lib32/libc.so.6 <<'END'
	.globl _start
_start:	pushl $text
	call puts
	pushl $6
	call exit
text:	.asciz "32 bits"
	.section .note.GNU-stack
END
  in_every_program
  run --separate-stderr -6 ./program
  [ "$output" = "32 bits" ]
  [[ $stderr == *"cannot be preloaded"* ]]
}

# --- with `starttls run`, whose guard looks after what scripts execute

# script COMMAND: ./script, which empties its environment for the command; it is run with the policy of this test
script() {
  printf '%s\n' '#!/bin/sh' "$@" >script
  chmod 755 script
}
guarded() { starttls run --policy policy ./script; }
refused() {
  run -125 guarded
  [[ $output == *"was not started: its environment lacks LD_PRELOAD"* && $'\n'$output$'\n' != *$'\nstarted\n'* ]] || { echo "$1:"; echo "$output"; return 1; }
}

@test "under run, env -i is let through where the loader's own file names the very library: with TLS, and by the policy of run" {
  serve
  watch verify
  echo hello >mail
  script "exec <mail; env -i $legacy/mailer localhost $PORT a@b.example c@d.example"
  refused "no file"
  in_every_program
  STARTTLS_LOG=$PWD/log run -0 guarded
  log_says "rule=$PWD/policy:1"
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "under run, env -i: as the loader reads its file, and for how long it says so" {
  policy "verify to any"
  program <<<'#include <unistd.h>
    int main(void) { return write(1, "started\n", 8) != 8; }'
  script 'env -i ./program'
  library=/usr/local/lib/libstarttls.so
  multiarch=/usr/local/lib/$(gcc -print-multiarch)
  mkdir -p "$multiarch"
  ln -sf "$library" "$multiarch/libstarttls.so"
  cp "$library" other.so
  for line in "$library" "# all of them:$library" $'# all of them\n\t'"$library" "/usr/local/\$LIB/libstarttls.so" "/usr/local/\${LIB}/libstarttls.so # us" "libc.so.6 $library"; do
    echo "$line" >/etc/ld.so.preload
    case $line in
    "# all of them:"*) refused "$line" ;;
    *) run -0 guarded && [ "$output" = started ] ;;
    esac || { echo "for: $line"; in_no_program; false; }
  done
  echo "$library" >/etc/ld.so.preload
  script "python3 -c 'import subprocess; subprocess.run([\"./program\"], env={})'" # vfork()
  run -0 guarded
  [ "$output" = started ]
  script 'env -i ./program'
  for line in "#$library" "$PWD/other.so" "$library.not" "libstarttls.so"; do
    echo "$line" >/etc/ld.so.preload
    refused "$line"
  done
  echo "$library" >/etc/ld.so.preload
  script 'echo "# nothing" >/etc/ld.so.preload; env -i ./program'
  refused "the line is gone"
}

@test "inspect: of a set-user-ID program, that it has the library all the same, by the loader's own file" {
  install -m 4755 /bin/true set-id
  run -69 starttls inspect ./set-id
  [[ $output != */etc/ld.so.preload* ]]
  in_every_program
  run -69 starttls inspect ./set-id
  [[ $output == *"it is set-user-ID"*"/etc/ld.so.preload names libstarttls.so, which is in it by that, and obeys the system's policy alone there"* ]]
}

@test "under run, env -i: another root directory, another loader and rights of its own are refused all the same" {
  policy "verify to any"
  in_every_program
  loader=$(readelf -lW /bin/true | sed -n 's/.*interpreter: \(.*\)]/\1/p')
  cp "$loader" ld-linux-mine.so.2
  program "-Wl,--dynamic-linker=$PWD/ld-linux-mine.so.2" <<<'int main(void) { return 0; }'
  script 'env -i ./program'
  run -125 guarded
  [[ $output == *"'./program' was not started: its environment lacks LD_PRELOAD, and /etc/ld.so.preload is known to be heeded by $loader only"* ]]
  install -m 4755 /bin/true set-id
  script 'env -i ./set-id'
  run -125 guarded
  [[ $output == *"'./set-id' was not started: it is set-user-ID"* ]]
  mkdir -p jail/usr/local/lib jail/etc
  cp /usr/local/lib/libstarttls.so jail/usr/local/lib
  cp /etc/ld.so.preload jail/etc
  cp /bin/busybox jail/true
  run -125 starttls run --policy policy perl -e 'chroot "jail" or die; chdir "/"; %ENV = (); exec "/true"'
  [[ $output == *"'/true' was not started: its environment lacks LD_PRELOAD"* ]]
}

# --- whom nobody outside tells what to do

# as_nobody COMMAND …: by a user who owns nothing
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

set_id_mailer() {
  install -m 4755 "$legacy/mailer" /usr/local/bin/set-id-mailer
  as_nobody env "$@" /usr/local/bin/set-id-mailer localhost "$PORT" a@b.example c@d.example <<<hello
}

@test "a set-user-ID program obeys the host's policy, and neither the policy nor the log of who starts it" {
  serve
  echo "verify to localhost port $PORT proto smtp ca $certs/ca.pem" >/etc/starttls/policy.d/here.policy
  mkdir -p home/.config/starttls
  echo 'none to any' | tee home/.config/starttls/policy >open
  chmod -R a+rX . && chown -R 65534 home open
  in_every_program
  set_id_mailer STARTTLS_POLICY="$PWD/open" STARTTLS_LOG="$PWD/home/log" HOME="$PWD/home"
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
  [ ! -e home/log ]
}

@test "a set-user-ID program is not told by who starts it which authorities to trust" {
  serve
  echo "verify to localhost port $PORT proto smtp" >/etc/starttls/policy.d/here.policy
  chmod a+rx .
  cp "$certs/ca.pem" . && chmod a+r ca.pem
  in_every_program
  run ! set_id_mailer SSL_CERT_FILE="$PWD/ca.pem" SSL_CERT_DIR="$PWD" OPENSSL_CONF="$PWD/none"
  [[ $output == *"421 4.7."* ]]
  nothing_leaked
}

@test "a broken policy stops what is watched, and the machine goes on: it can be repaired" {
  serve
  mkdir -p /etc/starttls/policy.d
  echo "verfy to any" >/etc/starttls/policy.d/broken.policy
  in_every_program
  run ! "$legacy/mailer" localhost "$PORT" a@b.example c@d.example <<<hello
  exec 5<>"/dev/tcp/127.0.0.1/$PORT" # a port that nobody watches
  exec 5>&-
  run -78 starttls check /etc/starttls/policy
  sed -i s/verfy/verify/ /etc/starttls/policy.d/broken.policy
  run -0 starttls check /etc/starttls/policy
}
