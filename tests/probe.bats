#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# starttls probe against the scripted peer: what it shows, what it says of good and bad certificates, and that the line it suggests works,
# for the probe and for a mailer. Servers that have no TLS or are not there: probe_trouble.bats. Real ones: probe_servers.bats.

load helper
load probe

# --- what it shows

@test "probe: greeting, dialogue, offer, TLS, certificate, name, pin, rule and verdict of a good server" {
  serve
  watch verify
  probes 0
  shows "host: localhost" "proto: smtp (RFC 3207 section 4)" "address: 127.0.0.1 port $PORT" "greeting: 220 peer.test ESMTP" \
    "said: EHLO [127.0.0.1]" "reply: 250-STARTTLS" "said: STARTTLS" "reply: 220 2.0.0 go" "offer: yes" "tls: 1.3" \
    "cipher: TLS_AES_256_GCM_SHA384" "certificate: 1 of 1" "subject: CN=libstarttls test good" "issuer: CN=libstarttls test ca" \
    "key: EC prime256v1, 256 bits" "names: DNS:mail.test, DNS:localhost, IP:127.0.0.1, IP:::1" "checked: localhost" \
    "rule: $PWD/policy:1 (verify)" "verdict: verified"
  [[ $(value group) =~ ^(x25519|X25519|secp256r1)$ ]]
  [ "$(value pin)" = "sha256:$(openssl x509 -in "$certs/good.pem" -pubkey -noout | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)" ]
  [ "$(date -u -d "$(value until)" +%s)" = "$(date -u -d "$(openssl x509 -in "$certs/good.pem" -enddate -noout | cut -d= -f2)" +%s)" ]
  (($(value days-left) > 3600))
}

@test "probe: it says EHLO and STARTTLS in the clear, QUIT inside TLS, and nothing else" {
  serve
  watch verify
  probes 0
  only_words 'EHLO [127.0.0.1]' STARTTLS
  [ "$(tr -d '\r' <journal/1.tls)" = QUIT ]
  facts '^end close_notify'
}

@test "probe: each certificate of the chain is shown, the leaf's names and pin once" {
  serve --cert "$certs/intermediate.pem"
  watch verify
  probes 0
  shows "certificate: 1 of 2" "certificate: 2 of 2" "subject: CN=libstarttls test below" "issuer: CN=libstarttls test below"
  [ "$(grep -c '^days-left: ' <<<"$output")" = 2 ]
  [ "$(grep -c '^pin: ' <<<"$output")" = 1 ]
  [ "$(grep -c '^names: ' <<<"$output")" = 1 ]
}

@test "probe: TLS 1.2, and TLS from the first byte with its greeting inside" {
  serve --tls-max 1.2 --proto tls
  policy "verify to any port $PORT proto smtps ca $certs/ca.pem"
  run --separate-stderr -0 probe "localhost:$PORT"
  shows "proto: smtps (RFC 8314 section 3.3)" "tls: 1.2" "greeting: 220 peer.test ESMTP" "verdict: verified"
  peer_saw QUIT
}

@test "probe: what a server writes for terminals does not reach them" {
  serve --greeting $'220 \033[31mred\r\n'
  watch may
  probes 77
  shows 'greeting: 220 \x1b[31mred'
}

@test "probe: colours on a terminal only, and not where they are not wanted" {
  serve
  watch verify
  local command="TERM=xterm STARTTLS_POLICY=policy $build/starttls probe --proto smtp localhost:$PORT"
  probes 0
  [[ $output != *$'\033'* ]]
  script -qc "env $command" /dev/null | grep -qF $'\033[32mverified'
  ! script -qc "env NO_COLOR=1 $command" /dev/null | grep -qF $'\033' || false
}

# --- certificates that are refused, and the line that helps

@test "probe: self-signed: refused, and its pin is suggested" {
  serve --cert "$certs/self-signed.pem"
  watch verify
  refused_as "the server's certificate is self-signed"
  shows "suggest: fingerprint to localhost port $PORT proto smtp pin $(value pin)" "hint: put it in front of $PWD/policy:1"
  suggestion_works "$(value suggest)"
  shows "verdict: pinned"
}

@test "probe: self-signed: the certificate itself may be named as its CA, as the hint says" {
  serve --cert "$certs/self-signed.pem"
  watch verify
  probes 77
  openssl x509 -in "$certs/self-signed.pem" -out FILE
  suggestion_works "$(sed -n "s|^hint: or name who signed it: \(.*\) FILE, with .*|\1 $PWD/FILE|p" <<<"$output")"
  shows "verdict: verified"
}

@test "probe: expired: refused, and its pin is suggested" {
  serve --cert "$certs/expired.pem"
  watch verify
  refused_as "the server's certificate has expired"
  (($(value days-left) < 0))
  [[ $output != *"name who signed it"* ]]
  suggestion_works "$(value suggest)"
}

@test "probe: for another name: refused, and that name is suggested" {
  serve --cert "$certs/wrong-name.pem"
  watch verify
  refused_as "the certificate is not for localhost"
  shows "checked: localhost" "suggest: verify to localhost port $PORT proto smtp name other.test ca $certs/ca.pem"
  suggestion_works "$(value suggest)"
  shows "checked: other.test (the rule's name)" "verdict: verified"
}

@test "probe: of an unknown authority: refused, with its pin and a ca as ways out" {
  serve --cert "$certs/untrusted.pem"
  watch verify
  refused_as "no trust anchor here has signed"
  [[ $output == *"verify to localhost port $PORT proto smtp ca FILE, with the certificate of its CA in FILE"* ]]
  suggestion_works "$(value suggest)"
  policy "verify to localhost port $PORT proto smtp ca $certs/stranger.pem"
  probes 0
}

@test "probe: a pin that is another key's" {
  serve
  watch "fingerprint" "pin sha256:$(printf '%064d' 7)"
  refused_as "the server's public key is none of those pinned"
  shows "checked: no name at this level; 'verify' would check localhost"
}

@test "probe: TLS older than the rule's min is shown, and refused" {
  serve --tls-max 1.2
  watch verify min 1.3
  probes 77
  shows "tls: 1.2" "verdict: refused"
  [[ $(value why) == "the server speaks only versions of TLS older than"* ]]
}

@test "probe: versions so old that there is no handshake" {
  serve --tls-max 1.1
  watch verify
  probes 77
  shows "offer: yes" "verdict: refused"
  [[ $(value why) == "the server speaks only versions of TLS older than"* ]]
  [ -z "$(value suggest)" ]
}

@test "probe: a server that wants a certificate of ours says so behind the handshake" {
  coproc server { exec openssl s_server -accept 127.0.0.1:0 -cert "$certs/good.pem" -Verify 1 -tls1_3 2>&1; }
  until [[ ${line-} == ACCEPT* ]]; do read -r line <&"${server[0]}"; done
  PORT=${line##*:} code=0
  policy "verify to any port $PORT proto tls ca $certs/ca.pem"
  run --separate-stderr probe "localhost:$PORT"
  kill "$server_PID"
  [ "$status" = 77 ]
  shows "verdict: refused" "why: the server wants a client certificate: put \`cert\` and \`key\` into the rule"
}

@test "probe: the verdict is what the shim does, for every certificate under every rule" {
  local pin certificate rule program
  pin=$(openssl x509 -in "$certs/good.pem" -pubkey -noout | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)
  for certificate in good self-signed expired wrong-name untrusted intermediate; do
    serve --cert "$certs/$certificate.pem"
    for rule in may encrypt verify "verify ca $certs/ca.pem" "verify ca $certs/ca.pem name other.test" \
      "verify ca $certs/below.pem min 1.3" "fingerprint pin sha256:$pin"; do
      echo "$certificate, $rule"
      policy "${rule%% *} to any port $PORT proto smtp ${rule#"${rule%% *}"}"
      rm -f log
      program=0
      mailer shim || program=77
      run --separate-stderr probe "localhost:$PORT"
      [ "$status" = "$program" ]
      log_says "starttls $(value verdict) "
      [ "$program" = 0 ] || log_says "why=\"$(value why | tr -d '"')"
    done
    peer_stop
  done
}

@test "probe: both layers of the policy must be content" {
  needs_private
  serve
  mkdir -p /etc/starttls
  echo "verify to any port $PORT proto smtp" >/etc/starttls/policy
  watch verify
  probes 77
  [[ $(value why) == "no trust anchor here has signed"* ]]
  echo "encrypt to any port $PORT proto smtp min 1.3" >/etc/starttls/policy
  probes 0
  rm /etc/starttls/policy
  shows "verdict: verified"
}

# --- levels

@test "probe: encrypt lets everybody through, and says that nobody is authenticated" {
  serve --cert "$certs/self-signed.pem"
  watch encrypt
  probes 0
  shows "verdict: encrypted"
  [[ $(value why) == "the peer is NOT authenticated"* ]]
  [[ $(value note) == "'verify' would refuse it: the server's certificate is self-signed"* ]]
}

@test "probe: refuse: nobody is dialled" {
  serve
  watch refuse
  probes 77
  shows "rule: $PWD/policy:1 (refuse)" "verdict: refused"
  peer_stop
  [ ! -e journal/1.wire ]
}

@test "probe: what the rule names cannot be used: nobody is dialled" {
  serve
  policy "verify to any port $PORT proto smtp cert $certs/good.pem key $certs/stranger.key"
  probes 78
  shows "verdict: refused" "why: the rule's \`cert\` and \`key\` cannot be read, or do not belong together"
  peer_stop
  [ ! -e journal/1.wire ]
}

@test "probe: none leaves it alone, and shows what would be there" {
  serve
  watch none
  probes 0
  shows "verdict: plaintext" "tls: 1.3"
}

@test "probe: by app: the verdict is the program's" {
  serve
  policy "verify to any port $PORT proto smtp by app ca $certs/ca.pem"
  probes 0
  shows "rule: $PWD/policy:1 (verify, by app)" "verdict: own"
}

@test "probe: a broken policy: its errors, and nobody is dialled" {
  serve
  policy "verify to"
  run -78 probe --proto smtp "localhost:$PORT"
  [[ $output == *"policy:1:"*"error:"* ]]
  peer_stop
  [ ! -e journal/1.wire ]
}

@test "probe: a port that no rule is about: the suggestion says proto, and until then nothing is touched" {
  serve --cert "$certs/self-signed.pem"
  policy
  probes 0
  shows "rule: built-in (may)" "verdict: encrypted" \
    "note: only once a rule says 'proto smtp' for it: as it stands, libstarttls does not touch port $PORT"
  policy "$(value suggest)"
  probes 0
  shows "rule: $PWD/policy:1 (fingerprint)" "verdict: pinned"
  [ -z "$(value note)" ]
}

@test "probe: a protocol that neither the rule nor the port means is an assumption" {
  serve
  watch verify
  run --separate-stderr -0 probe --proto lmtp "localhost:$PORT"
  shows "note: only once a rule says 'proto lmtp' for it: as it stands, libstarttls takes it for smtp"
}

@test "probe: where the built-in rule has refused, the line goes into the user's policy" {
  needs_private
  ip address add 192.0.2.77/32 dev lo
  serve --cert "$certs/self-signed.pem" --bind 192.0.2.77
  policy
  run --separate-stderr -77 probe --proto smtp "192.0.2.77:$PORT"
  ip address del 192.0.2.77/32 dev lo
  shows "rule: built-in (verify)" "verdict: refused" "hint: put it into $PWD/policy"
}

# --- arguments, and where it runs

@test "probe: wrong arguments: what was wrong, what would be right, 64" {
  policy "verify to any"
  while IFS='|' read -r words text; do
    # shellcheck disable=SC2086  # several words on purpose
    run -64 probe $words
    [[ $output == "starttls probe: "*"$text"* ]] || { echo "$words: $output"; false; }
  done <<'END'
|which host? HOST[:PORT]
a b|one host at a time: 'b' is too much; a protocol is said by --proto
localhost|which port? localhost:25 or --proto smtp
localhost:|'' is not a port: a number from 1 to 65535
localhost:0|'0' is not a port
localhost:65536|'65536' is not a port
localhost:smtp|'smtp' is not a port
1:2:3|'1:2:3' is not [ADDRESS]:PORT, as in [2001:db8::1]:25
[::1|is not [ADDRESS]:PORT
[::1]25|is not [ADDRESS]:PORT
:25|which host?
localhost:12345|port 12345 stands for no protocol, and no rule says one: --proto smtp
--proto smpt localhost|unknown protocol 'smpt'; did you mean 'smtp'?
--proto zzz localhost|unknown protocol 'zzz'; there are: smtp lmtp
--proto tls localhost|which port? 'tls' stands for none: localhost:6379
--proto|option '--proto' needs a value
--timeout 0 localhost:25|'0' is not a timeout: seconds
--timeout soon localhost:25|'soon' is not a timeout
--domain a.test localhost:25|--domain is for xmpp and xmpp-server; here 'smtp' is spoken
--verbose localhost:25|unknown option '--verbose'; there are --proto, --timeout, --domain
END
}

@test "probe: under the shim itself, it is not the shim that speaks" {
  serve
  watch verify
  run --separate-stderr -0 shim "$build/starttls" probe "localhost:$PORT"
  shows "said: STARTTLS" "verdict: verified"
  [ ! -s log ]
}

@test "probe: an engine of another version is told" {
  cp "$build/starttls" "$build/libstarttls.so" .
  policy "verify to any"
  echo 'const void *starttls_probe(int abi) { (void)abi; return 0; }' | gcc -shared -fPIC -x c -o libstarttls-tls.so -
  run --separate-stderr -69 ./starttls probe localhost:25
  [ "$stderr" = "starttls probe: $PWD/libstarttls-tls.so is of another version than this command: install both again" ]
}

@test "probe: without OpenSSL the other verbs work, and the probe says what is missing" {
  ! ldd "$build/starttls" | grep -E 'libssl|libcrypto' || false
  cp "$build/starttls" "$build/libstarttls.so" .
  policy "verify to any"
  ./starttls check policy
  run --separate-stderr -69 ./starttls probe localhost:25
  [[ $stderr == "starttls probe: $PWD/libstarttls-tls.so: cannot open"* ]]
  rm libstarttls.so
  run --separate-stderr -69 ./starttls probe localhost:25
  [[ $stderr == "starttls probe: /"*"/libstarttls-tls.so: cannot open"* && $stderr != *.so*.so*.so* ]]
}
