// SPDX-License-Identifier: MIT
// A mailer of the old kind: one mail from stdin, one server, exit codes of sysexits.h. usage: mailer HOST PORT FROM TO <MAIL
#include "legacy.h"

#include <signal.h>
#include <sysexits.h>

/* Read one whole reply; its code, or 0 at end of file. */
static int reply(FILE *log, int fd, char *line, size_t size)
{
	do {
		size_t n = 0;

		while (n + 1 < size && read(fd, line + n, 1) == 1)
			if (line[n++] == '\n')
				break;
		line[n] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		if (n < 4)
			return 0;
		fprintf(log, "< %s\n", line);
	} while (line[3] == '-');
	return atoi(line);
}

/* Say a command and want a code of that class; ends the program with the exit code a queue understands. */
static void step(int fd, const char *command, int class)
{
	char line[2048];
	bool lost = false;

	if (command) {
		printf("> %.*s\n", (int)strcspn(command, "\r"), command);
		lost = write(fd, command, strlen(command)) < 0;
	}
	int code = lost ? 0 : reply(stdout, fd, line, sizeof line);
	if (code / 100 == class)
		return;
	fprintf(stderr, "mailer: %s\n", code ? line : "the connection was lost");
	exit(code / 100 == 5 ? EX_UNAVAILABLE : EX_TEMPFAIL);
}

static void send_mail(int fd)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		dprintf(fd, "%s%s\r\n", line[0] == '.' ? "." : "", line); /* a lost connection shows at the final dot */
	}
	free(line);
}

int main(int argc, char **argv)
{
	char command[1024];

	if (argc != 5)
		return EX_USAGE;
	signal(SIGPIPE, SIG_IGN);
	int fd = dial(argv);
	step(fd, NULL, 2);
	step(fd, "HELO old.example\r\n", 2);
	snprintf(command, sizeof command, "MAIL FROM:<%s>\r\n", argv[3]);
	step(fd, command, 2);
	snprintf(command, sizeof command, "RCPT TO:<%s>\r\n", argv[4]);
	step(fd, command, 2);
	step(fd, "DATA\r\n", 3);
	send_mail(fd);
	step(fd, ".\r\n", 2);
	step(fd, "QUIT\r\n", 2);
	return EX_OK;
}
