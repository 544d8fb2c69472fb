#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input: whatever the other end does, the mailer is told 421 with a clear sentence, the log says the same, nothing leaks.

load helper

# The old mailer of legacy/, with one short mail.
mailer() { "$@" timeout 30 "$legacy/mailer" localhost "$PORT" sender@example.org joe@mail.test <<<$'Subject: secret\n\nsecret'; }

# refused SENTENCE: the mailer is told so, in a way that keeps its mail (EX_TEMPFAIL), the log too, and nothing has leaked
refused() {
  run -75 mailer "${shim_command[@]}"
  [[ $output == *"421 4.7."?" libstarttls: $1"* ]]
  log_says "starttls refused to=localhost addr=127.0.0.1 port=$PORT proto=smtp need="
  log_says "why=\"$1"
  nothing_leaked
}

peer_and_verify() {
  serve "$@"
  watch verify
}

# --- certificates

@test "an expired certificate" {
  peer_and_verify --cert "$certs/expired.pem"
  refused "the server's certificate has expired"
}

@test "a self-signed certificate" {
  peer_and_verify --cert "$certs/self-signed.pem"
  refused "the server's certificate is self-signed"
}

@test "a certificate for another name" {
  peer_and_verify --cert "$certs/wrong-name.pem"
  refused "the certificate is not for localhost"
}

@test "a certificate of an unknown authority" {
  peer_and_verify --cert "$certs/untrusted.pem"
  refused "no trust anchor here has signed the server's certificate"
}

@test "a good certificate, but no ca in the rule: the system's authorities have not signed it" {
  serve
  policy "verify to any port $PORT proto smtp"
  refused "no trust anchor here has signed the server's certificate"
}

@test "an intermediate authority is fine when the server sends it" {
  peer_and_verify --cert "$certs/intermediate.pem"
  mailer shim
  log_says "starttls verified"
}

@test "the rule's name is the one that is verified" {
  serve --cert "$certs/wrong-name.pem"
  watch verify name other.test
  mailer shim
  log_says "starttls verified"
  facts "sni=other.test"
}

@test "an address is verified as an address, and never sent as SNI" {
  peer_and_verify
  shim "$legacy/mailer" 127.0.0.1 "$PORT" a@b c@d <<<hello
  log_says "starttls verified addr=127.0.0.1"
  facts "sni=-"
}

# --- TLS that is none

@test "garbage instead of ServerHello" {
  peer_and_verify --garbage-instead-of-ServerHello
  refused "the server's answer is not TLS"
}

@test "a TLS alert instead of ServerHello" {
  peer_and_verify --alert
  refused "the server found nothing in common"
}

@test "a server that speaks TLS 1.0 only" {
  peer_and_verify --tls-max 1.0
  refused "the server speaks only versions of TLS older than"
}

@test "a server that speaks TLS 1.1 at most" {
  peer_and_verify --tls-min 1.1 --tls-max 1.1
  refused "the server speaks only versions of TLS older than"
}

@test "TLS 1.2 where the rule wants 1.3" {
  serve --tls-max 1.2
  watch verify min 1.3
  refused "the server speaks only versions of TLS older than"
}

# --- the dialogue

@test "no offer" {
  peer_and_verify --no-offer
  refused "server did not offer TLS"
}

@test "an offer that only looks like one" {
  peer_and_verify --offer-text $'250-X-STARTTLS\r\n250-STARTTLSX\r\n'
  refused "server did not offer TLS"
}

@test "454 to STARTTLS" {
  peer_and_verify --starttls-reply "454 4.7.0 not now"
  refused "server refused STARTTLS"
}

@test "the server's own words never reach the mailer" {
  peer_and_verify --starttls-reply "454 4.7.0 send it to evil.example instead"
  run mailer "${shim_command[@]}"
  [[ $output != *evil* ]]
}

@test "a 554 greeting" {
  peer_and_verify --greeting "554 go away"
  run mailer "${shim_command[@]}"
  [[ $output == *"libstarttls: server refused service before TLS"* ]]
  nothing_leaked
}

@test "text behind the 220" {
  peer_and_verify --inject-behind-220 $'250 2.0.0 injected\r\n'
  refused "peer sent plaintext after agreeing to TLS"
}

@test "half a line behind the 220" {
  peer_and_verify --inject-behind-220 "250 2"
  refused "peer sent plaintext after agreeing to TLS"
}

@test "text between ClientHello and ServerHello" {
  peer_and_verify --inject-later $'250 2.0.0 injected\r\n'
  refused "the server's answer is not TLS"
}

# --- the connection

@test "a peer that resets at every step before TLS is up" {
  for step in connect greeting ehlo offer starttls go hello handshake; do
    serve --reset-at "$step"
    watch verify
    run -75 mailer "${shim_command[@]}"
    [[ $output == *"421 4.7."?" libstarttls: "* ]] || { echo "at $step: $output"; return 1; }
    log_says 'starttls refused'
    nothing_leaked
  done
}

@test "a peer that closes at every step before TLS is up" {
  for step in connect greeting ehlo offer starttls go hello handshake; do
    serve --close-at "$step"
    watch verify
    run -75 mailer "${shim_command[@]}"
    [[ $output == *"421 4.7."?" libstarttls: "*"closed the connection"* ]] || { echo "at $step: $output"; return 1; }
    log_says 'starttls refused'
    nothing_leaked
  done
}

@test "a peer that stops talking at every step before TLS is up: the rule's timeout ends it" {
  for step in connect greeting ehlo offer starttls go hello handshake; do
    serve --stall-at "$step"
    watch verify timeout 1
    run -75 mailer "${shim_command[@]}"
    [[ $output == *"421 4.7."?" libstarttls: "*"before the deadline"* ]] || { echo "at $step: $output"; return 1; }
    log_says 'before the deadline'
    nothing_leaked
  done
}

@test "a peer that resets or closes inside TLS: the mailer sees what it would see in plaintext, and keeps its mail" {
  for way in reset close; do
    for step in open mail rcpt data body dot; do
      serve "--$way-at" "$step"
      watch verify
      run -75 mailer "${shim_command[@]}"
      [[ $output == *"mailer: the connection was lost"* ]] || { echo "$way at $step: $output"; return 1; }
      log_says 'starttls verified'
      nothing_leaked
    done
  done
}

# attacked VERSION ATTACK: the mailer has lost its connection and keeps its mail; nothing of it ever went out in the clear
attacked() {
  peer_and_verify --tls-max "$1" --attack "$2"
  run -75 mailer "${shim_command[@]}"
  [[ $output == *"mailer: the connection was lost"* ]] || { echo "TLS $1, $2: $output"; return 1; }
  nothing_leaked
}

@test "inside TLS: text, a bare alert, a tampered, repeated, cut or oversized record end the connection" {
  for version in 1.2 1.3; do
    for what in text alert tamper replay cut huge; do attacked "$version" "$what"; done
  done
}

@test "inside TLS 1.2: renegotiation is declined, and a server that insists has ended the connection" { attacked 1.2 renegotiate; }

@test "inside TLS: floods of KeyUpdates and tickets do no harm" {
  for what in keyupdates tickets; do
    peer_and_verify --attack "$what"
    run -0 mailer "${shim_command[@]}" || { echo "$what: $output"; return 1; }
    peer_saw "MAIL FROM"
    peer_never_saw_in_clear "MAIL FROM"
    rm -f mailbox/* journal/*
  done
}

@test "inside TLS: KeyUpdates without end do not hold a program for ever" { attacked 1.3 endless; }

@test "a peer that ends without close_notify is at its end all the same: SMTP knows where its messages end" {
  peer_and_verify --no-close-notify
  shim "$legacy/lines" localhost "$PORT" >out
  tail -n 1 out | grep -qx 'done'
}

@test "nobody listens: connect fails as ever" {
  serve
  watch verify
  peer_stop
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *ECONNREFUSED* ]]
}

# --- levels

@test "encrypt: a self-signed certificate is enough" {
  serve --cert "$certs/self-signed.pem"
  watch encrypt
  mailer shim
  log_says "starttls encrypted to=localhost"
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "encrypt: no offer is refused" {
  serve --no-offer
  watch encrypt
  refused "server did not offer TLS"
}

@test "refuse: connect fails with EACCES, and nobody is dialled" {
  serve
  watch refuse
  run -1 shim "$legacy/lines" localhost "$PORT"
  [[ $output == *EACCES* ]]
  log_says "starttls refused to=localhost"
  peer_stop
  [ ! -e journal/1.wire ]
}

@test "none: left alone, in plaintext" {
  serve_plain
  watch none
  mailer shim
  peer_saw_in_clear "MAIL FROM"
}

@test "may: TLS where it is offered" {
  serve --cert "$certs/expired.pem"
  watch may
  mailer shim
  log_says "starttls encrypted"
  peer_never_saw_in_clear "MAIL FROM"
}

# falls_back: at `may`, on the same connection or on a new one in its place, and the log says so
falls_back() {
  watch may
  mailer shim
  log_says "starttls plaintext to=localhost"
  peer_saw_in_clear "MAIL FROM"
}

@test "may: no offer goes on in plaintext" { serve_plain && falls_back; }
@test "may: EHLO unknown goes on in plaintext" { serve_plain --greeting "220 ancient" && falls_back; }

@test "may: a refused STARTTLS goes on in plaintext" {
  serve_plain --cert "$certs/good.pem" --starttls-reply "454 4.7.0 not now"
  falls_back
  log_says "server refused STARTTLS"
}

@test "may: garbage instead of ServerHello is dialled again, in plaintext" {
  serve_plain --cert "$certs/good.pem" --garbage-instead-of-ServerHello
  falls_back
}

@test "may: an alert is dialled again, in plaintext" { serve_plain --cert "$certs/good.pem" --alert && falls_back; }
@test "may: TLS 1.0 is dialled again, in plaintext" { serve_plain --cert "$certs/good.pem" --tls-max 1.0 && falls_back; }

@test "may: a reset during the handshake is dialled again, in plaintext" {
  serve_plain --cert "$certs/good.pem" --reset-at hello
  falls_back
}

@test "may: text behind the 220 is refused: that is an attack and no old server" {
  serve --inject-behind-220 $'250 2.0.0 injected\r\n'
  watch may
  refused "peer sent plaintext after agreeing to TLS"
}

@test "may: an epoll registration survives the second dial" {
  serve_plain --cert "$certs/good.pem" --alert
  watch may
  shim "$legacy/nonblocking" localhost "$PORT"
  log_says "starttls plaintext"
}

# --- policies and files

@test "a broken policy refuses watched connections with EACCES and leaves the others alone" {
  serve_plain
  policy "verify to any" "verify to whoever it may be"
  preload=(env LD_PRELOAD="$runtime $build/libstarttls.so" STARTTLS_LOG="$PWD/log" STARTTLS_POLICY="$PWD/policy")
  run -1 "${preload[@]}" "$legacy/dial" 127.0.0.1 2525
  [[ $output == *EACCES* ]]
  log_says "policy:2:"
  "${preload[@]}" "$legacy/dial" 127.0.0.1 "$PORT"
}

@test "starttls run does not start a program under a broken policy" {
  echo nonsense >policy
  run -125 shim true
  [[ $output == *"the policy is broken, the command was not started"* ]]
}

@test "without libstarttls-tls.so watched connections are refused and the others left alone" {
  serve_plain
  mkdir alone
  cp "$build/libstarttls.so" alone/
  watch verify
  preload=(env LD_PRELOAD="$runtime $PWD/alone/libstarttls.so" STARTTLS_LOG="$PWD/log" STARTTLS_POLICY="$PWD/policy")
  run -1 "${preload[@]}" "$legacy/dial" localhost "$PORT"
  [[ $output == *EACCES* ]]
  log_says "libstarttls-tls.so"
  policy "none to any"
  "${preload[@]}" "$legacy/dial" localhost "$PORT"
}

@test "no policy at all: verify to any but this host, where TLS is tried" {
  needs_private
  serve_plain --port 25
  env LD_PRELOAD="$runtime $build/libstarttls.so" STARTTLS_LOG="$PWD/log" "$legacy/mailer" localhost 25 a@b c@d <<<hello
  log_says "starttls plaintext to=localhost addr=127.0.0.1 port=25 proto=smtp need=may rule=built-in"
}

# --- what is said where

@test "a log line per connection, its fields in the order of policy.md" {
  peer_and_verify
  mailer shim
  grep -qE '^mailer\[[0-9]+\]: starttls verified to=localhost addr=127\.0\.0\.1 port=[0-9]+ proto=smtp tls=1\.3 cipher=TLS_[A-Z0-9_]+ need=verify rule=[^ ]+/policy:1 ms=[0-9]+ expires=[0-9]{4}-[0-9]{2}-[0-9]{2}$' log
  [ "$(wc -l <log)" = 1 ]
}

@test "STARTTLS_LOG=stderr and off" {
  peer_and_verify
  run --separate-stderr mailer "${shim_command[@]}" env STARTTLS_LOG=stderr
  [[ $stderr == *"starttls verified to=localhost"* ]]
  run --separate-stderr mailer "${shim_command[@]}" env STARTTLS_LOG=off
  [ -z "$stderr" ]
  [ ! -e log ]
}

@test "nothing on stdout and stderr that the program did not say itself" {
  serve_plain
  mailer env >native 2>&1
  peer_stop
  peer_and_verify
  mailer shim >shimmed 2>&1
  diff native shimmed
}
