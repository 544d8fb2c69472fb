// SPDX-License-Identifier: MIT
// Writes and never reads, as a log shipper does. usage: write_only HOST PORT close|nonblocking|shutdown|exit
#include "legacy.h"

int main(int argc, char **argv)
{
	int fd = dial(argv);
	static char text[512 * 1024];
	size_t n = 0;

	must(argc == 4, "three words");
	for (int i = 1; i <= 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "<13>line %d of 1000 for the log\n", i);
	say_bytes(fd, text, n);
	if (!strcmp(argv[3], "nonblocking"))
		set_nonblocking(fd);
	if (!strcmp(argv[3], "shutdown"))
		must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	if (strcmp(argv[3], "exit"))
		must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}
