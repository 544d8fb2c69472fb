// SPDX-License-Identifier: MIT
// recv() without room, when there is something to receive: 0, at once.
#include "legacy.h"
#include <poll.h>

int main(int argc, char **argv)
{
	int fd = dial(argv);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	(void)argc;
	must(recv(fd, &p, 1, MSG_PEEK) == 1, "recv");
	must(poll(&p, 1, -1) == 1, "poll");
	alarm(10); /* a recv() that never returns ends here */
	must(recv(fd, NULL, 0, 0) == 0, "recv without room");
	hear(fd, "220");
	ask(fd, "HELO legacy.test\r\n", "250");
	return finish(fd);
}
