// SPDX-License-Identifier: MIT
// A blocking descriptor, a wait until it is readable, and recv(MSG_DONTWAIT) that takes EAGAIN for the end: what PHP's streams do after poll(2). Readable
// means data: who reads without MSG_DONTWAIT after select(2), as old clients with a terminal beside the connection do, would stop there.
#include "legacy.h"

#include <poll.h>
#include <sys/select.h>

static const char *way;

// As poll(2) of one descriptor: 1 readable, 0 not within ms.
static int readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	fd_set in, out;
	int n;

	if (!strcmp(way, "poll"))
		return poll(&p, 1, ms);
	if (!strcmp(way, "ppoll"))
		return ppoll(&p, 1, &ts, NULL);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	n = !strcmp(way, "select") ? select(fd + 1, &in, &out, NULL, &tv)
				   : pselect(fd + 1, &in, NULL, &out, &ts, NULL);
	must(n >= 0 && n == !!FD_ISSET(fd, &in) && !FD_ISSET(fd, &out), "the sets are as the count");
	return n;
}

static void line(int fd, const char *say)
{
	char bytes[4096];
	ssize_t n = 0;

	if (say)
		say_bytes(fd, say, strlen(say));
	do {
		must(readable(fd, 30000) == 1, "readable");
		n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		must(n > 0, "readable, and recv gave %zd", n);
	} while (bytes[n - 1] != '\n');
	printf("%.3s\n", bytes);
}

int main(int argc, char **argv)
{
	int fd = dial(argv);

	way = argc > 3 ? argv[3] : "poll";
	line(fd, NULL);
	line(fd, "HELO box\r\n");
	must(readable(fd, 0) == 0, "nothing is there, and the kernel said so");
	line(fd, "NOOP\r\n");
	must(readable(fd, 20) == 0, "nothing comes either");
	line(fd, "QUIT\r\n");
	close(fd);
	return 0;
}
