# SPDX-License-Identifier: MIT
# A real MariaDB in the private machine of tests/private: require_secure_transport=ON. Database joe; users joe (mysql_native_password) and
# eddy (ed25519), both with the password "secret".
# shellcheck shell=bash

# mariadb_start DIR CERTIFICATE PORT
mariadb_start() {
  local dir=$1
  mkdir -p "$dir"
  mariadb-install-db --no-defaults --user=root --auth-root-authentication-method=normal --skip-test-db --datadir="$dir/data" >"$dir/log" 2>&1 || {
    cat "$dir/log"
    return 1
  }
  cat >"$dir/init" <<'END'
install soname 'auth_ed25519';
create database joe;
create user joe identified via mysql_native_password using password('secret');
create user eddy identified via ed25519 using password('secret');
create user nobody identified by '';
grant all on *.* to joe;
grant all on joe.* to eddy;
END
  mariadbd --no-defaults --user=root --datadir="$dir/data" --bind-address=127.0.0.1 --port="$3" --socket="$dir/socket" --pid-file="$dir/pid" \
    --ssl-cert="$2" --ssl-key="$2" --require-secure-transport=ON --local-infile=ON --max-allowed-packet=64M --skip-name-resolve \
    --innodb-flush-log-at-trx-commit=0 --init-file="$dir/init" 3>&- >>"$dir/log" 2>&1 &
  mariadb_ready "$dir"
}

# Until it has read its init file: then eddy is there.
mariadb_ready() {
  local tries=600
  until mariadb --no-defaults -S "$1/socket" -u eddy -psecret -e 'select 1' joe >/dev/null 2>&1; do
    [ $((tries -= 1)) -gt 0 ] || {
      cat "$1/log"
      return 1
    }
    sleep 0.1
  done
}

# mariadb_stop DIR
mariadb_stop() { kill "$(cat "$1/pid")"; }
