#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified LDAP programs with TLS off, and a real slapd that insists on it (servers/slapd.bash). Each fails without the shim, does its
# job with it, and shows our sentence when the certificate is wrong.

load helper
load databases
load servers/slapd

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/slapd-good wrong=/var/lib/slapd-wrong
  slapd_start "$server" "$certs/good.pem" ldap://127.0.0.1:389 ldaps://127.0.0.1:636
  slapd_start "$wrong" "$certs/wrong-name.pem" ldap://127.0.0.1:1389 ldaps://127.0.0.1:1636
}

teardown_file() {
  [ -z "${server-}" ] || { slapd_stop "$server" && slapd_stop "$wrong"; }
}

base=dc=example,dc=org
admin=(-D "cn=admin,$base" -w secret)

# What the machine's owner would write, and where the odd ports are.
use_policy() {
  policy "verify to any port 1389 proto ldap ca $certs/ca.pem" "verify to any port 636,1636 proto ldaps ca $certs/ca.pem" \
    "verify to any ca $certs/ca.pem"
}

# does COMMAND …: without the shim slapd turns it away; with it, it ends well and says $expect
does() {
  needs_private
  use_policy
  run "$@"
  [[ $output != *"$expect"* ]]
  run -0 shim "$@"
  [[ $output == *"$expect"* ]]
  log_says "starttls verified to=mail.test addr=127.0.0.1"
}

@test "ldapsearch finds" {
  expect="mail: user7@example.org" does ldapsearch -x -LLL -H ldap://mail.test -b $base "${admin[@]}" uid=user7 mail
}

@test "ldapsearch without a bind finds: its first message is the search" {
  expect="mail: user7@example.org" does ldapsearch -x -LLL -H ldap://mail.test -b $base -o nettimeout=5 uid=user7 mail
}

@test "ldapsearch gets 500 people, 100 at a time" {
  expect="uid: user500" does ldapsearch -x -LLL -E pr=100/noprompt -H ldap://mail.test -b $base "${admin[@]}" objectClass=person uid
  [ "$(grep -c ^uid: <<<"$output")" = 500 ]
}

@test "ldapsearch says Server is unavailable (52) and why" {
  is_told ldapsearch -x -H ldap://mail.test:1389 -b $base "${admin[@]}" uid=user7 mail
  [ "$status" = 52 ]
}

@test "ldapsearch over ldaps on an implicit port" {
  needs_private
  use_policy
  run -0 shim ldapsearch -x -LLL -H ldap://mail.test:636 -b $base "${admin[@]}" uid=user7 mail
  [[ $output == *"mail: user7@example.org"* ]]
  log_says "proto=ldaps"
}

@test "ldaps: ldapsearch says why" { is_told ldapsearch -x -H ldap://mail.test:1636 -b $base "${admin[@]}" uid=user7 mail; }

@test "ldapwhoami knows" { expect="dn:cn=admin,$base" does ldapwhoami -x -H ldap://mail.test "${admin[@]}"; }
@test "ldapwhoami says why" { is_told ldapwhoami -x -H ldap://mail.test:1389 "${admin[@]}"; }

@test "ldapmodify changes, and the change is there" {
  needs_private
  use_policy
  printf 'dn: uid=user9,%s\nchangetype: modify\nreplace: mail\nmail: changed@example.org\n' $base >change
  run -13 ldapmodify -x -H ldap://mail.test "${admin[@]}" -f change
  run -0 shim ldapmodify -x -H ldap://mail.test "${admin[@]}" -f change
  run -0 shim ldapsearch -x -LLL -H ldap://mail.test -b $base uid=user9 mail
  [[ $output == *"mail: changed@example.org"* ]]
}

@test "ldapmodify says why" {
  : >change
  is_told ldapmodify -x -H ldap://mail.test:1389 "${admin[@]}" -f change
}

# one of 100,000 bytes, added and read back
@test "ldapadd and ldapsearch carry a large value" {
  needs_private
  use_policy
  head -c 75000 /dev/urandom | base64 -w 0 >large
  printf 'dn: uid=large,%s\nobjectClass: inetOrgPerson\nuid: large\ncn: l\nsn: l\njpegPhoto:: %s\n' $base "$(cat large)" >person
  shim ldapadd -x -H ldap://mail.test "${admin[@]}" -f person
  shim ldapsearch -x -LLL -o ldif-wrap=no -H ldap://mail.test -b $base uid=large jpegPhoto >found
  [ "$(sed -n 's/^jpegPhoto:: //p' found)" = "$(cat large)" ]
}

@test "ldapsearch -ZZ does TLS itself: we step aside and say so" {
  needs_private
  use_policy
  LDAPTLS_CACERT=$certs/ca.pem run -0 shim ldapsearch -ZZ -x -LLL -H ldap://mail.test -b $base "${admin[@]}" uid=user7 mail
  [[ $output == *"mail: user7@example.org"* ]]
  log_says "starttls own to=mail.test"
}


@test "curl finds" { expect="mail: user8@example.org" does curl -sS --max-time 20 "ldap://mail.test/$base?mail?sub?(uid=user8)"; }

@test "curl cannot bind (38); its messages have no room for ours, the log has" {
  needs_private
  use_policy
  run -38 shim curl -sS --max-time 20 "ldap://mail.test:1389/$base?mail?sub?(uid=user8)"
  log_says 'why="the certificate is not for mail.test'
}

net_ldap='use Net::LDAP;
  my $l = Net::LDAP->new("mail.test", port => $ARGV[0], timeout => 20) or die "no connection: $@";
  my $r = $l->bind("cn=admin,dc=example,dc=org", password => "secret");
  die "bind: " . $r->error . "\n" if $r->code;
  $r = $l->search(base => "dc=example,dc=org", filter => "(uid=user3*)");
  die "search: " . $r->error . "\n" if $r->code;
  print "found " . $r->count . "\n";
  $l->unbind'

@test "Perl Net::LDAP finds" { expect="found 111" does perl -e "$net_ldap" 389; }
@test "Perl Net::LDAP says why" { is_told perl -e "$net_ldap" 1389; }

python_ldap='import ldap, sys
l = ldap.initialize("ldap://mail.test:" + sys.argv[1])
l.set_option(ldap.OPT_NETWORK_TIMEOUT, 20)
l.simple_bind_s("cn=admin,dc=example,dc=org", "secret")
ids = [l.search_ext("dc=example,dc=org", ldap.SCOPE_SUBTREE, "(uid=user%d)" % i) for i in range(1, 21)]
print("found", sum(len(l.result(id)[1]) for id in ids))'

@test "python-ldap finds, with twenty searches at once" { expect="found 20" does /usr/bin/python3 -c "$python_ldap" 389; }
@test "python-ldap says why" { is_told /usr/bin/python3 -c "$python_ldap" 1389; }

php_ldap='$l = ldap_connect("ldap://mail.test:" . $argv[1]);
  ldap_set_option($l, LDAP_OPT_PROTOCOL_VERSION, 3);
  if (!ldap_bind($l, "cn=admin,dc=example,dc=org", "secret")) {
    ldap_get_option($l, LDAP_OPT_DIAGNOSTIC_MESSAGE, $why);
    echo ldap_error($l), ": ", $why, "\n";
    exit(1);
  }
  echo "found ", ldap_count_entries($l, ldap_search($l, "dc=example,dc=org", "(uid=user4*)")), "\n";'

@test "PHP finds" { expect="found 111" does php -r "$php_ldap" 389; }
@test "PHP says why" { is_told php -r "$php_ldap" 1389; }
