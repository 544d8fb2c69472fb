#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The language of starttls-policy(5) and the verbs `check` and `run`. Errors are compared to the byte: policies/bad/NAME.want.

# Inner shells expand by themselves, and $words are several on purpose.
# shellcheck disable=SC2016,SC2086

load helper
load command

setup() {
  begin_alone
  umask 077
}

policy() { cat >"$1"; }

# A library that only shows that it was loaded, and the command beside it as after a build.
install_fake() {
  mkdir bin
  cp "$starttls" bin/starttls
  echo 'long write(int, const char *, unsigned long);
    __attribute__((constructor)) static void loaded(void) { write(2, "[loaded] ", 9); }' |
    gcc -shared -fPIC -x c -o "${1:-bin}/libstarttls.so" -
}

@test "policy: each of the errors people make is told with its line, a caret and what to do" {
  cp "$root"/tests/policies/bad/* .
  chmod 600 ./*.policy
  wrong=
  for want in *.want; do
    name=${want%.want}
    code=0
    "$starttls" check "$name.policy" >got 2>&1 || code=$?
    if [ "$code" != 78 ] || ! diff -u "$want" got; then
      wrong="$wrong $name($code)"
    fi
  done
  [ -z "$wrong" ] || { echo "not as wanted:$wrong"; false; }
}

@test "policy: every good file is sound and warns of nothing unexpected" {
  cp -r "$root"/tests/policies/good .
  chmod -R go-w good
  cd good
  for file in *.policy; do
    "$starttls" check "$file" >got 2>&1 || { cat got; false; }
    diff -u "${file%.policy}.want" got
  done
}

@test "policy: the ten examples and the default file are sound" {
  cp "$root"/policy/examples/*.policy "$root"/policy/default.policy .
  touch corp.pem me.pem me.key
  sed -i "s,/etc/ssl/corp.pem,$PWD/corp.pem,; s,/etc/starttls/me,$PWD/me,g" ./*.policy
  examples=([01]*.policy)
  [ "${#examples[@]}" = 10 ]
  "$starttls" check ./*.policy
}

@test "policy: the examples in the comments of the default file are rules too" {
  sed -n 's/^#\([a-z].* to .*\)/\1/p' "$root/policy/default.policy" >rules.policy
  touch corp.pem
  sed -i "s,/etc/ssl/corp.pem,$PWD/corp.pem," rules.policy
  run "$starttls" check rules.policy
  [ "$status" = 0 ]
  [[ $output == *"sound, 5 rules"* ]]
}

# --- files that are not what they should be

@test "policy: a file that others may write is broken" {
  echo "verify to any" >shared.policy
  chmod 620 shared.policy
  run "$starttls" check shared.policy
  [ "$status" = 78 ]
  [[ $output == *"others than its owner may write the file (mode 0620)"* ]]
}

@test "policy: a file of somebody else is broken" {
  [ "$(id -u)" = 0 ] || skip "needs root to give a file away"
  echo "verify to any" >theirs.policy
  chown 4711 theirs.policy
  run "$starttls" check theirs.policy
  [ "$status" = 78 ]
  [[ $output == *"owned by user 4711, neither you nor root"* ]]
}

@test "policy: a FIFO, a device, a directory and a missing file are errors, and nothing waits" {
  mkfifo fifo
  for file in fifo /dev/zero . missing; do
    run timeout 5 "$starttls" check "$file"
    [ "$status" = 78 ]
  done
}

@test "policy: ten megabytes of garbage are refused at once" {
  head -c 10000000 /dev/urandom >garbage
  run timeout 5 "$starttls" check garbage
  [ "$status" = 78 ]
  [[ $output == *"larger than a megabyte"* ]]
}

@test "policy: a megabyte of errors, of commas or of rules takes no time" {
  yes "oops" | head -c 1000000 >errors
  { printf 'verify to a'; yes ,a | tr -d '\n' | head -c 1000000; echo; } >commas
  yes "verify to any" | head -n 70000 >rules
  seq -f "verify to host%.0f.example" 40000 >hosts
  head -c 1000000 /dev/urandom >noise
  for file in errors commas rules hosts noise; do
    code=0
    timeout 20 "$starttls" check $file >got 2>&1 || code=$?
    [ "$code" = 0 ] || [ "$code" = 78 ]
  done
}

@test "policy: a certificate that only root can read breaks nobody else's policy when the rule is root's" {
  echo "verify to any user 12345 cert /no/such/file" >key.policy
  "$starttls" check key.policy
}

@test "policy: a file that cannot be read to its end is broken" {
  run -78 "$starttls" check /proc/self/mem
  [ "${lines[0]}" = "/proc/self/mem: error: cannot read the file: Input/output error" ]
}

# needs_private: the machine of tests/private, whose /etc is a copy
needs_private() { [ "${STARTTLS_PRIVATE-}" = yes ] || skip "needs root, for an /etc of its own"; }

# As when the directory server that the users are in is down: root is in a file, the others are not to be known.
@test "policy: a user who cannot be looked up breaks the policy; a number, and a user who is found in time, do not" {
  needs_private
  echo '#include <errno.h>
    #include <nss.h>
    enum nss_status _nss_away_getpwnam_r(const char *name, void *pw, char *buffer, size_t n, int *error)
    {
    	(void)name, (void)pw, (void)buffer, (void)n;
    	*error = EIO;
    	return NSS_STATUS_UNAVAIL;
    }' | gcc -shared -fPIC -x c -o libnss_away.so.2 -
  cp /etc/nsswitch.conf before
  sed -i 's/^passwd:.*/passwd: files away/' /etc/nsswitch.conf
  printf '%s\n' 'verify to any user root,12345' 'verify to any user root,joe' >users.policy
  code=0
  LD_LIBRARY_PATH=$PWD "$starttls" check users.policy >got 2>&1 || code=$?
  sed -i 2d users.policy
  LD_LIBRARY_PATH=$PWD run "$starttls" check users.policy
  cp before /etc/nsswitch.conf
  [[ $status = 0 && $output == *"sound, 1 rule"* ]]
  [ "$code" = 78 ]
  diff - got <<'END'
users.policy:2:25: error: cannot look up the user 'joe': Input/output error
  verify to any user root,joe
                          ^
hint: a number needs no look-up
users.policy: broken: every connection that libstarttls watches will be refused
END
}

# system_policy MODE OWNER LINE …
system_policy() {
  install -d -m 755 /etc/starttls
  printf '%s\n' "${@:3}" >/etc/starttls/policy
  chmod "$1" /etc/starttls/policy
  chown "$2" /etc/starttls/policy
}

@test "policy: the system's is root's alone" {
  needs_private
  system_policy 644 4711 'verify to any'
  run -78 "$starttls" check
  [[ $output == *"/etc/starttls/policy: error: the file is owned by user 4711, not by root"$'\n'"hint: look who wrote it, then: chown root /etc/starttls/policy"* ]]
  system_policy 664 0 'verify to any'
  run -78 "$starttls" check /etc/starttls/policy
  [[ $output == *"/etc/starttls/policy: error: others than its owner may write the file (mode 0664)"$'\n'"hint: look who wrote it, then: chmod go-w /etc/starttls/policy"* ]]
  system_policy 644 0 'verify to any'
  run -0 "$starttls" check /etc/starttls/policy
  [[ $output == "/etc/starttls/policy: sound, 1 rule"* ]]
  rm /etc/starttls/policy
}

@test "policy: a key of the system's rule that this user may not read: for whom is the rule?" {
  needs_private
  echo key >/etc/key.pem
  chmod 600 /etc/key.pem
  open=$(mktemp -d) # unlike bats's own directories
  chmod 711 "$open"
  install -m 755 "$starttls" "$open/starttls"
  system_policy 644 0 'verify to any cert /etc/key.pem'
  run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  first="$status $output"
  system_policy 644 0 'verify to any user 0 cert /etc/key.pem'
  run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  rm -r "$open" /etc/starttls/policy /etc/key.pem
  [[ $first == "78 "*"/etc/starttls/policy:1:20: error: cannot read '/etc/key.pem': Permission denied"*"hint: limit the rule to those who may: user NAME"* ]]
  [ "$status" = 0 ]
}

@test "policy: the system's, that not all may read: broken, and what to do" {
  needs_private
  open=$(mktemp -d) # unlike bats's own directories
  chmod 711 "$open"
  install -m 755 "$starttls" "$open/starttls"
  system_policy 600 0 'verify to any'
  run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  file="$status $output"
  system_policy 644 0 'verify to any'
  chmod 700 /etc/starttls
  run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  rm -r "$open" /etc/starttls
  for said in "$file" "$status $output"; do
    [[ $said == "78 /etc/starttls/policy: error: cannot read the file: Permission denied"$'\n'"hint: it is for all users: chmod a+r, and a+x for the directories on the way"* ]]
  done
}

# --- include

@test "include: files are read in the order of their bytes, and relative to the file that includes them" {
  mkdir -p 'a[b]/policy.d'
  echo "include policy.d/*.policy" >'a[b]/main.policy'
  echo "verify to any" >'a[b]/policy.d/B.policy'
  echo "refuse to mail.example" >'a[b]/policy.d/a.policy'
  LC_ALL=C.UTF-8 run "$starttls" check 'a[b]/main.policy'
  [ "$status" = 0 ]
  [[ $output == *"a.policy:1: warning: this rule is never reached: a[b]/policy.d/B.policy:1"* ]]
}

@test "include: no match is fine; a plain name without a file is warned of" {
  printf 'include none.d/*.policy\ninclude local.policy\n' >main.policy
  run "$starttls" check main.policy
  [ "$status" = 0 ]
  [ "${lines[0]}" = "main.policy:2:9: warning: there is no file 'local.policy'" ]
}

@test "include: eight levels are read, nine are an error" {
  for i in 1 2 3 4 5 6 7 8; do echo "include $((i + 1)).policy" >$i.policy; done
  echo "verify to any" >9.policy
  "$starttls" check 1.policy
  echo "include 1.policy" >0.policy
  run "$starttls" check 0.policy
  [ "$status" = 78 ]
  [[ $output == *"8.policy:1:9: error: includes are nested more than 8 deep"* ]]
}

@test "include: files that multiply come to an end" {
  for i in 1 2 3 4 5 6 7; do yes "include $((i + 1)).policy" | head -50 >$i.policy; done
  : >8.policy
  run timeout 10 "$starttls" check 1.policy
  [ "$status" = 78 ]
  [[ $output == *"too large"* ]]
}

@test "include: an included file that others may write breaks the policy, at the line that includes it" {
  echo "verify to any" >open.policy
  chmod 666 open.policy
  printf 'verify to any\ninclude open.policy\n' >main.policy
  run "$starttls" check main.policy
  [ "$status" = 78 ]
  [[ ${lines[0]} == "main.policy:2:9: error: open.policy: others than its owner may write"* ]]
}

@test "include: an error in an included file names that file" {
  echo "verfy to any" >part.policy
  echo "include part.policy" >main.policy
  run "$starttls" check main.policy
  [ "$status" = 78 ]
  [[ ${lines[0]} == "part.policy:1:1: error: unknown level 'verfy'" ]]
}

# --- which files: check without FILE

@test "check: without a file it is the user's own policy" {
  mkdir -p config/starttls
  echo "verfy to any" >config/starttls/policy
  run "$starttls" check
  [ "$status" = 78 ]
  [[ $output == *"$PWD/config/starttls/policy:1:1: error:"* ]]
}

@test "check: the built-in rule is told, but not where no connection is left for it" {
  mkdir -p config/starttls
  for rule in 'verify to mx.example' 'verify to any port 25' 'verify to any user root' 'verify to any program /bin/x' 'verify to any proto smtp'; do
    echo "$rule" >config/starttls/policy
    run -0 "$starttls" check
    [ "${lines[-1]}" = "where no rule matches: may to localhost, verify to any" ]
  done
  printf '%s\n' 'may to mx.example' 'verify to 192.0.2.0/24,any' >config/starttls/policy
  run -0 "$starttls" check
  [ "${lines[-1]}" = "this user's policy: sound, 2 rules" ]
}

@test "check: XDG_CONFIG_HOME must be absolute, else it is ~/.config" {
  mkdir -p home/.config/starttls config/starttls
  echo "verify to any" >home/.config/starttls/policy
  XDG_CONFIG_HOME=config run "$starttls" check
  [ "$status" = 0 ]
  [[ $output == *"$PWD/home/.config/starttls/policy: 1 rule"* ]]
}

@test "check: behind -- a file may be called like an option" {
  echo "verify to any" >--strict
  run -0 "$starttls" check -- --strict
  [ "$output" = "--strict: sound, 1 rule" ]
  run -78 "$starttls" check -- --none
  [[ $output == *"--none: error: cannot read the file: No such file"* ]]
}

@test "check: a missing policy is fine where it was not asked for, and broken where it was" {
  run "$starttls" check
  [ "$status" = 0 ]
  [[ $output == *"config/starttls/policy: not there"* ]]
  STARTTLS_POLICY=$PWD/none run "$starttls" check
  [ "$status" = 78 ]
}

@test "check: a path too long for a file is broken, not forgotten" {
  STARTTLS_POLICY=/$(head -c 5000 /dev/zero | tr '\0' a) run "$starttls" check
  [ "$status" = 78 ]
}

@test "check: a daemon that cannot search the home it kept has no policy of its own" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  open=$(mktemp -d) # unlike bats's own directories
  chmod 711 "$open"
  mkdir -p "$open/closed/starttls"
  echo "verfy to any" >"$open/closed/starttls/policy"
  install -m 755 "$starttls" "$open/starttls"
  XDG_CONFIG_HOME=$open/closed run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  rm -r "$open"
  [ "$status" = 0 ]
  [[ $output == *"closed/starttls/policy: not there"* ]]
}

@test "check: a policy of one's own that cannot be read is broken" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  open=$(mktemp -d)
  chmod 711 "$open"
  echo "verify to any" >"$open/policy"
  install -m 755 "$starttls" "$open/starttls"
  STARTTLS_POLICY=$open/policy run setpriv --reuid 4711 --clear-groups "$open/starttls" check
  rm -r "$open"
  [ "$status" = 78 ]
  [[ $output == *"cannot read the file: Permission denied"* ]]
}

# --- the command

@test "starttls: --help and --version, and 64 for what it does not know" {
  run "$starttls" --help
  [ "$status" = 0 ]
  [[ $output == *"starttls check [FILE"* ]]
  run "$starttls" --version
  [ "$output" = "starttls 0.1.0" ]
  for words in "" "frobnicate" "check --frobnicate"; do
    run "$starttls" $words
    [ "$status" = 64 ]
  done
}

@test "run: the command runs with the library from beside starttls, and its exit code is ours" {
  install_fake
  run bin/starttls run sh -c 'echo "$LD_PRELOAD"; exit 7'
  [ "$status" = 7 ]
  [[ $output == *"[loaded]"*"$PWD/bin/libstarttls.so"* ]]
}

@test "run: the library is found in ../lib of an installation" {
  mkdir lib
  install_fake lib
  LD_PRELOAD='' run bin/starttls run -- sh -c 'echo "$LD_PRELOAD"'
  [[ $output == *"$PWD/lib/libstarttls.so"* ]]
}

@test "run: what is preloaded already stays first, and nesting adds nothing" {
  install_fake
  cp bin/libstarttls.so other.so
  LD_PRELOAD=$PWD/other.so run bin/starttls run bin/starttls run sh -c 'echo "now $LD_PRELOAD"'
  [[ $output == *"now $PWD/other.so:$PWD/bin/libstarttls.so" ]]
}

@test "run: --policy becomes an absolute STARTTLS_POLICY, -v a log on stderr" {
  install_fake
  echo "verify to any" >mine.policy
  run bin/starttls run -v --policy mine.policy sh -c 'echo "$STARTTLS_POLICY $STARTTLS_LOG"'
  [[ $output == *"$PWD/mine.policy stderr"* ]]
}

@test "run: options behind the command are the command's" {
  install_fake
  run bin/starttls run sh -c 'echo "got $1 ${STARTTLS_LOG-unset}"' sh -v
  [[ $output == *"got -v unset"* ]]
}

@test "run: a broken policy is shown and ends with 125 before the command starts" {
  install_fake
  echo "verify to 10.0.0.1/8" >bad.policy
  run bin/starttls run --policy bad.policy touch started
  [ "$status" = 125 ]
  [[ $output == *"bad.policy:1:11: error: host bits"* ]]
  [ ! -e started ]
}

@test "run: 125 without the library, without a command, with a bad option or a missing policy" {
  mkdir bin
  cp "$starttls" bin/starttls
  for words in "true" "" "--frobnicate true" "--policy" "--policy missing true"; do
    run bin/starttls run $words
    [ "$status" = 125 ] || { [ "$words" = true ] && [ -e /usr/local/lib/libstarttls.so ]; }
  done
}

@test "run: 125 where the loader could not take the library's path apart" {
  mkdir 'a b'
  cd 'a b'
  install_fake
  run bin/starttls run touch started
  [ "$status" = 125 ]
  [[ $output == *"without blanks"* ]]
  [ ! -e started ]
}

@test "run: 127 for a command that is not there, 126 for one that cannot be started" {
  install_fake
  run -127 bin/starttls run no-such-command-here
  : >plain
  run bin/starttls run ./plain
  [ "$status" = 126 ]
}

# --- the manual

@test "man: the pages render without a warning" {
  command -v man >/dev/null || skip "no man"
  for page in starttls.1 starttls-policy.5; do
    man --warnings -l "$root/policy/$page" 2>warnings >/dev/null
    [ ! -s warnings ] || { cat warnings; false; }
  done
}

@test "check: a ca or cert without a certificate in it is warned of, a good one is not" {
  mkdir empty
  echo garbage >no-certificate
  printf '%s\n' "verify to a.test ca $PWD/no-certificate" "verify to b.test ca $PWD/empty" "verify to c.test ca /etc/ssl/certs" >policy
  chmod 600 policy
  run -0 "$starttls" check policy
  [[ $output == *"policy:1: warning: 'ca' holds no certificate"* && $output == *"policy:2: warning: 'ca' is a directory without"* && $output != *policy:3* ]]
}

@test "include: a directory that may not be searched breaks the policy" {
  [ "$(id -u)" = 0 ] || skip "needs root, to become nobody"
  mkdir closed
  chmod 700 closed
  printf 'verify to any\ninclude closed/*.policy\n' >main.policy
  chmod 644 main.policy
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* .
  run -78 setpriv --reuid 65534 --clear-groups "$starttls" check main.policy
  [[ $output == *"main.policy:2:9: error: cannot search the directory of 'closed/*.policy'"* ]]
}
