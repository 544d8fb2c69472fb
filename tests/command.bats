#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The verbs of starttls(1) that tell an administrator something: explain, inspect, env; and what `run` refuses after inspection.

# shellcheck disable=SC2086  # $words are several on purpose

bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_DIRNAME/.." || return
  root=$PWD
  build=${BUILD:-build}
  [[ $build = /* ]] || build=$root/$build
  starttls=$build/starttls
  cd "$BATS_TEST_TMPDIR" || return
  umask 022
  unset LD_PRELOAD
  export HOME=$PWD/home XDG_CONFIG_HOME=$PWD/config LC_ALL=C STARTTLS_POLICY=$PWD/policy
  # A sanitizer's runtime wants to be loaded first, and `run` does not let it.
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
}

policy() { printf '%s\n' "$@" >policy; }

# says TEXT: the output of the last `run` contains it
says() { [[ $output == *"$1"* ]] || { printf 'does not say: %s\n--- but\n%s\n' "$1" "$output"; return 1; }; }

never_says() { [[ $output != *"$1"* ]] || { printf 'says: %s\n--- in\n%s\n' "$1" "$output"; return 1; }; }

# --- explain

@test "explain: the first rule that matches is named with its line and shown whole" {
  policy '# mine' 'encrypt to mx.example port 25' '  min 1.3' 'verify to any'
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
