// SPDX-License-Identifier: MIT
// Thousands of connections in one epoll loop: opened, held together, a round trip on each, all ended. usage: many HOST PORT N
//
// What one connection costs in this process's memory goes to stderr: it is the one thing that may differ.
#include "legacy.h"

#include <sys/epoll.h>
#include <sys/resource.h>

enum { AT_ONCE = 64 }; // connecting: a server's backlog is finite

enum state { CONNECTING, GREETED, HELD, ASKED, ANSWERED, QUITTING, ENDED };

static struct client {
	int fd;
	enum state state;
	char line[128];
	size_t n;
} * clients;
static struct addrinfo *server;
static int ep;
static unsigned wanted, opened, pending, reached[ENDED + 1];

static long resident_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	must(f && fscanf(f, "%*d %ld", &pages) == 1, "statm");
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void reach(struct client *c, enum state state)
{
	c->state = state;
	reached[state]++;
}

static void open_next(void)
{
	struct client *c = &clients[opened++];
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};

	c->fd = socket(server->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(c->fd >= 0, "socket %u", opened);
	must(connect(c->fd, server->ai_addr, server->ai_addrlen) == 0 || errno == EINPROGRESS,
	     "connect %u", opened);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == 0, "epoll_ctl");
	pending++;
}

static void say_to(struct client *c, const char *text)
{
	must(write(c->fd, text, strlen(text)) == (ssize_t)strlen(text), "write to %d", c->fd);
}

static void heard(struct client *c)
{
	char wanted_line[64];

	snprintf(wanted_line, sizeof wanted_line, "250 2.0.0 ok number %d\r\n", (int)(c - clients));
	switch (c->state) {
	case CONNECTING:
		must(!strncmp(c->line, "220", 3), "greeting: %s", c->line);
		say_to(c, "HELO legacy.test\r\n");
		reach(c, GREETED);
		break;
	case GREETED:
		must(!strncmp(c->line, "250", 3), "HELO: %s", c->line);
		reach(c, HELD);
		pending--;
		break;
	case ASKED:
		must(!strcmp(c->line, wanted_line), "%s where %s", c->line, wanted_line);
		reach(c, ANSWERED);
		break;
	case QUITTING:
		must(!strncmp(c->line, "221", 3), "QUIT: %s", c->line);
		break;
	default:
		must(false, "out of turn: %s", c->line);
	}
}

static void hear_from(struct client *c)
{
	ssize_t got;

	while ((got = read(c->fd, c->line + c->n, sizeof c->line - 1 - c->n)) > 0) {
		c->n += (size_t)got;
		c->line[c->n] = '\0';
		if (c->line[c->n - 1] != '\n')
			continue;
		c->n = 0;
		heard(c);
	}
	must(got == 0 || errno == EAGAIN, "read from %d", c->fd);
	if (got < 0)
		return;
	must(c->state == QUITTING, "end of file in state %d", (int)c->state);
	close(c->fd);
	reach(c, ENDED);
}

// Turn the loop until all clients have reached that state.
static void turn(enum state state)
{
	struct epoll_event events[256];

	while (reached[state] < wanted) {
		while (state == HELD && opened < wanted && pending < AT_ONCE)
			open_next();
		int n = epoll_wait(ep, events, 256, 30000);
		must(n > 0, "nothing in thirty seconds; %u of %u", reached[state], wanted);
		for (int i = 0; i < n; i++)
			hear_from(events[i].data.ptr);
	}
}

static void all_say(enum state state)
{
	char text[64];

	for (unsigned i = 0; i < wanted; i++) {
		snprintf(text, sizeof text, state == ASKED ? "NOOP number %u\r\n" : "QUIT\r\n", i);
		clients[i].state = state;
		say_to(&clients[i], text);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
	struct rlimit files;

	must(argc == 4, "usage");
	must(getaddrinfo(argv[1], argv[2], &hints, &server) == 0, "cannot resolve %s", argv[1]);
	wanted = (unsigned)atoi(argv[3]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
	clients = calloc(wanted, sizeof *clients);
	ep = epoll_create1(EPOLL_CLOEXEC);
	long before = resident_kib();
	turn(HELD);
	printf("%u held\n", reached[HELD]);
	fprintf(stderr, "%.1f KiB of memory per connection\n",
		(double)(resident_kib() - before) / wanted);
	all_say(ASKED);
	turn(ANSWERED);
	printf("%u answered\n", reached[ANSWERED]);
	all_say(QUITTING);
	turn(ENDED);
	printf("%u ended\n", reached[ENDED]);
	return 0;
}
