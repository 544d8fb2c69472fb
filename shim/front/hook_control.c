/* SPDX-License-Identifier: MIT
 * hook_control: fcntl and ioctl. libc declares them variadic, which is why no libc header that does
 * so is included here: every caller passes one more argument or none, libc fetches it as a pointer
 * whatever it is, and a fixed third parameter arrives in the same place without the cost of
 * va_start() on every call. */
#include "adopt.h"
#include "copies.h"
#include "hook.h"
#include "inherit.h"
#include "memory.h"
#include "process.h"
#include "slot.h"
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <stdint.h>
#include <string.h>

HOOK int fcntl(int fd, int cmd, void *arg);
HOOK int ioctl(int fd, unsigned long request, void *arg);

static SLOW int duplicate(int fd, int cmd, void *arg)
{
	struct conn *c;
	int copy;

	/* a copy that we cannot track would carry plaintext */
	if (table_has(fd) && process_estranged()) {
		errno = EPERM;
		return -1;
	}
	c = table_has(fd) && !process_borrowed() ? table_get(fd) : NULL;
	copy = real.fcntl(fd, cmd, arg);
	copies_mark(fd);
	copies_mark(copy);
	return c ? adopt_copy(copy, c) : slot_fresh(copy);
}

/* F_GETFD, F_SETFD: the kernel's flag is ours (inherit.h). */
static SLOW int flags(int fd, int cmd, void *arg)
{
	if (process_borrowed())
		return real.fcntl(fd, cmd, arg);
	if (cmd == F_GETFD)
		return inherit_wish(fd) ? 0 : FD_CLOEXEC;
	inherit_set(fd, !((intptr_t)arg & FD_CLOEXEC));
	return 0;
}

static bool about_flags(int cmd)
{
	return cmd == F_GETFD || cmd == F_SETFD;
}

HOOK int fcntl(int fd, int cmd, void *arg)
{
	if (about_flags(cmd) && table_has(fd))
		return flags(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicate(fd, cmd, arg)
							: real.fcntl(fd, cmd, arg);
}
HOOK_ALIAS(fcntl64, fcntl);
HOOK_ALIAS(__fcntl, fcntl);

static SLOW int readable(int fd, void *bytes)
{
	struct conn *c = memory_writable(bytes, sizeof(int)) < sizeof(int) ? NULL : table_get(fd);
	int result, n = 0;

	if (!c)
		return real.ioctl(fd, FIONREAD, bytes);
	result = engine->readable(c, fd, &n);
	if (result == 0) /* need not be aligned, for the kernel: CPython's is not */
		memcpy(bytes, &n, sizeof(n));
	return result;
}

static SLOW int ioctl_flags(int fd, unsigned long request)
{
	if (process_borrowed())
		return real.ioctl(fd, request, NULL);
	inherit_set(fd, request == FIONCLEX);
	return 0;
}

HOOK int ioctl(int fd, unsigned long request, void *arg)
{
	if ((request == FIOCLEX || request == FIONCLEX) && table_has(fd))
		return ioctl_flags(fd, request);
	return request == FIONREAD && table_has(fd) ? readable(fd, arg)
						    : real.ioctl(fd, request, arg);
}
