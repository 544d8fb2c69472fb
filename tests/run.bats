#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `starttls run`: the program it becomes, what the loader makes of it, and the programs that this one executes in turn. What `run` learns from
# a program's file is in command.bats.

load helper
load command

# what a sanitizer's runtime must be told, also in an empty environment
asan=${ASAN_OPTIONS:+ASAN_OPTIONS=$ASAN_OPTIONS}

# mark NAME [GCC OPTION …]: a program that says so if it ran
mark() {
  local name=$1
  shift
  printf '%s\n' '#include <unistd.h>
    int main(void) { return write(1, "started\n", 8) != 8; }' | gcc -O -x c -o "$name" - "$@"
}

# script LINE …: ./script, for sh
script() {
  printf '%s\n' '#!/bin/sh' "$@" >script
  chmod 755 script
}

mailer() { printf '%s localhost %s from@example.org joe@mail.test <mail' "$legacy/mailer" "$PORT"; }

# serve, and a mail for it
serve_mail() {
  serve
  watch verify
  hard_mail >mail
}

# --- the program is what `run` becomes

@test "the program has run's own process: pid, parent, group, and no child that it did not make" {
  policy "verify to any"
  printf '%s\n' 'print "$$ ", getppid, " ", getpgrp, "\n", wait, "\n"' >who.pl
  run -0 bash -c 'echo "$$ $PPID $(ps -o pgid= -p $$ | tr -d " ")"; exec "$@"' bash "${shim_command[@]}" perl who.pl
  [ "${lines[0]}" = "${lines[1]}" ]
  [ "${lines[2]}" = -1 ]
}

@test "exit statuses are the program's, ours among them, and it dies of the signal it died of" {
  policy "verify to any"
  for status in 0 1 64 124 125 126 127 128 255; do
    run "-$status" shim sh -c "exit $status"
  done
  for signal in TERM KILL SEGV PIPE; do
    # SEGV is not for a sanitizer to catch
    ASAN_OPTIONS=${ASAN_OPTIONS-}:handle_segv=0 TSAN_OPTIONS=${TSAN_OPTIONS-}:handle_segv=0 run -0 perl -e 'my $status = system @ARGV; print $status & 127' "${shim_command[@]}" sh -c "ulimit -c 0; kill -$signal \$\$"
    [ "$output" = "$(kill -l $signal)" ]
  done
}

@test "signals sent to run reach the program, and what was ignored stays so" {
  policy "verify to any"
  mkfifo ready
  "${shim_command[@]}" sh -c 'trap "echo told; exit 7" TERM; echo >ready; while :; do sleep 0.05; done' >said 3>&- &
  read -r <ready
  kill -TERM $!
  code=0
  wait $! || code=$?
  [ "$code" = 7 ]
  [ "$(cat said)" = told ]
  run -0 env --ignore-signal=INT "${shim_command[@]}" sh -c 'kill -INT $$; echo alive'
  [ "${lines[-1]}" = alive ]
}

@test "on a terminal the program is in the foreground" {
  policy "verify to any"
  run -0 python3 - "${shim_command[@]}" python3 -c 'import os; print("front" if os.tcgetpgrp(0) == os.getpgrp() else "behind")' <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
try:
    while more := os.read(fd, 4096): said += more
except OSError: pass
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
  says front
}

@test "the program begins once, and finds its standard input whole" {
  policy "verify to any"
  printf '%s\n' '#include <stdio.h>
    __attribute__((constructor)) static void early(void) { FILE *f = fopen("starts", "a"); fputs("once\n", f); fclose(f); }
    int main(void) { int c; while ((c = getchar()) != EOF) putchar(c); return 0; }' | gcc -O -x c -o copier -
  run -0 shim ./copier <<<"a line"
  [ "${lines[-1]}" = "a line" ]
  [ "$(cat starts)" = once ]
}

@test "-v tells the policy, the program and that the library is in, then each connection" {
  serve_mail
  export XDG_CONFIG_HOME=$PWD
  run -0 --separate-stderr env LD_PRELOAD="$runtime" "$build/starttls" run -v --policy policy -- "$legacy/mailer" localhost "$PORT" from@example.org joe@mail.test <mail
  [[ $stderr == *"starttls run: policy $PWD/policy: 1 rule"* ]]
  [[ $stderr == *"started by glibc's loader"* ]]
  [[ $stderr == *"the loader puts $build/libstarttls.so into it"* ]]
  [[ $stderr == *"mailer["*"]: starttls verified to=localhost"* ]]
  [[ $output != *starttls* ]]
}

@test "--policy holds for all that the program starts, wherever that is" {
  serve_mail
  script "exec <mail; cd / && ${legacy}/mailer localhost $PORT from@example.org joe@mail.test"
  run -0 env LD_PRELOAD="$runtime" STARTTLS_LOG="$PWD/log" "$build/starttls" run --policy policy ./script
  log_says "starttls verified to=localhost"
  log_says "rule=$PWD/policy:1"
}

@test "with SIGCHLD ignored or blocked it starts all the same, and the program finds it so" {
  policy "verify to any"
  run -0 perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' "${shim_command[@]}" grep ^SigIgn /proc/self/status
  (( 0x${output##*:[[:space:]]} & 1 << 16 ))
  run -0 perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGCHLD)); exec @ARGV' "${shim_command[@]}" grep ^SigBlk /proc/self/status
  (( 0x${output##*:[[:space:]]} & 1 << 16 ))
}

@test "with standard descriptors closed it starts all the same, and they stay closed" {
  policy "verify to any"
  for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
    code=0
    eval '"${shim_command[@]}" sh -c "exit 7"' "$closed" || code=$?
    [ "$code" = 7 ]
  done
  run -7 bash -c '"$@" python3 -c "import os
for fd in 0, 1:
    try: os.fstat(fd)
    except OSError: continue
    os._exit(1)
os._exit(7)" <&- >&-' bash "${shim_command[@]}"
}

# --- what the loader makes of it

@test "a program that the loader gives more rights is not started, and no byte of it comes out" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -z "${SAN-}" ] || skip "the runtime is preloaded, which such programs do not get either"
  policy "verify to any"
  mark marked
  # Another real user: the file says nothing of it, but whatever this process executes is AT_SECURE.
  run -125 perl -e '$< = 65534; exec @ARGV' "$build/starttls" run --policy "$PWD/policy" ./marked
  says "./marked: it gets rights that its caller has not, so the loader ignores LD_PRELOAD"
  says "'./marked' was not started"
  never_says started$'\n'
}

@test "a library that cannot be mapped is told in the loader's words, and the program is not started" {
  needs_private
  policy "verify to any"
  mark marked
  mkdir -p there/bin there/lib
  mount -t tmpfs -o noexec tmpfs there/lib
  cp "$build/starttls" there/bin
  cp "$build/libstarttls.so" there/lib
  run -125 there/bin/starttls run --policy policy ./marked
  umount there/lib
  says "cannot be preloaded (failed to map segment from shared object)"
  says "'./marked' was not started"
  [[ $'\n'$output != *$'\nstarted'* ]]
}

# The loader itself is a program too, and one that no loader loads anything into.
@test "a program that the loader loads nothing into, for whatever reason: told, and not started" {
  policy "verify to any"
  cat >silent.c <<'END'
#include <unistd.h>
/* leaves out what it is told of preloading, as a loader that a vendor has changed might */
int main(int argc, char **argv) { return write(1, "\tlibc.so.6 => /lib/libc.so.6 (0x0)\n", 36) != 36; }
END
  gcc -w -O -static-pie -o ld-linux-mine.so.2 silent.c
  mark marked "-Wl,--dynamic-linker=$PWD/ld-linux-mine.so.2"
  run -125 shim ./marked
  says "the loader does not load libstarttls.so into it, and does not say why; ask 'starttls inspect'"
  says "'./marked' was not started: it would speak plaintext"
}

@test "a start that cannot be rehearsed for want of descriptors: told, and not started" {
  policy "verify to any"
  run -125 bash -c 'ulimit -n 6; exec "$@"' bash "${shim_command[@]}" true
  says "its start cannot be rehearsed: there is no process, or no descriptor, to be had"
}

@test "a program with more libraries than a pipe holds names of is started" {
  policy "verify to any"
  mkdir lib
  long=$(printf 'x%.0s' {1..200})
  echo 'void nothing(void) {}' | gcc -shared -fPIC -x c -o "lib/lib$long.so" -
  for i in $(seq 200); do
    cp "lib/lib$long.so" "lib/lib$i$long.so"
    names+=" -l:lib$i$long.so"
  done
  # shellcheck disable=SC2086  # several words
  mark many -Wl,--no-as-needed -Llib $names "-Wl,-rpath,$PWD/lib"
  [ "$(LD_LIBRARY_PATH=lib ldd ./many | wc -c)" -gt 65536 ]
  run -0 timeout 60 "${shim_command[@]}" ./many
  [ "${lines[-1]}" = started ]
}

@test "where nobody may trace, the loader's list is believed" {
  policy "verify to any"
  mark marked
  command -v strace >/dev/null
  run -0 strace -ff -o trace "${shim_command[@]}" ./marked
  [ "${lines[-1]}" = started ]
  grep -q 'ptrace(PTRACE_TRACEME).* = -1 EPERM' trace.*
}

# --- programs that the program executes

@test "a script that empties the environment for its mailer: told, 125, and the server hears nothing" {
  serve_mail
  script "env -i $(mailer)"
  run -125 shim ./script
  says "starttls run: '$legacy/mailer' was not started: its environment lacks LD_PRELOAD"
  says "put 'starttls run' in front of this program instead"
  log_says "starttls refused why=\"'$legacy/mailer' was not started: "
  nothing_leaked
}

@test "other ways to lose LD_PRELOAD: unset, empty, another library's, exec, system, popen, posix_spawn, vfork" {
  policy "verify to any"
  mark marked
  while read -r lost; do
    script "$lost" 'exit 0'
    run shim ./script
    says "'./marked' was not started: its environment lacks LD_PRELOAD"
    never_says started$'\n'
    [[ $output != *started ]]
  done <<'END'
unset LD_PRELOAD; ./marked
LD_PRELOAD= ./marked
LD_PRELOAD=libc.so.6 ./marked
env -i PATH=. marked
(unset LD_PRELOAD; exec ./marked)
python3 -c 'import subprocess; subprocess.run(["./marked"], env={})'
python3 -c 'import os; os.posix_spawn("./marked", ["marked"], {})'
python3 -c 'import os; os.environ.pop("LD_PRELOAD"); os.execl("./marked", "marked")'
python3 -c 'import os; os.execve(os.open("./marked", os.O_RDONLY), ["marked"], {})' 2>&1 | sed "s|/proc/self/fd/[0-9]*|./marked|"
END
  printf '%s\n' '#include <stdlib.h>
    #include <stdio.h>
    int main(int argc, char **argv)
    {
    	clearenv();
    	return argc == 1 ? system("./marked") >> 8 : popen("./marked", "r") != NULL;
    }' | gcc -O -x c -o clearer -
  run -125 shim ./clearer
  says "'/bin/sh' was not started: its environment lacks LD_PRELOAD"
  run -0 shim ./clearer popen
  says "'/bin/sh' was not started"
}

@test "programs that the loader does not obey are not started by a script either: setuid, setgid, capable, static, Go, musl, another class" {
  policy "verify to any"
  mark setuid
  chmod u+s setuid
  mark setgid
  chmod g+s setgid
  mark static -static
  mark musl -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
  printf '.section .note.go.buildid,"a",@note\n.long 4, 4, 4\n.ascii "Go\\0\\0"\n.long 7\n' >note.s
  gcc -c note.s
  mark gopher -x none note.o
  perl -e 'print pack("a4C5x7v2V5v6", "\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0), pack("V8", 1, 0, 0, 0, 84, 84, 5, 4096)' >small
  chmod 755 small
  printf '#!%s\n' "$PWD/static" >by-static
  chmod 755 by-static
  mark capable
  python3 -c 'import os, struct; os.setxattr("capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' || rm capable
  for program in setuid setgid static musl gopher small by-static capable; do
    [ -e "$program" ] || continue # file capabilities need root
    script "./$program"
    run -125 shim ./script
    says "starttls run: './$program' was not started: it "
    [[ $'\n'$output != *$'\nstarted'* ]]
  done
}

@test "a process whose effective user is not its real one starts no program: the loader would forget the library" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  policy "verify to any"
  run -125 shim perl -e '$> = 65534; exec "/bin/echo", "started"'
  says "'/bin/echo' was not started: its real and effective user or group differ"
  run -0 shim perl -e '$< = $> = 65534; exec "/bin/echo", "started"'
  [ "${lines[-1]}" = started ]
}

@test "a process that may not read the library any more, or not from its root directory, starts no program" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  policy "verify to any"
  mkdir -m 700 closed
  cp "$build/starttls" "$build/libstarttls.so" closed
  chmod 711 .
  run -125 env LD_PRELOAD="$runtime" closed/starttls run --policy policy -- perl -e '$( = $) = "65534 65534"; $< = $> = 65534; exec "/bin/echo", "started"'
  says "'/bin/echo' was not started: this process cannot read libstarttls.so"
  mkdir jail
  cp /bin/true jail
  run -125 shim perl -e 'chroot "jail" or die; chdir "/"; exec "/true"'
  says "'/true' was not started: this process cannot read libstarttls.so"
}

@test "a script that keeps LD_PRELOAD and nothing else still has run's policy, and is still looked after" {
  serve_mail
  script "env -i $asan LD_PRELOAD=\"\$LD_PRELOAD\" $(mailer)"
  run -0 shim ./script
  log_says "rule=$PWD/policy:1"
  peer_saw "MAIL FROM"
  script "env -i $asan"' LD_PRELOAD="$LD_PRELOAD" sh -c "env -i '"$(mailer)"'"'
  run -125 shim ./script
  says "its environment lacks LD_PRELOAD"
}

@test "'starttls run' inside the script brings its own library, whatever the environment" {
  serve_mail
  script "env -i $asan ${runtime:+LD_PRELOAD=$runtime} $build/starttls run --policy policy -- $(mailer)"
  run -0 shim ./script
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "a program that is not there is not there, whatever the environment" {
  policy "verify to any"
  script 'env -i ./no-such-program'
  run -127 shim ./script
  never_says LD_PRELOAD
  mkdir directory
  script 'env -i ./directory'
  run -126 shim ./script
  never_says LD_PRELOAD
  run -126 shim sh -c ./directory
  never_says "was not started"
}

@test "without run, LD_PRELOAD alone: programs are executed as ever" {
  policy "verify to any"
  mark marked
  mark static -static
  run -0 env LD_PRELOAD="${runtime:+$runtime:}$build/libstarttls.so" sh -c 'env -i ./marked; ./static'
  [ "$output" = $'started\nstarted' ]
}
