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
  for f in policy log; do [ ! -s "$f" ] || { echo "--- $f" && cat "$f"; }; done
}

shimmed() {
  policy "verify to any port 21 proto ftp name mail.test ca $certs/ca.pem" # lftp asks the resolver in a child of its own
  launch=(timeout 120 "${shim_command[@]}")
}

# A file that is not the same at any two places
file() { seq "$2" >"$1"; }

# does_its_job NAME: up, down, and a listing, each on a data connection of its own
does_its_job() {
  file up 40000
  "ftp_$1" put mail.test up stored
  cmp up "$server/home/stored"
  "ftp_$1" get mail.test down stored
  cmp up down
  "ftp_$1" list mail.test list .
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

@test "ftp, lftp: alone it is turned away" { serving vsftpd good && fails_alone lftp; }
@test "ftp, lftp: passive, vsftpd" { serving vsftpd good && shimmed && does_its_job lftp; }
@test "ftp, lftp: active, vsftpd" { serving vsftpd good && shimmed && MODE=active does_its_job lftp; }
@test "ftp, lftp: passive, ProFTPD" { serving proftpd good && shimmed && does_its_job lftp; }
@test "ftp, lftp: active, ProFTPD" { serving proftpd good && shimmed && MODE=active does_its_job lftp; }
@test "ftp, lftp: a certificate for another name" { is_told lftp; }

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

