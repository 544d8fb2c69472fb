// SPDX-License-Identifier: MIT
// FIONREAD says how much can be read, and never 0 of a readable descriptor.
#include "legacy.h"

#include <poll.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	unsigned char bytes[5000];
	struct pollfd p = {.fd = begin(argv), .events = POLLIN};
	int n = -1;

	(void)argc;
	must(ioctl(p.fd, FIONREAD, &n) == 0 && n == 0, "%d bytes before anything was asked", n);
	ask(p.fd, "SOURCE 5000\r\n", "250");
	for (size_t at = 0; at < sizeof bytes;) {
		must(poll(&p, 1, 10000) == 1, "poll");
		must(ioctl(p.fd, FIONREAD, &n) == 0 && n > 0, "readable, but %d bytes", n);
		must((size_t)n <= sizeof bytes - at, "%d bytes are more than there are", n);
		size_t room = n > 700 ? 700 : (size_t)n;
		must(read(p.fd, bytes + at, room) == (ssize_t)room, "fewer than promised");
		check(bytes + at, room, at);
		at += room;
	}
	printf("5000 bytes, always as many as promised\n");
	return finish(p.fd);
}
