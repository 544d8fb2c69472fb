// SPDX-License-Identifier: MIT
// Blocking read and write, whatever arrives, with a line buffer of its own; ends with a command and its answer in one breath.
#include "legacy.h"

int main(int argc, char **argv)
{
	static const char *const script[] = {"HELO legacy.test\r\n", "NOOP one\r\n", "NOOP two\r\nNOOP three\r\n", "LAST word\r\n"};
	char buffer[4096];
	size_t held = 0, at = 0, lines = 0;
	int fd = dial(argv);
	ssize_t n;

	(void)argc;
	while ((n = read(fd, buffer + held, sizeof buffer - held)) > 0) {
		held += (size_t)n;
		for (char *end; (end = memchr(buffer, '\n', held));) {
			size_t length = (size_t)(end - buffer) + 1;

			printf("%.*s\n", (int)length - 2, buffer);
			memmove(buffer, end + 1, held -= length);
			lines++;
			if (at < 3 || lines == 5) /* the third step has two answers */
				say(fd, script[at++]);
		}
	}
	must(n == 0, "read gave %zd", n);
	must(lines == 6, "%zu lines", lines);
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}
