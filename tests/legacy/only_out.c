// SPDX-License-Identifier: MIT
// A loop that waits for writability only, as a log shipper does: everything is written before anything is read.
#include "legacy.h"

#include <poll.h>

enum { MUCH = 400 * 1000 };

static void write_all(int fd, const unsigned char *bytes, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	for (size_t at = 0; at < n;) {
		must(poll(&p, 1, 20000) == 1, "never writable");
		ssize_t sent = write(fd, bytes + at, n - at);

		must(sent > 0 || (sent < 0 && errno == EAGAIN), "write at %zu gave %zd", at, sent);
		at += sent > 0 ? (size_t)sent : 0;
	}
}

int main(int argc, char **argv)
{
	static unsigned char bytes[MUCH];
	int fd = dial(argv);

	(void)argc;
	fill(bytes, MUCH, 0);
	set_nonblocking(fd);
	write_all(fd, (const unsigned char *)"HELO legacy.test\r\nSINK 400000\r\n", 31);
	write_all(fd, bytes, MUCH);
	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0, "fcntl");
	hear(fd, "220");
	hear(fd, "250");
	hear(fd, "250");
	hear(fd, "250 400000");
	return finish(fd);
}
