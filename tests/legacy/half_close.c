// SPDX-License-Identifier: MIT
// shutdown(SHUT_WR): the peer sees end of file, and what it still has to say arrives.
#include "legacy.h"

#include <signal.h>

/* SIGPIPE comes as the kernel sends it: after our own SHUT_WR. */
int main(int argc, char **argv)
{
	unsigned char bytes[30000];
	int fd = begin(argv);

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	fill(bytes, sizeof bytes, 0);
	ask(fd, "SINK\r\n", "250");
	say_bytes(fd, bytes, sizeof bytes);
	must(shutdown(fd, 77) == -1 && errno == EINVAL, "a senseless shutdown");
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	hear(fd, "250 30000");
	must(read(fd, bytes, 1) == 0, "no end of file");
	must(write(fd, "x", 1) == -1 && errno == EPIPE, "write after shutdown");
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}
