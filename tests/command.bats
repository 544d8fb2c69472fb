#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verbs of starttls(1) that tell an administrator something: explain, inspect, env; and what `run` refuses after inspection.

# shellcheck disable=SC2086  # $words are several on purpose

load helper
load command

setup() {
  begin_alone
  umask 022
  export STARTTLS_POLICY=$PWD/policy
}

policy() { printf '%s\n' "$@" >policy; }

# --- explain

@test "explain: the first rule that matches is named with its line and shown whole" {
  policy '# mine' 'encrypt to mx.example port 25' '# passed over' '  min 1.3' 'verify to any'
  run -0 "$starttls" explain --addr 192.0.2.1 mx.example:25
  [ "${lines[0]}" = "mx.example, 192.0.2.1, port 25, smtp: encrypt" ]
  says "The user's policy speaks: $PWD/policy:2 is"
  says $'      encrypt to mx.example port 25\n        min 1.3\n'
  says "TLS 1.3 is required"
  never_says "verify to any"
}

@test "explain: encrypt, may and none say that the peer is not authenticated, verify and fingerprint do not" {
  for level in encrypt may none; do
    policy "$level to any"
    run -0 "$starttls" explain 192.0.2.1:25
    says "192.0.2.1, port 25, smtp: $level"
    says "peer is NOT authenticated"
  done
  for rule in "verify to any" "fingerprint to any pin sha256:$(printf '%064d' 7)"; do
    policy "$rule"
    run -0 "$starttls" explain 192.0.2.1:25
    never_says "NOT authenticated"
  done
}

@test "explain: under may the plaintext is told" {
  policy 'may to any'
  run -0 "$starttls" explain 192.0.2.1:25
  says "goes on in PLAINTEXT"
}

@test "explain: by app tells what is watched, and that the certificate is not" {
  policy 'verify to any by app'
  run -0 "$starttls" explain 192.0.2.1:25
  says "nothing of it leaves but hello"
  says "be NOT authenticated"
  never_says "PLAINTEXT"
  policy 'may to any by app'
  run -0 "$starttls" explain 192.0.2.1:25
  says "goes on in PLAINTEXT"
  says "be NOT authenticated"
}

@test "explain: verify tells the CA and the name that is checked: the rule's, the one asked for, or the address" {
  cp /etc/ssl/certs/ca-certificates.crt ca.pem
  policy "verify to any port 25 ca $PWD/ca.pem name other.example" 'verify to any'
  run -0 "$starttls" explain --addr 192.0.2.1 mx.example:25
  says "chain to a CA in $PWD/ca.pem and be for other.example, as the rule says."
  run -0 "$starttls" explain --addr 192.0.2.1 mx.example:587
  says "chain to a CA that this system trusts and be for mx.example, the name that was asked for."
  run -0 "$starttls" explain 192.0.2.1:587
  says "and be for that address."
}

@test "explain: a silent layer is called so, and the built-in rule by its words" {
  policy 'verify to mx.example'
  run -0 "$starttls" explain 127.0.0.1:25
  says "$PWD/policy, is silent: none of its rules matches."
  says "built-in rule speaks, may to localhost"
  run -0 "$starttls" explain 192.0.2.1:25
  says "built-in rule speaks, verify to any"
}

@test "explain: 77 where the policy refuses, 78 with its errors where it is broken" {
  policy 'refuse to any'
  run -77 "$starttls" explain 192.0.2.1:25
  says "It is refused: the program's connect() fails with EACCES."
  policy 'verfy to any'
  run -78 "$starttls" explain 192.0.2.1:25
  says "policy:1:1: error: "
  says "It is refused: "
}

@test "explain: a rule for a program is found by its path, by its name in PATH and through a symbolic link, and not without --program" {
  policy "encrypt to any program $(realpath /usr/bin/env)"
  ln -s /usr/bin/env link
  for program in /usr/bin/env env ./link; do
    run -0 "$starttls" explain --program "$program" 192.0.2.1:25
    says "smtp: encrypt"
  done
  run -0 "$starttls" explain 192.0.2.1:25
  says "smtp: verify"
}

@test "explain: --user asks for that user's own policy and user rules" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  # the directory of bats is not for others to search
  open=$(mktemp -d /tmp/starttls-explain.XXXXXX)
  chmod 755 "$open"
  cp "$starttls" "$open/starttls"
  printf 'encrypt to any user nobody\nmay to any\n' >"$open/policy"
  STARTTLS_POLICY=$open/policy run -0 "$open/starttls" explain --user root 192.0.2.1:25
  root_says=$output
  STARTTLS_POLICY=$open/policy run -0 setpriv --reuid nobody --clear-groups "$open/starttls" explain --user nobody 192.0.2.1:25
  nobody_says=$output
  STARTTLS_POLICY=$open/policy run -64 setpriv --reuid nobody --clear-groups "$open/starttls" explain --user root 192.0.2.1:25
  output+=$'\n'$("$open/starttls" explain --user nobody 192.0.2.1:25)
  rm -rf "$open"
  says "only root can see what another user gets"
  says "smtp: verify" # root's STARTTLS_POLICY is not nobody's
  never_says "$open/policy"
  [[ $root_says == *"smtp: may"* && $nobody_says == *"smtp: encrypt"* ]]
}

@test "explain: names are resolved; one that does not resolve is 69 and says how to ask without" {
  policy 'verify to any'
  run -0 "$starttls" explain localhost:25
  says "127.0.0.1"
  run -69 "$starttls" explain nowhere.invalid:25
  says "'nowhere.invalid' does not resolve"
  says "--addr"
}

@test "explain: addresses in brackets, bare, and a protocol in place of the port" {
  policy 'verify to any'
  run -0 "$starttls" explain '[2001:db8::1]:587'
  says "2001:db8::1, port 587, smtp: verify"
  run -0 "$starttls" explain 2001:db8::1 imap
  says "2001:db8::1, port 143, imap: verify"
}

@test "explain: a port that nobody watches is left alone, and a protocol that no rule says is marked as an assumption" {
  policy 'verify to any'
  run -0 "$starttls" explain 192.0.2.1:993
  says "port 993: not watched"
  run -0 "$starttls" explain 192.0.2.1:993 imaps
  says "only so once a rule says 'proto imaps'"
  policy 'verify to any proto imaps'
  run -0 "$starttls" explain 192.0.2.1:993 imaps
  never_says "only so"
}

@test "explain: the client certificate, the ciphers and the timeout of the rule are told, once each" {
  touch me.pem
  policy "encrypt to any cert $PWD/me.pem ciphers ECDHE+AESGCM timeout 30"
  run -0 "$starttls" explain 192.0.2.1:25
  says "  The program's side shows the certificate $PWD/me.pem."
  says "  The ciphers allowed are ECDHE+AESGCM."
  says "  The peer has 30 s to get there."
}

@test "explain: pins, one and several" {
  pin=sha256:$(printf '%064d' 7)
  policy "fingerprint to any port 25 pin $pin" "fingerprint to any pin $pin,$(printf 'sha256:%064d' 8)"
  run -0 "$starttls" explain 192.0.2.1:25
  says "  Its public key must be the one pinned in the rule."
  run -0 "$starttls" explain 192.0.2.1:587
  says "  Its public key must be one of those pinned in the rule."
}

@test "explain: a protocol that neither the rule nor the port means is marked as an assumption" {
  policy 'verify to any'
  run -0 "$starttls" explain 192.0.2.1:25 imap
  says "only so once a rule says 'proto imap' for it: as it stands, libstarttls takes it for smtp."
}

@test "explain: layers that name different protocols: refused, and why" {
  [ "${STARTTLS_PRIVATE-}" = yes ] || skip "needs root, for an /etc of its own"
  mkdir -p /etc/starttls
  echo 'may to any port 99 proto imap' >/etc/starttls/policy
  policy 'may to any port 99 proto smtp'
  run -77 "$starttls" explain 192.0.2.1:99
  rm /etc/starttls/policy
  says "The system's policy speaks: /etc/starttls/policy:1 is its first rule that matches:"
  says "  It is refused: the system's and the user's policy name different protocols for this connection: make their 'proto' agree."
}

@test "explain: addresses that get the same answer share it, others have their own" {
  [ "${STARTTLS_PRIVATE-}" = yes ] || skip "needs root, for an /etc of its own"
  cp /etc/hosts before
  printf '%s several.test\n' 192.0.2.1 192.0.2.2 198.51.100.1 >>/etc/hosts
  policy 'refuse to 198.51.100.0/24' 'verify to any'
  run -77 "$starttls" explain several.test:25
  cp before /etc/hosts
  says $'several.test, 192.0.2.1 192.0.2.2, port 25, smtp: verify\n'
  says $'several.test, 198.51.100.1, port 25, smtp: refuse\n'
}

@test "explain: --user takes a number, and says why it cannot be somebody" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  policy 'verify to any'
  run -0 "$starttls" explain --user 65534 192.0.2.1:25
  says "The user's policy"
  run -64 setpriv --bounding-set -setuid --inh-caps -setuid "$starttls" explain --user nobody 192.0.2.1:25
  says "starttls explain: cannot become 'nobody': Operation not permitted"
}

@test "explain: wrong arguments are told with what would be right, and end with 64" {
  policy 'verify to any'
  while IFS='|' read -r words sentence; do
    run -64 "$starttls" explain $words
    says "$sentence"
  done <<'END'
|which host? HOST[:PORT]
mx.example|which port? mx.example:25
mx.example:0|a number from 1 to 65535
mx.example:smtp|a number from 1 to 65535
mx.example:70000|a number from 1 to 65535
[::1|is not [ADDRESS]:PORT
:25|which host?
mx.example smpt|did you mean 'smtp'?
mx.example gopher|there are: smtp lmtp imap
192.0.2.1 tls|'tls' stands for none
mx.example smtp more|'more' is too much
--addr mx.example mx.example:25|is not an address
--addr 192.0.2.1 192.0.2.2:25|--addr is for a name
--addr|option '--addr' needs a value
--colour mx.example:25|unknown option '--colour'; there are --program, --user, --addr
--program no-such-program mx.example:25|give its path
--user no-such-user mx.example:25|there is no user 'no-such-user'
END
}

# --- inspect

# build NAME [GCC OPTION …]: a program that would leave a mark if it ran
build() {
  local name=$1
  shift
  echo '#include <stdio.h>
    int main(void) { FILE *f = fopen("started", "w"); return f ? fclose(f) : 1; }' |
    gcc -O -x c -o "$name" - "$@"
}

# refused_by_both PROGRAM SENTENCE: inspect says it with 69, run with 125, and the program has not run
refused_by_both() {
  run -69 "$starttls" inspect "$1"
  says "$2"
  says "verdict: the shim CANNOT hold $1"
  run -125 "$starttls" run -- "$1"
  says "$2"
  says "'$1' was not started"
  [ ! -e started ]
}

@test "inspect: a dynamic program can be held, and run starts it" {
  policy 'verify to any'
  build plain
  run -0 "$starttls" inspect ./plain
  says "64 bits like libstarttls.so, started by glibc's loader"
  says "makes no socket calls of its own"
  says "verdict: the shim can hold ./plain"
  run -0 "$starttls" run ./plain
  [ -e started ]
}

@test "inspect: socket calls, a TLS library, syscall and io_uring are told, and no obstacle" {
  echo 'void io_uring_submit(void) {}' | gcc -shared -fPIC -x c -Wl,-soname,liburing.so.2 -o liburing.so.2 -
  echo '#include <netdb.h>
    #include <unistd.h>
    #include <openssl/ssl.h>
    void io_uring_submit(void);
    int main(void) { io_uring_submit(); getaddrinfo(0, "1", 0, 0); connect(0, 0, 0); syscall(1); return OPENSSL_init_ssl(0, 0); }' |
    gcc -O -w -x c -o chatty - -L. -l:liburing.so.2 -lssl
  run -0 "$starttls" inspect ./chatty
  says "socket calls of its own:"
  says " connect"
  says " getaddrinfo"
  says "its own TLS (libssl.so.3)"
  says "it uses syscall()"
  says "it uses io_uring"
}

@test "inspect: socket calls are found with either kind of hash section, in stripped programs" {
  echo 'int connect(int, void *, int); int (*call)(int, void *, int) = connect; int main(void) { return call(0, 0, 0); }' >caller.c
  for hash in sysv gnu both; do
    gcc -fno-builtin -no-pie -w -Wl,--hash-style=$hash -o "caller.$hash" caller.c
    strip "caller.$hash"
    run -0 "$starttls" inspect "./caller.$hash"
    says "socket calls of its own: connect"
  done
}

@test "inspect and run: setuid and setgid programs are refused, a setgid bit that means locking is not" {
  policy 'verify to any'
  for mode in u+s:set-user-ID g+s:set-group-ID; do
    build special
    chmod "${mode%:*}" special
    refused_by_both ./special "it is ${mode#*:}, so the loader ignores LD_PRELOAD; run a copy"
    rm special
  done
  build special
  chmod g+s,g-x special
  run -0 "$starttls" inspect ./special
}

@test "inspect and run: a program with file capabilities is refused" {
  policy 'verify to any'
  build capable
  python3 -c 'import os, struct; os.setxattr("capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' 2>err ||
    skip "needs root, and a file system with capabilities: $(tail -n 1 err)"
  refused_by_both ./capable "it has file capabilities"
}

@test "inspect and run: static programs are refused, position independent ones too" {
  policy 'verify to any'
  for how in -static -static-pie; do
    build static $how
    refused_by_both ./static "it is static: there is no loader"
  done
}

@test "inspect and run: programs for musl, and for a loader nobody knows, are refused" {
  policy 'verify to any'
  build musl -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
  refused_by_both ./musl "it is for musl (/lib/ld-musl-x86_64.so.1)"
  build bionic -Wl,--dynamic-linker=/system/bin/linker64
  refused_by_both ./bionic "which is not glibc's loader"
}

@test "inspect and run: a program built with Go is refused, also when it is dynamic" {
  policy 'verify to any'
  printf '.section .note.go.buildid,"a",@note\n.long 4, 4, 4\n.ascii "Go\\0\\0"\n.long 7\n' >note.s
  gcc -c note.s
  build gopher -x none note.o
  refused_by_both ./gopher "built with Go"
}

@test "inspect and run: programs of another class or machine are refused" {
  policy 'verify to any'
  # ELF header and one LOAD segment, 32 bits, i386
  perl -e 'print pack("a4C5x7v2V5v6", "\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0), pack("V8", 1, 0, 0, 0, 84, 84, 5, 4096)' >small
  build arm
  printf '\267' | dd of=arm bs=1 seek=18 conv=notrunc status=none
  chmod 755 small arm
  refused_by_both ./small "(32 bits, machine 3) than libstarttls.so"
  refused_by_both ./arm "(64 bits, machine 183) than libstarttls.so"
}

@test "inspect and run: of a script, what reads it counts: #!, env, none" {
  policy 'verify to any'
  mkdir bin
  build bin/reader -static
  chmod 755 bin/reader
  printf '#!%s -x\n' "$PWD/bin/reader" >direct
  printf '#!/usr/bin/env -S A=1 reader -x\n' >by-env
  printf '#!%s\n' "$PWD/direct" >nested
  printf ': >started\n' >none
  chmod 755 direct by-env nested none
  export PATH=$PWD/bin:$PATH
  for script in direct by-env nested; do
    refused_by_both "./$script" "$PWD/bin/reader: it is static"
  done
  run -0 "$starttls" inspect ./none
  says "it is a script, read by /bin/sh"
  run -0 "$starttls" run ./none
  [ -e started ]
}

@test "inspect and run: a script whose reader is missing: which, and the status of a command that is not there" {
  policy 'verify to any'
  mkdir -m 755 bin
  ln -s /bin/true bin/reader
  export PATH=$PWD/bin:$PATH
  while IFS='|' read -r code first sentence; do
    printf '%b\n: >started\n' "$first" >script
    chmod 755 script
    run -69 "$starttls" inspect ./script
    says "./script: it is a script for $sentence"
    says "verdict: ./script CANNOT be started"
    run "-$code" "$starttls" run ./script
    [[ $first == */env* ]] || says "starttls run: ./script: it is a script for $sentence"
    never_says "plaintext"
    [ ! -e started ]
  done <<'END'
127|#!/no/such/shell|'/no/such/shell', which is not there
127|#! /no/such/shell -x|'/no/such/shell', which is not there
126|#!/etc/passwd|'/etc/passwd', which cannot be started: Permission denied
126|#!/tmp|'/tmp', which cannot be started: Is a directory
127|#!/bin/sh\r|'/bin/sh\x0d', which is not there: its lines end as those of Windows do
127|#!/usr/bin/env reader\r|'reader\x0d', which is not there: its lines end as those of Windows do
127|#!/usr/bin/env no-such-reader|'no-such-reader', which is not there
127|#!reader|'reader', which is not there
127|#!/no\033[31m|'/no\x1b[31m', which is not there
END
}

@test "inspect and run: env finds the reader behind its options; #! alone is for the shell" {
  policy 'verify to any'
  for first in '/usr/bin/env -S -u HOME -C / A=1 sh' '/usr/bin/env sh' ''; do
    rm -f started
    printf '#!%s\n: >%s/started\n' "$first" "$PWD" >script
    chmod 755 script
    run -0 "$starttls" inspect "$PWD/script"
    says "it is a script, read by "
    run -0 "$starttls" run "$PWD/script"
    [ -e started ]
  done
}

@test "inspect: scripts that read each other for ever are an error" {
  printf '#!%s\n' "$PWD/b" >a
  printf '#!%s\n' "$PWD/a" >b
  chmod 755 a b
  run -69 timeout 20 "$starttls" inspect ./a
  says "too many scripts"
}

@test "inspect and run: a program that cannot be read, one for the other byte order, env alone, a damaged library of ours" {
  [ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
  policy 'verify to any'
  open=$(mktemp -d /tmp/starttls-inspect.XXXXXX) # the directory of bats is not for others to search
  chmod 711 "$open"
  mkdir -m 755 "$open/bin"
  cp "$starttls" "$build/libstarttls.so" "$open/bin"
  install -m 711 /bin/true "$open/closed"
  run setpriv --reuid 4711 --clear-groups "$open/bin/starttls" inspect "$open/closed"
  closed="$status $output"
  printf garbage >"$open/bin/libstarttls.so"
  run "$open/bin/starttls" inspect true
  damaged="$status $output"
  rm -r "$open"
  [[ $closed == "69 $open/closed: it cannot be read (Permission denied), so nobody can tell whether the shim would hold it; make it readable: chmod a+r"* ]]
  [[ $damaged == "69 "*"$open/bin/libstarttls.so is not a library that could be loaded into it; install it again"*"CANNOT hold true" ]]
  build other
  printf '\002' | dd of=other bs=1 seek=5 conv=notrunc status=none
  refused_by_both ./other "it is for a machine of the other byte order"
  printf '#!/usr/bin/env\n' >script
  chmod 755 script
  run -0 "$starttls" inspect -- ./script
  says "it is a script, read by /usr/bin/env"
}

@test "inspect: without the library there is nothing to be held by" {
  [ ! -e /usr/local/lib/libstarttls.so ] || return 0 # it would be found there
  cp "$starttls" alone
  run -69 ./alone inspect true
  says "libstarttls.so is not installed: make install"
  says "verdict: the shim CANNOT hold true"
}

@test "inspect: damaged ELF files, cut at every length and with every byte of the headers spoiled, end in a verdict" {
  build whole
  size=$(stat -c %s whole)
  for ((n = 4; n < size; n += 397)); do
    head -c "$n" whole >part
    chmod 755 part
    code=0
    timeout 20 "$starttls" inspect ./part >said 2>&1 || code=$?
    [[ $code = 0 || $code = 69 ]] || { cat said; echo "cut at $n: $code"; false; }
  done
  for ((n = 4; n < 700; n += 3)); do
    cp whole spoiled
    printf '\377' | dd of=spoiled bs=1 seek="$n" conv=notrunc status=none
    code=0
    timeout 20 "$starttls" inspect ./spoiled >said 2>&1 || code=$?
    [[ $code = 0 || $code = 69 ]] || { cat said; echo "byte $n: $code"; false; }
  done
}

@test "inspect: wrong arguments are told with what would be right; what is not there is 69" {
  while IFS='|' read -r code words sentence; do
    run "-$code" "$starttls" inspect $words
    says "$sentence"
  done <<'END'
64||which program?
64|--all sh|unknown option '--all'
64|sh -c true|'-c' is too much
69|no-such-program|'no-such-program' cannot be started: No such file or directory
69|/etc/passwd|cannot be started: Permission denied
END
}

# --- env

@test "env: what it prints for a shell preloads the library, behind what is there already" {
  run -0 env -u LD_PRELOAD sh -c 'eval "$("$0" env)"; echo "$LD_PRELOAD"' "$starttls"
  [ "$output" = "$build/libstarttls.so" ]
  [ -z "${SAN-}" ] || return 0 # below, programs load it without the sanitizer's runtime
  policy 'verify to any'
  run -0 bash -c 'export LD_PRELOAD=libc.so.6; eval "$("$0" env --sh)"; echo "$LD_PRELOAD"; grep -q libstarttls.so /proc/self/maps && echo loaded' "$starttls"
  [ "$output" = "libc.so.6:$build/libstarttls.so"$'\nloaded' ]
}

@test "env: a systemd drop-in and lines for a Dockerfile name the library" {
  run -0 "$starttls" env --systemd
  says $'[Service]\nEnvironment=LD_PRELOAD='"$build/libstarttls.so"
  run -0 "$starttls" env --docker
  says "cp $build/libstarttls.so $build/libstarttls-tls.so ."
  says $'COPY libstarttls.so libstarttls-tls.so /usr/local/lib/\nENV LD_PRELOAD=/usr/local/lib/libstarttls.so'
}

@test "env: a path that needs quoting, and no library, are 69 with what to do" {
  mkdir 'a$b' empty
  cp "$starttls" 'a$b/starttls'
  cp "$starttls" empty/starttls
  : >'a$b/libstarttls.so'
  run -69  'a$b/starttls' env
  says "move it to a plain path"
  [ -e /usr/local/lib/libstarttls.so ] || {
    run -69 empty/starttls env
    says "install it first"
  }
}

@test "env: wrong arguments are told with what would be right, and end with 64" {
  run -64 "$starttls" env --csh
  says "'--csh' is unknown; one of --sh, --systemd, --docker"
  run -64 "$starttls" env --sh --docker
  says "'--docker' is too much; one of"
}

# --- bash completion

# completes WORD … : the last word is completed; what is offered, one per line
completes() {
  bash --norc -c 'source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _starttls 2>/dev/null; printf "%s\n" "${COMPREPLY[@]}"' bash "$root/policy/starttls.bash" "$@"
}

@test "completion: verbs, options, values and the command of run" {
  [ "$(completes starttls in)" = inspect ]
  [ "$(completes starttls env --s)" = $'--sh\n--systemd' ]
  [ "$(completes starttls explain --pr)" = --program ]
  [ "$(completes starttls explain mx.example smt)" = $'smtp\nsmtps' ]
  [ "$(completes starttls explain --user roo)" = root ]
  touch here.policy
  [ "$(completes starttls run --policy here)" = here.policy ]
  [ "$(completes starttls check he)" = here.policy ]
  completes starttls run -v --policy here.policy ca | grep -qx cat
  [ "$(completes starttls run --obs)" = $'--observe\n--observe=' ]
  completes starttls run --observe ca | grep -qx cat
  [ "$(completes starttls run --observe = here)" = here.policy ]
  completes starttls run --observe = | grep -qx here.policy
  completes starttls run --observe = here.policy ca | grep -qx cat
  completes starttls inspect ca | grep -qx cat
  [ "$(completes starttls run cat he)" = here.policy ]
}

@test "completion: each option of each verb, and its value behind a blank or an equals sign" {
  count=0
  while read -r verb option; do
    completes starttls "$verb" - | grep -qx -- "$option" || { echo "$verb $option"; false; }
    count=$((count + 1))
  done < <("$starttls" --help | sed -n 's/^  starttls //p' | while read -r verb rest; do
    grep -oE -- '--?[a-z]+' <<<"--help $rest" | sed "s/^/$verb /"
  done)
  [ "$count" -ge 20 ]
  touch here.policy
  while IFS='|' read -r words wanted; do
    completes starttls $words | grep -qx -- "$wanted" || { echo "$words"; completes starttls $words; false; }
  done <<'END'
run --policy he|here.policy
run --policy = he|here.policy
run --policy = here.policy ca|cat
run --policy here.policy ca|cat
run -v --observe = he|here.policy
explain --program ca|cat
explain --program = ca|cat
explain --user = roo|root
probe --proto sm|smtp
probe --proto = sm|smtp
check he|here.policy
report he|here.policy
report --json he|here.policy
hel|help
END
  for words in 'explain --addr x' 'probe --timeout = 1' 'probe --domain ca'; do
    [ -z "$(completes starttls $words)" ]
  done
}

@test "completion: it knows each verb and protocol that the command knows" {
  for verb in $("$starttls" --help | sed -n 's/^  starttls \([a-z]*\) .*/\1/p'); do
    completes starttls "" | grep -qx "$verb"
  done
  policy 'verify to any'
  run -64 "$starttls" explain mx.example gopher
  for proto in ${output#*there are:}; do
    completes starttls explain mx.example "" | grep -qx -- "$proto"
  done
}
