/* SPDX-License-Identifier: MIT
 * hook_process: descriptors that end or multiply. In a vfork() child, whose descriptors are not those that the table describes, only
 * the kernel is asked (process.h). */
#include "hook.h"
#include "process.h"
#include "slot.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static int close_ours(int fd)
{
	if (!process_borrowed())
		slot_release(fd);
	return real.close(fd);
}

HOOK int close(int fd)
{
	return table_has(fd) ? close_ours(fd) : real.close(fd);
}
HOOK_ALIAS(__close, close);

/* Close those in first..last that are ours. */
static void close_between(unsigned first, unsigned last)
{
	int fd;

	if (first > INT_MAX || table_next((int)first) < 0 || process_borrowed())
		return;
	for (fd = table_next((int)first); fd >= 0 && (unsigned)fd <= last; fd = table_next(fd + 1))
		close_ours(fd);
}

/* With CLOSE_RANGE_CLOEXEC nothing is closed yet; with CLOSE_RANGE_UNSHARE only for this thread, which is about to exec. */
HOOK int close_range(unsigned first, unsigned last, int flags)
{
	if (!flags)
		close_between(first, last);
	return real.close_range(first, last, flags);
}

HOOK void closefrom(int first)
{
	close_between(first < 0 ? 0 : (unsigned)first, UINT_MAX);
	real.closefrom(first);
}

HOOK int dup(int fd)
{
	struct conn *c = table_get(fd);
	int copy = real.dup(fd);

	return c ? slot_adopt(copy, c) : slot_fresh(copy);
}

static bool valid(int fd)
{
	return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

/* dup2() or dup3() with one of ours on either side. */
static int duplicate(int fd, int to, int flags, bool three)
{
	bool ends = table_has(to) && fd != to && valid(fd) && !process_borrowed();
	struct conn *c = process_borrowed() || fd == to ? NULL : table_get(fd);
	int copy;

	if (ends)
		slot_release(to);
	copy = three ? real.dup3(fd, to, flags) : real.dup2(fd, to);
	if (copy < 0 && ends) /* still open, and not ours any more: nothing may be said on it */
		syscall(SYS_shutdown, to, SHUT_RDWR);
	return c ? slot_adopt(copy, c) : copy;
}

HOOK int dup2(int fd, int to)
{
	return table_has(fd) || table_has(to) ? duplicate(fd, to, 0, false) : real.dup2(fd, to);
}
HOOK_ALIAS(__dup2, dup2);

HOOK int dup3(int fd, int to, int flags)
{
	return table_has(fd) || table_has(to) ? duplicate(fd, to, flags, true)
					      : real.dup3(fd, to, flags);
}

static int duplicate_above(int fd, int cmd, void *arg)
{
	struct conn *c = table_get(fd);
	int copy = real.fcntl(fd, cmd, arg);

	return c ? slot_adopt(copy, c) : slot_fresh(copy);
}

HOOK int fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicate_above(fd, cmd, arg)
							: real.fcntl(fd, cmd, arg);
}
HOOK_ALIAS(fcntl64, fcntl);
HOOK_ALIAS(__fcntl, fcntl);
