// SPDX-License-Identifier: MIT
// shutdown(SHUT_WR) while the kernel's buffer is full, or before the peer has said a word; then waiting for the peer's end only: the kernel sends the
// rest, and our end, by itself. usage: shut_full HOST PORT blocking|nonblocking|early
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
	char bytes[1000];
	bool early;

	must(argc == 4, "three words");
	early = !strcmp(argv[3], "early");
	p.fd = early ? dial(argv) : begin(argv);
	if (strcmp(argv[3], "blocking") != 0)
		set_nonblocking(p.fd);
	if (early)
		say(p.fd, "HELO legacy.test\r\n");
	say(p.fd, "HOARD 300\r\n"); /* nothing is read for a while */
	if (!early)
		fill_kernel(p.fd);
	must(shutdown(p.fd, SHUT_WR) == 0, "shutdown");
	do
		must(poll(&p, 1, 20000) == 1, "the peer has not heard our end");
	while (read(p.fd, bytes, sizeof bytes) > 0); /* the greeting, if it was early */
	must(close(p.fd) == 0, "close");
	printf("done\n");
	return 0;
}
