# SPDX-License-Identifier: MIT
# A real Postfix in the private machine of tests/private: it insists on TLS, takes mail for mail.test on port 25 without a password, on
# 465 too with TLS from the first byte, and on port 587 with one (AUTH only inside TLS, asked of Dovecot), and keeps it in a maildir.
# shellcheck shell=bash

# postfix_start DIR CERTIFICATE; Dovecot runs in the same DIR
postfix_start() {
  local dir=$1
  mkdir -p "$dir"/{etc,queue,data,mail}
  cat >"$dir/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/log
maillog_file_prefixes = $dir
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
import_environment = MAIL_CONFIG POSTLOG_SERVICE POSTLOG_HOSTNAME
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mydestination =
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtpd_peername_lookup = no
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = mail.test
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:61005
virtual_gid_maps = static:61005
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = 100000000
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = $2
smtpd_sasl_type = dovecot
smtpd_sasl_path = $dir/auth
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
END
  cat >"$dir/etc/master.cf" <<'END'
25      inet        n  -  n  -      -  smtpd
465     inet        n  -  n  -      -  smtpd -o smtpd_tls_wrappermode=yes
587     inet        n  -  n  -      -  smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject
cleanup unix        n  -  n  -      0  cleanup
qmgr    unix        n  -  n  300    1  qmgr
rewrite unix        -  -  n  -      -  trivial-rewrite
bounce  unix        -  -  n  -      0  bounce
defer   unix        -  -  n  -      0  bounce
tlsmgr  unix        -  -  n  1000?  1  tlsmgr
virtual unix        -  n  n  -      -  virtual
error   unix        -  -  n  -      -  error
retry   unix        -  -  n  -      -  error
anvil   unix        -  -  n  -      1  anvil
postlog unix-dgram  n  -  n  -      1  postlogd
END
  touch "$dir/etc/dynamicmaps.cf"
  (cd "$dir/queue" && mkdir -p incoming active bounce corrupt defer deferred flush hold maildrop pid private public saved trace)
  chown -R postfix "$dir/queue" "$dir/data"
  chown root "$dir/queue" "$dir/queue/pid"
  chgrp postdrop "$dir/queue/public" "$dir/queue/maildrop"
  chown vmail: "$dir/mail"
  chmod 711 "$dir" # its daemons are not root
  MAIL_CONFIG=$dir/etc detached /usr/lib/postfix/sbin/master -c "$dir/etc" -w || {
    cat "$dir/log"
    return 1
  }
}

# postfix_stop DIR
postfix_stop() { kill "$(tr -d ' ' <"$1/queue/pid/master.pid")"; }

# postfix_inbox DIR: wait until the queue is empty, then name the only mail delivered
postfix_inbox() {
  local i
  for ((i = 0; i < 300; i++)); do
    [ -n "$(find "$1"/queue/{incoming,active,deferred} -type f)" ] || break
    sleep 0.1 # the queue manager tells nobody when it is done
  done
  find "$1/mail/inbox/new" -type f
}
