// SPDX-License-Identifier: MIT
// The time-out of old mailers: an alarm whose handler leaves the call that is under way by siglongjmp(). usage: jumper HOST PORT wait|busy|close
#include "legacy.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static sigjmp_buf out;
static volatile sig_atomic_t armed, to_close = -1;

static void ring(int number)
{
	(void)number;
	if (to_close >= 0) {
		close(to_close);
		to_close = -1;
	}
	if (armed)
		siglongjmp(out, 1);
}

static void set_timer(long us)
{
	struct itimerval soon = {.it_value = {.tv_usec = us}};

	must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "setitimer");
}

/* Read until the alarm rings. */
static void read_until_left(int fd, long us)
{
	static char bytes[65536];

	if (sigsetjmp(out, 1) == 0) {
		armed = 1;
		set_timer(us);
		while (read(fd, bytes, sizeof bytes) > 0)
			;
		armed = 0;
		must(false, "the peer went away");
	}
	armed = 0;
}

static void say_and_check(int fd, const char *text)
{
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

int main(int argc, char **argv)
{
	int fd = begin(argv);

	must(argc == 4, "three words");
	signal(SIGALRM, ring);
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[3], "wait")) { /* the peer says nothing: all goes on */
		for (int i = 0; i < 3; i++) {
			read_until_left(fd, 50000);
			ask(fd, "NOOP\r\n", "250");
		}
		say_and_check(fd, "SILENCE\r\n");
		must(system("exit 3") == 3 << 8, "fork");
		return finish(fd);
	}
	if (!strcmp(argv[3], "close")) { /* the handler closes what its thread reads from */
		to_close = fd;
		read_until_left(fd, 50000);
		must(write(fd, "QUIT\r\n", 6) == -1 && errno == EBADF, "write");
		fd = begin(argv);
		return finish(fd);
	}
	for (long i = 0; i < 40; i++) { /* busy: the call is under way in earnest; afterwards nothing hangs */
		say_and_check(fd, "SOURCE 50000000\r\n");
		read_until_left(fd, 200 + i * 97);
		if (i % 2 == 0)
			shutdown(fd, SHUT_WR);
		must(close(fd) == 0, "close");
		must(system("exit 3") == 3 << 8, "fork");
		fd = begin(argv);
	}
	return finish(fd);
}
