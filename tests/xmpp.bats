#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# XMPP: a client library with its TLS off (Net::XMPP), and a real Prosody and a real ejabberd that insist on TLS. The certificate is for
# other.test, the host that is dialled is localhost: it is the domain of the stream that counts (RFC 6120 section 13.7.2). Then a Prosody with
# its TLS off that speaks to another one, which insists on TLS (servers/federation.bash).

load helper
load servers/ejabberd
load servers/federation
load servers/prosody

# serving CERTIFICATE [plain]
serving() {
  needs_private
  server=/var/lib/xmpp.test
  rm -rf "$server"
  prosody_start "$server" "$certs/$1.pem" "${2-}"
}

serving_ejabberd() {
  needs_private
  ejabberd=/var/lib/ejabberd.test
  rm -rf "$ejabberd"
  ejabberd_start "$ejabberd" "$certs/wrong-name.pem"
}

teardown() {
  [ -z "${server-}" ] || prosody_stop "$server"
  [ -z "${ejabberd-}" ] || ejabberd_stop "$ejabberd"
  [ -z "${federation-}" ] || federation_stop
  [ -z "${TAP-}" ] || kill "$TAP"
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f" && cat "$f"; }; done
}

# tap PORT TO: record on FILE wire what goes by
tap() {
  exec {taps}< <(exec python3 "$root/tests/wire.py" "$1" "$2" "$PWD/wire" 3>&-)
  TAP=$!
  read -r _ <&"$taps"
}

client() { timeout 60 perl "$root/tests/xmpp_client.pl" "$@"; }

@test "xmpp: a client without TLS is turned away" {
  serving wrong-name
  run -1 client localhost 5222 other.test hello
  [[ $output == *"requires us to use TLS"* ]]
}

# upgraded: it logs in and its message comes back; in the clear there are only our own words
upgraded() {
  tap 15222 5222
  policy "verify to any port 15222 proto xmpp ca $certs/ca.pem"
  run -0 shim perl "$root/tests/xmpp_client.pl" localhost 15222 other.test "a word or two"
  [ "$output" = "got: a word or two" ]
  log_says "starttls verified to=other.test addr=127.0.0.1 port=15222 proto=xmpp"
  grep -aqF "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" <(in_clear wire.*)
  run -1 grep -aE 'joe|<auth|<message|a word' <(in_clear wire.*)
}

# told_later: the certificate is for another domain: come back later, and why
told_later() {
  policy "verify to any ca $certs/ca.pem"
  run -1 shim perl "$root/tests/xmpp_client.pl" localhost 5222 mail.test hello
  [[ $output == *"remote-connection-failed: libstarttls: the certificate is not for mail.test"* ]]
  log_says "starttls refused to=mail.test"
}

@test "xmpp: under the shim it logs in and its message comes back; in the clear there are only our own words" {
  serving wrong-name
  upgraded
}

@test "xmpp: a certificate for another domain: come back later, and why" {
  serving wrong-name
  told_later
}

@test "xmpp: the rule's name counts for more than the stream's domain" {
  serving wrong-name
  policy "verify to any port 5222 proto xmpp name other.test ca $certs/ca.pem"
  run -0 shim perl "$root/tests/xmpp_client.pl" localhost 5222 mail.test hello
  [ "$output" = "got: hello" ]
}

@test "xmpp: under may, a server without TLS is dialled again and the whole job done in plaintext" {
  serving good plain
  policy "may to any"
  run -0 shim perl "$root/tests/xmpp_client.pl" localhost 5222 mail.test hello
  [ "$output" = "got: hello" ]
  log_says 'starttls plaintext'
  log_says 'why="server did not offer TLS"'
}

@test "xmpp: a server without TLS is refused where TLS is required" {
  serving good plain
  policy "encrypt to any"
  run -1 shim perl "$root/tests/xmpp_client.pl" localhost 5222 mail.test hello
  [[ $output == *"remote-connection-failed: libstarttls: server did not offer TLS"* ]]
}

@test "xmpp: ejabberd turns a client without TLS away" {
  serving_ejabberd
  run -1 client localhost 5222 other.test hello
  [[ $output == *"requires us to use TLS"* ]]
}

@test "xmpp: under the shim it logs in at ejabberd and its message comes back; in the clear there are only our own words" {
  serving_ejabberd
  upgraded
}

@test "xmpp: ejabberd with a certificate for another domain: come back later, and why" {
  serving_ejabberd
  told_later
}

# federated CERTIFICATE [COMMAND …]
federated() {
  local certificate=$1
  shift
  needs_private
  tap 5269 15269
  policy "verify to any port 5269 proto xmpp-server ca $certs/ca.pem cert $certs/wrong-name.pem key $certs/wrong-name.pem"
  federation_start "$certs/$certificate.pem" "$@"
}

@test "xmpp: a server without TLS is turned away by another" {
  federated good
  run -0 client localhost 5222 other.test hello joe@mail.test
  [ "$output" = "got: an error" ]
  grep -aqF "Encrypted server-to-server communication is required" wire
}

@test "xmpp: a server under the shim sends a message to another; in the clear there are only our own words" {
  federated good "${shim_command[@]}"
  timeout 60 perl "$root/tests/xmpp_client.pl" localhost 5222 other.test "a word or two" joe@mail.test >sent 3>&- &
  run -0 client localhost 15222 mail.test
  kill $!
  [ "$output" = "got: a word or two" ]
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=5269 proto=xmpp-server"
  grep -aqF "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" <(in_clear wire.*)
  run -1 grep -aE 'joe|db:|<message|a word' <(in_clear wire.*)
}

@test "xmpp: a server under the shim sends nothing to another with a certificate for another domain" {
  federated wrong-name "${shim_command[@]}"
  run -0 client localhost 5222 other.test hello joe@mail.test
  [ "$output" = "got: an error" ]
  log_says 'why="the certificate is not for mail.test'
  grep -aqF "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" <(in_clear wire.*)
  run -1 grep -aE 'joe|db:|<message|hello' <(in_clear wire.*)
}
