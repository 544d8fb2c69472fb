#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# make deb: the Debian packages, installed on this machine, removed and purged.

load helper
load hosts

setup_file() {
  own_usr || return 0
  build_packages
}

library() { packages | grep /libstarttls_; }

teardown() {
  own_machine || return 0
  peer_stop
  in_no_program
  dpkg_ --purge starttls libstarttls
  rm -rf /etc/starttls
}

@test "lintian: no errors and no warnings" {
  lintian --allow-root --fail-on error,warning "$BATS_FILE_TMPDIR"/deb/*.changes
}

@test "the same tree gives the same packages, byte for byte, wherever it is built" {
  "$root/policy/debian/build" "$PWD/again"
  while read -r package; do
    cmp "$package" "again/${package##*/}"
  done < <(packages)
}

@test "what the library and the command need is found out by Debian's tools" {
  depends=$(dpkg-deb --field "$(library)" Depends)
  [[ $depends == *libssl3* && $depends == *libc6* ]]
  [ "$(dpkg-deb --field "$(library)" Multi-Arch)" = same ]
}

@test "installed: each file is there as packed, and the manual and the completion are found" {
  install_packages
  dpkg_ --verify libstarttls starttls
  for page in starttls.1 starttls-policy.5 libstarttls.8; do
    [ -e "$(man --where "${page##*.}" "${page%.*}")" ]
  done
  [ -e /usr/share/bash-completion/completions/starttls ]
  run -0 starttls check /etc/starttls/policy
  [ "$(dpkg-query --show --showformat '${Conffiles}' libstarttls | awk '{ print $1 }')" = /etc/starttls/policy ]
  [ -d /etc/starttls/policy.d ]
}

@test "installed: the loader finds the library by its name, and where \$LIB says" {
  install_packages
  place=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/libstarttls.so
  for name in libstarttls.so '/usr/$LIB/libstarttls.so'; do
    [ "$(LD_PRELOAD=$name grep -oE '/\S*/libstarttls.so' /proc/self/maps | sort -u)" = "$place" ]
  done
}

@test "installed: a program's mail is upgraded as /etc/starttls/policy and its policy.d say" {
  install_packages
  serve
  echo "verify to localhost port $PORT proto smtp ca $certs/ca.pem" >/etc/starttls/policy.d/peer.policy
  run -0 starttls run -v -- "$legacy/mailer" localhost "$PORT" a@b.example c@d.example <<<hello
  [[ $output == *"starttls verified to=localhost"*"rule=/etc/starttls/policy.d/peer.policy:1"* ]]
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "upgraded and removed: the administrator's policy stays; purged: what we put is gone, what is theirs stays" {
  install_packages
  dpkg --listfiles libstarttls starttls >files
  grep -q /libstarttls-tls.so files
  echo 'verify to any' >>/etc/starttls/policy
  echo 'refuse to any port 25' >/etc/starttls/policy.d/mine.policy
  install_packages
  dpkg_ --remove starttls libstarttls
  [ "$(tail -n 1 /etc/starttls/policy)" = 'verify to any' ]
  [ -e /etc/starttls/policy.d/mine.policy ]
  dpkg_ --purge libstarttls starttls
  [ "$(find /etc/starttls -type f)" = /etc/starttls/policy.d/mine.policy ]
  while read -r file; do
    [ -d "$file" ] || [ ! -e "$file" ]
  done <files
}

@test "removal is refused while every program is to load the library; without the line it goes, and programs run" {
  install_packages
  in_every_program
  run ! dpkg_ --remove starttls libstarttls
  [[ $output == *"every program of this host would go on in plaintext"* ]]
  grep -q /libstarttls.so /proc/self/maps
  dpkg_ --verify libstarttls
  echo /usr/lib/mine.so >>/etc/ld.so.preload
  sed -n 's/.*take the line out first: //p' <<<"$output" | sh
  [ "$(cat /etc/ld.so.preload)" = /usr/lib/mine.so ]
  in_no_program
  dpkg_ --remove starttls libstarttls
  run ! grep /libstarttls.so /proc/self/maps
}

@test "upgraded while every program loads it: there is no moment without it" {
  install_packages
  in_every_program
  run -0 install_packages
  [[ $output == *"Setting up libstarttls"* ]]
  [[ $output != *ld.so* ]]
}

@test "a library that is gone by force leaves the machine usable: the loader warns, programs run, and it can be installed again" {
  install_packages
  in_every_program
  rm /usr/lib/*/libstarttls.so
  run --separate-stderr -3 sh -c 'echo out; exit 3'
  [ "$output" = out ]
  [[ $stderr == *"/libstarttls.so' from /etc/ld.so.preload cannot be preloaded"* ]]
  install_packages
  run --separate-stderr -0 true
  [ -z "$stderr" ]
}
