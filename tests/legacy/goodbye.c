// SPDX-License-Identifier: MIT
// Says something without blocking, before anybody has answered, and leaves at once. usage: goodbye HOST PORT close|exit
// Closing a descriptor that does not block never waits; a watchdog ends the program if it does.
#include "legacy.h"

int main(int argc, char **argv)
{
	int fd = dial(argv);

	must(argc > 3, "close or exit?");
	alarm(20);
	must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
	must(write(fd, "HELO goodbye.test\r\n", 19) == 19, "write");
	if (strcmp(argv[3], "close") == 0)
		must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}
