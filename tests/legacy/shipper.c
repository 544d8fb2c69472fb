// SPDX-License-Identifier: MIT
// Says something and then does other things: the descriptor is not touched again before standard input ends. usage: shipper HOST PORT
#include "legacy.h"

int main(int argc, char **argv)
{
	int fd = dial(argv);
	char c;

	(void)argc;
	say(fd, "HELO shipper.test\r\n");
	printf("said\n");
	fflush(stdout);
	must(read(0, &c, 1) == 0, "standard input");
	close(fd);
	printf("done\n");
	return 0;
}
