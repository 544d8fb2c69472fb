// SPDX-License-Identifier: MIT
// One socket, two connect()s: to 127.0.0.9, where nobody listens, and then, on the same descriptor, to 127.0.0.1.
#include "legacy.h"
#include <arpa/inet.h>
#include <poll.h>

static int dial_to(int fd, const char *address, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t n = sizeof error;

	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		if (errno != EINPROGRESS)
			return errno;
		must(poll(&p, 1, -1) == 1, "poll");
		must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0, "SO_ERROR");
	}
	return error;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)argc;
	printf("first: %s\n", strerrorname_np(dial_to(fd, "127.0.0.9", argv)));
	printf("once more: %s\n", strerrorname_np(dial_to(fd, "127.0.0.1", argv)));
	must(dial_to(fd, "127.0.0.1", argv) == 0, "second connect");
	must(fcntl(fd, F_SETFL, 0) == 0, "fcntl");
	hear(fd, "220");
	ask(fd, "HELO legacy.test\r\n", "250");
	return finish(fd);
}
