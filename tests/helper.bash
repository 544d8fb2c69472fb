# SPDX-License-Identifier: MIT
# helper: what the bats files share. Each test runs in a directory of its own, where these appear:
#   journal/ mailbox/   what the peer saw and kept (peer.h)         log   the shim's log lines
#   policy              the policy in force
# shellcheck shell=bash disable=SC2034,SC2119,SC2120  # variables and arguments are for the bats files

bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
build=${BUILD:-build}
[[ $build = /* ]] || build=$root/$build
certs=$build/tests/certs
legacy=$build/tests/legacy

setup() { begin_test; }

begin_test() {
  exec {guard}> >(exec "${BASH_SOURCE[0]%/*}/guard" $((${BATS_TEST_TIMEOUT:-180} - 10)) $$ >/dev/null 2>&1 3>&-)
  cd "$BATS_TEST_TMPDIR" || return
  unset STARTTLS_POLICY LD_PRELOAD
  export HOME=$PWD LC_ALL=C
  shim_command=(env LD_PRELOAD="$runtime" STARTTLS_LOG="$PWD/log" "$build/starttls" run --policy policy --)
}

# Ends what the test started. Its output is shown only when the test failed.
teardown() {
  peer_stop
  for f in policy log journal/*.talk journal/*.facts; do
    [ ! -s "$f" ] || { echo "--- $f"; cat "$f"; }
  done
}

# The machine of tests/private, or nothing.
needs_private() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || skip "needs root, for mail servers in a namespace of their own"
}

# detached COMMAND …: start a daemon that keeps none of bats' descriptors; bats would wait for it
detached() (
  for fd in "/proc/$BASHPID/fd/"*; do
    [ "${fd##*/}" -le 2 ] || eval "exec ${fd##*/}>&-"
  done
  exec "$@" >/dev/null 2>&1 </dev/null
)

# --- the peer

# serve [OPTION …]: start a peer with a good certificate and STARTTLS required; PORT is where. Later options win.
serve() {
  mkdir -p journal mailbox
  read -r PORT PEER < <("$build/tests/peer" --journal "$PWD/journal" --mailbox "$PWD/mailbox" --cert "$certs/good.pem" --require-tls "$@")
  [ -n "$PORT" ]
}

# serve_plain [OPTION …]: a server of the time when there was no TLS
serve_plain() {
  mkdir -p journal mailbox
  read -r PORT PEER < <("$build/tests/peer" --journal "$PWD/journal" --mailbox "$PWD/mailbox" "$@")
  [ -n "$PORT" ]
}

# End the peer; afterwards the journal is whole.
peer_stop() {
  [ -n "${PEER-}" ] || return 0
  kill "$PEER"
  PEER=
  flock journal/lock true
}

# peer_saw TEXT: inside TLS
peer_saw() {
  peer_stop
  grep -aqF -- "$1" journal/*.tls || { echo "the peer did not see '$1' inside TLS"; return 1; }
}

# peer_saw_in_clear TEXT, peer_never_saw_in_clear TEXT: among all bytes on the wire
peer_saw_in_clear() {
  peer_stop
  grep -aqF -- "$1" journal/*.wire || { echo "the peer did not see '$1' in the clear"; return 1; }
}

# in_clear [FILE …]: what was on the wire (journal/*.wire) but TLS records: short words do turn up in ciphertext.
in_clear() {
  [ $# -gt 0 ] || set -- journal/*.wire
  perl -e '
    for my $file (@ARGV) {
      open my $wire, "<:raw", $file or next;
      my $bytes = do { local $/; <$wire> } // "";
      for (my $i = 0; $i < length $bytes;) {
        if (substr($bytes, $i, 5) =~ /^[\x14-\x17]\x03[\x00-\x04](..)/s) { $i += 5 + unpack "n", $1 }
        else { print substr $bytes, $i++, 1 }
      }
      print "\n";
    }' "$@"
}

peer_never_saw_in_clear() {
  peer_stop
  ! in_clear | grep -aqF -- "$1" || { echo "the peer saw '$1' in the clear"; return 1; }
}

# Nothing of the mailer's on the wire, and no mail kept: our own EHLO and STARTTLS may have been there.
nothing_leaked() {
  peer_stop
  local word
  for word in HELO MAIL RCPT DATA AUTH Subject; do
    ! grep -aqw -- "$word" journal/*.wire 2>/dev/null || { echo "the peer saw $word in the clear"; return 1; }
  done
  [ -z "$(ls mailbox)" ] || { echo "a mail was delivered"; return 1; }
}

# facts PATTERN: a line of the first connection's facts
facts() {
  peer_stop
  grep -qE -- "$1" journal/1.facts || { echo "no fact matches $1"; return 1; }
}

# --- the shim

# policy RULE: the policy of this test. "ca" is put behind rules that need it.
policy() {
  printf '%s\n' "$@" >policy
  chmod 600 policy
}

# watch LEVEL [OPTION …]: the usual policy: that level for the peer of this test
watch() {
  local level=$1
  shift
  case $level in verify) set -- ca "$certs/ca.pem" "$@" ;; esac
  policy "$level to any port $PORT proto ${PROTO:-smtp} $*"
}

# The runtime of the sanitizer the library is built with must come first in a foreign program.
case ${SAN-} in
address*) runtime=$(gcc -print-file-name=libasan.so) ;;
thread) runtime=$(gcc -print-file-name=libtsan.so) ;;
*) runtime= ;;
esac

# What Debian's programs do and its sanitizers do not bear, whether we are there or not, is spared them by a library ahead of the runtime.
# libgpg-error and p11-kit (curl, mutt, msmtp, libpq, …) leave libc's locks of locales and of messages taken, and who asks for them next waits for ever;
# PHP opens its extensions with RTLD_DEEPBIND. ASan looks at the name of what is loaded ahead of it.
spare_programs() {
  local object=$BATS_RUN_TMPDIR/spare_libasan.so
  [ -e "$object" ] || gcc -O2 -shared -fPIC -o "$object" -x c - <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
void freelocale(void *locale) { (void)locale; }
char *setlocale(int category, const char *name)
{
	char *(*next)(int, const char *) = (char *(*)(int, const char *))dlsym(RTLD_NEXT, "setlocale");

	return name && *name ? next(category, name) : "C"; /* of the environment, that is */
}
char *bindtextdomain(const char *domain, const char *directory) { (void)domain; return (char *)directory; }
void *dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

	return next(file, mode & ~RTLD_DEEPBIND);
}
END
  runtime=$object:$runtime
}
[ -z "$runtime" ] || spare_programs

# needs_runtime PROGRAM: some programs do not live under the sanitizer's runtime alone; nothing can be learned from them then
needs_runtime() {
  local code=0
  [ -n "$runtime" ] || return 0
  [ "$SAN $1" != "thread /usr/lib/nullmailer/smtp" ] || skip "nullmailer-send learns of its child in a signal handler, which TSan puts off"
  timeout -s KILL 5 env LD_PRELOAD="$runtime" "$1" --version >/dev/null 2>&1 || code=$?
  [ "$code" != 137 ] || skip "$1 hangs under $SAN's runtime, even without the shim"
}

# shim COMMAND …: run it with the policy of this test. shim_command (setup): the same in words, for who needs exec.
shim() { "${shim_command[@]}" "$@"; }

# log_says TEXT: the last log line contains it
log_says() {
  tail -n 1 log | grep -qF -- "$1" || { echo "the log does not say '$1'"; return 1; }
}

# compare_native SHIMMED [PEER OPTION …] -- PROGRAM [WORD]: what a program of legacy/ prints natively, against a plaintext peer, it prints under the
# shim too, against the peer and under the policy that `SHIMMED [PEER OPTION …]` makes; and it ends with $ends (0) both times.
compare_native() {
  local serve_shimmed=$1 options=() native=0 shimmed=0
  shift
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  local program=$legacy/$2
  shift 2
  serve_plain "${options[@]}"
  timeout 60 "$program" localhost "$PORT" "$@" >native || native=$?
  peer_stop
  rm -r journal
  "$serve_shimmed" "${options[@]}"
  shim timeout 60 "$program" localhost "$PORT" "$@" >shimmed || shimmed=$?
  diff native shimmed
  [ "$native $shimmed" = "${ends-0} ${ends-0}" ] || { echo "it ends with $native natively, with $shimmed under the shim"; return 1; }
}

serve_verified() {
  serve "$@"
  watch verify
}

# same_as_native [PEER OPTION …] -- PROGRAM [WORD]: against a peer that insists on TLS
same_as_native() {
  compare_native serve_verified "$@"
  log_says "starttls verified to=localhost"
  peer_saw HELO
  for word in HELO NOOP QUIT; do peer_never_saw_in_clear "$word"; done
}

# --- mails

# A mail with all that is hard for a mailer: dots in front, a long line, eight bits, a line that is only a dot, no end of line white space.
hard_mail() {
  printf 'From: sender@example.org\nTo: joe@mail.test\nSubject: hard\nMIME-Version: 1.0\n'
  printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
  printf '.\n..\n...three\n.one\nGr\303\274\303\237e, \342\202\254 5\n\n'
  printf 'x%.0s' {1..900}
  printf '\nMAIL FROM:<injected@example.org>\n\nend\n'
}

# body FILE: behind the header, lines ending in LF
body() { sed -e 's/\r$//' "$1" | sed '1,/^$/d'; }

# same_body FILE FILE
same_body() { diff <(body "$1") <(body "$2"); }
