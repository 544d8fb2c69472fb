// SPDX-License-Identifier: MIT
// SO_RCVTIMEO: a read of nothing gives EAGAIN in time, and the connection lives on.
#include "legacy.h"

#include <sys/time.h>

int main(int argc, char **argv)
{
	struct timeval soon = {.tv_usec = 100000}, got = {0};
	socklen_t n = sizeof got;
	char c;
	int fd = begin(argv);

	(void)argc;
	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0, "setsockopt");
	say(fd, "SILENCE\r\n");
	must(read(fd, &c, 1) == -1 && errno == EAGAIN, "read");
	must(recv(fd, &c, 1, MSG_WAITALL) == -1 && errno == EAGAIN, "recv");
	must(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &n) == 0 && got.tv_usec == 100000, "getsockopt");
	printf("timed out twice\n");
	ask(fd, "NOOP\r\n", "250");
	return finish(fd);
}
