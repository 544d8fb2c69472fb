#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# HTTP Upgrade (RFC 2817): plain HTTP clients and a real cupsd that insists on encryption.

load helper
load servers/cups

# serving CERTIFICATE
serving() {
  needs_private
  server=/var/lib/cups.test
  rm -rf "$server"
  cups_start "$server" "$certs/$1.pem"
}

teardown() {
  [ -z "${server-}" ] || cups_stop "$server"
  [ -z "${TAP-}" ] || kill "$TAP"
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f" && cat "$f"; }; done
}

@test "http: a plain IPP client is told to upgrade" {
  serving good
  run -1 python3 "$root/tests/ipp.py" print.test 631
  [[ $output == "426 "* ]]
}

@test "http: under the shim an IPP client is served, twice on one connection" {
  serving good
  policy "verify to any port 631 name mail.test proto http ca $certs/ca.pem"
  run -0 shim python3 "$root/tests/ipp.py" print.test 631
  [ "$(grep -c '^ipp 0x0' <<<"$output")" = 2 ]
  log_says "starttls verified to=print.test addr=192.0.2.1 port=631 proto=http"
}

@test "http: the port alone says what it is" {
  serving wrong-name
  policy "encrypt to any"
  run -0 shim python3 "$root/tests/ipp.py" print.test 631
  log_says "starttls encrypted to=print.test"
}

@test "http: in the clear there is OPTIONS and nothing else" {
  serving good
  exec {tap}< <(exec python3 "$root/tests/wire.py" 16310 631 "$PWD/wire" 192.0.2.1 3>&-)
  TAP=$!
  read -r _ <&"$tap"
  policy "verify to any port 16310 proto http ca $certs/ca.pem"
  run -0 shim curl -sS -o page -w '%{http_code}' -H "Host: print.test:631" http://mail.test:16310/SECRET
  [ "$output" = 404 ]
  grep -aq '^OPTIONS \* HTTP/1.1' <(in_clear wire.*)
  grep -aq '^HTTP/1.1 101' <(in_clear wire.*)
  run -1 grep -aE 'GET|SECRET|HTTP/1.1 404' <(in_clear wire.*)
}

@test "http: a certificate for another name: 503, and why" {
  serving wrong-name
  policy "verify to any ca $certs/ca.pem"
  run -1 shim python3 "$root/tests/ipp.py" print.test 631
  [[ $output == "503 Service Unavailable libstarttls: the certificate is not for print.test"* ]]
  log_says "starttls refused to=print.test"
}

@test "http: under may, a server that will not is asked again in plaintext" {
  python3 -u -m http.server --bind 127.0.0.1 --directory "$PWD" 18080 >out 2>&1 3>&- &
  TAP=$!
  timeout 20 bash -c 'until (: </dev/tcp/127.0.0.1/18080) 2>/dev/null; do sleep 0.1; done'
  echo hello >page.txt
  policy "may to any port 18080 proto http"
  run -0 shim curl -sS http://localhost:18080/page.txt
  [ "$output" = hello ]
  log_says 'why="server did not switch to TLS"'
  policy "encrypt to any port 18080 proto http"
  run -0 shim curl -sS -o page -w '%{http_code}' http://localhost:18080/page.txt
  [ "$output" = 503 ]
}

# upgrading HOW [OPTION …]: $PORT upgrades (upgrade_peer.py)
upgrading() {
  exec {peer}< <(exec python3 "$root/tests/upgrade_peer.py" "$certs/good.pem" "$1" 3>&-)
  read -r PORT <&"$peer"
  policy "verify to any port $PORT proto http name mail.test ca $certs/ca.pem ${*:2}"
}

@test "http: what has no length but the end of the stream is cut short by somebody who has not our key" {
  upgrading cut
  run -56 shim curl -sS -o page "http://127.0.0.1:$PORT/file"
  [ "$(cat page)" = "half of the file" ]
}

# posting: three megabytes, without reading meanwhile
posting() {
  run shim timeout 30 python3 -c "
import socket
s = socket.create_connection(('127.0.0.1', $PORT))
try:
    s.sendall(b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 3000000\\r\\n\\r\\n' + bytes(3000000))
except OSError:
    pass
print(s.recv(1000))"
  echo "$output"
}

@test "http: a program that writes without reading is upgraded, too, however far the server" {
  upgrading far
  posting
  [[ $output == *"3000000'" ]]
}

@test "http: a program that writes without reading, and a server that does not answer inside TLS: 503 after the deadline" {
  upgrading silent timeout 2
  posting
  [[ $output == *"503 Service Unavailable"*"before the deadline"* ]]
}

# posted HOW: a small request whose writer is done at once
posted() {
  upgrading far
  run shim timeout 30 python3 -c "
import socket, sys
s = socket.create_connection(('127.0.0.1', $PORT))
s.sendall(b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\n\\r\\nhello')
$1"
  echo "$output"
  read -r got <&"$peer"
  [ "$got" = 5 ]
}

@test "http: half close while the server has not answered OPTIONS: the request arrives, and its answer" {
  posted "s.shutdown(socket.SHUT_WR); print(s.recv(100))"
  [[ $output == *"200 OK"*"5'" ]]
}
@test "http: half close without blocking: the same" { posted "s.setblocking(False); s.shutdown(socket.SHUT_WR); s.setblocking(True); print(s.recv(100))"; }
@test "http: close() while the server has not answered OPTIONS: the request arrives" { posted "s.close()"; }
@test "http: close() without blocking: the same" { posted "s.setblocking(False); s.close()"; }
@test "http: exit: the same" { posted "import os; s.setblocking(False); os.dup(s.fileno()); sys.exit()"; }
