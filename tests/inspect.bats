#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `starttls inspect` beyond the program's own file: its libraries, AppArmor, terminals. What the loader goes by is in command.bats.

load helper
load command

inspect() { "$build/starttls" inspect "$@"; }

# library NAME SOURCE [GCC OPTION …]: lib/NAME
library() {
  local name=$1 source=$2
  shift 2
  mkdir -p lib
  gcc -w -shared -fPIC -Wl,-soname,"$name" -o "lib/$name" -x c - -x none "$@" <<<"$source"
}

program() {
  local name=$1 source=$2
  shift 2
  gcc -w -o "$name" -x c - -x none -Llib "$@" <<<"$source"
}

@test "TLS, socket calls and io_uring are found in libraries of libraries, by RUNPATH as the loader would" {
  library liburing.so.2 'void io_uring_submit(void) {}'
  library libdeep.so 'void io_uring_submit(void); int connect(void); int OPENSSL_init_ssl(void); int deep(void) { io_uring_submit(); return connect() + OPENSSL_init_ssl(); }' \
    -Llib -l:liburing.so.2 -lssl '-Wl,-rpath,$ORIGIN'
  library libmiddle.so 'int deep(void); int middle(void) { return deep(); }' -Llib -ldeep '-Wl,-rpath,$ORIGIN'
  program deep 'int middle(void); int main(void) { return middle(); }' -lmiddle '-Wl,-rpath,$ORIGIN/lib' -Wl,-rpath-link,lib
  run -0 inspect ./deep
  says "it makes no socket calls of its own"
  says "it has its own TLS through libdeep.so (libssl.so.3): where it is set to use that, say 'by app' in the policy"
  says "socket calls in libraries that it loads: libdeep.so"$'\n'
  says "it uses io_uring through libdeep.so: "
  mv lib elsewhere
  run -0 inspect ./deep
  says "it needs libmiddle.so, which is not there"
  LD_LIBRARY_PATH=$PWD/elsewhere run -0 inspect ./deep
  says "through libdeep.so (libssl.so.3)"
}

@test "neither the program nor its libraries are run, nor the loader that it names" {
  library libmark.so '#include <stdio.h>
    __attribute__((constructor)) void mark(void) { fclose(fopen("ran", "w")); }'
  program marked 'void mark(void); int main(void) { mark(); }' -lmark "-Wl,-rpath,$PWD/lib"
  printf '#!/bin/sh\n: >ran\n' >ld-linux-x86-64.so.2
  chmod 755 ld-linux-x86-64.so.2
  program foreign 'void mark(void); int main(void) { mark(); }' -lmark "-Wl,-rpath,$PWD/lib" "-Wl,--dynamic-linker=$PWD/ld-linux-x86-64.so.2"
  for name in marked foreign; do
    run inspect "./$name"
    [ ! -e ran ]
  done
  run -0 inspect ./marked
}

@test "a library of ours that cannot be mapped is told by inspect too" {
  needs_private
  mkdir -p there/bin there/lib
  mount -t tmpfs -o noexec tmpfs there/lib
  cp "$build/starttls" there/bin
  cp "$build/libstarttls.so" there/lib
  run -69 there/bin/starttls inspect cat
  umount there/lib
  says "cannot be preloaded (failed to map segment from shared object)"
  says "verdict: the shim CANNOT hold cat"
}

@test "AppArmor: the profile for the program is named, by whatever pattern it is found; others are not" {
  needs_private
  mkdir -p /etc/apparmor.d/disable /opt/mail/bin
  cp /bin/true /opt/mail/bin/sender
  rm -f /etc/apparmor.d/* 2>/dev/null || true
  while IFS='|' read -r answer head; do
    echo "$head" >/etc/apparmor.d/profile
    run -0 inspect /opt/mail/bin/sender
    case $answer in
    yes) says "AppArmor confines it by the profile" && says "of /etc/apparmor.d/profile; that must allow '$build/libstarttls.so mr,'" && says "'/etc/starttls/** r,'" ;;
    no) never_says AppArmor ;;
    esac || { echo "for: $head"; false; }
  done <<'END'
yes|/opt/mail/bin/sender {
yes|/opt/mail/bin/sender flags=(complain) {
yes|profile sender /opt/mail/bin/sender flags=(attach_disconnected) {
yes|profile "sender" "/opt/mail/bin/sender" {
yes|profile sender /{usr,opt/mail}/bin/{sender,receiver} {
yes|/opt/*/bin/sende[a-r] {
yes|/opt/** {
yes|/opt/mail/bin/s?nder {
yes|profile sender @{bin}/sender {
no|# /opt/mail/bin/sender {
no|/opt/*/sender {
no|/opt/mail/bin/sende {
no|/opt/mail/bin/senders {
no|/opt/mail/bin/sende[^r] {
no|profile sender {
no|  /opt/mail/bin/sender ix,
END
  echo '/opt/mail/bin/sender {' >/etc/apparmor.d/profile
  [ ! -d /sys/kernel/security ] || {
    mount -t tmpfs tmpfs /sys/kernel/security
    mkdir /sys/kernel/security/apparmor
    printf '%s\n' '/opt/mail/bin/sender//child (complain)' '/opt/mail/bin/sender (enforce)' >/sys/kernel/security/apparmor/profiles
    run -0 inspect /opt/mail/bin/sender
    umount /sys/kernel/security
    says "AppArmor confines it by the profile '/opt/mail/bin/sender' (enforce) of /etc/apparmor.d/profile"
  }
  ln -s ../profile /etc/apparmor.d/disable/profile
  run -0 inspect /opt/mail/bin/sender
  never_says AppArmor
}

@test "colours are for terminals, and not for those who want none" {
  run -0 inspect cat
  never_says $'\033'
  run -0 script -qec "$build/starttls inspect cat" /dev/null
  says $'\033[32m'
  NO_COLOR=1 run -0 script -qec "$build/starttls inspect cat" /dev/null
  never_says $'\033'
}
