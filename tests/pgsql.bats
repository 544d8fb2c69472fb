#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified PostgreSQL programs with sslmode=disable, and a real server with nothing but hostssl and SCRAM (servers/postgresql.bash).
# Each fails without the shim, does its job with it, and shows our sentence as a FATAL of class 08 when the certificate is wrong.

load helper
load databases
load servers/postgresql

setup_file() {
  [ "${STARTTLS_PRIVATE-}" = yes ] || return 0
  export server=/var/lib/pgsql-good wrong=/var/lib/pgsql-wrong
  postgresql_start "$server" "$certs/good.pem" 5432
  postgresql_start "$wrong" "$certs/wrong-name.pem" 1432
}

teardown_file() {
  [ -z "${server-}" ] || { postgresql_stop "$server" && postgresql_stop "$wrong"; }
}

export PGHOST=mail.test PGUSER=joe PGPASSWORD=secret PGDATABASE=joe PGSSLMODE=disable PGCONNECT_TIMEOUT=30
proto=pgsql odd_port=1432 turned_away="no pg_hba.conf entry"

# A query as the superuser, over the server's own socket.
inside() { as_postgres "$postgresql_bin/psql" -AtX -h "$server" -p 5432 -U postgres "$@"; }

@test "psql asks" { expect=42 does psql -AtXc 'select 6 * 7'; }
@test "psql shows FATAL and our sentence" {
  PGPORT=$odd_port is_told psql -AtXc 'select 1'
  [[ $output == *"FATAL:  libstarttls: "* ]]
}

@test "psql with sslmode=verify-full does TLS itself: we step aside and say so" {
  needs_private
  use_policy
  PGSSLMODE=verify-full PGSSLROOTCERT=$certs/ca.pem run -0 shim psql -AtXc 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
  [ "$output" = t ]
  log_says "starttls own to=mail.test"
}

@test "psql that prefers TLS does not go on without it when the server has none" {
  needs_private
  use_policy
  inside -qc "alter system set ssl = off" postgres
  inside -qc "select pg_reload_conf()" postgres
  until [ "$(inside -c 'show ssl' postgres)" = off ]; do :; done
  PGSSLMODE=prefer run ! shim psql -AtXc 'select 1'
  inside -qc "alter system reset ssl" -c "select pg_reload_conf()" postgres
  until [ "$(inside -c 'show ssl' postgres)" = on ]; do :; done
  log_says 'why="server did not offer TLS"'
}

# rows DUMP: their checksum
rows() { pg_restore -f - "$1" | sed -n '/^COPY/,/^\\\./p' | sha256sum; }

@test "pg_dump and pg_restore carry 100 MiB" {
  needs_private
  use_policy
  local sum="select count(*), sum(length(t)), sum(hashtext(t)::bigint) from big" want
  inside -qc "create table big as select i, repeat(md5(i::text), 32) as t from generate_series(1, 102400) i" -c "alter table big owner to joe" joe
  inside -qc "drop database if exists copy" -c "create database copy owner joe" postgres
  want=$(inside -c "$sum" joe)
  shim pg_dump -Fc -Z0 joe >dump
  [ "$(stat -c %s dump)" -gt 104857600 ]
  as_postgres "$postgresql_bin/pg_dump" -h "$server" -p 5432 -U postgres -Fc -Z0 joe >local
  [ "$(rows dump)" = "$(rows local)" ]
  shim pg_restore --no-owner -d copy dump
  [ "$(inside -c "$sum" copy)" = "$want" ]
  log_says "starttls verified to=mail.test"
}

@test "pg_dump says why" { PGPORT=$odd_port is_told pg_dump joe; }

psycopg2='import psycopg2
c = psycopg2.connect("")
k = c.cursor()
k.execute("create temp table t (i int, b bytea)")
k.executemany("insert into t values (%s, %s)", [(i, bytes(range(256)) * i) for i in range(200)])
k.execute("select sum(length(b)) from t")
print("sum", k.fetchone()[0])'

@test "psycopg2 asks" { expect="sum 5094400" does /usr/bin/python3 -c "$psycopg2"; }
@test "psycopg2 says why" { PGPORT=$odd_port is_told /usr/bin/python3 -c "$psycopg2"; }

@test "psycopg2, asynchronous, with select()" {
  expect="rows 100000" does /usr/bin/python3 -c '
import psycopg2, psycopg2.extensions as e, select
c = psycopg2.connect("", async_=1)
def wait():
    while True:
        state = c.poll()
        if state == e.POLL_OK: return
        select.select([c] if state == e.POLL_READ else [], [c] if state == e.POLL_WRITE else [], [], 30)
wait()
k = c.cursor()
k.execute("select i, repeat(md5(i::text), 4) from generate_series(1, 100000) i")
wait()
print("rows", len(k.fetchall()))'
}

@test "LISTEN in one connection hears NOTIFY of another, sleeping in select()" {
  expect="heard hello" does /usr/bin/python3 -c '
import psycopg2, select
a, b = psycopg2.connect(""), psycopg2.connect("")
a.autocommit = b.autocommit = True
a.cursor().execute("listen news")
b.cursor().execute("notify news, $$hello$$")
while not a.notifies:
    assert select.select([a], [], [], 30)[0]
    a.poll()
print("heard", a.notifies[0].payload)'
}

@test "a cancel request, which is a connection of its own, arrives" {
  expect="cancelled" does /usr/bin/python3 -c '
import psycopg2, threading
a, b = psycopg2.connect(""), psycopg2.connect("")
b.autocommit = True
def cancel():
    k = b.cursor()
    while True:
        k.execute("select 1 from pg_stat_activity where pid = %s and state = $$active$$", (a.get_backend_pid(),))
        if k.fetchone(): break
    a.cancel()
t = threading.Thread(target=cancel)
t.start()
try:
    a.cursor().execute("select pg_sleep(120)")
except psycopg2.extensions.QueryCanceledError:
    print("cancelled")
t.join()'
  [ "$(grep -c "starttls verified" log)" = 3 ]
}

dbd_pg='use DBI;
my $d = DBI->connect("dbi:Pg:", "joe", "secret", { RaiseError => 1, PrintError => 0 });
print "sum ", $d->selectrow_array("select sum(i) from generate_series(1, ?::int) i", undef, 1000), "\n";'

@test "Perl DBD::Pg asks" { expect="sum 500500" does perl -e "$dbd_pg"; }
@test "Perl DBD::Pg says why" { PGPORT=$odd_port is_told perl -e "$dbd_pg"; }

pdo_pgsql='$d = new PDO("pgsql:");
foreach ($d->query("select count(*) from generate_series(1, 777)") as $row) echo "count ", $row[0], "\n";'

@test "PHP pdo_pgsql asks" { expect="count 777" does php -r "$pdo_pgsql"; }
@test "PHP pdo_pgsql says why" { PGPORT=$odd_port is_told php -r "$pdo_pgsql"; }

@test "libpq's asynchronous API: connect, query and 1 MiB of parameters with poll()" {
  needs_private
  gcc -I"$(pg_config --includedir)" -o async -x c - -lpq <<'END'
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ready(PGconn *c, short events)
{
	struct pollfd p = {PQsocket(c), events, 0};

	return poll(&p, 1, 30000) > 0 ? p.revents : 0;
}

int main(void)
{
	static char large[1 << 20];
	const char *values[] = {memset(large, 'x', sizeof large - 1)};
	PGconn *c = PQconnectStart("");
	PGresult *r;
	PostgresPollingStatusType s;
	int flushed;

	while ((s = PQconnectPoll(c)) != PGRES_POLLING_OK) {
		if (s == PGRES_POLLING_FAILED || !ready(c, s == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
			fprintf(stderr, "%s", PQerrorMessage(c));
			return 1;
		}
	}
	PQsetnonblocking(c, 1);
	PQsendQueryParams(c, "select length($1), g from generate_series(1, 20000) g", 1, NULL, values, NULL, NULL, 0);
	while ((flushed = PQflush(c)) == 1)
		if (ready(c, POLLIN | POLLOUT) & POLLIN)
			PQconsumeInput(c);
	for (;;) {
		while (!flushed && PQisBusy(c))
			if (!ready(c, POLLIN) || !PQconsumeInput(c))
				return 2;
		if (!(r = PQgetResult(c)))
			return 0;
		printf("%s in %d rows\n", PQgetvalue(r, 0, 0), PQntuples(r));
		PQclear(r);
	}
}
END
  expect="1048575 in 20000 rows" does ./async
}

@test "libpq's pipeline: hundreds of queries on the way, and both directions full" {
  needs_private
  gcc -I"$(pg_config --includedir)" -o pipeline -x c - -lpq <<'END'
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { QUERIES = 2000, AHEAD = 300 };

/* Send as long as no more than AHEAD are on the way. */
static void ask(PGconn *c, int *asked, int answered)
{
	static char large[20000];
	const char *values[] = {memset(large, 'x', sizeof large - 1)};

	while (*asked < QUERIES && *asked - answered < AHEAD) {
		PQsendQueryParams(c, "select repeat($1, 2)", 1, NULL, values, NULL, NULL, 0);
		if (++*asked % 100 == 0)
			PQpipelineSync(c);
	}
}

/* NULL stands behind each result. */
static int take(PGconn *c)
{
	PGresult *r;
	int rows = 0;

	while (!PQisBusy(c) && ((r = PQgetResult(c)) || (!PQisBusy(c) && (r = PQgetResult(c))))) {
		rows += PQresultStatus(r) == PGRES_TUPLES_OK && PQgetlength(r, 0, 0) == 2 * 19999;
		PQclear(r);
	}
	return rows;
}

int main(void)
{
	PGconn *c = PQconnectdb("");
	int asked = 0, answered = 0;

	if (PQstatus(c) != CONNECTION_OK) {
		fprintf(stderr, "%s", PQerrorMessage(c));
		return 1;
	}
	PQsetnonblocking(c, 1);
	PQenterPipelineMode(c);
	while (answered < QUERIES) {
		struct pollfd p = {PQsocket(c), POLLIN, 0};

		ask(c, &asked, answered);
		if (PQflush(c) == 1)
			p.events |= POLLOUT;
		if (poll(&p, 1, 30000) <= 0 || !PQconsumeInput(c))
			return 2;
		answered += take(c);
	}
	printf("%d answers\n", answered);
	return 0;
}
END
  expect="2000 answers" does ./pipeline
}
