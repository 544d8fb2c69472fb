// SPDX-License-Identifier: MIT
// Ends by exit() with the connection open: the peer gets what was written, and an orderly end.
#include "legacy.h"

static int fd;

static void last_words(void)
{
	say(fd, "SILENCE from atexit\r\n");
}

int main(int argc, char **argv)
{
	(void)argc;
	fd = begin(argv);
	must(atexit(last_words) == 0, "atexit");
	printf("done\n");
	exit(0);
}
