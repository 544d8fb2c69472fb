# SPDX-License-Identifier: MIT
# hosts: a machine on which the library can be installed, for this bats file alone. tests/private has given it an /etc and a /var in memory; here
# /usr becomes one too. All of it is gone with the file.
# shellcheck shell=bash

# In setup_file.
own_usr() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || skip "needs root, for a /usr of its own"
  [ -z "${SAN-}" ] || skip "programs that are built without $SAN's runtime cannot load a library built with it"
  mkdir -p "$BATS_TEST_DIRNAME/../build/private"/usr.{new,work}
  cd "$BATS_TEST_DIRNAME/../build/private" || return
  mount -t overlay overlay -o "lowerdir=/usr,upperdir=$PWD/usr.new,workdir=$PWD/usr.work" /usr
}

# in_every_program, in_no_program: the library, by the loader's own file
in_every_program() { echo libstarttls.so >/etc/ld.so.preload; }
in_no_program() { rm -f /etc/ld.so.preload; }
