/* SPDX-License-Identifier: MIT
 * adopt: a descriptor becomes ours. */
#include "adopt.h"
#include "inherit.h"
#include "real.h"
#include "slot.h"
#include "stream.h"
#include <errno.h>

bool adopt(int fd, struct conn *c)
{
	if (!table_put(fd, c))
		return false;
	if (stream_take(fd)) {
		inherit_hide(fd);
		return true;
	}
	table_remove(fd); /* the reference is the caller's again */
	return false;
}

int adopt_copy(int fd, struct conn *c)
{
	if (fd >= 0 && adopt(slot_fresh(fd), c))
		return fd;
	table_drop(c);
	if (fd >= 0) {
		real.close(fd);
		errno = fd < TABLE_FDS ? ENOMEM : EMFILE;
	}
	return -1;
}

int adopt_reserved(int fd, struct conn *c)
{
	struct conn *mine;

	table_settle(fd, c);
	if (stream_take(fd)) {
		inherit_hide(fd);
		return fd;
	}
	if ((mine = table_remove(fd)))
		table_drop(mine);
	real.close(fd);
	errno = ENOMEM;
	return -1;
}
