#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Network UPS Tools' own clients and a plain program, and a real upsd. upsd cannot insist on TLS, so what proves it is the recording of the
# wire (wire.bash). The clients of Debian try STARTTLS themselves, without looking at the certificate: inside our TLS they are told
# ERR ALREADY-SSL-MODE, and go on.

load helper
load wire
load servers/upsd

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/nut.test # in memory
  echo '127.0.0.2 wrong.test' >>/etc/hosts
  upsd_start "$server" "$certs/good.pem" "$certs/wrong-name.pem"
}

teardown_file() { [ -z "${server-}" ] || upsd_stop "$server"; }

# nut_shim PROGRAM …: of nut-client, with the library it needs
nut_shim() { LD_LIBRARY_PATH=$nut/libupsclient6/lib/x86_64-linux-gnu shim "$nut/nut-client/bin/$1" "${@:2}"; }

begin() {
  needs_private
  tap 3493
  with_policy
}

# A plain program: log in, set ups.status to $2, read it back.
cat_nut() {
  "${@:3}" /usr/bin/python3 - "$1" "$2" <<'END'
import socket, sys
s = socket.create_connection((sys.argv[1], 3493), 60)
f = s.makefile("r")
for line in "USERNAME joe", "PASSWORD secret", f'SET VAR dummy ups.status "{sys.argv[2]}"', "GET VAR dummy ups.status", "LOGOUT":
    s.sendall(line.encode() + b"\n")
    answer = f.readline().strip()
    print(answer)
    if answer.startswith("ERR"):
        sys.exit(1)
END
}

@test "nut: a plain program says its password in the clear without the shim" {
  needs_private
  tap 3493
  cat_nut mail.test OL
  [[ $(clear_from_clients) == *"PASSWORD secret"* ]]
}

@test "nut: with it, nothing but STARTTLS" {
  begin
  cat_nut mail.test OB "${shim_command[@]}" >answers
  grep -qx 'OK' answers
  log_says "starttls verified to=mail.test addr=127.0.0.1 port=3493 proto=nut"
  only_words STARTTLS
}

@test "nut: upsc reads every variable" {
  begin
  nut_shim upsc dummy@mail.test >vars
  grep -qx "battery.charge: 77" vars
  grep -qx "ups.mfr: Tests" vars
  log_says "starttls verified to=mail.test"
  only_words STARTTLS
}

@test "nut: upsrw sets a variable, with a password" {
  begin
  nut_shim upsrw -s ups.status=OB -u joe -p secret dummy@mail.test
  only_words STARTTLS
}

@test "nut: upscmd lists the commands and gives one" {
  begin
  nut_shim upscmd -l dummy@mail.test | grep -q "load.off"
  nut_shim upscmd -u joe -p secret dummy@mail.test load.off
  only_words STARTTLS
}

@test "nut: a wrong certificate is an ERR with our sentence to a plain program" {
  begin
  run -1 cat_nut wrong.test OB "${shim_command[@]}"
  [[ $output == "ERR FEATURE-NOT-CONFIGURED libstarttls: the certificate is not for wrong.test"* ]]
  only_words STARTTLS
}

@test "nut: a wrong certificate ends upsc" {
  begin
  run -1 nut_shim upsc dummy@wrong.test
  [[ $output != *"battery.charge"* ]]
  log_says 'why="the certificate is not for wrong.test'
  only_words STARTTLS
}
