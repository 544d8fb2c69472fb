# SPDX-License-Identifier: MIT
# A real upsd (Network UPS Tools, with NSS) over a dummy UPS, port 3493 on 127.0.0.9; on 127.0.0.10 another with another certificate. It has
# no way to insist on TLS: that the clients use it is seen on the wire. User joe, password secret.
# shellcheck shell=bash disable=SC2154

nut=$root/build/packages # its programs are not below /usr

# in_nut DIR NAME COMMAND …
in_nut() {
  LD_LIBRARY_PATH=$nut/libupsclient6/lib/x86_64-linux-gnu NUT_CONFPATH=$1/$2 NUT_STATEPATH=$1/$2 "${@:3}" >>"$1/$2.log" 2>&1 3>&- </dev/null
}

# upsd_one DIR NAME ADDRESS CERTIFICATE
upsd_one() {
  local conf=$1/$2
  mkdir -p "$conf/nss"
  openssl pkcs12 -export -in "$4" -name server -passout pass:secret -out "$conf/server.p12"
  printf 'secret\n' >"$conf/password"
  certutil -N -d "sql:$conf/nss" -f "$conf/password"
  pk12util -i "$conf/server.p12" -d "sql:$conf/nss" -k "$conf/password" -W secret >/dev/null
  printf '[dummy]\n  driver = dummy-ups\n  port = %s\n' "$conf/dummy.dev" >"$conf/ups.conf"
  printf 'ups.status: OL\nups.mfr: Tests\nbattery.charge: 77\n' >"$conf/dummy.dev"
  printf 'LISTEN %s 3493\nCERTPATH %s\nCERTIDENT "server" "secret"\nDISABLE_WEAK_SSL true\n' "$3" "$conf/nss" >"$conf/upsd.conf"
  printf '[joe]\n  password = secret\n  actions = SET\n  instcmds = ALL\n' >"$conf/upsd.users"
  chmod 640 "$conf"/*.conf "$conf/upsd.users"
  in_nut "$1" "$2" "$nut/nut-server/lib/nut/dummy-ups" -a dummy -u root
  in_nut "$1" "$2" "$nut/nut-server/lib/nut/upsd" -u root -4
}

# upsd_start DIR CERTIFICATE WRONG-CERTIFICATE
upsd_start() {
  upsd_one "$1" good 127.0.0.9 "$2"
  upsd_one "$1" wrong 127.0.0.10 "$3"
}

# upsd_stop DIR
upsd_stop() { kill "$(cat "$1/good/upsd.pid")" "$(cat "$1/good/dummy-ups-dummy.pid")" "$(cat "$1/wrong/upsd.pid")" "$(cat "$1/wrong/dummy-ups-dummy.pid")"; }
