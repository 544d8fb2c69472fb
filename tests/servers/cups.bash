# SPDX-License-Identifier: MIT
# A real cupsd in the private machine of tests/private, on port 631, which wants TLS for everything (Encryption Required). From 127.0.0.1 cupsd
# would not insist, so it listens on another address of the machine's own: print.test.
# shellcheck shell=bash

# cups_start DIR CERTIFICATE
cups_start() {
  local dir=$1
  mkdir -p "$dir"/{ssl,spool,cache,state,tmp,root}
  ip addr replace 192.0.2.1/32 dev lo
  grep -q print.test /etc/hosts || echo '192.0.2.1 print.test' >>/etc/hosts
  openssl x509 -in "$2" -out "$dir/ssl/print.test.crt"
  openssl pkey -in "$2" -out "$dir/ssl/print.test.key"
  cat >"$dir/cups-files.conf" <<END
ServerRoot $dir
ServerKeychain $dir/ssl
ServerBin /usr/lib/cups
DataDir /usr/share/cups
DocumentRoot $dir/root
RequestRoot $dir/spool
CacheDir $dir/cache
StateDir $dir/state
TempDir $dir/tmp
AccessLog $dir/access
ErrorLog $dir/log
PageLog $dir/page
CreateSelfSignedCerts no
SystemGroup root
END
  cat >"$dir/cupsd.conf" <<END
LogLevel debug
Listen 192.0.2.1:631
ServerName print.test
ServerAlias *
Browsing No
DefaultEncryption Required
<Location />
  Order allow,deny
  Allow all
  Encryption Required
</Location>
<Policy default>
  <Limit All>
    Order allow,deny
    Allow all
  </Limit>
</Policy>
END
  cupsd -f -c "$dir/cupsd.conf" -s "$dir/cups-files.conf" >"$dir/out" 2>&1 3>&- &
  echo $! >"$dir/pid"
  timeout 20 bash -c "until (: </dev/tcp/192.0.2.1/631) 2>/dev/null; do sleep 0.1; done" || {
    cat "$dir/out" "$dir/log"
    return 1
  }
}

# cups_stop DIR
cups_stop() {
  kill "$(cat "$1/pid")"
  wait "$(cat "$1/pid")" || true
}
