# SPDX-License-Identifier: MIT
# A real OpenLDAP in the private machine of tests/private: it answers nobody who has no TLS (security ssf=128). dc=example,dc=org holds
# people whom anybody may read inside TLS; cn=admin,dc=example,dc=org with the password "secret" may write.
# shellcheck shell=bash

# slapd_start DIR CERTIFICATE URL…
slapd_start() {
  local dir=$1 certificate=$2 schema
  shift 2
  mkdir -p "$dir/db"
  {
    for schema in core cosine inetorgperson; do echo "include $root/build/packages/slapd/etc/ldap/schema/$schema.schema"; done
    cat <<END
pidfile $dir/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $certificate
TLSCertificateKeyFile $certificate
security ssf=128
database mdb
directory $dir/db
maxsize 1073741824
suffix dc=example,dc=org
rootdn cn=admin,dc=example,dc=org
rootpw secret
END
  } >"$dir/slapd.conf"
  slapd_people | slapadd -q -f "$dir/slapd.conf" || return 1
  slapd -f "$dir/slapd.conf" -h "$*" 3>&- >/dev/null 2>&1
}

# 500 of them, so that an answer is many messages in many segments
slapd_people() {
  local i
  printf 'dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n'
  for i in {1..500}; do
    printf 'dn: uid=user%d,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: user%d\ncn: User %d\nsn: %d\nmail: user%d@example.org\ndescription: %0200d\n\n' \
      "$i" "$i" "$i" "$i" "$i" "$i"
  done
}

# slapd_stop DIR
slapd_stop() { kill "$(cat "$1/pid")"; }
