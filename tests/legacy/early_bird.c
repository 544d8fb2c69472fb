// SPDX-License-Identifier: MIT
// All of its work is done before main(), and the last words are said after it.
#include "legacy.h"

static int fd = -1;

__attribute__((constructor(101))) static void early(int argc, char **argv)
{
	if (argc == 3)
		fd = begin(argv);
}

__attribute__((destructor(101))) static void late(void)
{
	finish(fd);
}

int main(void)
{
	printf("main\n");
	return 0;
}
