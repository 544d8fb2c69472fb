/* SPDX-License-Identifier: MIT
 * copies: which descriptors may be copies of one another. The kernel tells: copies of a socket have
 * its inode. */
#include "copies.h"
#include <errno.h>
#include <sys/stat.h>

_Atomic unsigned char copies_marks[TABLE_FDS];
_Atomic int copies_end;

static bool is_marked(int fd)
{
	return atomic_load_explicit(&copies_marks[fd], memory_order_relaxed);
}

int copies_next(int fd, int from)
{
	struct stat file, other;
	int error = errno, found = -1, last = atomic_load(&copies_end);

	if ((unsigned)fd >= TABLE_FDS || !is_marked(fd) || fstat(fd, &file) != 0)
		last = 0;
	for (int i = from; i < last && found < 0; i++)
		if (i != fd && is_marked(i) && fstat(i, &other) == 0 &&
		    other.st_ino == file.st_ino && other.st_dev == file.st_dev)
			found = i;
	errno = error;
	return found;
}
