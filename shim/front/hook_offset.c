/* SPDX-License-Identifier: MIT
 * hook_offset: calls made for files, which work on sockets too.
 *
 *   preadv2(fd, iov, n, -1, flags)   offset -1 is "at the current position": readv() with flags;
 *                                    pwritev2() likewise
 *   aio_write(job)                   a thread within libc writes; the kernel refuses offsets on a
 *                                    socket, and libc then takes write()
 *
 * libc's thread sees no hook, so POSIX aio is refused on our descriptors: what it wrote would be
 * plaintext. pread(), pwrite() and their vectors say ESPIPE by themselves. */
#include "hook.h"
#include "io.h"
#include <aio.h>
#include <errno.h>
#include <sys/uio.h>

static int fail(int error)
{
	errno = error;
	return -1;
}

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

/* 0, or the errno for flags that make no sense. Those about the order on disk do not matter to a
 * socket. */
static int check_flags(int flags)
{
	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND))
		return EOPNOTSUPP;
	return flags & RWF_APPEND && flags & RWF_NOAPPEND ? EINVAL : 0;
}

static int message_flags(int flags)
{
	return flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

static SLOW ssize_t read_here(int fd, const struct iovec *iov, int count, int flags)
{
	int error = check_flags(flags);

	return error ? fail(error) : io_readv(fd, iov, count, message_flags(flags));
}

static SLOW ssize_t write_here(int fd, const struct iovec *iov, int count, int flags)
{
	int error = check_flags(flags);

	return error ? fail(error) : io_writev(fd, iov, count, message_flags(flags));
}

HOOK ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	return table_has(fd) && at == -1 ? read_here(fd, iov, count, flags)
					 : real.preadv2(fd, iov, count, at, flags);
}
HOOK_ALIAS(preadv64v2, preadv2);

HOOK ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	return table_has(fd) && at == -1 ? write_here(fd, iov, count, flags)
					 : real.pwritev2(fd, iov, count, at, flags);
}
HOOK_ALIAS(pwritev64v2, pwritev2);

HOOK int aio_read(struct aiocb *job)
{
	return table_has(job->aio_fildes) ? fail(ENOSYS) : real.aio_read(job);
}

HOOK int aio_write(struct aiocb *job)
{
	return table_has(job->aio_fildes) ? fail(ENOSYS) : real.aio_write(job);
}

HOOK int lio_listio(int mode, struct aiocb *const jobs[restrict], int n,
		    struct sigevent *restrict when)
{
	for (int i = 0; i < n; i++)
		if (jobs[i] && jobs[i]->aio_lio_opcode != LIO_NOP && table_has(jobs[i]->aio_fildes))
			return fail(ENOSYS);
	return real.lio_listio(mode, jobs, n, when);
}

/* The same structure on 64-bit Linux. */
HOOK extern int aio_read64(struct aiocb64 *job) __attribute__((alias("aio_read")));
HOOK extern int aio_write64(struct aiocb64 *job) __attribute__((alias("aio_write")));
HOOK extern int lio_listio64(int mode, struct aiocb64 *const jobs[restrict], int n,
			     struct sigevent *restrict when) __attribute__((alias("lio_listio")));
