#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verbs of starttls(1) when nobody hears them: an answer that could not be written is not "all is well".

load helper

setup() {
  begin_test
  policy "verify to any"
  export STARTTLS_POLICY=$PWD/policy
  printf 'a[1]: starttls verified to=a.test addr=192.0.2.1 port=25 proto=smtp tls=1.3\n' >lines
}

teardown() { peer_stop; }

# Each verb with an answer, and what its status is when the answer is heard.
answers() {
  cat <<'END'
0 check
0 check policy
78 check broken
0 explain 192.0.2.1:25
77 explain --addr 192.0.2.1 refused.test:25
0 inspect cat
69 inspect ./static
0 report lines
0 report --json lines
0 report --prometheus lines
0 env
0 env --systemd
0 env --docker
0 --help
0 --version
0 check --help
END
}

# each_answer REDIRECTION REASON: what was 0 becomes 74, what was wrong stays so, and the reason is told
each_answer() {
  local status words verb count=0 code
  echo 'verfy to any' >broken
  printf '%s\n' 'refuse to refused.test' 'verify to any' >policy
  echo 'int main(void) { return 0; }' | gcc -static -x c -o static -
  while read -r status words; do
    verb=${words%% *}
    verb=starttls${verb:+ ${verb##-*}}
    code=0
    # shellcheck disable=SC2086  # several words
    eval '"$build/starttls" $words' "$1" 2>said || code=$?
    [ "$code" = "${status/#0/74}" ] || { echo "$words: $code"; cat said; return 1; }
    [[ $(tail -n 1 said) == "${verb% }: write error: $2" ]] || { echo "$words:"; cat said; return 1; }
    count=$((count + 1))
  done < <(answers)
  [ "$count" = 16 ]
}

@test "a full disk: each answer that is not written is told, and 74" {
  each_answer '>/dev/full' 'No space left on device'
}

@test "standard output closed: the same" {
  each_answer '>&-' 'Bad file descriptor'
}

@test "a pipe that nobody reads: the same where SIGPIPE is ignored, else the signal" {
  unread='pipe R, W; close R; open STDOUT, ">&W"; $SIG{PIPE} = shift; exec @ARGV'
  run -74 perl -e "$unread" IGNORE "$build/starttls" check policy
  [ "$output" = "starttls check: write error: Broken pipe" ]
  run -141 perl -e "$unread" DEFAULT "$build/starttls" check policy
}

@test "run: its help that could not be written is 125; the program's own output is the program's business" {
  run -125 bash -c '"$1" run --help >/dev/full' bash "$build/starttls"
  [ "$output" = "starttls run: write error: No space left on device" ]
  run -7 bash -c '"$1" run sh -c "exit 7" >/dev/full' bash "$build/starttls"
  [ -z "$output" ]
}

@test "probe with standard output closed, standard error too: 74, and nothing of its report goes to the peer" {
  serve
  watch verify
  code=0
  "$build/starttls" probe "localhost:$PORT" >&- 2>said || code=$?
  [ "$code" = 74 ]
  [ "$(cat said)" = "starttls probe: write error: Bad file descriptor" ]
  code=0
  "$build/starttls" probe "localhost:$PORT" <&- >&- 2>&- || code=$?
  [ "$code" = 74 ]
  peer_stop
  run -1 grep -aE 'host:|greeting:|verdict:|starttls probe' journal/*.wire journal/*.tls
  ls journal/2.facts
  code=0
  "$build/starttls" probe localhost:1 --proto smtp >&- 2>said || code=$?
  [ "$code" = 69 ]
  grep -q '^starttls probe: nobody can be reached' said
}

@test "report: standard input closed is told" {
  run -69 bash -c '"$1" report <&-' bash "$build/starttls"
  [ "$output" = "starttls report: 'standard input' cannot be read: Bad file descriptor" ]
}
