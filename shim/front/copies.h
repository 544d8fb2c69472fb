/* SPDX-License-Identifier: MIT
 * copies: which descriptors may be copies of one another. A socket may be duplicated first and
 * connected then, and is ours under all its numbers.
 *
 *   dup(4) = 5     a mark on both, whatever they are: one store, no question asked
 *   connect(4)     4 is marked, so the marked descriptors are compared with it: 5 is the same socket,
 *                  and becomes ours too
 *
 * Marks are hints: some are stale, none is missing, but for what was duplicated by raw system
 * calls. All functions keep errno and are async-signal-safe. */
#ifndef STARTTLS_COPIES_H
#define STARTTLS_COPIES_H

#include "table.h"

extern _Atomic unsigned char copies_marks[TABLE_FDS] __attribute__((visibility("hidden")));
extern _Atomic int copies_end __attribute__((visibility("hidden"))); /* no mark from here on */

/* fd is, or is about to be, a copy or copied. Bad descriptors are ignored. */
static inline void copies_mark(int fd)
{
	if ((unsigned)fd >= TABLE_FDS ||
	    atomic_load_explicit(&copies_marks[fd], memory_order_relaxed))
		return;
	atomic_store_explicit(&copies_marks[fd], 1, memory_order_relaxed);
	if (fd >= atomic_load_explicit(&copies_end, memory_order_relaxed))
		atomic_store_explicit(&copies_end, fd + 1, memory_order_relaxed);
}

/* fd has just been made by socket(): it has no copies yet. Returns fd. */
static inline int copies_none(int fd)
{
	if ((unsigned)fd < TABLE_FDS &&
	    atomic_load_explicit(&copies_marks[fd], memory_order_relaxed))
		atomic_store_explicit(&copies_marks[fd], 0, memory_order_relaxed);
	return fd;
}

/* The next descriptor >= from, other than fd, that is the same file as fd; or -1. */
int copies_next(int fd, int from);

#endif
