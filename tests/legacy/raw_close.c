// SPDX-License-Identifier: MIT
// As libuv ends a connection: said without blocking, closed by syscall(SYS_close) at once. usage: raw_close HOST PORT
#include "legacy.h"

#include <sys/syscall.h>

int main(int argc, char **argv)
{
	int fd = dial(argv), again;

	(void)argc;
	set_nonblocking(fd);
	say(fd, "HELO raw.test\r\n");
	must(syscall(SYS_close, fd) == 0, "close");
	must(syscall(SYS_close, fd) == -1 && errno == EBADF, "it is closed");
	again = socket(AF_INET, SOCK_DGRAM, 0);
	must(again == fd, "the number is free");
	must(syscall(SYS_close, again) == 0, "close");
	printf("done\n");
	return 0;
}
