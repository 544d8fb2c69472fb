// SPDX-License-Identifier: MIT
// A thread is cancelled in a read(), the Nth of a non-blocking socket, and another one closes the socket.
#include "legacy.h"
#include <poll.h>
#include <pthread.h>

static int fd, nth;

static void *reader(void *unused)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[512];

	(void)unused;
	for (int i = 1; i <= nth; i++) {
		must(poll(&p, 1, -1) == 1, "poll");
		if (i == nth)
			pthread_cancel(pthread_self());
		if (read(fd, bytes, sizeof bytes) >= 0)
			break;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	nth = argc > 3 ? atoi(argv[3]) : 1;
	fd = dial(argv);
	set_nonblocking(fd);
	must(pthread_create(&thread, NULL, reader, NULL) == 0, "pthread_create");
	must(pthread_join(thread, NULL) == 0, "pthread_join");
	alarm(10); /* a close() that never returns ends here */
	must(close(fd) == 0, "close");
	printf("closed\n");
	return 0;
}
