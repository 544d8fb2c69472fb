/* SPDX-License-Identifier: MIT
 * hook_process: descriptors that end or multiply. In a vfork() child, whose descriptors are not
 * those that the table describes, only the kernel is asked (process.h). */
#include "adopt.h"
#include "copies.h"
#include "hook.h"
#include "inherit.h"
#include "process.h"
#include "slot.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

static SLOW int close_ours(int fd)
{
	struct conn *left;
	int result, cancel;

	if (process_borrowed())
		return real.close(fd);
	/* Who is cancelled in close(2) leaves the descriptor open. Once the session is ended it
	 * must go. */
	pthread_testcancel();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	left = slot_release(fd);
	result = real.close(fd);
	slot_released(fd, left);
	pthread_setcancelstate(cancel, NULL);
	return result;
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

static void leave_between(unsigned first, unsigned last)
{
	int fd;

	if (first > INT_MAX || table_next((int)first) < 0 || process_borrowed())
		return;
	for (fd = table_next((int)first); fd >= 0 && (unsigned)fd <= last; fd = table_next(fd + 1))
		inherit_set(fd, false);
}

/* With CLOSE_RANGE_CLOEXEC nothing is closed yet; with CLOSE_RANGE_UNSHARE only for this thread, if
 * there are others. */
HOOK int close_range(unsigned first, unsigned last, int flags)
{
	bool parts = flags & (int)CLOSE_RANGE_UNSHARE && !__libc_single_threaded;
	int result;

	if (flags & (int)CLOSE_RANGE_CLOEXEC && !parts)
		leave_between(first, last);
	else if (!(flags & ~(int)CLOSE_RANGE_UNSHARE) && !parts)
		close_between(first, last);
	result = real.close_range(first, last, flags);
	if (parts && result == 0)
		process_part();
	return result;
}

HOOK int unshare(int flags)
{
	int result = real.unshare(flags);

	if (result == 0 && flags & CLONE_FILES && !__libc_single_threaded)
		process_part();
	return result;
}

/* Its dup2() of /dev/null over 0, 1 and 2 is libc's own. */
HOOK int daemon(int stay, int keep)
{
	int result = real.daemon(stay, keep);

	for (int fd = 0; fd <= STDERR_FILENO && result == 0 && !keep; fd++)
		if (table_has(fd))
			slot_drop_stale(fd);
	return result;
}

HOOK void closefrom(int first)
{
	close_between(first < 0 ? 0 : (unsigned)first, UINT_MAX);
	real.closefrom(first);
}

/* A copy that we cannot track would carry plaintext. */
static int refuse_estranged(void)
{
	errno = EPERM;
	return -1;
}

static SLOW int duplicate_ours(int fd)
{
	struct conn *c;
	int copy;

	if (process_estranged())
		return refuse_estranged();
	c = process_borrowed() ? NULL : table_get(fd);
	copy = real.dup(fd);
	copies_mark(fd);
	copies_mark(copy);
	return c ? adopt_copy(copy, c) : copy;
}

static int duplicate_other(int fd)
{
	int copy = slot_fresh(real.dup(fd));

	copies_mark(fd);
	copies_mark(copy);
	return copy;
}

HOOK int dup(int fd)
{
	return table_has(fd) ? duplicate_ours(fd) : duplicate_other(fd);
}

static bool valid(int fd)
{
	return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

static int replace(int fd, int to, int flags, bool three)
{
	return three ? real.dup3(fd, to, flags) : real.dup2(fd, to);
}

/* No room in the table, or another thread is just replacing `to`: then as dup(2) says of such
 * races. */
static int refuse_copy(int to)
{
	errno = table_has(to) ? EBUSY : ENOMEM;
	return -1;
}

/* dup2() or dup3() with one of ours on either side. */
static SLOW int replace_ours(int fd, int to, int flags, bool three)
{
	struct conn *c, *left;
	bool reserved;
	int copy;

	if (fd != to && table_has(fd) && process_estranged())
		return refuse_estranged();
	if (fd == to || process_borrowed() || !valid(fd))
		return replace(fd, to, flags, three);
	c = table_get(fd);
	left = slot_release(to);
	reserved = c && table_reserve(to, c);
	copy = c && !reserved && (unsigned)to < TABLE_FDS ? refuse_copy(to)
							  : replace(fd, to, flags, three);
	if (copy < 0 && left) /* still open, and not ours any more: nothing may be said on it */
		syscall(SYS_shutdown, to, SHUT_RDWR);
	if (copy < 0 && reserved)
		table_unreserve(to, c);
	slot_released(to, left);
	if (copy >= 0 && reserved)
		return adopt_reserved(copy, c);
	return c ? adopt_copy(copy, c) : copy;
}

HOOK int dup2(int fd, int to)
{
	copies_mark(fd);
	copies_mark(to);
	return table_has(fd) || table_has(to) ? replace_ours(fd, to, 0, false) : real.dup2(fd, to);
}
HOOK_ALIAS(__dup2, dup2);

HOOK int dup3(int fd, int to, int flags)
{
	copies_mark(fd);
	copies_mark(to);
	return table_has(fd) || table_has(to) ? replace_ours(fd, to, flags, true)
					      : real.dup3(fd, to, flags);
}

/* exit() and quick_exit() do without this (start.c). */
static SLOW void leave_process(void)
{
	struct conn *c;

	if (process_borrowed())
		return;
	for (int fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if ((c = table_get(fd)))
			engine->exits(c, fd);
}

HOOK void _exit(int status)
{
	if (table_next(0) >= 0)
		leave_process();
	real._exit(status);
	__builtin_unreachable();
}
HOOK_ALIAS(_Exit, _exit);
