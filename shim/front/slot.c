/* SPDX-License-Identifier: MIT
 * slot: descriptors that come and go while a connection is ours. */
#include "slot.h"
#include "engine_open.h"
#include "process.h"
#include <errno.h>

/* `fd` as the engine shall see it: -1 when it is not the connection's any more. */
static void end(int fd, int seen)
{
	struct conn *c = table_leave(fd);
	int error = errno;

	if (c)
		engine_end(c, seen);
	errno = error;
}

void slot_release(int fd)
{
	end(fd, fd);
	if ((unsigned)fd < TABLE_FDS)
		table_going(fd);
}

void slot_released(int fd)
{
	int error = errno;

	if (table_has(fd))
		table_vacate(fd);
	errno = error;
}

void slot_drop_stale(int fd)
{
	if (process_borrowed())
		return;
	end(fd, -1);
	slot_released(fd);
}
