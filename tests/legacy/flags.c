// SPDX-License-Identifier: MIT
// recv(2) with flags. usage: flags HOST PORT peek|waitall|dontwait|trunc
#include "legacy.h"

#include <poll.h>

/* What was peeked at is read again, and more of it may be there by then; the first byte shows even in a peek of one. */
static void peek(int fd)
{
	unsigned char seen[600], got[600];

	ask(fd, "SOURCE 600\r\n", "250");
	must(recv(fd, seen, 1, MSG_PEEK) == 1, "peek of 1");
	check(seen, 1, 0);
	ssize_t n = recv(fd, seen, sizeof seen, MSG_PEEK);
	must(n > 0, "peek");
	check(seen, (size_t)n, 0);
	must(recv(fd, got, sizeof got, MSG_PEEK) >= n, "second peek");
	must(recv(fd, got, sizeof got, MSG_WAITALL) == sizeof got, "read after peek");
	check(got, sizeof got, 0);
	printf("peeked, then read the same\n");
}

static void waitall(int fd)
{
	static unsigned char bytes[100001];

	ask(fd, "SOURCE 100001\r\n", "250");
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_WAITALL);
	must(n == sizeof bytes, "recv gave %zd", n);
	check(bytes, sizeof bytes, 0);
	printf("%zd bytes in one call\n", n);
}

static void dontwait(int fd)
{
	char c;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	must(recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "nothing is there");
	must(!(fcntl(fd, F_GETFL) & O_NONBLOCK), "the descriptor blocks");
	must(send(fd, "NOOP\r\n", 6, MSG_DONTWAIT) == 6, "send");
	must(poll(&p, 1, 10000) == 1, "poll");
	hear(fd, "250");
	must(recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "nothing is there again");
}

/* On a stream MSG_TRUNC throws the bytes away: tcp(7). */
static void trunc_(int fd)
{
	unsigned char bytes[100];

	ask(fd, "SOURCE 300\r\n", "250");
	must(recv(fd, NULL, 200, MSG_TRUNC | MSG_WAITALL) == 200, "recv");
	must(recv(fd, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes, "recv");
	check(bytes, sizeof bytes, 200);
	printf("200 thrown away, 100 read\n");
}

int main(int argc, char **argv)
{
	int fd = begin(argv);

	must(argc == 4, "four words");
	switch (argv[3][0]) {
	case 'p': peek(fd); break;
	case 'w': waitall(fd); break;
	case 'd': dontwait(fd); break;
	case 't': trunc_(fd); break;
	}
	return finish(fd);
}
