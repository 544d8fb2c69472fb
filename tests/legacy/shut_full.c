// SPDX-License-Identifier: MIT
// shutdown(SHUT_WR) while the kernel's buffer is full, then waiting for the peer's end only: the kernel sends the rest, and our end, by itself.
// usage: shut_full HOST PORT [nonblocking]
#include "legacy.h"

#include <poll.h>

/* As much as goes in. */
static void fill_kernel(int fd)
{
	unsigned char bytes[10000];

	fill(bytes, sizeof bytes, 0);
	while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	must(errno == EAGAIN, "send");
}

int main(int argc, char **argv)
{
	struct pollfd p = {.events = POLLIN};
	char c;

	p.fd = begin(argv);
	if (argc > 3)
		set_nonblocking(p.fd);
	say(p.fd, "HOARD 300\r\n"); /* nothing is read for a while */
	fill_kernel(p.fd);
	must(shutdown(p.fd, SHUT_WR) == 0, "shutdown");
	must(poll(&p, 1, 20000) == 1, "the peer has not heard our end");
	must(read(p.fd, &c, 1) == 0, "read");
	must(close(p.fd) == 0, "close");
	printf("done\n");
	return 0;
}
