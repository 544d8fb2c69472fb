/* SPDX-License-Identifier: MIT
 * workloads.h - what the clients of the benchmark do, one function per style of I/O, over the
 * functions of link.h: with one connection (bulk.h), with many (crowd.h), and as mailers, here.
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

#include "bulk.h"
#include "crowd.h"

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
