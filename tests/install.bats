#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# make install and make uninstall: into a directory, as packagers do, and onto this machine.

load helper
load hosts

setup_file() { own_usr || true; }

teardown() {
  own_machine || return 0
  in_no_program
}

# The very objects that are under test: install would build others for another place.
make_() { make -s -C "$root" BUILD="$build" "$@"; }

@test "install: into a DESTDIR, everything is in its place, and the policy is sound" {
  make_ DESTDIR="$PWD/dest" install
  cmp "$build/libstarttls.so" dest/usr/local/lib/libstarttls.so
  cmp "$build/libstarttls-tls.so" dest/usr/local/lib/libstarttls-tls.so
  cmp "$root/policy/starttls.bash" dest/usr/local/share/bash-completion/completions/starttls
  for page in man1/starttls.1 man5/starttls-policy.5 man8/libstarttls.8; do
    [ -s "dest/usr/local/share/man/$page" ]
  done
  [ -d dest/etc/starttls/policy.d ]
  run -0 dest/usr/local/bin/starttls check dest/etc/starttls/policy
  [[ $output != *warning* ]]
}

@test "uninstall: nothing of an untouched installation is left" {
  make_ DESTDIR="$PWD/dest" install
  make_ DESTDIR="$PWD/dest" uninstall
  [ -z "$(find dest ! -type d)" ]
  [ ! -e dest/etc/starttls ]
}

@test "install and uninstall: a policy that somebody has written stays as it is" {
  mkdir -p dest/etc/starttls/policy.d
  echo 'verify to any' >dest/etc/starttls/policy
  echo 'refuse to any port 25' >dest/etc/starttls/policy.d/mail.policy
  make_ DESTDIR="$PWD/dest" install
  make_ DESTDIR="$PWD/dest" install
  [ "$(cat dest/etc/starttls/policy)" = 'verify to any' ]
  make_ DESTDIR="$PWD/dest" uninstall
  [ "$(cat dest/etc/starttls/policy dest/etc/starttls/policy.d/mail.policy)" = $'verify to any\nrefuse to any port 25' ]
}

@test "uninstall: a policy.d of the administrator's keeps its directory" {
  make_ DESTDIR="$PWD/dest" install
  echo 'verify to any' >dest/etc/starttls/policy.d/mine.policy
  make_ DESTDIR="$PWD/dest" uninstall
  [ "$(find dest/etc -type f)" = dest/etc/starttls/policy.d/mine.policy ]
}

@test "SYSCONFDIR: the policy is there, and there it is looked for" {
  make -s -j2 -C "$root" BUILD="$PWD/build" SYSCONFDIR="$PWD/config" DESTDIR= PREFIX="$PWD/prefix" install
  echo 'refuse to any' >config/starttls/policy
  run -77 prefix/bin/starttls explain 192.0.2.1:25
  [[ $output == *"$PWD/config/starttls/policy:1"* ]]
}

@test "install: onto this machine, programs find the library by its name alone" {
  make_ install
  hash -r
  [ "$(LD_PRELOAD=libstarttls.so grep -o '/.*/libstarttls.so' /proc/self/maps | sort -u)" = /usr/local/lib/libstarttls.so ]
  serve
  echo "verify to any port $PORT proto smtp ca $certs/ca.pem" >/etc/starttls/policy
  LD_PRELOAD=libstarttls.so STARTTLS_LOG=$PWD/log "$legacy/mailer" localhost "$PORT" a@b.example c@d.example <<<hello
  log_says "starttls verified to=localhost"
  log_says "rule=/etc/starttls/policy:1"
  peer_saw "MAIL FROM"
  peer_never_saw_in_clear "MAIL FROM"
}

@test "uninstall: is refused while every program of the machine is to load the library" {
  make_ install
  in_every_program
  run ! make_ uninstall
  [[ $output == *"first take that line out of /etc/ld.so.preload"* ]]
  [ -e /usr/local/lib/libstarttls.so ]
  in_no_program
  make_ uninstall
  [ ! -e /usr/local/lib/libstarttls.so ]
}
