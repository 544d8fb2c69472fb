/* SPDX-License-Identifier: MIT
 * cost.c - what a preloaded library costs a process that never meets TLS.
 *
 *   cost spawn N [-p LIBRARY]... PROGRAM [ARGUMENT...]
 *        Start PROGRAM N times for each -p, in turn, and wait for its end. One line for each -p, in
 * their order: "wall=NS cpu=NS", medians of one start. "-p none" preloads nothing. cost call NAME N
 * [HOST PORT] Make N times the call NAME on descriptors that no policy is about, with a connection
 * to HOST:PORT held open meanwhile if one is given. Prints "ns=NUMBER", of one call. Run it with
 * and without the library and subtract.
 */
#include "bench.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/wait.h>

#define MAX_LIBRARIES 8
#define MAX_STARTS    4096

/* --- starting a program */

struct sample {
	uint64_t wall, cpu;
};

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

/* The environment, with that library preloaded or none. */
static char **environment_with(const char *library)
{
	static char preload[4096];
	static char *list[1024];
	size_t n = 0;

	for (char **e = environ; *e && n < 1000; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0)
			list[n++] = *e;
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
	if (strcmp(library, "none") != 0)
		list[n++] = preload;
	list[n] = NULL;
	return list;
}

static struct sample start_once(const char *library, char **command)
{
	char **environment = environment_with(library);
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	struct rusage usage;
	struct sample s;
	int status = 0;
	pid_t child;

	if (posix_spawnp(&child, command[0], NULL, NULL, command, environment))
		die("cannot start %s", command[0]);
	if (wait4(child, &status, 0, &usage) != child || status != 0)
		die("%s under '%s' ended with status %d", command[0], library, status);
	s.wall = clock_ns(CLOCK_MONOTONIC) - before;
	s.cpu = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
	return s;
}

static int by_wall(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->wall > y->wall) - (x->wall < y->wall);
}

static void print_median(struct sample *samples, size_t n)
{
	uint64_t cpu = 0;

	for (size_t i = 0; i < n; i++)
		cpu += samples[i].cpu;
	qsort(samples, n, sizeof *samples, by_wall);
	printf("wall=%lu cpu=%lu\n", samples[n / 2].wall, cpu / n);
}

static int spawn(int argc, char **argv)
{
	static struct sample samples[MAX_LIBRARIES][MAX_STARTS];
	size_t starts = strtoull(argv[0], NULL, 10), libraries = 0;
	const char *library[MAX_LIBRARIES] = {"none"};
	int at = 1;

	for (; at + 1 < argc && strcmp(argv[at], "-p") == 0 && libraries < MAX_LIBRARIES; at += 2)
		library[libraries++] = argv[at + 1];
	libraries = libraries ? libraries : 1;
	if (at >= argc || starts == 0 || starts > MAX_STARTS)
		die("cost spawn: 1 to %d starts of a program", MAX_STARTS);
	for (size_t i = 0; i < starts; i++)
		for (size_t j = 0; j < libraries; j++) {
			size_t turn = i % 2 ? libraries - 1 - j : j;

			samples[turn][i] = start_once(library[turn], argv + at);
		}
	for (size_t j = 0; j < libraries; j++)
		print_median(samples[j], starts);
	return 0;
}

/* --- calls */

static int zero, null_out, listener;
static struct sockaddr_in listening;

static void call_read(void)
{
	char c;

	if (read(zero, &c, 1) != 1)
		die("read");
}

static void call_write(void)
{
	if (write(null_out, "", 1) != 1)
		die("write");
}

static void call_close(void)
{
	if (close(dup(zero)))
		die("close");
}

static void call_dup2(void)
{
	if (dup2(zero, 900) < 0)
		die("dup2");
}

/* One thread does both ends: the kernel completes the connection before anyone accepts it. */
static void call_connect(void)
{
	struct linger abort_at_once = {.l_onoff = 1}; /* leave no TIME_WAIT behind */
	int fd = socket(AF_INET, SOCK_STREAM, 0), other = -1;

	if (connect(fd, (struct sockaddr *)&listening, sizeof listening))
		die("connect");
	other = accept(listener, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_at_once, sizeof abort_at_once);
	close(fd);
	close(other);
}

static void call_nothing(void) {}

static void listen_somewhere(void)
{
	socklen_t n = sizeof listening;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	listening.sin_family = AF_INET;
	listening.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&listening, n) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&listening, &n))
		die("listen");
}

/* Open a connection that a policy may be about, up to its greeting and one reply; it stays open. */
static void hold_connection(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a = NULL;
	char reply[512];
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &a))
		die("cannot look up %s", host);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, a->ai_addr, a->ai_addrlen) || read(fd, reply, sizeof reply) <= 0 ||
	    write(fd, "EHLO client.example\r\n", 21) != 21 || read(fd, reply, sizeof reply) <= 0)
		die("cannot hold a connection to %s", host);
	freeaddrinfo(a);
}

static const struct {
	const char *name;
	void (*make)(void);
} calls[] = {
	{"read", call_read}, {"write", call_write},     {"close", call_close},
	{"dup2", call_dup2}, {"connect", call_connect}, {"nothing", call_nothing},
};

static int call(int argc, char **argv)
{
	uint64_t n = strtoull(argv[1], NULL, 10), before = 0;
	void (*make)(void) = NULL;

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (strcmp(argv[0], calls[i].name) == 0)
			make = calls[i].make;
	if (!make || n == 0)
		die("cost call: no such call as %s", argv[0]);
	zero = open("/dev/zero", O_RDONLY);
	null_out = open("/dev/null", O_WRONLY);
	if (make == call_connect)
		listen_somewhere();
	if (argc == 4)
		hold_connection(argv[2], argv[3]);
	make();                                      /* the first one binds symbols */
	before = clock_ns(CLOCK_PROCESS_CPUTIME_ID); /* none of these calls waits */
	for (uint64_t i = 0; i < n; i++)
		make();
	printf("ns=%.2f\n", (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / (double)n);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "spawn") == 0)
		return spawn(argc - 2, argv + 2);
	if (argc >= 4 && strcmp(argv[1], "call") == 0)
		return call(argc - 2, argv + 2);
	fprintf(stderr,
		"usage: cost spawn N [-p LIBRARY]... PROGRAM... | cost call NAME N [HOST PORT]\n");
	return 64;
}
