// SPDX-License-Identifier: MIT
// Connects, and leaves the rest to another program, as inetd-like tools do. usage: tcpclient HOST PORT 0|6 COMMAND ...
// 0: the connection is its stdin and stdout. 6: it is descriptors 6 and 7, as UCSPI has it for clients.
#include "legacy.h"

int main(int argc, char **argv)
{
	int fd, to;

	must(argc > 4, "more words");
	to = atoi(argv[3]);
	fd = dial(argv);
	if (to == 6) {
		setenv("PROTO", "TCP", 1);
		must(fd != 7 && dup2(fd, 6) == 6 && dup2(fd, 7) == 7, "dup2");
		if (fd != 6)
			close(fd);
	} else {
		must(dup2(1, 9) == 9, "no place for the old stdout");
		must(dup2(fd, 0) == 0 && dup2(fd, 1) == 1, "dup2");
		close(fd);
	}
	execvp(argv[4], argv + 4);
	return 127;
}
