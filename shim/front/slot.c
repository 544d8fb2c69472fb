/* SPDX-License-Identifier: MIT
 * slot: descriptors that come and go while a connection is ours. */
#include "slot.h"
#include "engine_open.h"
#include "process.h"
#include <errno.h>

/* `seen`: fd as the engine shall see it: -1 when it is not the connection's any more. */
static struct conn *end(int fd, int seen)
{
	struct conn *c = table_leave(fd);
	int error = errno;

	if (c)
		engine_end(c, seen);
	errno = error;
	return c;
}

struct conn *slot_release(int fd)
{
	struct conn *left = end(fd, fd);

	if (left)
		table_going(fd);
	return left;
}

void slot_released(int fd, struct conn *left)
{
	int error = errno;

	if (left)
		table_vacate(fd, left);
	errno = error;
}

void slot_drop_stale(int fd)
{
	int error;

	if (process_borrowed())
		return;
	end(fd, -1);
	error = errno;
	if (table_has(fd))
		table_vacate(fd, NULL);
	errno = error;
}
