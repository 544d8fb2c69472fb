# SPDX-License-Identifier: MIT
# A real PostgreSQL in the private machine of tests/private: TLS only (hostssl), SCRAM passwords. User joe with the password "secret"
# owns the database joe.
# shellcheck shell=bash

postgresql_bin=/usr/lib/postgresql/15/bin

# It refuses to run as root.
as_postgres() { (cd / && exec setpriv --reuid 61011 --regid 61011 --clear-groups -- "$@"); }

# postgresql_start DIR CERTIFICATE PORT
postgresql_start() {
  local dir=$1
  mkdir -p "$dir"
  cp "$2" "$dir/certificate"
  chmod 600 "$dir/certificate"
  chown -R 61011:61011 "$dir"
  as_postgres $postgresql_bin/initdb --no-sync --locale=C --encoding=UTF8 -U postgres -D "$dir/data" >/dev/null || return 1
  cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $3
unix_socket_directories = '$dir'
ssl = on
ssl_cert_file = '$dir/certificate'
ssl_key_file = '$dir/certificate'
fsync = off
jit = off
shared_buffers = 32MB
max_wal_size = 2GB
END
  printf 'local all all trust\nhostssl all all all scram-sha-256\n' >"$dir/data/pg_hba.conf"
  postgresql_run "$dir" start || {
    cat "$dir/log"
    return 1
  }
  as_postgres $postgresql_bin/psql -q -h "$dir" -p "$3" -U postgres postgres \
    -c "create user joe password 'secret'" -c "create database joe owner joe"
}

postgresql_run() { as_postgres $postgresql_bin/pg_ctl -s -w -D "$1/data" -l "$1/log" -m immediate "$2" 3>&- >/dev/null; }

# postgresql_stop DIR
postgresql_stop() { postgresql_run "$1" stop; }
