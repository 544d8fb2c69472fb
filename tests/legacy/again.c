// SPDX-License-Identifier: MIT
// The same descriptor number for several connections: close_range, then connect anew; the second of two connections stays whole.
#include "legacy.h"

int main(int argc, char **argv)
{
	int first = begin(argv), second = begin(argv);

	(void)argc;
	ask(second, "NOOP second\r\n", "250");
	must(close_range((unsigned)first, (unsigned)first, 0) == 0, "close_range");
	ask(second, "NOOP second lives\r\n", "250");
	int third = begin(argv);
	must(third == first, "the number is used again");
	ask(third, "NOOP third\r\n", "250");
	ask(second, "NOOP second still\r\n", "250");
	finish(third);
	return finish(second);
}
