# SPDX-License-Identifier: MIT
# hosts: a machine on which the library can be installed, for this bats file alone. tests/private has given it an /etc and a /var in memory; here
# /usr becomes one too. All of it is gone with the file.
# shellcheck shell=bash

# Programs that are built without the runtimes of ASan and TSan cannot load a library that was built with them; UBSan's asks for nothing.
any_program() { case ${SAN-} in '' | undefined) ;; *) false ;; esac; }

own_machine() { [ "${STARTTLS_PRIVATE-}" = yes ] && any_program; }

# In setup_file. False: there can be none, each test is skipped, and nothing may be torn down: it is somebody's real machine.
own_usr() {
  own_machine || return
  (
    mkdir -p "$root/build/private"/usr.{new,work}
    cd "$root/build/private" || exit
    mount -t overlay overlay -o "lowerdir=/usr,upperdir=$PWD/usr.new,workdir=$PWD/usr.work" /usr
  ) || exit
  rm -f /var/lib/man-db/auto-update # dpkg would index all manual pages, which takes longer than everything else
}

setup() {
  needs_private
  any_program || skip "programs that are built without $SAN's runtime cannot load a library built with it"
  begin_test
}

# build_packages: in setup_file; they are in $BATS_FILE_TMPDIR/deb
build_packages() {
  "$root/policy/debian/build" "$BATS_FILE_TMPDIR/deb" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
    cat "$BATS_FILE_TMPDIR/log"
    return 1
  }
}

packages() { find "$BATS_FILE_TMPDIR/deb" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym*' | sort; }
dpkg_() { DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io "$@" </dev/null; }
install_packages() {
  local files
  mapfile -t files < <(packages)
  dpkg_ --install "${files[@]}"
}

# in_every_program, in_no_program: the library, by the loader's own file. A path: set-user-ID programs do not look for a name.
in_every_program() {
  local library
  library=$(ldconfig -p | sed -n 's/.*libstarttls.so .*=> //p' | head -n 1)
  [ -n "$library" ] && echo "$library" >/etc/ld.so.preload
}
in_no_program() { rm -f /etc/ld.so.preload; }

# with_systemd UNIT: this machine's own systemd starts UNIT, as process 1 of a namespace, in a control group of its own. UNIT has to end it.
with_systemd() {
  unshare --mount --propagation private bash -euc '
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    group=/sys/fs/cgroup/starttls.$$
    mkdir "$group"
    echo 0 >"$group/cgroup.procs"
    unshare --cgroup --mount --pid --fork --kill-child --mount-proc sh -euc "
      mount -t tmpfs tmpfs /run
      umount /sys/fs/cgroup # the root is another from here
      mount -t cgroup2 cgroup2 /sys/fs/cgroup
      exec env container=other /lib/systemd/systemd --system --unit=\"\$1\" --log-target=console" sh "$1" || code=$?
    echo 0 >/sys/fs/cgroup/cgroup.procs
    find "$group" -depth -type d -exec rmdir {} +
    exit "${code-0}"' bash "$1"
}
