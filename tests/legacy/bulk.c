// SPDX-License-Identifier: MIT
// Much in each direction, in big blocking calls: 8 MB up with a checksum, 8 MB down compared.
#include "legacy.h"

enum { MUCH = 8 * 1000 * 1000, CALL = 200 * 1000 };

int main(int argc, char **argv)
{
	static unsigned char bytes[CALL];
	int fd = begin(argv);

	(void)argc;
	ask(fd, "SINK 8000000\r\n", "250");
	for (size_t at = 0; at < MUCH; at += CALL) {
		fill(bytes, CALL, at);
		say_bytes(fd, bytes, CALL);
	}
	hear(fd, "250 8000000");
	ask(fd, "SOURCE 8000000\r\n", "250");
	for (size_t at = 0; at < MUCH;) {
		ssize_t n = read(fd, bytes, CALL);

		must(n > 0, "read at %zu gave %zd", at, n);
		check(bytes, (size_t)n, at);
		at += (size_t)n;
	}
	return finish(fd);
}
