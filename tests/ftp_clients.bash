# SPDX-License-Identifier: MIT
# ftp_clients: unmodified FTP clients with their TLS off. Each: ftp_NAME put|get|list HOST LOCAL REMOTE, as joe with the password x (curl and ftplib: HOST:PORT too); where it
# can, MODE says passive (default) or active. `launch` is what stands before the command. Exit 0 when the client says so.
# shellcheck shell=bash disable=SC2034

ftp_clients=(tnftp inetutils lftp ncftp curl ftplib)

ftp_tnftp() {
  local commands="$1 $3 $4" flags=-n
  [ "$1" != get ] || commands="get $4 $3"
  [ "$1" != list ] || commands="ls . $3"
  [ "${MODE-}" = active ] && flags=-nA || flags=-np
  printf 'user joe x\nprompt off\nbinary\n%s\nquit\n' "$commands" | "${launch[@]}" tnftp "$flags" -q 60 "$2"
}

ftp_inetutils() {
  local commands="$1 $3 $4"
  [ "$1" != get ] || commands="get $4 $3"
  [ "$1" != list ] || commands="ls . $3"
  printf 'user joe x\nbinary\n%s\nquit\n' "$commands" | "${launch[@]}" inetutils-ftp -n -v -i "$([ "${MODE-}" = active ] && echo -A || echo -p)" "$2"
}

ftp_lftp() {
  local commands="put $3 -o $4" passive=true
  [ "$1" != get ] || commands="get $4 -o $3"
  [ "$1" != list ] || commands="ls > $3"
  [ "${MODE-}" != active ] || passive=false
  "${launch[@]}" lftp --norc -c "set ftp:ssl-allow no; set ftp:passive-mode $passive; set net:max-retries 2; set net:timeout 30; set net:reconnect-interval-base 1; set cmd:fail-exit yes; open -u joe,x $2; $commands"
}

ftp_ncftp() {
  local mode=-F
  [ "${MODE-}" != active ] || mode=-E
  case $1 in
  put) cp "$3" "$4" && "${launch[@]}" ncftpput -V -r 1 -t 30 "$mode" -u joe -p x "$2" . "$4" ;;
  get) "${launch[@]}" ncftpget -V -r 1 -t 30 "$mode" -u joe -p x -c "$2" "$4" >"$3" ;;
  list) "${launch[@]}" ncftpls -r 1 -t 30 "$mode" -u joe -p x "ftp://$2/" >"$3" ;;
  esac
}

ftp_curl() {
  local url=ftp://joe:x@$2 active=()
  [ "${MODE-}" != active ] || active=(-P -)
  case $1 in
  put) "${launch[@]}" curl -sS "${active[@]}" -T "$3" "$url/$4" ;;
  get) "${launch[@]}" curl -sS "${active[@]}" -o "$3" "$url/$4" ;;
  list) "${launch[@]}" curl -sS "${active[@]}" -o "$3" "$url/" ;;
  esac
}

ftp_ftplib() {
  "${launch[@]}" python3 - "$1" "$2" "$3" "$4" "${MODE-passive}" <<'END'
import ftplib, sys
what, host, local, remote, mode = sys.argv[1:]
host, _, port = host.partition(":")
ftp = ftplib.FTP(timeout=60)
ftp.connect(host, int(port or 21))
ftp.login("joe", "x")
ftp.set_pasv(mode == "passive")
if what == "put":
    with open(local, "rb") as file:
        ftp.storbinary("STOR " + remote, file)
elif what == "get":
    with open(local, "wb") as file:
        ftp.retrbinary("RETR " + remote, file.write)
else:
    with open(local, "w") as file:
        ftp.retrlines("LIST", file.write)
ftp.quit()
END
}
