# SPDX-License-Identifier: MIT
# A real INN in the private machine of tests/private, port 119. On 127.0.0.9 innd, which has no TLS and hands readers over to nnrpd at MODE
# READER; on 127.0.0.10 nnrpd alone, with another certificate. Reading and posting need TLS. One group: local.test.
# shellcheck shell=bash

inn_bin=/usr/lib/news/bin

# inn_config DIR NAME CERTIFICATE: DIR/NAME.conf
inn_config() {
  install -o news -g news -m 600 "$3" "$1/etc/$2.pem"
  cat >"$1/$2.conf" <<END
mta: "/bin/true %s"
pathhost: news.test
domain: test
server: 127.0.0.9
ovmethod: tradindexed
hismethod: hisv6
enableoverview: true
noreader: false
nnrpdposthost: 127.0.0.9
nnrpdcheckart: false
nnrpdloadlimit: 0
runasuser: news
runasgroup: news
rlimitnofile: 256
pathnews: /usr/lib/news
pathbin: $inn_bin
pathetc: $1/etc
pathdb: $1/db
pathspool: $1/spool
patharticles: $1/spool/articles
pathoverview: $1/spool/overview
pathincoming: $1/spool/incoming
pathoutgoing: $1/spool/outgoing
patharchive: $1/spool/archive
pathtmp: $1/tmp
pathrun: $1/run
pathlog: $1/log
pathfilter: $1/etc
pathcontrol: $1/etc
pathhttp: $1/log
tlscertfile: $1/etc/$2.pem
tlskeyfile: $1/etc/$2.pem
tlscafile: $1/etc/$2.pem
END
}

# inn_start DIR CERTIFICATE WRONG-CERTIFICATE
inn_start() {
  local dir=$1
  mkdir -p "$dir"/{etc,db,run,log,tmp,spool/{articles,overview,incoming/bad,outgoing,archive,innfeed}}
  inn_config "$dir" inn "$2"
  inn_config "$dir" wrong "$3"
  printf 'local.test 0000000000 0000000001 y\ncontrol 0000000000 0000000001 n\njunk 0000000000 0000000001 n\ncontrol.cancel 0000000000 0000000001 n\n' >"$dir/db/active"
  printf 'local.test\tfor tests\n' >"$dir/db/newsgroups"
  : >"$dir/db/active.times"
  printf 'method tradspool {\n  newsgroups: *\n  class: 0\n}\n' >"$dir/etc/storage.conf"
  printf '/remember/:11\n*:A:1:10:never\n' >"$dir/etc/expire.ctl"
  printf 'ME:*::\nnobody:!*:Tf,Wnm:nobody\n' >"$dir/etc/newsfeeds"
  printf 'streaming: true\nmax-connections: 8\npeer ME {\n  hostname: "127.0.0.1"\n}\n' >"$dir/etc/incoming.conf"
  cat >"$dir/etc/readers.conf" <<'END'
auth "all" {
  hosts: "*"
  require_encryption: true
  default: "<reader>"
}
access "tls" {
  users: "*"
  newsgroups: "*"
  access: RPA
}
END
  : >"$dir/etc/control.ctl"
  : >"$dir/etc/moderators"
  : >"$dir/etc/nnrpd.track"
  : >"$dir/spool/tradspool.map"
  chown -R news: "$dir"
  chmod 711 "$dir"
  echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start # of this machine only
  as_news inn makehistory
  as_news inn makedbz -i -o -s 1000
  as_news inn innd -P 119 -4 127.0.0.9 -6 ::1
  as_news inn nnrpd -D -S -p 563 -4 127.0.0.9
  as_news wrong nnrpd -D -p 119 -4 127.0.0.10
}

# as_news NAME COMMAND …: a program of INN, with DIR/NAME.conf, and with no descriptor of ours: bats waits for who has its own
as_news() (
  export INNCONF=$dir/$1.conf
  exec </dev/null >>"$dir/log/out" 2>&1
  for fd in /proc/self/fd/*; do
    [ "${fd##*/}" -le 2 ] || eval "exec ${fd##*/}>&-"
  done
  exec setpriv --reuid=news --regid=news --clear-groups "$inn_bin/$2" "${@:3}"
)

# inn_stop DIR
inn_stop() { kill "$(cat "$1/run/innd.pid")" "$(cat "$1/run/nnrpd.pid")" "$(cat "$1/run/nnrpd-563.pid")"; }
