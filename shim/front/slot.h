/* SPDX-License-Identifier: MIT
 * slot: descriptors that come and go while a connection is ours. All keep errno unless they fail;
 * none is async-signal-safe. */
#ifndef STARTTLS_SLOT_H
#define STARTTLS_SLOT_H

#include "table.h"

/* fd is about to be closed or replaced: end our part of its connection; and, right after the kernel
 * has done it (or failed to), free the slot. Always in pairs, the second with what the first
 * returned: NULL when fd is not ours, or another thread is just closing it and will free the slot
 * itself. A pointer to compare, not a reference. */
struct conn *slot_release(int fd);
void slot_released(int fd, struct conn *left);

/* The slow half of slot_fresh. */
void slot_drop_stale(int fd);

/* fd has just been made by the kernel, so what the table says about it is about an earlier one that
 * was closed behind our back (a raw system call, stdio). Returns fd. */
static inline int slot_fresh(int fd)
{
	if (table_has(fd))
		slot_drop_stale(fd);
	return fd;
}

#endif
