#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Wrong arguments of every verb of starttls(1): what was wrong and what would be right, on stderr, nothing on stdout, and 64; `run`, whose
# command may have any status of its own, answers 125.

# shellcheck disable=SC2086  # $words are several on purpose

load helper

# Each line: status | arguments | what is said. "''" stands for an empty word.
@test "each wrong argument is told with what would be right" {
  policy "verify to any"
  unset STARTTLS_POLICY
  local count=0
  while IFS='|' read -r status words sentence; do
    args=()
    for word in $words; do
      [ "$word" != "''" ] || word=
      args+=("$word")
    done
    run "-$status" --separate-stderr "$build/starttls" "${args[@]}" </dev/null
    [[ $stderr == *"$sentence"* && -z $output ]] || { printf '%s\nsays on stderr: %s\nand on stdout: %s\n' "$words" "$stderr" "$output"; return 1; }
    count=$((count + 1))
  done <<'END'
64||usage:
64|''|usage:
64|rum true|starttls rum: there is no such verb; did you mean 'run'?
64|chekc|did you mean 'check'?
64|frobnicate|starttls frobnicate: there is no such verb
64|--frobnicate|starttls --frobnicate: there is no such verb
125|run|which command? usage: starttls run [-v] [--policy FILE] [--observe[=FILE]] [--] COMMAND
125|run -v --|which command?
125|run -x true|unknown option '-x'; there are -v, --policy FILE, --observe[=FILE]
125|run -vxv true|unknown option '-x'; there are
125|run -p policy true|unknown option '-p'; there are
125|run --polcy policy true|unknown option '--polcy'; there are
125|run --verbose=3 true|option '--verbose' takes no value
125|run --policy|option '--policy' needs a value
125|run --policy no-such-file true|cannot read the policy 'no-such-file': No such file or directory
125|run --policy '' true|cannot read the policy ''
125|run --policy / true|this is a directory, not a file
125|run --observe=/ true|cannot write what is observed to '/': Is a directory
125|run --observe= true|cannot write what is observed to ''
127|run --policy policy no-such-command|cannot start 'no-such-command': No such file or directory
125|run ''|which command? '' is none; usage: starttls run
125|run --policy policy -- ''|which command? '' is none
126|run --policy policy ./policy|cannot start './policy': Permission denied
126|run --policy policy /|cannot start '/': Permission denied
64|check --strict|unknown option '--strict'; it has none, and a file of that name is ./--strict
64|check ''|which file? '' is none; without a FILE, what this user would get is read
64|check policy ''|which file? '' is none
64|check -|unknown option '-'; it has none
64|check policy --strict|unknown option '--strict'; it has none
64|explain|which host? HOST[:PORT], as in mx.example.com:25
64|explain -xy mx.example:25|unknown option '-x'; there are --program, --user, --addr
64|explain --colour mx.example:25|unknown option '--colour'; there are --program, --user, --addr
64|explain --addr|option '--addr' needs a value
64|explain mx.example|which port? mx.example:25
64|explain mx.example:|a number from 1 to 65535
64|explain mx.example smpt|did you mean 'smtp'?
64|explain mx.example smtp imap|'imap' is too much
64|explain ''|which host? HOST[:PORT], as in mx.example.com:25
64|explain '' smtp|which host? HOST[:PORT]
64|explain []:25|which host? HOST[:PORT]
64|explain --program '' mx.example:25|there is no program '': give its path, as in /usr/bin/msmtp
64|explain --user '' mx.example:25|there is no user ''
64|explain --user 99999999999999999999 mx.example:25|there is no user '99999999999999999999'
64|explain --addr '' mx.example:25|'' is not an address, such as 192.0.2.1
64|explain --addr=192.0.2.1:25 mx.example:25|'192.0.2.1:25' is not an address
64|explain mx.example:25 ''|unknown protocol ''; there are: smtp lmtp
64|explain mx.example:25x|'25x' is not a port
64|explain mx.example:-25|'-25' is not a port
64|explain mx.example:+25|'+25' is not a port
64|explain mx.example:99999999999999999999|is not a port
64|explain [::1]25|'[::1]25' is not [ADDRESS]:PORT, as in [2001:db8::1]:25
64|explain ::1:2::25|is not [ADDRESS]:PORT
64|explain smtp://mx.example:25|'smtp://mx.example:25' is a URL
64|probe|which host? HOST[:PORT], as in mx.example.com:25
64|probe -xy mx.example:25|unknown option '-x'; there are --proto, --timeout, --domain
64|probe --proto smpt mx.example|did you mean 'smtp'?
64|probe --proto|option '--proto' needs a value
64|probe --timeout soon mx.example:25|'soon' is not a timeout: seconds, from 1 to
64|probe mx.example|which port? mx.example:25 or --proto smtp
64|probe mx.example:25 smtp|'smtp' is too much; a protocol is said by --proto
64|probe mx.example 25|'25' is too much; a port stands behind a colon, as in mx.example.com:25
64|explain mx.example 25|'25' is no protocol; a port stands behind a colon: HOST:25
64|probe ''|which host? HOST[:PORT], as in mx.example.com:25
64|probe --proto '' mx.example:25|unknown protocol ''; there are: smtp lmtp
64|probe --timeout '' mx.example:25|'' is not a timeout: seconds
64|probe --timeout 0 mx.example:25|'0' is not a timeout: seconds
64|probe --timeout 1.5 mx.example:25|'1.5' is not a timeout: seconds
64|probe --timeout 99999999999999999999 mx.example:25|is not a timeout: seconds, from 1 to 86400
64|probe --domain '' --proto xmpp mx.example|'' is not a domain
64|probe --domain a.test 127.0.0.1:25|--domain is for xmpp and xmpp-server; here 'smtp' is spoken
64|probe --proto tls mx.example|which port? 'tls' stands for none: mx.example:6379
64|probe 127.0.0.1:1|port 1 stands for no protocol, and no rule says one: --proto smtp
64|probe smtp://mx.example:25|'smtp://mx.example:25' is a URL
64|inspect|which program?
64|inspect --all sh|unknown option '--all'; it has none
64|inspect sh -c|one program at a time, without its arguments: '-c' is too much
69|inspect no-such-command|'no-such-command' cannot be started: No such file or directory
64|inspect ''|which program? '' is none
69|inspect /|'/' cannot be started
64|report --csv|unknown option '--csv'; there are --json and --prometheus
64|report --json --prometheus|one form at a time
64|report ''|which file? '' is none; - is standard input
64|report policy ''|which file? '' is none
69|report /|'/' cannot be read: Is a directory
69|report no-such-file|'no-such-file' cannot be read: No such file or directory
64|env --csh|'--csh' is unknown; one of --sh, --systemd, --docker
64|env --sh --docker|'--docker' is too much; one of --sh, --systemd, --docker
64|env ''|'' is unknown; one of --sh
64|env sh|'sh' is unknown; one of --sh, --systemd, --docker
END
  [ "$count" = 89 ]
}

# Words that somebody's script might come up with, in any place.
nonsense() {
  printf '%s\0' '' - -- --- -- -= --= --x=y ' ' . / /dev/null : :: :25 '[x' ']' '[]' '[]:25' '%s%n' '*' '~' a:b:c a@b $'a\nb' \
    $'\033[31m' $'\xff\xfe' "$(printf 'a%.0s' {1..5000})" "$(printf ':%.0s' {1..300})" 'mx.example:25;ls' 99999999999999999999 -1
}

# No word or two may make a verb crash, wait, or say nothing.
@test "whatever words a verb is given, it says what it thinks of them, and ends with a status of its own" {
  policy "refuse to any"
  export STARTTLS_POLICY=$PWD/policy
  mapfile -d '' -t words < <(nonsense)
  for verb in run check explain probe inspect report env; do
    for one in "${words[@]}"; do
      for other in none '' - -- 192.0.2.1:25 $'\033[31m'; do
        args=("$one")
        [ "$other" = none ] || args+=("$other")
        code=0
        timeout 20 "$build/starttls" "$verb" "${args[@]}" >answer 2>said </dev/null || code=$?
        case $verb:$code in
        *:0) [ -s answer ] ;;
        run:12[567] | *:64 | *:69 | *:77 | *:78) [ -s said ] || [ -s answer ] ;;
        *) false ;;
        esac || { printf 'starttls %s' "$verb"; printf ' %q' "${args[@]}"; echo ": $code"; cat said; return 1; }
      done
    done
  done
}

@test "each verb tells its usage, all tell theirs" {
  run -0 --separate-stderr "$build/starttls" --help
  [ -z "$stderr" ]
  all=$output
  mapfile -t verbs < <(sed -n 's/^  starttls \([a-z]*\) .*/\1/p' <<<"$all")
  [ "${#verbs[@]}" -ge 7 ]
  for verb in "${verbs[@]}"; do
    run -0 --separate-stderr "$build/starttls" "$verb" --help
    [[ -z $stderr && $output == "  starttls $verb"* && $all == *"$output"* ]]
  done
}
