# SPDX-License-Identifier: MIT
# Real FTP servers in the private machine of tests/private, on port 21: they let nobody in but with TLS, on the control and on the data
# connections. The user is joe, with any password; his files are in DIR/home.
# shellcheck shell=bash

# joe DIR: the user and his home
ftpd_user() {
  mkdir -p "$1/home" "$1/empty"
  sed -i '/^joe:/d' /etc/passwd /etc/group
  echo "joe:x:61010:61010::$1/home:/bin/sh" >>/etc/passwd
  echo "joe:x:61010:" >>/etc/group
  chown joe: "$1/home"
  chmod 755 "$1" "$1/home"
  printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n' >/etc/pam.d/vsftpd
  cp /etc/pam.d/vsftpd /etc/pam.d/proftpd
}

# ftpd_wait DIR: until port 21 or, with TLS from the first byte, 990 is open
ftpd_wait() {
  timeout 20 bash -c 'until (: </dev/tcp/127.0.0.1/21 || : </dev/tcp/127.0.0.1/990) 2>/dev/null; do sleep 0.1; done' || {
    cat "$1"/out "$1"/*log
    return 1
  }
}

# vsftpd_start DIR CERTIFICATE [OPTION=VALUE …]; data connections must resume the control connection's session
vsftpd_start() {
  local dir=$1 certificate=$2
  shift 2
  ftpd_user "$dir"
  cat >"$dir/vsftpd.conf" <<END
listen=YES
background=NO
local_enable=YES
write_enable=YES
anonymous_enable=NO
pam_service_name=vsftpd
secure_chroot_dir=$dir/empty
xferlog_enable=YES
vsftpd_log_file=$dir/log
dual_log_enable=YES
log_ftp_protocol=YES
debug_ssl=YES
seccomp_sandbox=NO
ssl_enable=YES
ssl_ciphers=HIGH
rsa_cert_file=$certificate
rsa_private_key_file=$certificate
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES
strict_ssl_read_eof=YES
strict_ssl_write_shutdown=YES
END
  printf '%s\n' "$@" >>"$dir/vsftpd.conf"
  vsftpd "$dir/vsftpd.conf" >"$dir/out" 2>&1 3>&- &
  echo $! >"$dir/pid"
  ftpd_wait "$dir"
}

# proftpd_start DIR CERTIFICATE [DIRECTIVE …]
proftpd_start() {
  local dir=$1
  ftpd_user "$dir"
  cat >"$dir/proftpd.conf" <<END
ModulePath /usr/lib/proftpd
LoadModule mod_tls.c
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
UseIPv6 off
User nobody
Group nogroup
PidFile $dir/proftpd.pid
ScoreboardFile $dir/scoreboard
DelayTable none
SystemLog $dir/log
TransferLog none
WtmpLog off
AuthPAM on
AuthPAMConfig proftpd
AuthOrder mod_auth_pam.c* mod_auth_unix.c
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
UseReverseDNS off
TLSEngine on
TLSLog $dir/tlslog
TLSProtocol TLSv1.2 TLSv1.3
TLSRequired on
TLSRSACertificateFile $2
TLSRSACertificateKeyFile $2
END
  sed -i 's/RSACert/ECCert/' "$dir/proftpd.conf"
  printf '%s\n' "${@:3}" >>"$dir/proftpd.conf"
  proftpd -n -c "$dir/proftpd.conf" >"$dir/out" 2>&1 3>&- &
  echo $! >"$dir/pid"
  ftpd_wait "$dir"
}

# pureftpd_start DIR CERTIFICATE; it knows AUTH inside TLS, too
pureftpd_start() {
  ftpd_user "$1"
  mkdir -p /etc/ssl/private
  cp "$2" /etc/ssl/private/pure-ftpd.pem
  cp /etc/pam.d/vsftpd /etc/pam.d/pure-ftpd
  pure-ftpd --tls=3 -S 127.0.0.1,21 -l pam -u 1 -A >"$1/out" 2>&1 3>&- &
  echo $! >"$1/pid"
  ftpd_wait "$1"
}

# ftpd_stop DIR
ftpd_stop() {
  kill "$(cat "$1/pid")"
  wait "$(cat "$1/pid")" || true
}
