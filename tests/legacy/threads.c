// SPDX-License-Identifier: MIT
// One thread writes, the other reads, on one blocking descriptor.
#include "legacy.h"

#include <pthread.h>

static void *writer(void *arg)
{
	unsigned char bytes[3001];
	int fd = *(int *)arg;

	for (size_t at = 0; at < FLOW;) {
		size_t n = FLOW - at < sizeof bytes ? FLOW - at : sizeof bytes;

		fill(bytes, n, at);
		say_bytes(fd, bytes, n);
		at += n;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct flow f = {.out = FLOW};
	pthread_t thread;
	int fd = flow_begin(argv);

	(void)argc;
	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0, "fcntl");
	must(pthread_create(&thread, NULL, writer, &fd) == 0, "pthread_create");
	flow_read(&f, fd, false);
	pthread_join(thread, NULL);
	return flow_end(&f, fd);
}
