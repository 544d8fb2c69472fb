// SPDX-License-Identifier: MIT
// Calls made for files that work on sockets too: preadv2 and pwritev2 at offset -1. With the word "aio" POSIX aio, which libc carries out behind
// every hook; a program must be ready for a system without it.
#include "legacy.h"
#include <aio.h>
#include <sys/uio.h>

static int with_aio(int fd)
{
	static char noop[] = "NOOP aio\r\n";
	struct aiocb job = {.aio_fildes = fd, .aio_buf = noop, .aio_nbytes = sizeof noop - 1};
	struct aiocb *jobs[] = {&job};
	const struct aiocb *waited[] = {&job};

	job.aio_lio_opcode = LIO_WRITE;
	if (lio_listio(LIO_WAIT, jobs, 1, NULL) < 0) {
		must(errno == ENOSYS, "lio_listio");
		must(aio_write(&job) < 0 && errno == ENOSYS, "aio_write");
		must(aio_read(&job) < 0 && errno == ENOSYS, "aio_read");
		say(fd, noop);
	} else {
		must(aio_suspend(waited, 1, NULL) == 0 && aio_return(&job) == sizeof noop - 1,
		     "aio");
	}
	hear(fd, "250");
	return finish(fd);
}

int main(int argc, char **argv)
{
	char answer[512] = "", noop[] = "NOOP offset\r\n";
	struct iovec out = {noop, sizeof noop - 1}, in = {answer, sizeof answer - 1};
	int fd = begin(argv);

	if (argc > 3)
		return with_aio(fd);
	must(pwritev2(fd, &out, 1, 0, 0) < 0 && errno == ESPIPE, "pwritev2 at 0");
	must(pwritev2(fd, &out, 1, -1, 0) == sizeof noop - 1, "pwritev2");
	must(preadv2(fd, &in, 1, -1, 0) > 0, "preadv2");
	printf("%.3s\n", answer);
	return finish(fd);
}
