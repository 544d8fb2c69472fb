// SPDX-License-Identifier: MIT
// What handlers of fork() do that are older than the connection, as nss_ldap's are: before fork(),
// behind it and in the child they look a name up and use the connection; the child closes it.
// usage: atfork HOST PORT
#include "legacy.h"

#include <pthread.h>
#include <sys/wait.h>

static char **arguments;
static int fd;

static void resolve(void)
{
	struct addrinfo *all;

	must(getaddrinfo(arguments[1], arguments[2], NULL, &all) == 0, "cannot resolve");
	freeaddrinfo(all);
}

static void before(void)
{
	resolve();
	ask(fd, "NOOP before\r\n", "250");
	fflush(stdout);
}

static void behind(void)
{
	resolve();
	ask(fd, "NOOP behind\r\n", "250");
}

static void in_child(void)
{
	resolve();
	must(close(fd) == 0, "close");
}

int main(int argc, char **argv)
{
	pid_t pid;
	int status;

	(void)argc;
	arguments = argv;
	pthread_atfork(before, behind, in_child);
	fd = begin(argv);
	pid = fork();
	if (pid == 0)
		_exit(0);
	must(waitpid(pid, &status, 0) == pid && status == 0, "child ended with %#x",
	     (unsigned)status);
	return finish(fd);
}
