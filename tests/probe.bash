# SPDX-License-Identifier: MIT
# probe: what probe.bats and probe_trouble.bats share: starttls probe against the scripted peer.
# shellcheck shell=bash disable=SC2154  # from helper.bash and bats

# probe [OPTION …] HOST[:PORT], with the policy of this test
probe() { STARTTLS_POLICY=$PWD/policy timeout 30 "$build/starttls" probe "$@"; }

# probes CODE [OPTION …]: the peer of this test, taken for smtp; then says and shows look at the lines
probes() {
  local code=$1
  shift
  run --separate-stderr -"$code" probe --proto smtp "$@" "localhost:$PORT"
}

# shows LINE …: each is a line of the output, as it stands
shows() {
  local wanted
  for wanted; do grep -qxF -- "$wanted" <<<"$output" || { printf 'no line is: %s\n--- in\n%s\n%s\n' "$wanted" "$output" "$stderr"; return 1; }; done
}

# value KEY: of the first line with that key
value() { sed -n "s/^$1: //p" <<<"$output" | head -n 1; }

# The old mailer of legacy/
mailer() { "$@" timeout 30 "$legacy/mailer" localhost "$PORT" sender@example.org joe@mail.test <<<$'Subject: hello\n\nhello'; }

# suggestion_works: put into a policy by itself, the suggested line lets the probe and a real program through
suggestion_works() {
  run -75 mailer shim
  policy "$1"
  probes 0
  mailer shim
}

# refused_as TEXT: with a reason that begins so, and the chain shown all the same
refused_as() {
  probes 77
  shows "verdict: refused" "certificate: 1 of 1"
  [[ $(value why) == "$1"* ]]
}

# the probe never says more than this in the clear
only_words() {
  peer_stop
  diff <(in_clear | tr -d '\r' | sed '/^$/d') <(printf '%s\n' "$@")
}
