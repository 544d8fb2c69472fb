#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# FTP with its data connections: unmodified clients with their TLS off (ftp_clients.bash), and real servers that let nobody in but with TLS
# on both: vsftpd, whose data connections must resume the session of the control connection, and ProFTPD.

load helper
load ftp_clients
load servers/ftpd

# serving vsftpd|proftpd CERTIFICATE [OPTION …]
serving() {
  local kind=$1 certificate=$2
  shift 2
  needs_private
  server=/var/lib/ftp.test
  rm -rf "$server"
  "${kind}_start" "$server" "$certs/$certificate.pem" "$@"
}

teardown() {
  [ -z "${server-}" ] || ftpd_stop "$server"
  [ -z "${TAP-}" ] || kill "$TAP"
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f" && cat "$f"; }; done
}

shimmed() {
  policy "verify to any port 21 proto ftp name mail.test ca $certs/ca.pem" # lftp asks the resolver in a child of its own
  launch=(timeout 120 "${shim_command[@]}")
}

# A file that is not the same at any two places
file() { seq "$2" >"$1"; }

# does_its_job NAME [HOST:PORT]: up, down, and a listing, each on a data connection of its own
does_its_job() {
  local at=${2:-mail.test}
  file up 40000
  "ftp_$1" put "$at" up stored
  cmp up "$server/home/stored"
  "ftp_$1" get "$at" down stored
  cmp up down
  "ftp_$1" list "$at" list .
  grep -q stored list
  [ "$(grep -c 'verified.*proto=ftp-data' log)" = 3 ]
  run -1 grep -v 'starttls verified ' log
}

# fails_alone NAME: nothing comes over
fails_alone() {
  launch=(timeout 60)
  file up 1000
  "ftp_$1" put mail.test up stored || true
  [ ! -e "$server/home/stored" ]
  launch=(timeout 60)
  file "$server/home/there" 1000
  chown joe: "$server/home/there"
  "ftp_$1" get mail.test down there || true
  [ ! -s down ]
}

# is_told NAME: the certificate is for another name: 421, and nothing of the client's
is_told() {
  serving vsftpd wrong-name
  shimmed
  file up 1000
  run "ftp_$1" put mail.test up stored
  [ ! -e "$server/home/stored" ]
  run -1 grep -E 'USER|PASS|STOR' "$server/log"
  grep -q 'refused .*proto=ftp .*the certificate is not for mail.test' log
}

@test "ftp, tnftp: alone it is turned away" { serving vsftpd good && fails_alone tnftp; }
@test "ftp, tnftp: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job tnftp; }
@test "ftp, tnftp: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job tnftp; }
@test "ftp, tnftp: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job tnftp; }
@test "ftp, tnftp: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job tnftp; }
@test "ftp, tnftp: a certificate for another name" { is_told tnftp; }

@test "ftp, inetutils: alone it is turned away" { serving vsftpd good && fails_alone inetutils; }
@test "ftp, inetutils: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job inetutils; }
@test "ftp, inetutils: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job inetutils; }
@test "ftp, inetutils: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job inetutils; }
@test "ftp, inetutils: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job inetutils; }
@test "ftp, inetutils: a certificate for another name" { is_told inetutils; }

@test "ftp, lftp: alone it is turned away" { needs_runtime lftp && serving vsftpd good && fails_alone lftp; }
@test "ftp, lftp: passive, vsftpd" { needs_runtime lftp && serving vsftpd good && shimmed && does_its_job lftp; }
@test "ftp, lftp: active, vsftpd" { needs_runtime lftp && serving vsftpd good && shimmed && MODE=active does_its_job lftp; }
@test "ftp, lftp: passive, ProFTPD" { needs_runtime lftp && serving proftpd good && shimmed && does_its_job lftp; }
@test "ftp, lftp: active, ProFTPD" { needs_runtime lftp && serving proftpd good && shimmed && MODE=active does_its_job lftp; }
@test "ftp, lftp: a certificate for another name" { needs_runtime lftp && is_told lftp; }

@test "ftp, ncftp: alone it is turned away" { serving vsftpd good && fails_alone ncftp; }
@test "ftp, ncftp: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job ncftp; }
@test "ftp, ncftp: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job ncftp; }
@test "ftp, ncftp: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job ncftp; }
@test "ftp, ncftp: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job ncftp; }
@test "ftp, ncftp: a certificate for another name" { is_told ncftp; }

@test "ftp, curl: alone it is turned away" { serving vsftpd good && fails_alone curl; }
@test "ftp, curl: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job curl; }
@test "ftp, curl: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job curl; }
@test "ftp, curl: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job curl; }
@test "ftp, curl: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job curl; }
@test "ftp, curl: a certificate for another name" { is_told curl; }

@test "ftp, ftplib: alone it is turned away" { serving vsftpd good && fails_alone ftplib; }
@test "ftp, ftplib: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job ftplib; }
@test "ftp, ftplib: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job ftplib; }
@test "ftp, ftplib: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job ftplib; }
@test "ftp, ftplib: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job ftplib; }
@test "ftp, ftplib: a certificate for another name" { is_told ftplib; }

# --- TLS from the first byte, which no client here knows of: it sees a server without TLS, on port 990

# wrapped vsftpd|proftpd CERTIFICATE
wrapped() {
  case $1 in
  vsftpd) serving vsftpd "$2" implicit_ssl=YES listen_port=990 ;;
  proftpd) serving proftpd "$2" "Port 990" "TLSOptions UseImplicitSSL" ;;
  esac
  policy "verify to any port 990 proto ftps ca $certs/ca.pem"
  launch=(timeout 120 "${shim_command[@]}")
}

@test "ftps, curl: passive, vsftpd" { wrapped vsftpd good && does_its_job curl mail.test:990; }
@test "ftps, curl: active, vsftpd" { wrapped vsftpd good && MODE=active does_its_job curl mail.test:990; }
@test "ftps, curl: passive, ProFTPD" { wrapped proftpd good && does_its_job curl mail.test:990; }
@test "ftps, ftplib: passive, vsftpd" { wrapped vsftpd good && does_its_job ftplib mail.test:990; }
@test "ftps, ftplib: active, ProFTPD" { wrapped proftpd good && MODE=active does_its_job ftplib mail.test:990; }

@test "ftps: data connections resume the session, as vsftpd insists" {
  wrapped vsftpd good
  file up 1000
  for i in 1 2 3; do ftp_curl put mail.test:990 up "stored$i"; done
  [ "$(grep -c 'reused' "$server/log")" -ge 3 ]
}

@test "ftps: a certificate for another name is 421, and nothing of the client's arrives" {
  wrapped vsftpd wrong-name
  run -1 shim python3 "$root/tests/ftp_client.py" mail.test 990 put
  [[ $output == "error_temp 421 libstarttls: the certificate is not for mail.test"* ]]
  run -1 grep -E 'USER|PASS|STOR' "$server/log"
}

# --- peers that do not keep their word (ftp_peer.py)

# faithless HOW [DATA CERTIFICATE]
faithless() {
  exec {peer}< <(exec python3 "$root/tests/ftp_peer.py" "$certs/good.pem" "$@" 3>&-)
  read -r PORT <&"$peer"
  policy "verify to any port $PORT proto ftp name mail.test ca $certs/ca.pem"
}

transfer() { run shim python3 "$root/tests/ftp_client.py" localhost "$PORT" "$1"; }

@test "ftp: a peer that does all it should" {
  faithless good
  transfer get
  [ "$output" = $'data: b\'half of it\\r\\n\'\ndata: end\nlast reply: 226 done' ]
}

@test "ftp: a download that is cut short is an error, and its 226 a 426" {
  faithless cut
  transfer get
  [[ $output == *"data: ConnectionResetError"*"last reply: 426 libstarttls: the data connection was cut short"* ]]
}

@test "ftp: so is a listing" {
  faithless cut
  transfer list
  [[ $output == *"data: ConnectionResetError"*"last reply: 426 libstarttls: the data connection was cut short"* ]]
}

@test "ftp: a data connection of somebody else: no byte, and the 226 is a 425" {
  faithless other "$certs/untrusted.pem"
  transfer get
  [[ $output != *"half of it"* ]]
  [[ $output == *"last reply: 425 libstarttls: "*"certificate"* ]]
}

@test "ftp: an upload to somebody else: not a byte leaves" {
  faithless other "$certs/untrusted.pem"
  transfer put
  [[ $output == *"last reply: 425 libstarttls: "*"certificate"* ]]
  read -r said <&"$peer"
  [ "$said" = "received 0" ]
}

@test "ftp: a data connection in the clear after PROT P" {
  faithless plain
  transfer get
  [[ $output != *"half of it"* ]]
  [[ $output == *"last reply: 425 libstarttls: "* ]]
}

@test "ftp: an upload of nothing is an upload" {
  faithless good
  transfer empty
  [[ $output == *"last reply: 226 done"* ]]
  read -r said <&"$peer"
  [ "$said" = "received 0" ]
}

@test "ftp: a peer that says nothing inside TLS: 421 after the rule's timeout" {
  faithless silent
  policy "verify to any port $PORT proto ftp name mail.test ca $certs/ca.pem timeout 1"
  transfer wait
  [[ $output == "error_temp 421 libstarttls: the server did not answer inside TLS before the deadline"* ]]
}

@test "ftp: a peer that says nothing after the login it wanted first: the same" {
  faithless later
  policy "verify to any port $PORT proto ftp name mail.test ca $certs/ca.pem timeout 1"
  transfer wait
  [[ $output == "error_temp 421 libstarttls: the server did not answer inside TLS before the deadline"* ]]
}

# mute HOW get|put: the server does nothing on the data connection
mute() {
  faithless "$1"
  policy "verify to any port $PORT proto ftp name mail.test ca $certs/ca.pem timeout 2"
  run timeout 60 "${shim_command[@]}" python3 "$root/tests/ftp_client.py" localhost "$PORT" "wait-$2"
  echo "$output"
}

@test "ftp: a data connection without a handshake: the download fails after the rule's timeout" {
  mute mute get
  [[ $output == *"data: ConnectionAbortedError"*"last reply: 425 libstarttls: the server did not bring TLS up before the deadline"* ]]
}

@test "ftp: so does the upload" {
  mute mute put
  [[ $output == *"last reply: 425 libstarttls: the server did not bring TLS up before the deadline"* ]]
}

@test "ftp: even if the server says at once that the transfer is done" {
  mute over get
  [[ $output == *"data: ConnectionAbortedError"*"last reply: "* ]]
}

@test "ftp: a program that writes without waiting for the server's 150 does not wait for ever, either" {
  faithless deaf
  policy "verify to any port $PORT proto ftp name mail.test ca $certs/ca.pem timeout 2"
  run -0 timeout 60 "${shim_command[@]}" python3 - "$PORT" <<'END'
import ftplib, socket, sys
ftp = ftplib.FTP()
ftp.connect("localhost", int(sys.argv[1]))
ftp.login("joe", "x")
data = socket.create_connection(ftp.makepasv())
ftp.putcmd("STOR x")
data.sendall(b"contents")
try:
    data.recv(1)
except ConnectionAbortedError:
    print("aborted")
END
  [ "$output" = aborted ]
}

# --- the rest

@test "ftp: 100 MiB up and down" {
  serving vsftpd good
  shimmed
  head -c 104857600 /dev/urandom >up
  ftp_curl put mail.test up stored
  cmp up "$server/home/stored"
  ftp_ftplib get mail.test down stored
  cmp up down
  MODE=active ftp_ncftp get mail.test down stored
  cmp up down
}

@test "ftp: in the clear there is AUTH TLS and nothing else" {
  serving vsftpd good
  exec {tap}< <(exec python3 "$root/tests/wire.py" 2121 21 "$PWD/wire" 3>&-)
  TAP=$!
  read -r _ <&"$tap"
  policy "verify to any port 2121 proto ftp name mail.test ca $certs/ca.pem"
  shim curl -sS -o list ftp://joe:x@mail.test:2121/
  grep -aq '^AUTH TLS' <(in_clear wire.*)
  run -1 grep -aE 'USER|PASS|PBSZ|PROT|PASV|EPSV|^2[^23]' <(in_clear wire.*)
}

@test "ftp: every data connection resumes the session" {
  serving vsftpd good
  shimmed
  file up 1000
  for i in 1 2 3; do ftp_curl put mail.test up "stored$i"; done
  [ "$(grep -c 'reused' "$server/log")" -ge 3 ]
}

# many_transfers passive|active [HOST]: listings, downloads and uploads in one login, each on a data connection that resumes the one session
many_transfers() {
  shimmed
  file up 40000
  run -0 "${launch[@]}" /usr/bin/python3 - "$1" "${2-mail.test}" <<'END'
import ftplib, io, sys
ftp = ftplib.FTP(sys.argv[2], "joe", "x", timeout=60)
ftp.set_pasv(sys.argv[1] == "passive")
sent = open("up", "rb").read()
for i in range(3):
    ftp.storbinary(f"STOR stored{i}", io.BytesIO(sent))
    got = io.BytesIO()
    ftp.retrbinary(f"RETR stored{i}", got.write)
    assert got.getvalue() == sent
    assert f"stored{i}" in ftp.nlst()
ftp.quit()
END
  [ "$(grep -c 'verified.*proto=ftp-data' log)" = 9 ]
  run -1 grep -v 'starttls verified ' log
}

@test "ftp: many transfers in one login, passive, vsftpd" { serving vsftpd good && many_transfers passive; }
@test "ftp: many transfers in one login, active, vsftpd" { serving vsftpd good && many_transfers active; }
@test "ftp: many transfers in one login, ProFTPD" { serving proftpd good && many_transfers passive; }

@test "ftp: many transfers in one login, Pure-FTPd" { serving pureftpd good && many_transfers passive; }

@test "ftp, lftp: as it is by default, with a wish for TLS of its own: Pure-FTPd, which would agree to that inside TLS" {
  needs_runtime lftp
  serving pureftpd good
  shimmed
  file up 40000
  "${launch[@]}" lftp -c 'set net:max-retries 1; open -u joe,x mail.test; put up -o stored; get stored -o down'
  cmp up "$server/home/stored"
  cmp up down
}

# old_tls: TLS 1.2 for every server and client from here on
old_tls() {
  printf '%s\n' "openssl_conf = all" "[all]" "ssl_conf = ssl" "[ssl]" "system_default = old" "[old]" "MaxProtocol = TLSv1.2" >openssl.cnf
  export OPENSSL_CONF=$PWD/openssl.cnf
}

@test "ftp: many transfers in one login, TLS 1.2, vsftpd" { old_tls && serving vsftpd good && many_transfers passive && run -1 grep -v tls=1.2 log; }
@test "ftp: many transfers in one login, TLS 1.2, ProFTPD" { old_tls && serving proftpd good && many_transfers active && run -1 grep -v tls=1.2 log; }

# over_ipv6 passive|active: EPSV and EPRT
over_ipv6() {
  echo "::1 mail6.test" >>/etc/hosts
  serving vsftpd good listen=NO listen_ipv6=YES
  many_transfers "$1" mail6.test
  run -1 grep -v 'addr=::1' log
}

@test "ftp: IPv6, passive" { over_ipv6 passive; }
@test "ftp: IPv6, active" { over_ipv6 active; }

@test "ftp: a data connection that is never used is no harm to the next" {
  serving vsftpd good local_max_rate=400000
  shimmed
  file "$server/home/there" 40000
  run -0 "${launch[@]}" /usr/bin/python3 - <<'END'
import ftplib, socket
ftp = ftplib.FTP("mail.test", "joe", "x", timeout=60)
for close in (True, False, True, False, False):
    unused = socket.create_connection(ftp.makepasv())
    if close:
        unused.close()
    with open("down", "wb") as file:
        ftp.retrbinary("RETR there", file.write)
ftp.quit()
END
  cmp "$server/home/there" down
}

@test "ftp, lftp: a tree over four connections at once, and a file in four pieces" {
  needs_runtime lftp
  serving vsftpd good
  shimmed
  mkdir "$server/home/tree"
  for i in {1..12}; do file "$server/home/tree/$i" "$((i * 3000))"; done
  file "$server/home/large" 400000
  chown -R joe: "$server/home"
  "${launch[@]}" lftp --norc -c "set ftp:ssl-allow no; set net:max-retries 2; set net:timeout 30; set cmd:fail-exit yes; open -u joe,x mail.test; mirror -P 4 tree copy; pget -n 4 large -o large"
  diff -r "$server/home/tree" copy
  cmp "$server/home/large" large
  run -1 grep -vE 'starttls (verified|refused .*proto=ftp-data)' log
}

@test "ftp: a foreign address in 227 is not dialled" {
  serving vsftpd good pasv_address=192.0.2.99
  shimmed
  file up 1000
  ftp_ncftp put mail.test up stored
  cmp up "$server/home/stored"
}

@test "ftp: ABOR with urgent data goes inside TLS" {
  serving vsftpd good
  policy "verify to any port 21 proto ftp name mail.test ca $certs/ca.pem"
  head -c 50000000 /dev/zero >"$server/home/big"
  run -0 shim python3 "$root/tests/ftp_client.py" mail.test 21 abort
  [[ $output == 426*225*"$server/home"* ]]
}

# unread HOW: the transfer is given up before a byte of its data is read; the server listens once the data connection's handshake is done
unread() {
  serving proftpd good
  policy "verify to any port 21 proto ftp name mail.test ca $certs/ca.pem"
  truncate -s 100M "$server/home/big"
  run -0 shim timeout 60 python3 "$root/tests/ftp_client.py" mail.test 21 "$1"
  [[ $output == "226 Abort successful"*"last reply: 426 "*/ ]]
}

@test "ftp: ABOR before any data is read, by a client that waits in recv()" { unread abort-blocking; }
@test "ftp: ABOR before any data is read, by a client that waits in poll()" { unread abort-polling; }

# interrupted COMMAND …: at the keyboard, in the middle of a download; afterwards the connection is still good for a question and an answer.
# ProFTPD, as vsftpd listens to nobody during a transfer inside TLS.
interrupted() {
  TSAN_OPTIONS+=:report_signal_unsafe=0 # they write ABOR in their handlers, by stdio at that; and OpenSSL calls malloc(): README, "What it cannot do"
  serving proftpd good "TransferRate RETR 3000"
  shimmed
  truncate -s 100M "$server/home/big"
  python3 "$root/tests/typed.py" screen 'ftp> ' 'user joe x\r' '230.*ftp> ' 'binary\r' '200.*ftp> ' 'hash\r' 'ftp> ' 'get big\r' '##' '\x03' 'ftp> ' 'pwd\r' \
    '(257 "|directory: )/.*ftp> ' 'quit\r' -- "${shim_command[@]}" "$@" || { cat screen && return 1; }
  grep -q '226 Abort successful' screen
  [ "$(stat -c %s big)" -lt 104857600 ]
  run -1 grep -v 'starttls verified ' log
}

@test "ftp, tnftp: interrupted at the keyboard it aborts, and goes on" { interrupted tnftp -n mail.test; }
@test "ftp, inetutils: interrupted at the keyboard it aborts, and goes on" { interrupted inetutils-ftp -n -v -p mail.test; }

@test "ftp: under may, a server without TLS serves in plaintext" {
  serving vsftpd good ssl_enable=NO
  policy "may to any port 21 proto ftp"
  launch=(timeout 120 "${shim_command[@]}")
  file up 1000
  ftp_curl put mail.test up stored
  MODE=active ftp_tnftp get mail.test down stored
  cmp up down
  log_says 'why="server refused AUTH TLS"'
}

@test "ftp: a server without TLS is refused where TLS is required" {
  serving vsftpd good ssl_enable=NO
  policy "encrypt to any port 21 proto ftp"
  run -1 shim python3 "$root/tests/ftp_client.py" mail.test 21 put
  [[ $output == "error_temp 421 libstarttls: server refused AUTH TLS"* ]]
}
