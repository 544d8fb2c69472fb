// SPDX-License-Identifier: MIT
// Everything the kernel takes, to a peer that is not reading yet, and then it closes at once. usage: hasty HOST PORT close|exit
#include "legacy.h"

int main(int argc, char **argv)
{
	static unsigned char bytes[100000];
	size_t total = 0;
	ssize_t sent;
	int fd = begin(argv);

	say(fd, "HOARD 500\r\n");
	set_nonblocking(fd);
	while ((sent = write(fd, bytes, sizeof bytes)) > 0)
		total += (size_t)sent;
	must(errno == EAGAIN && total > sizeof bytes, "write");
	fprintf(stderr, "hoarded %zu\n", total);
	if (argc == 4 && !strcmp(argv[3], "exit"))
		exit(0);
	must(close(fd) == 0, "close");
	return 0;
}
