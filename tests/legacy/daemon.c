// SPDX-License-Identifier: MIT
// A daemon of the old school: forks twice, closes everything, leaves for an empty root directory, drops its privileges, blocks all signals, makes its
// connection non-blocking late, and opens another. usage: daemon HOST PORT
#include "legacy.h"

#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void hear_nonblocking(int fd, const char *wanted)
{
	char line[512];
	size_t n = 0;

	do {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got = read(fd, line + n, sizeof line - 1 - n);

		must(got > 0 || (got == -1 && errno == EAGAIN && poll(&p, 1, 10000) == 1), "read gave %zd", got);
		n += got > 0 ? (size_t)got : 0;
	} while (n == 0 || line[n - 1] != '\n');
	line[n - 2] = '\0';
	printf("%s\n", line);
	must(!strncmp(line, wanted, strlen(wanted)), "'%s'", line);
}

static void leave_for_nowhere(int keep, int say_to)
{
	char nowhere[] = "nowhere";
	sigset_t every;

	setsid();
	umask(0);
	mkdir(nowhere, 0700);
	must(dup2(say_to, 1) == 1, "dup2");
	for (int fd = 0; fd < 1024; fd++)
		if (fd != keep && fd != 1)
			close(fd);
	if (geteuid() == 0) {
		must(chroot(nowhere) == 0 && chdir("/") == 0, "chroot");
		must(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0, "setuid");
	}
	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, NULL);
}

static int be_daemon(int fd, const struct sockaddr_storage *peer, socklen_t n)
{
	set_nonblocking(fd);
	say(fd, "NOOP in the daemon\r\n");
	hear_nonblocking(fd, "250");
	int other = socket(peer->ss_family, SOCK_STREAM, 0);
	must(connect(other, (const struct sockaddr *)peer, n) == 0, "connect");
	hear(other, "220");
	ask(other, "HELO once.more\r\n", "250");
	finish(other);
	say(fd, "QUIT\r\n");
	hear_nonblocking(fd, "221");
	must(close(fd) == 0, "close");
	printf("gone\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof peer;
	char text[1024];
	int ends[2], fd = begin(argv);

	(void)argc;
	must(getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && pipe(ends) == 0, "getpeername");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		leave_for_nowhere(fd, ends[1]);
		exit(be_daemon(fd, &peer, n));
	}
	must(close(fd) == 0 && close(ends[1]) == 0 && waitpid(pid, NULL, 0) == pid, "waitpid");
	for (ssize_t got; (got = read(ends[0], text, sizeof text)) > 0;)
		fwrite(text, 1, (size_t)got, stdout);
	return 0;
}
