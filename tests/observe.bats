#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `starttls run --observe`: nothing that the user asks for is refused, what was seen becomes a policy, and that policy then holds.

load helper

# what a sanitizer's runtime must be told, also in an empty environment
asan=${ASAN_OPTIONS:+ASAN_OPTIONS=$ASAN_OPTIONS}
load servers/postgresql
load servers/prosody

observe() {
  env LD_PRELOAD="$runtime" STARTTLS_LOG="$PWD/log" "$build/starttls" run --policy policy --observe=seen -- "$@"
}

enforce() {
  chmod 600 seen
  env LD_PRELOAD="$runtime" STARTTLS_LOG="$PWD/log" "$build/starttls" run --policy "$PWD/seen" -- "$@"
}

# mail VERB HOST: send one there
mail() {
  hard_mail >mail
  "$1" "$legacy/mailer" "$2" "$PORT" from@example.org joe@mail.test <mail
}

# rules: what was seen, without remarks
rules() { sed -e '/^#/d' -e 's/ *#.*//' seen; }

@test "a good certificate is seen as verify, by name; enforced, it is verified" {
  serve
  watch verify
  run -0 mail observe localhost
  [[ $output == *"observing: whatever your own policy requires is only tried; the system's policy holds. Rules go to $PWD/seen"* ]]
  log_says "starttls encrypted to=localhost"
  [ "$(rules)" = "verify to localhost port $PORT proto smtp ca $certs/ca.pem" ]
  run -0 mail enforce localhost
  log_says "starttls verified to=localhost"
  log_says "rule=$PWD/seen:3"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "a certificate that would not verify is seen as a pin for the address; enforced, only that key passes" {
  serve --cert "$certs/self-signed.pem"
  policy "verify to any port $PORT proto smtp"
  run -0 mail observe localhost
  pin=$(openssl x509 -in "$certs/self-signed.pem" -noout -pubkey | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)
  [ "$(rules)" = "fingerprint to 127.0.0.1 port $PORT proto smtp pin sha256:$pin" ]
  grep -q "# localhost: the server's certificate is self-signed" seen
  run -0 mail enforce localhost
  log_says "starttls pinned to=localhost"
  sed -i 's/sha256:./sha256:f/; s/sha256:f\(.\)/sha256:\1f/' seen
  run ! mail enforce localhost
  log_says "starttls refused to=localhost"
}

@test "a server without TLS gets its mail and is seen as may, marked as plaintext; enforced, the mail goes out again" {
  serve_plain
  policy "verify to any port $PORT proto smtp"
  run -0 mail observe localhost
  log_says "starttls plaintext to=localhost"
  [ "$(rules)" = "may to localhost port $PORT proto smtp" ]
  grep -q "# PLAINTEXT: " seen
  run -0 mail enforce localhost
  log_says "starttls plaintext to=localhost"
}

@test "what the user refuses is tried, what he leaves alone is left alone; both are in the policy" {
  serve
  policy "refuse to any port $PORT proto smtp"
  run -0 mail observe 127.0.0.1
  [[ $(rules) == "fingerprint to 127.0.0.1 port $PORT proto smtp pin sha256:"* ]]
  peer_stop
  rm seen
  serve_plain
  policy "none to any port $PORT proto smtp"
  run -0 mail observe 127.0.0.1
  [ "$(rules)" = "none to 127.0.0.1 port $PORT proto smtp" ]
  run -0 mail enforce 127.0.0.1
}

@test "a user who observes takes nothing back that the system asks for" {
  needs_private
  serve --cert "$certs/self-signed.pem"
  mkdir -p /etc/starttls
  echo "verify to any port $PORT proto smtp" >/etc/starttls/policy
  policy "may to any"
  run ! mail observe localhost
  log_says "starttls refused to=localhost"
  log_says "need=verify rule=/etc/starttls/policy:1"
  nothing_leaked
  [ -z "$(rules)" ]
  grep -q "^# refused to localhost port $PORT proto smtp *# verify: the server's certificate is self-signed" seen
  rm -r /etc/starttls
}

@test "a system's policy that is content is no reason to ask for less than what was seen" {
  needs_private
  serve
  mkdir -p /etc/starttls
  echo "encrypt to any port $PORT proto smtp" >/etc/starttls/policy
  policy "verify to any ca $certs/ca.pem"
  run -0 mail observe localhost
  log_says "need=encrypt"
  [ "$(rules)" = "verify to localhost port $PORT proto smtp ca $certs/ca.pem" ]
  rm -r /etc/starttls
}

@test "many processes at once write each rule once, whole, and the policy is sound" {
  serve
  watch verify
  hard_mail >mail
  local pids=()
  for i in $(seq 20); do
    for host in localhost 127.0.0.1; do
      observe "$legacy/mailer" "$host" "$PORT" from@example.org joe@mail.test <mail 2>/dev/null &
      pids+=($!)
    done
    ((i % 5)) || { wait "${pids[@]}" && pids=(); }
  done
  [ "$(rules | wc -l)" = 2 ]
  [ "$(rules | sort)" = "$(rules | sort -u)" ]
  run -0 "$build/starttls" check "$PWD/seen"
  [[ $output == *"sound, 2 rules"* ]]
}

@test "the rules of several sessions add up in one file, and the programs of a script write to it too, without their environment" {
  serve
  watch verify
  hard_mail >mail
  printf '%s\n' '#!/bin/sh' "env -i $asan LD_PRELOAD=\"\$LD_PRELOAD\" $legacy/mailer localhost $PORT from@example.org joe@mail.test <mail" >script
  chmod 755 script
  run -0 observe ./script
  run -0 mail observe 127.0.0.1
  [ "$(rules | wc -l)" = 2 ]
  [ "$(grep -c '^# What' seen)" = 1 ]
}

@test "without a file's name it is ./observed.policy; one that cannot be written is 125" {
  policy "verify to any"
  umask 0
  run -0 env LD_PRELOAD="$runtime" "$build/starttls" run --policy policy --observe true
  [ "$(stat -c %a observed.policy)" = 600 ]
  run -125 "$build/starttls" run --observe=/no/such/directory/file true
  [[ $output == *"cannot write what is observed to '/no/such/directory/file': No such file or directory"* ]]
  mkfifo fifo
  run -125 timeout 20 "$build/starttls" run --observe=fifo true
  [[ $output == *"cannot write what is observed to 'fifo': "* ]]
}

# --- other protocols

@test "xmpp: the rule names the host that is dialled, and the certificate is for the domain, as the program's own stream has it" {
  needs_private
  prosody_start /var/lib/xmpp.observed "$certs/wrong-name.pem"
  policy "verify to any port 5222 proto xmpp ca $certs/ca.pem"
  for mode in observe enforce; do
    run -0 "$mode" timeout 60 perl "$root/tests/xmpp_client.pl" localhost 5222 other.test "a word"
    [[ $output == *"got: a word" ]]
  done
  prosody_stop /var/lib/xmpp.observed
  log_says "starttls verified to=other.test"
  [ "$(rules)" = "verify to localhost port 5222 proto xmpp ca $certs/ca.pem" ]
}

@test "pgsql: seen while it is upgraded, and while the program does TLS itself" {
  needs_private
  spare_programs
  export PGHOST=mail.test PGUSER=joe PGPASSWORD=secret PGDATABASE=joe PGCONNECT_TIMEOUT=30
  postgresql_start /var/lib/pgsql-observed "$certs/good.pem" 5432
  policy "verify to any ca $certs/ca.pem"
  for mode in observe enforce; do
    PGSSLMODE=disable run -0 "$mode" psql -AtXc 'select 6 * 7'
    [[ $output == *42 ]]
  done
  log_says "starttls verified to=mail.test"
  [ "$(rules)" = "verify to mail.test port 5432 proto pgsql ca $certs/ca.pem" ]
  rm seen
  for mode in observe enforce; do
    PGSSLMODE=require run -0 "$mode" psql -AtXc 'select 6 * 7'
    log_says "starttls own to=mail.test"
  done
  [ "$(rules)" = "verify to mail.test port 5432 proto pgsql" ]
  postgresql_stop /var/lib/pgsql-observed
}

@test "by app: a program that does its own STARTTLS is seen so, and still guarded afterwards" {
  serve
  policy "verify to any port $PORT proto smtp by app"
  hard_mail >mail
  send() {
    "$1" msmtp --host=localhost --port="$PORT" --tls="$2" --tls-starttls=on --tls-trust-file="$certs/ca.pem" --from=from@example.org joe@mail.test <mail
  }
  needs_runtime msmtp
  for mode in observe enforce; do
    run -0 send "$mode" on
    log_says "starttls own to=localhost"
  done
  [ "$(rules)" = "verify to localhost port $PORT proto smtp by app" ]
  run ! send enforce off
  log_says "starttls refused to=localhost"
}
