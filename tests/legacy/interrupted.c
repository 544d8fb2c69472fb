// SPDX-License-Identifier: MIT
// Signals during a blocking read: EINTR without SA_RESTART, none with it.
#include "legacy.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t rung;

static void ring(int number)
{
	(void)number;
	rung++;
}

/* One alarm in 50 ms. */
static void set_alarm(int flags)
{
	struct sigaction act = {.sa_handler = ring, .sa_flags = flags};
	struct itimerval soon = {.it_value = {.tv_usec = 50000}};

	rung = 0;
	must(sigaction(SIGALRM, &act, NULL) == 0, "sigaction");
	must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "setitimer");
}

int main(int argc, char **argv)
{
	char c;
	int fd = begin(argv);

	(void)argc;
	set_alarm(0);
	must(read(fd, &c, 1) == -1 && errno == EINTR, "read");
	must(rung == 1, "the alarm rang %d times", rung);
	printf("interrupted\n");
	ask(fd, "NOOP\r\n", "250");

	set_alarm(SA_RESTART);
	ask(fd, "PAUSE 300\r\n", "250");
	must(rung == 1, "the alarm rang %d times", rung);
	printf("restarted\n");
	return finish(fd);
}
