#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified MySQL and MariaDB programs with TLS off, and a real MariaDB with require_secure_transport=ON (servers/mariadb.bash). Each
# fails without the shim, does its job with it, and shows our sentence as ERROR 1043 (08S01) when the certificate is wrong.
# shellcheck disable=SC2030,SC2031  # each test is a subshell

load helper
load databases
load servers/mariadb

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/mariadb-good wrong=/var/lib/mariadb-wrong
  mariadb_start "$server" "$certs/good.pem" 3306
  mariadb_start "$wrong" "$certs/wrong-name.pem" 1306
}

teardown_file() {
  [ -z "${server-}" ] || { mariadb_stop "$server" && mariadb_stop "$wrong"; }
}

proto=mysql odd_port=1306 turned_away="Access denied|insecure transport"
client=(mariadb --no-defaults --skip-ssl -N -B -h mail.test -psecret)

# A query as root, over the server's own socket.
inside() { mariadb --no-defaults -N -B -S "$server/socket" -u root "$@"; }

@test "mariadb asks (mysql_native_password)" { expect=42 does "${client[@]}" -u joe -e 'select 6 * 7'; }
@test "mariadb asks (ed25519, after an AuthSwitch)" { expect=42 does "${client[@]}" -u eddy -e 'select 6 * 7' joe; }
@test "mariadb asks (no password)" { expect=42 does mariadb --no-defaults --skip-ssl -N -B -h mail.test -u nobody -e 'select 6 * 7'; }
@test "mariadb asks with compression" { expect=100000 does "${client[@]}" --compress -u joe -e "select length(repeat('x', 100000))"; }

@test "the server knows that it is on TLS" {
  needs_private
  use_policy
  run -0 shim "${client[@]}" -u joe -e "show status like 'ssl_version'"
  [[ $output == *TLSv1.3 ]]
}

@test "mariadb is told of a wrong password by the server" {
  needs_private
  use_policy
  run -1 shim mariadb --no-defaults --skip-ssl -h mail.test -pwrong -u joe -e 'select 1'
  [[ $output == *"ERROR 1045 (28000)"* ]]
}

@test "mariadb shows ERROR 1043 (08S01) and our sentence" {
  is_told "${client[@]}" -u joe -P 1306 -e 'select 1'
  [[ $output == *"ERROR 1043 (08S01)"*": libstarttls: "* || $output == *"ERROR 1043 (08S01): libstarttls: "* ]]
}

@test "mariadb-dump and mariadb carry 100 MiB" {
  needs_private
  use_policy
  local sum='select count(*), sum(length(t)), sum(crc32(t)) from' want
  inside -e 'create table big as select seq as i, repeat(md5(seq), 32) as t from seq_1_to_102400; create database copy' joe
  want=$(inside -e "$sum big" joe)
  shim mariadb-dump --no-defaults --skip-ssl --skip-dump-date -h mail.test -u joe -psecret joe >dump
  [ "$(stat -c %s dump)" -gt 104857600 ]
  mariadb-dump --no-defaults --skip-dump-date -S "$server/socket" -u root joe >local
  [ "$(grep ^INSERT dump | sha256sum)" = "$(grep ^INSERT local | sha256sum)" ]
  shim "${client[@]}" -u joe copy <dump
  [ "$(inside -e "$sum big" copy)" = "$want" ]
  log_says "starttls verified to=mail.test"
}

@test "mariadb-dump says why" { is_told mariadb-dump --no-defaults --skip-ssl -h mail.test -P 1306 -u joe -psecret joe; }

@test "LOAD DATA LOCAL sends 200,000 lines" {
  needs_private
  use_policy
  inside -e 'create table t (t varchar(100))' joe
  seq -f 'line %.0f' 200000 >lines
  shim "${client[@]}" --local-infile=1 -u joe -e "load data local infile 'lines' into table t; select count(*), sum(crc32(t)) from t" joe >got
  [ "$(cat got)" = "$(inside -e 'select count(*), sum(crc32(t)) from t' joe)" ]
  [ "$(cut -f1 got)" = 200000 ]
}

@test "a value of 40 MB, which is three packets" {
  needs_private
  use_policy
  run -0 shim sh -c 'mariadb --no-defaults --skip-ssl -N -B --max-allowed-packet=64M -h mail.test -psecret -u joe -e "select repeat(\"x\", 40000000)" | wc -c'
  [[ $output == *40000001* ]]
}

mysqli='mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
  $d = new mysqli("mail.test", $argv[2], "secret", "joe", $argv[1]);
  $s = $d->prepare("select ? + ?");
  $i = 40; $j = 2;
  $s->bind_param("ii", $i, $j);
  $s->execute();
  echo "sum ", $s->get_result()->fetch_row()[0], "\n";
  $s->close();
  $d->change_user("joe", "secret", "joe");
  $d->query("select repeat(\"y\", 1000000)", MYSQLI_ASYNC);
  do { $r = [$d]; $e = $x = []; } while (!mysqli_poll($r, $e, $x, 30));
  echo "length ", strlen($d->reap_async_query()->fetch_row()[0]), "\n";
} catch (mysqli_sql_exception $e) {
  echo $e->getCode(), " ", $e->getSqlState(), " ", $e->getMessage(), "\n";
  exit(1);
}'

@test "PHP mysqli asks, changes user, and waits with mysqli_poll()" { expect=$'sum 42\nlength 1000000' does php -r "$mysqli" 3306 joe; }
@test "PHP mysqli says why" {
  is_told php -r "$mysqli" 1306 joe
  [[ $output == "1043 "*" libstarttls: "* ]]
}

pdo_mysql='$d = new PDO("mysql:host=mail.test;dbname=joe;port=" . $argv[1], "joe", "secret");
echo "count ", $d->query("select count(*) from seq_1_to_777")->fetchColumn(), "\n";'

@test "PHP pdo_mysql asks" { expect="count 777" does php -r "$pdo_mysql" 3306; }
@test "PHP pdo_mysql says why" { is_told php -r "$pdo_mysql" 1306; }

dbi='use DBI;
my ($driver, $port) = @ARGV;
my $d = DBI->connect("dbi:$driver:database=joe;host=mail.test;port=$port", "joe", "secret", { RaiseError => 1, PrintError => 0 });
print "sum ", $d->selectrow_array("select sum(seq) from seq_1_to_1000 where seq > ?", undef, 500), "\n";'

@test "Perl DBD::mysql asks" { expect="sum 375250" does perl -e "$dbi" mysql 3306; }
@test "Perl DBD::mysql says why" { is_told perl -e "$dbi" mysql 1306; }
@test "Perl DBD::MariaDB asks" { expect="sum 375250" does perl -e "$dbi" MariaDB 3306; }
@test "Perl DBD::MariaDB says why" { is_told perl -e "$dbi" MariaDB 1306; }

# scripted_mysql8 [fast] -- COMMAND …: one connection to servers/mysql8.py, at $PORT
scripted_mysql8() {
  local fast=
  [ "$1" = -- ] || { fast=$1; shift; }
  shift
  needs_private
  exec {peer}< <(/usr/bin/python3 "$root/tests/servers/mysql8.py" "$PWD" "$certs/good.pem" secret ${fast:+"$fast"} 2>peer.err || echo "exit $?")
  read -r PORT <&"$peer"
  export PORT
  PROTO=mysql watch verify
  run shim "$@"
  cat <&"$peer" >peer.end
  cat peer.err
  echo "$output"
  [ "$status" = 0 ]
  [ ! -s peer.end ]
  log_says "starttls verified to=mail.test"
}

mysql8_client='exec mariadb --no-defaults --skip-ssl -h mail.test -psecret --default-auth=caching_sha2_password -u joe -P "$PORT" -e "do 1"'

@test "caching_sha2_password: full authentication, with the password under the server's key" { scripted_mysql8 -- sh -c "$mysql8_client"; }
@test "caching_sha2_password: fast authentication" { scripted_mysql8 fast -- sh -c "$mysql8_client"; }

@test "greeting and edited packets, byte by byte: select, FIONREAD and MSG_PEEK agree about each" {
  scripted_mysql8 fast -- /usr/bin/python3 -c '
import fcntl, os, select, socket, struct, termios
s = socket.create_connection(("mail.test", int(os.environ["PORT"])))
s.setblocking(False)

def readable(timeout):
    return bool(select.select([s], [], [], timeout)[0])

def byte():
    while True:  # readable may be about the handshake: then there is nothing yet
        assert readable(30)
        try:
            peeked = s.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        assert struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, bytes(4)))[0] > 0
        assert readable(0) and s.recv(1) == peeked
        return peeked

def packet(number):
    head = b"".join(byte() for _ in range(4))
    assert head[3] == number, head
    return b"".join(byte() for _ in range(int.from_bytes(head[:3], "little")))

greeting = packet(0)
assert not readable(0)
low = struct.unpack_from("<H", greeting, greeting.index(b"\0", 1) + 14)[0]
assert not low & 0x800, "CLIENT_SSL is offered"
answer = struct.pack("<IIB23s", 0x000fa685 & ~0x800, 1 << 24, 45, b"") + b"joe\0\x20" + bytes(32) + b"caching_sha2_password\0"
s.setblocking(True)
s.sendall(struct.pack("<I", len(answer))[:3] + b"\1" + answer)
s.setblocking(False)
assert packet(2) == b"\1\3"
assert packet(3)[:1] == b"\0"
s.sendall(b"\1\0\0\0\1")'
}
