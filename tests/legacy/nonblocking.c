// SPDX-License-Identifier: MIT
// Non-blocking from before connect(2): EINPROGRESS, poll, SO_ERROR, then a dialogue that never waits in a call. Reads of 1 and more.
#include "legacy.h"

#include <poll.h>

static void await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	must(poll(&p, 1, 10000) == 1, "poll: nothing in ten seconds");
}

static int start(char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *a;
	int error = -1;
	socklen_t n = sizeof error;

	must(getaddrinfo(argv[1], argv[2], &hints, &a) == 0, "cannot resolve %s", argv[1]);
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		must(errno == EINPROGRESS, "connect");
		await(fd, POLLOUT);
	}
	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0, "SO_ERROR is %d", error);
	freeaddrinfo(a);
	return fd;
}

static void hear_patiently(int fd, size_t step)
{
	char line[1024];
	size_t n = 0;

	while (n == 0 || line[n - 1] != '\n') {
		ssize_t got = read(fd, line + n, step);

		if (got < 0 && errno == EAGAIN)
			await(fd, POLLIN);
		else
			must(got > 0, "read gave %zd", got);
		n += got > 0 ? (size_t)got : 0;
	}
	printf("%.*s\n", (int)n - 2, line);
}

/* Readable may mean "not yet", as ever with non-blocking descriptors (select(2), BUGS). */
static void await_end(int fd)
{
	ssize_t got;

	do
		await(fd, POLLIN);
	while ((got = read(fd, (char[1]){0}, 1)) < 0 && errno == EAGAIN);
	must(got == 0, "no end of file");
}

int main(int argc, char **argv)
{
	int fd = start(argv);

	(void)argc;
	hear_patiently(fd, 1);
	say(fd, "HELO legacy.test\r\n");
	hear_patiently(fd, 512);
	say(fd, "NOOP\r\n");
	hear_patiently(fd, 3);
	say(fd, "QUIT\r\n");
	hear_patiently(fd, 512);
	await_end(fd);
	close(fd);
	printf("done\n");
	return 0;
}
