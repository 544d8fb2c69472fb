// SPDX-License-Identifier: MIT
// Calls that a signal handler may leave by siglongjmp() wherever they are: none may be in malloc()
// and the like then (unsafe.c). The server's port, one that the policy refuses, one that is
// nobody's business. usage: interruptible PORT REFUSED OTHER
#include "legacy.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static const char *(*watch)(bool on);
static int unsafe;

#define WATCH(call) \
	({ \
		watch(true); \
		__typeof(call) result = call; \
		tell(watch(false), #call); \
		result; \
	})

static void tell(const char *function, const char *call)
{
	if (function)
		printf("%s: %s() while signals may come\n", call, function);
	unsafe += function != NULL;
}

static int dial_port(const char *port)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = WATCH(socket(AF_INET, SOCK_STREAM, 0));

	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	WATCH(connect(fd, (struct sockaddr *)&peer, sizeof peer));
	return fd;
}

static sigjmp_buf out;

static void ring(int number)
{
	(void)number;
	siglongjmp(out, 1);
}

/* The peer says nothing. What notices that the call was left must be as careful as the others. */
static void leave_read(int fd)
{
	struct itimerval soon = {.it_value = {.tv_usec = 20000}};
	char c;

	signal(SIGALRM, ring);
	if (sigsetjmp(out, 1) == 0) {
		must(setitimer(ITIMER_REAL, &soon, NULL) == 0, "setitimer");
		must(read(fd, &c, 1) != 1, "the peer says something");
		must(false, "read ended by itself");
	}
}

static void converse(const char *port, bool half_close)
{
	int fd = dial_port(port), copy = WATCH(dup(fd)), other = WATCH(dup2(fd, copy + 1));

	hear(fd, "220");
	ask(fd, "HELO interruptible.test\r\n", "250");
	leave_read(fd);
	if (half_close)
		must(WATCH(shutdown(fd, SHUT_WR)) == 0, "shutdown");
	must(WATCH(close(other)) == 0, "close");
	must(WATCH(close(copy)) == 0, "close");
	must(WATCH(close(fd)) == 0, "close");
}

static void dial_in_vain(const char *port)
{
	int fd = dial_port(port);

	must(WATCH(close(fd)) == 0, "close");
}

int main(int argc, char **argv)
{
	must(argc == 4, "three ports");
	watch = (const char *(*)(bool))dlsym(RTLD_DEFAULT, "unsafe_watch");
	must(watch, "unsafe.so is not preloaded");
	dlsym(RTLD_DEFAULT, "no such thing"); /* dlsym() then has a sentence to free */
	for (int i = 0; i < 2; i++) {
		dial_in_vain(argv[3]);
		dial_in_vain(argv[2]);
		converse(argv[1], i);
		dial_in_vain(argv[1]); /* without a word */
	}
	printf("done\n");
	return unsafe != 0;
}
