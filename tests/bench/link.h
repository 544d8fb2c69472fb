/* SPDX-License-Identifier: MIT
 * link.h - one connection of a client of the benchmark: what each workload may ask of it, and the
 * SMTP dialogue that opens it.
 *
 * The workloads are written once, in workloads.h. client.c gives them the plain functions and
 * native.c those of OpenSSL, both as static functions in the same file, so that neither pays for
 * the other.
 *
 *   plain:   220, EHLO, 250            native:  220, EHLO, 250, STARTTLS, 220, handshake, EHLO, 250
 */
#ifndef LINK_H
#define LINK_H

#include "bench.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/uio.h>

enum step { STEP_GREETING, STEP_OFFER, STEP_GO, STEP_HANDSHAKE, STEP_LAST, STEP_READY };

struct link {
	int fd;
	enum step step;
	void *ssl;    /* native's; null before the handshake and in the plain program */
	short events; /* what an EAGAIN waits for: POLLIN or POLLOUT */
	size_t line_len;
	char line[512];
};

static struct {
	const char *host, *port, *ca;
	bool resume, frugal; /* native only: see workloads.h */
} peer;

/* --- given by client.c and native.c */

static const bool upgrades; /* does the program itself speak STARTTLS? */

static void side_start(void); /* once per process, before the first connection */
static void secure_begin(struct link *l);
static bool
secure_step(struct link *l); /* true when the handshake is complete; false: wait for l->events */

/* As the system calls of those names: -1 and errno, EAGAIN with l->events set. */
static ssize_t link_read(struct link *l, void *room, size_t n);
static ssize_t link_write(struct link *l, const void *bytes, size_t n);
static ssize_t link_writev(struct link *l, const struct iovec *pieces, int count);
static ssize_t link_sendmsg(struct link *l, const struct iovec *pieces, int count);
static bool link_pending(struct link *l); /* something to read that poll() cannot know of */
static FILE *link_fdopen(struct link *l,
			 const char *mode); /* "r" or "w"; each closes what it opened */
static void link_close(struct link *l);

/* --- the dialogue */

/* True when a whole reply is there and begins with that digit; false when it is not there yet. Dies
 * at any other. */
static bool link_reply(struct link *l, char digit)
{
	for (;;) {
		char *last = NULL;
		ssize_t n = link_read(l, l->line + l->line_len, sizeof l->line - 1 - l->line_len);

		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			die("no reply, %s", n ? "error" : "end of stream");
		l->line_len += (size_t)n;
		l->line[l->line_len] = '\0';
		if (l->line[l->line_len - 1] != '\n')
			continue;
		l->line[l->line_len - 1] = '\0';
		last = strrchr(l->line, '\n');
		last = last ? last + 1 : l->line;
		l->line[l->line_len - 1] = '\n';
		if (strlen(last) > 3 && last[3] == '-')
			continue;
		if (l->line[0] != digit)
			die("wanted a %cxx, got: %s", digit, l->line);
		l->line_len = 0;
		return true;
	}
}

static void link_say(struct link *l, const char *line)
{
	size_t n = strlen(line);

	if (link_write(l, line, n) != (ssize_t)n)
		die("cannot say %s", line);
}

/* True when the link is ready for a workload; false when a non-blocking one must wait for
 * l->events. */
static bool link_step(struct link *l)
{
	l->events = POLLIN;
	switch (l->step) {
	case STEP_GREETING:
		if (!link_reply(l, '2'))
			return false;
		link_say(l, "EHLO client.example\r\n");
		l->step = upgrades ? STEP_OFFER : STEP_LAST;
		break;
	case STEP_OFFER:
		if (!link_reply(l, '2'))
			return false;
		link_say(l, "STARTTLS\r\n");
		l->step = STEP_GO;
		break;
	case STEP_GO:
		if (!link_reply(l, '2'))
			return false;
		secure_begin(l);
		l->step = STEP_HANDSHAKE;
		break;
	case STEP_HANDSHAKE:
		if (!secure_step(l))
			return false;
		link_say(l, "EHLO client.example\r\n");
		l->step = STEP_LAST;
		break;
	case STEP_LAST:
		if (!link_reply(l, '2'))
			return false;
		l->step = STEP_READY;
		break;
	case STEP_READY:
		return true;
	}
	return link_step(l);
}

/* --- connecting */

static struct addrinfo *peer_address(void)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;

	if (getaddrinfo(peer.host, peer.port, &hints, &found))
		die("cannot look up %s", peer.host);
	return found;
}

/* Connect a socket of those flags (0 or SOCK_NONBLOCK). */
static void link_connect(struct link *l, int flags)
{
	struct addrinfo *a = peer_address();

	memset(l, 0, sizeof *l);
	l->fd = socket(a->ai_family, SOCK_STREAM | flags, 0);
	if (l->fd < 0 || (connect(l->fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS))
		die("cannot connect to %s:%s", peer.host, peer.port);
	freeaddrinfo(a);
}

/* A blocking link, open and ready. */
static void link_open(struct link *l)
{
	link_connect(l, 0);
	if (!link_step(l))
		die("a blocking connection would block");
}

static void link_quit(struct link *l)
{
	link_say(l, "QUIT\r\n");
	link_reply(l, '2');
	link_close(l);
}

#endif
