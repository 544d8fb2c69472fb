// SPDX-License-Identifier: MIT
// connect() under an alarm, a process of its own for each moment it may ring at: its handler leaves by siglongjmp(), or dials itself. Who dials then
// speaks as ever. usage: jumpy_dial HOST PORT leave|dial
#include "legacy.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static sigjmp_buf out;
static struct sockaddr_in peer;
static bool leaves;
static volatile sig_atomic_t handlers = -1;

static int dial_peer(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0 ? fd : -1;
}

static void ring(int number)
{
	(void)number;
	if (leaves)
		siglongjmp(out, 1);
	handlers = dial_peer();
}

/* HELO, and no QUIT: who heard it, and how, is in the peer's journal. */
static void speak(int fd)
{
	hear(fd, "220");
	ask(fd, "HELO jumpy.test\r\n", "250");
	close(fd);
}

static void be_interrupted(long us)
{
	struct itimerval soon = {.it_value = {.tv_usec = us}}, never = {0};
	volatile int fd = -1;

	signal(SIGALRM, ring);
	if (sigsetjmp(out, 1) == 0) {
		setitimer(ITIMER_REAL, &soon, NULL);
		fd = dial_peer();
	}
	setitimer(ITIMER_REAL, &never, NULL);
	if (fd >= 0)
		close(fd);
	speak(handlers >= 0 ? handlers : dial_peer());
}

int main(int argc, char **argv)
{
	int status;

	must(argc == 4, "three words");
	leaves = !strcmp(argv[3], "leave");
	peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (long us = 50; us < 8000; us += us / 3) {
		if (fork() == 0) {
			be_interrupted(us);
			_exit(0);
		}
		must(wait(&status) > 0 && status == 0, "the process with an alarm after %ld us ended with %x", us, (unsigned)status);
	}
	printf("done\n");
	return 0;
}
