# SPDX-License-Identifier: MIT
# A real InspIRCd in the private machine of tests/private, port 6667: outside TLS it asks for a password that nobody knows (with
# nothing but requiressl it would hang up before anyone can say STARTTLS). On 127.0.0.9, and with another
# certificate on 127.0.0.10.
# shellcheck shell=bash

# inspircd_one DIR NAME ADDRESS CERTIFICATE
inspircd_one() {
  mkdir -p "$1"
  cat >"$1/$2.conf" <<END
<server name="$2.irc.test" description="tests" network="Tests" id="0AA">
<admin name="tests" nick="tests" email="tests@mail.test">
<bind address="$3" port="6667" type="clients">
<module name="ssl_gnutls">
<sslprofile name="Clients" provider="gnutls" certfile="$4" keyfile="$4" cafile="" crlfile="">
<module name="sslinfo">
<module name="starttls">
<starttls profile="Clients">
<connect name="tls" allow="*" requiressl="on" timeout="30" resolvehostnames="no" useident="no" pingfreq="120">
<connect name="clear" allow="*" password="which nobody knows" timeout="30" resolvehostnames="no" useident="no" pingfreq="120">
<dns server="127.0.0.1" timeout="1">
<pid file="$1/$2.pid">
<log method="file" type="*" level="default" target="$1/$2.log">
END
  (ulimit -c 0 && exec inspircd --config="$1/$2.conf" --runasroot) >"$1/$2.out" 2>&1 3>&- </dev/null || {
    cat "$1/$2.out" "$1/$2.log"
    return 1
  }
}

# inspircd_start DIR CERTIFICATE WRONG-CERTIFICATE
inspircd_start() {
  inspircd_one "$1" good 127.0.0.9 "$2"
  inspircd_one "$1" wrong 127.0.0.10 "$3"
}

# inspircd_stop DIR
inspircd_stop() { kill "$(cat "$1/good.pid")" "$(cat "$1/wrong.pid")"; }
