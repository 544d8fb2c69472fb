/* SPDX-License-Identifier: MIT
 * hook_control: fcntl and ioctl. libc declares them variadic, which is why no libc header that does so is included here: every caller
 * passes one more argument or none, libc fetches it as a pointer whatever it is, and a fixed third parameter arrives in the same
 * place without the cost of va_start() on every call. */
#include "hook.h"
#include "process.h"
#include "slot.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>

HOOK int fcntl(int fd, int cmd, void *arg);
HOOK int ioctl(int fd, unsigned long request, void *arg);

static SLOW int duplicate(int fd, int cmd, void *arg)
{
	struct conn *c = process_borrowed() ? NULL : table_get(fd);
	int copy = real.fcntl(fd, cmd, arg);

	return c ? slot_adopt(copy, c) : slot_fresh(copy);
}

HOOK int fcntl(int fd, int cmd, void *arg)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicate(fd, cmd, arg)
							: real.fcntl(fd, cmd, arg);
}
HOOK_ALIAS(fcntl64, fcntl);
HOOK_ALIAS(__fcntl, fcntl);

static SLOW int readable(int fd, int *bytes)
{
	struct conn *c = table_get(fd);

	return c ? engine->readable(c, fd, bytes) : real.ioctl(fd, FIONREAD, bytes);
}

HOOK int ioctl(int fd, unsigned long request, void *arg)
{
	return request == FIONREAD && table_has(fd) ? readable(fd, arg)
						    : real.ioctl(fd, request, arg);
}
