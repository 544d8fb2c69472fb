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
127|run --policy policy ''|cannot start ''
126|run --policy policy ./policy|cannot start './policy': Permission denied
126|run --policy policy /|cannot start '/': Permission denied
64|check --strict|unknown option '--strict'; it has none, and a file of that name is ./--strict
64|explain|which host? HOST[:PORT], as in mx.example.com:25
64|explain -xy mx.example:25|unknown option '-x'; there are --program, --user, --addr
64|explain --colour mx.example:25|unknown option '--colour'; there are --program, --user, --addr
64|explain --addr|option '--addr' needs a value
64|explain mx.example|which port? mx.example:25
64|explain mx.example:|a number from 1 to 65535
64|explain mx.example smpt|did you mean 'smtp'?
64|explain mx.example smtp imap|'imap' is too much
64|probe|which host? HOST[:PORT], as in mx.example.com:25
64|probe -xy mx.example:25|unknown option '-x'; there are --proto, --timeout, --domain
64|probe --proto smpt mx.example|did you mean 'smtp'?
64|probe --proto|option '--proto' needs a value
64|probe --timeout soon mx.example:25|'soon' is not a timeout: seconds, from 1 to
64|probe mx.example|which port? mx.example:25 or --proto smtp
64|probe mx.example:25 smtp|'smtp' is too much; a protocol is said by --proto
64|inspect|which program?
64|inspect --all sh|unknown option '--all'; it has none
64|inspect sh -c|one program at a time, without its arguments: '-c' is too much
69|inspect no-such-command|'no-such-command' cannot be started: No such file or directory
69|inspect ''|'' cannot be started
69|inspect /|'/' cannot be started
64|report --csv|unknown option '--csv'; there are --json and --prometheus
64|report --json --prometheus|one form at a time
69|report no-such-file|'no-such-file' cannot be read: No such file or directory
64|env --csh|'--csh' is unknown; one of --sh, --systemd, --docker
64|env --sh --docker|'--docker' is too much; one of --sh, --systemd, --docker
64|env sh|'sh' is unknown; one of --sh, --systemd, --docker
END
  [ "$count" = 51 ]
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
