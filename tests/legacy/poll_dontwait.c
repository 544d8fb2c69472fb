// SPDX-License-Identifier: MIT
// A blocking descriptor, poll(2), and recv(MSG_DONTWAIT) that takes EAGAIN for the end: what PHP's streams do. Readable means data.
#include "legacy.h"

#include <poll.h>

static void line(int fd, const char *say)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[4096];
	ssize_t n = 0;

	if (say)
		say_bytes(fd, say, strlen(say));
	do {
		must(poll(&p, 1, 30000) == 1, "poll");
		n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		must(n > 0, "readable, and recv gave %zd", n);
	} while (bytes[n - 1] != '\n');
	printf("%.3s\n", bytes);
}

int main(int argc, char **argv)
{
	int fd = dial(argv);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)argc;
	line(fd, NULL);
	line(fd, "HELO box\r\n");
	must(poll(&p, 1, 0) == 0, "nothing is there, and poll said so");
	line(fd, "NOOP\r\n");
	line(fd, "QUIT\r\n");
	close(fd);
	return 0;
}
