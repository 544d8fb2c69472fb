# SPDX-License-Identifier: MIT
# A real rsyslogd or a real systemd-journald behind /dev/log, which tests/private has made ours.
# shellcheck shell=bash disable=SC2154

logging=$root/build/packages/logging # systemd is not below /usr

# rsyslog_start DIR: what it is told is in DIR/syslog, with the facility and severity in front
rsyslog_start() {
  mkdir -p "$1"
  cat >"$1/rsyslog.conf" <<END
module(load="imuxsock" SysSock.RateLimit.Interval="0")
template(name="all" type="string" string="%syslogfacility-text%.%syslogseverity-text% %TIMESTAMP% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg%\n")
*.* action(type="omfile" file="$1/syslog" template="all")
END
  detached /usr/sbin/rsyslogd -n -f "$1/rsyslog.conf" -i "$1/rsyslog.pid" &
  syslog=$!
  until [ -S /dev/log ]; do kill -0 "$syslog"; sleep 0.05; done
}

# journald_start
journald_start() {
  mkdir -p /run/systemd/journal /run/log/journal
  ln -sf /run/systemd/journal/dev-log /dev/log
  printf '0123456789abcdef0123456789abcdef\n' >/etc/machine-id
  LD_LIBRARY_PATH=$logging/lib/x86_64-linux-gnu detached "$logging/lib/systemd/systemd-journald" &
  syslog=$!
  until [ -S /run/systemd/journal/dev-log ]; do kill -0 "$syslog"; sleep 0.05; done
}

# journal OPTION …
journal() { LD_LIBRARY_PATH=$logging/lib/x86_64-linux-gnu "$logging/bin/journalctl" --no-pager -q "$@"; }

syslog_stop() {
  kill "$syslog"
  wait "$syslog" || true
  rm -f /dev/log
}
