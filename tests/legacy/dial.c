// SPDX-License-Identifier: MIT
// Connect, and say what came of it. usage: dial HOST PORT
#include "legacy.h"

int main(int argc, char **argv)
{
	(void)argc;
	must(close(dial(argv)) == 0, "close");
	printf("connected\n");
	return 0;
}
