# SPDX-License-Identifier: MIT
# A real Dovecot in the private machine of tests/private: LMTP on port 24 (with ssl=required; but Dovecot
# 2.3 enforces that for logins only, so tests look for LMTPS in the Received line), and the passwords for Postfix ("secret",
# whoever asks). dovecot_start_readers adds IMAP, POP3 and ManageSieve, which take no password outside TLS.
# shellcheck shell=bash

# dovecot_start DIR CERTIFICATE
dovecot_start() {
  local dir=$1
  mkdir -p "$dir/run" "$dir/lmtp"
  chown vmail: "$dir/lmtp"
  chmod 711 "$dir"
  cat >"$dir/dovecot.conf" <<END
protocols = lmtp
base_dir = $dir/run
state_dir = $dir/run
log_path = $dir/dovecot.log
mail_location = maildir:$dir/lmtp/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 1
first_valid_gid = 1
ssl = required
ssl_cert = <$2
ssl_key = <$2
auth_mechanisms = plain login
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=$dir/lmtp/%n allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
!include_try $dir/readers.conf
service auth {
  unix_listener $dir/auth {
    mode = 0666
  }
}
END
  detached dovecot -c "$dir/dovecot.conf" || {
    cat "$dir/dovecot.log"
    return 1
  }
}

# dovecot_stop DIR: and wait, for another may be started in its place
dovecot_stop() {
  local pid
  pid=$(cat "$1/run/master.pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# dovecot_start_readers DIR CERTIFICATE WRONG-CERTIFICATE: for mail readers, too: on 127.0.0.9, and with the other certificate on 127.0.0.10
dovecot_start_readers() {
  mkdir -p "$1/sieve/joe"
  chown -R vmail: "$1/sieve"
  cat >"$1/readers.conf" <<END
protocols = lmtp imap pop3 sieve
listen = 127.0.0.9, 127.0.0.10
disable_plaintext_auth = yes
auth_mechanisms = plain login apop
pop3_uidl_format = %g
local 127.0.0.10 {
  ssl_cert = <$3
  ssl_key = <$3
}
protocol sieve {
  managesieve_logout_format = bytes=%i/%o
}
plugin {
  sieve = file:$1/sieve/%n;active=$1/sieve/%n.active
}
END
  dovecot_start "$1" "$2"
}

# maildir_add DIR USER FILE: a mail in the inbox, lines ending as in the file
maildir_add() {
  local box=$1/lmtp/$2
  mkdir -p "$box"/{new,cur,tmp}
  cp "$3" "$box/new/$(date +%s).$RANDOM$RANDOM.mail.test"
  chown -R vmail: "$box"
}

# dovecot_keep_only DIR USER FILE: the one mail in the inbox
dovecot_keep_only() {
  rm -rf "$1/lmtp/$2"
  maildir_add "$@"
}
