// SPDX-License-Identifier: MIT
// One connection under several descriptors: dup, dup2, dup3, F_DUPFD_CLOEXEC; the first one closed early.
#include "legacy.h"

int main(int argc, char **argv)
{
	int a = begin(argv), null = open("/dev/null", O_RDWR | O_CLOEXEC), b = dup(a), c, d;

	(void)argc;
	must(b > a, "dup");
	must((c = fcntl(a, F_DUPFD_CLOEXEC, 100)) == 100, "F_DUPFD_CLOEXEC");
	must(dup2(a, 200) == 200, "dup2");
	must((d = dup3(a, 201, O_CLOEXEC)) == 201, "dup3");
	ask(b, "NOOP b\r\n", "250");
	must(close(a) == 0, "close");
	ask(c, "NOOP c\r\n", "250");
	must(dup2(null, b) == b, "dup2 over a copy");
	must(write(b, "never to the peer", 17) == 17, "b is /dev/null now");
	must(dup2(c, c) == c, "dup2 onto itself");
	ask(200, "NOOP d\r\n", "250");
	must(close(c) == 0 && close(200) == 0, "close");
	must(write(200, "x", 1) == -1 && errno == EBADF, "200 is closed");
	return finish(d);
}
