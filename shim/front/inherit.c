/* SPDX-License-Identifier: MIT
 * inherit: the app's close-on-exec flags of descriptors that are ours. */
#include "inherit.h"
#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic bool wishes[TABLE_FDS]; /* .bss: pages that nobody touches cost nothing */

static _Atomic unsigned expected; /* one bit for each of the first */

void inherit_hide(int fd)
{
	int error = errno;
	long flags = syscall(SYS_fcntl, fd, F_GETFD);

	inherit_set(fd, flags >= 0 && !(flags & FD_CLOEXEC));
	if (flags >= 0)
		syscall(SYS_fcntl, fd, F_SETFD, flags | FD_CLOEXEC);
	errno = error;
}

void inherit_show(int fd)
{
	int error = errno;

	if (inherit_wish(fd))
		syscall(SYS_fcntl, fd, F_SETFD, 0);
	errno = error;
}

bool inherit_wish(int fd)
{
	return atomic_load_explicit(&wishes[fd], memory_order_relaxed);
}

void inherit_set(int fd, bool wish)
{
	atomic_store_explicit(&wishes[fd], wish, memory_order_relaxed);
}

void inherit_expect(int fd)
{
	if (fd >= 0 && fd < INHERIT_EXPECTED)
		atomic_fetch_or(&expected, 1U << fd);
}

bool inherit_expected(int fd)
{
	return fd <= STDERR_FILENO || (fd < INHERIT_EXPECTED && atomic_load(&expected) & 1U << fd);
}
