#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# TLS from the first byte (`proto tls` and the …s words), and what programs that know nothing of it expect of a connection.

load helper

# await COMMAND …: until it succeeds, ten seconds long
await() {
  local end=$((SECONDS + 10))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    read -rt 0.05 <> <(:) || true
  done
}

# arrives_while_idle SHIPPER_WORD …: what the program said reaches the peer although it never calls again
arrives_while_idle() {
  mkfifo hold
  shim "$legacy/shipper" localhost "$PORT" "$@" <hold >out &
  local pid=$!
  exec 9>hold
  await grep -aqs 'HELO shipper.test' journal/1.tls
  exec 9>&-
  wait "$pid"
  peer_never_saw_in_clear HELO
}

@test "a blocking write is on its way when it returns: TLS from the first byte" {
  serve --proto tls
  PROTO=tls watch verify
  arrives_while_idle
}

@test "a blocking write is on its way when it returns: STARTTLS" {
  serve
  watch verify
  arrives_while_idle
}
