// SPDX-License-Identifier: MIT
// Everything in reads and writes of one byte.
#include "legacy.h"

int main(int argc, char **argv)
{
	static const char command[] = "SOURCE 40000\r\n";
	unsigned char c;
	int fd = begin(argv);

	(void)argc;
	for (const char *p = command; *p; p++)
		must(write(fd, p, 1) == 1, "write");
	hear(fd, "250");
	for (size_t i = 0; i < 40000; i++) {
		must(read(fd, &c, 1) == 1, "read at %zu", i);
		check(&c, 1, i);
	}
	printf("40000 bytes\n");
	return finish(fd);
}
