/* SPDX-License-Identifier: MIT
 * workloads.h - what the clients of the benchmark do, one function per style of I/O, over the
 * functions of link.h.
 *
 *   PROGRAM [-c CA.pem] [-r] [-m] HOST PORT WORKLOAD [NUMBER...]
 *           native only: -r resumes sessions, -m releases the buffers of idle connections
 *
 * Each workload but "mail" prints one line: "wall=NS cpu=NS amount=N", amount being octets,
 * replies, connections or mails. Only the work named is timed, not the start of the process nor,
 * unless that is the subject, the opening of connections.
 */
#ifndef WORKLOADS_H
#define WORKLOADS_H

#include "link.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define MAX_IO 65536u

static struct {
	uint64_t wall, cpu;
} started;

static void meter_begin(void)
{
	started.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	started.wall = clock_ns(CLOCK_MONOTONIC);
}

static void meter_end(uint64_t amount)
{
	uint64_t wall = clock_ns(CLOCK_MONOTONIC) - started.wall;
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - started.cpu;

	printf("wall=%lu cpu=%lu amount=%lu\n", wall, cpu, amount);
	fflush(stdout);
}

/* --- moving many octets; how a non-blocking program waits is a parameter: null for a blocking one
 */

typedef void wait_fn(struct link *l);

static void wait_poll(struct link *l)
{
	struct pollfd p = {.fd = l->fd, .events = l->events};

	if (poll(&p, 1, -1) < 0)
		die("poll");
}

static void wait_select(struct link *l)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(l->fd, &set);
	if (select(l->fd + 1, l->events & POLLIN ? &set : NULL, l->events & POLLOUT ? &set : NULL,
		   NULL, NULL) < 0)
		die("select");
}

static void wait_epoll(struct link *l)
{
	static int set = -1;
	struct epoll_event event = {.events = (uint32_t)l->events};
	int change = set < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (set < 0)
		set = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(set, change, l->fd, &event) || epoll_wait(set, &event, 1, -1) < 0)
		die("epoll");
}

static void say_number(struct link *l, const char *verb, uint64_t n)
{
	char line[64];

	snprintf(line, sizeof line, "%s %lu\r\n", verb, n);
	link_say(l, line);
}

static void await_reply(struct link *l, wait_fn *wait)
{
	while (!link_reply(l, '2')) {
		if (!wait)
			die("a blocking connection would block");
		wait(l);
	}
}

/* An error that is not "later" ends the run; "later" waits. */
static void wait_or_die(struct link *l, wait_fn *wait)
{
	if (errno != EAGAIN || !wait)
		die("input or output");
	wait(l);
}

static void upload(struct link *l, size_t size, uint64_t total, wait_fn *wait)
{
	uint64_t at = 0;

	say_number(l, "SINK", total);
	while (at < total) {
		ssize_t n = link_write(l, pattern_at(at), smaller(size, total - at));

		if (n > 0)
			at += (uint64_t)n;
		else
			wait_or_die(l, wait);
	}
	await_reply(l, wait);
}

static void download(struct link *l, size_t size, uint64_t total, wait_fn *wait)
{
	static _Thread_local char room[MAX_IO];
	uint64_t at = 0;

	say_number(l, "SOURCE", total);
	while (at < total) {
		ssize_t n = 0;

		l->events = POLLIN;
		if (wait && !link_pending(l))
			wait(l);
		n = link_read(l, room, smaller(size, total - at));
		if (n == 0)
			die("end of stream after %lu octets", at);
		if (n < 0) {
			wait_or_die(l, wait);
			continue;
		}
		if (!pattern_is(room, (size_t)n, at))
			die("wrong octets after %lu", at);
		at += (uint64_t)n;
	}
}

static void run_upload(const uint64_t *number)
{
	struct link l;

	link_open(&l);
	meter_begin();
	upload(&l, number[0], number[1], NULL);
	meter_end(number[1]);
	link_quit(&l);
}

static void run_download(const uint64_t *number)
{
	struct link l;

	link_open(&l);
	meter_begin();
	download(&l, number[0], number[1], NULL);
	meter_end(number[1]);
	link_quit(&l);
}

/* --- many pieces in one call */

#define MAX_PIECES 64

static int gather(struct iovec *pieces, int count, size_t size, uint64_t at, uint64_t total)
{
	int used = 0;

	for (; used < count && at < total; used++) {
		pieces[used].iov_base = (void *)pattern_at(at);
		pieces[used].iov_len = smaller(size, total - at);
		at += pieces[used].iov_len;
	}
	return used;
}

static void run_pieces(const uint64_t *number,
		       ssize_t (*send_pieces)(struct link *, const struct iovec *, int))
{
	struct iovec pieces[MAX_PIECES];
	uint64_t at = 0, total = number[2];
	struct link l;

	link_open(&l);
	meter_begin();
	say_number(&l, "SINK", total);
	while (at < total) {
		int count =
			gather(pieces, (int)smaller(number[0], MAX_PIECES), number[1], at, total);
		ssize_t n = send_pieces(&l, pieces, count);

		if (n <= 0)
			die("many pieces");
		at += (uint64_t)n;
	}
	await_reply(&l, NULL);
	meter_end(total);
	link_quit(&l);
}

static void run_writev(const uint64_t *number)
{
	run_pieces(number, link_writev);
}

static void run_sendmsg(const uint64_t *number)
{
	run_pieces(number, link_sendmsg);
}

/* --- stdio: small pieces up and down, then requests and replies */

static void stream_pings(FILE *in, FILE *out, uint64_t count)
{
	char line[128];

	while (count--) {
		fputs("PING\r\n", out);
		fflush(out);
		if (!fgets(line, sizeof line, in) || line[0] != '2')
			die("stdio: no reply");
	}
}

static void stream_up(FILE *in, FILE *out, uint64_t total)
{
	char line[128];

	fprintf(out, "SINK %lu\r\n", total);
	for (uint64_t at = 0, n = 0; at < total; at += n) {
		n = smaller(100, total - at);
		if (fwrite(pattern_at(at), 1, n, out) != n)
			die("stdio: fwrite");
	}
	fflush(out);
	if (!fgets(line, sizeof line, in) || line[0] != '2')
		die("stdio: octets were not accepted");
}

static void stream_down(FILE *in, FILE *out, uint64_t total)
{
	char room[100];

	fprintf(out, "SOURCE %lu\r\n", total);
	fflush(out);
	for (uint64_t at = 0, n = 0; at < total; at += n) {
		n = fread(room, 1, smaller(sizeof room, total - at), in);
		if (n == 0 || !pattern_is(room, n, at))
			die("stdio: wrong octets after %lu", at);
	}
}

static void run_stdio(const uint64_t *number)
{
	FILE *in = NULL, *out = NULL;
	struct link l;

	link_open(&l);
	in = link_fdopen(&l, "r");
	out = link_fdopen(&l, "w");
	if (!in || !out)
		die("fdopen");
	meter_begin();
	stream_up(in, out, number[0]);
	stream_down(in, out, number[0]);
	stream_pings(in, out, number[1]);
	meter_end(2 * number[0]);
	fclose(in);
	fclose(out);
	link_quit(&l);
}

/* --- one non-blocking connection in a loop of poll, select or epoll */

static void set_nonblocking(struct link *l)
{
	fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK);
}

static void pings(struct link *l, uint64_t count, wait_fn *wait)
{
	while (count--) {
		link_say(l, "PING\r\n");
		l->events = POLLIN;
		if (wait && !link_pending(l))
			wait(l);
		await_reply(l, wait);
	}
}

static void run_loop(const uint64_t *number, wait_fn *wait)
{
	struct link l;

	link_open(&l);
	set_nonblocking(&l);
	meter_begin();
	upload(&l, 16384, number[0], wait);
	download(&l, 16384, number[0], wait);
	pings(&l, number[1], wait);
	meter_end(2 * number[0]);
	link_quit(&l);
}

static void run_poll(const uint64_t *number)
{
	run_loop(number, wait_poll);
}

static void run_select(const uint64_t *number)
{
	run_loop(number, wait_select);
}

static void run_epoll(const uint64_t *number)
{
	run_loop(number, wait_epoll);
}

/* --- two threads, a connection each */

struct thread_work {
	struct link link;
	uint64_t total;
};

static void *thread_main(void *argument)
{
	struct thread_work *w = argument;

	upload(&w->link, 16384, w->total, NULL);
	download(&w->link, 16384, w->total, NULL);
	return NULL;
}

static void run_threads(const uint64_t *number)
{
	struct thread_work work[2];
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		work[i].total = number[0] / 2;
		link_open(&work[i].link);
	}
	meter_begin();
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, thread_main, &work[i]))
			die("no thread");
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	meter_end(2 * number[0]);
	for (int i = 0; i < 2; i++)
		link_quit(&work[i].link);
}

/* --- many connections in one epoll loop */

static struct link *many_links(uint64_t count)
{
	struct link *l = calloc(count, sizeof *l);

	if (!l)
		die("no memory");
	return l;
}

static void watch(int set, struct link *l, int change)
{
	struct epoll_event event = {.events = (uint32_t)l->events, .data.ptr = l};

	if (epoll_ctl(set, change, l->fd, &event))
		die("epoll_ctl");
}

/* Open all of them at once from one loop, each up to its first reply behind the opening dialogue.
 */
static void open_many(int set, struct link *l, uint64_t count)
{
	struct epoll_event events[256];
	uint64_t ready = 0;

	for (uint64_t i = 0; i < count; i++) {
		link_connect(&l[i], SOCK_NONBLOCK);
		l[i].events = POLLIN;
		watch(set, &l[i], EPOLL_CTL_ADD);
	}
	while (ready < count) {
		int n = epoll_wait(set, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct link *one = events[i].data.ptr;
			short before = one->events;

			if (link_step(one))
				ready++;
			else if (one->events != before)
				watch(set, one, EPOLL_CTL_MOD);
		}
	}
}

static void answer_pings(int set, uint64_t replies, uint64_t unsent)
{
	struct epoll_event events[256];

	while (replies) {
		int n = epoll_wait(set, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct link *l = events[i].data.ptr;

			if (!link_reply(l, '2'))
				continue;
			replies--;
			if (!unsent)
				continue;
			unsent--;
			link_say(l, "PING\r\n");
		}
	}
}

static void run_many(const uint64_t *number)
{
	uint64_t count = number[0], replies = number[1];
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct link *l = many_links(count);

	for (uint64_t i = 0; i < count; i++) {
		link_open(&l[i]);
		set_nonblocking(&l[i]);
		l[i].events = POLLIN;
		watch(set, &l[i], EPOLL_CTL_ADD);
	}
	meter_begin();
	for (uint64_t i = 0; i < count; i++)
		link_say(&l[i], "PING\r\n");
	answer_pings(set, replies, replies - count);
	meter_end(replies);
}

static void run_far(const uint64_t *number)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct link *l = many_links(number[0]);

	meter_begin();
	open_many(set, l, number[0]);
	meter_end(number[0]);
}

/* --- opening connections */

static void run_connects(const uint64_t *number)
{
	struct link l;

	link_open(&l); /* the first one loads libraries and makes contexts */
	link_quit(&l);
	meter_begin();
	for (uint64_t i = 0; i < number[0]; i++) {
		link_open(&l);
		link_quit(&l);
	}
	meter_end(number[0]);
}

/* From before connect() to the first reply inside TLS; the driver knows how long one trip takes.
 * Taken from the second connection, so that loading libraries does not look like a trip. */
static void run_trips(const uint64_t *number)
{
	struct link l;

	(void)number;
	link_open(&l);
	link_quit(&l);
	meter_begin();
	link_open(&l);
	meter_end(1);
	link_quit(&l);
}

static uint64_t resident_octets(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		die("/proc/self/statm");
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define WARM 16u /* connections that pay for what is paid once */

/* Memory per idle connection. Holds them until a line comes on stdin, so that the driver can look
 * at stunnel meanwhile. */
static void run_hold(const uint64_t *number)
{
	struct link *l = many_links(number[0] + WARM);
	uint64_t before = 0;

	memset(l, 1, (number[0] + WARM) * sizeof *l); /* our own pages are not the subject */
	for (uint64_t i = 0; i < number[0] + WARM; i++) {
		if (i == WARM)
			before = resident_octets();
		link_open(&l[i]);
		pings(&l[i], 1, NULL);
	}
	printf("wall=0 cpu=0 amount=%lu\n", (resident_octets() - before) / number[0]);
	fflush(stdout);
	(void)getchar();
}

/* --- mail */

#define MAIL_LINES 64

static const char mail_line[] =
	"One line of a mail, about as long as the lines of a mail are..\r\n";

static void mail_envelope(struct link *l)
{
	link_say(l, "MAIL FROM:<a@client.example>\r\n");
	link_reply(l, '2');
	link_say(l, "RCPT TO:<b@server.example>\r\n");
	link_reply(l, '2');
	link_say(l, "DATA\r\n");
	link_reply(l, '3');
}

/* As the oldest programs do it: a write() for each line. */
static void mail_by_lines(struct link *l)
{
	mail_envelope(l);
	for (int i = 0; i < MAIL_LINES; i++)
		link_say(l, mail_line);
	link_say(l, ".\r\n");
	link_reply(l, '2');
}

/* As a program with a buffer does it, so that Nagle and delayed acknowledgements have no part. */
static void mail_at_once(struct link *l)
{
	char body[MAIL_LINES * sizeof mail_line + 8] = "";

	for (int i = 0; i < MAIL_LINES; i++)
		memcpy(body + (size_t)i * (sizeof mail_line - 1), mail_line, sizeof mail_line);
	strcat(body, ".\r\n");
	mail_envelope(l);
	link_say(l, body);
	link_reply(l, '2');
}

static void run_mails(const uint64_t *number)
{
	struct link l;

	link_open(&l);
	meter_begin();
	for (uint64_t i = 0; i < number[0]; i++)
		mail_by_lines(&l);
	meter_end(number[0]);
	link_quit(&l);
}

/* The whole process is the subject, and its parent holds the watch. */
static void run_mail(const uint64_t *number)
{
	struct link l;

	(void)number;
	link_open(&l);
	mail_at_once(&l);
	link_quit(&l);
}

/* --- choosing one */

static const struct {
	const char *name;
	int numbers;
	void (*run)(const uint64_t *number);
} workloads[] = {
	{"upload", 2, run_upload},     /* size of a write, octets */
	{"download", 2, run_download}, /* size of a read, octets */
	{"writev", 3, run_writev},     /* pieces, size of a piece, octets */
	{"sendmsg", 3, run_sendmsg},   {"stdio", 2, run_stdio}, /* octets each way, round trips */
	{"poll", 2, run_poll},         {"select", 2, run_select},
	{"epoll", 2, run_epoll},       {"threads", 1, run_threads}, /* octets each way */
	{"many", 2, run_many},                                /* connections, round trips in all */
	{"far", 1, run_far},                                  /* connections */
	{"connects", 1, run_connects},                        /* connections */
	{"trips", 0, run_trips},       {"hold", 1, run_hold}, /* connections */
	{"mails", 1, run_mails},                              /* mails on one connection */
	{"mail", 0, run_mail},
};

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [-c CA.pem] [-r] [-m] HOST PORT WORKLOAD [NUMBER...]\nworkloads:",
		program);
	for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
		fprintf(stderr, " %s(%d)", workloads[i].name, workloads[i].numbers);
	fputc('\n', stderr);
	return 64;
}

static int run_workload(int argc, char **argv)
{
	uint64_t number[3] = {0};

	for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
		if (strcmp(argv[0], workloads[i].name) != 0)
			continue;
		if (argc != workloads[i].numbers + 1)
			return usage("PROGRAM");
		for (int j = 1; j < argc; j++)
			number[j - 1] = strtoull(argv[j], NULL, 10);
		side_start();
		workloads[i].run(number);
		return 0;
	}
	return usage("PROGRAM");
}

int main(int argc, char **argv)
{
	int option = 0;

	while ((option = getopt(argc, argv, "+c:rm")) != -1) {
		if (option == 'c')
			peer.ca = optarg;
		else if (option == 'r')
			peer.resume = true;
		else if (option == 'm')
			peer.frugal = true;
		else
			return usage(argv[0]);
	}
	if (argc - optind < 3)
		return usage(argv[0]);
	peer.host = argv[optind];
	peer.port = argv[optind + 1];
	allow_many_files();
	pattern_make();
	return run_workload(argc - optind - 2, argv + optind + 2);
}

#endif
