/* SPDX-License-Identifier: MIT
 * adopt: a descriptor becomes ours: it gets its slot, no stream of libc's speaks on it any more
 * (stream.h), and no program that is executed behind our back finds it open (inherit.h). None is
 * async-signal-safe. */
#ifndef STARTTLS_ADOPT_H
#define STARTTLS_ADOPT_H

#include "table.h"

/* As table_put. */
bool adopt(int fd, struct conn *c);

/* fd is a new descriptor for the connection of c and takes over the caller's reference. Returns fd;
 * or -1 with errno: as it was when fd is -1, else ENOMEM (EMFILE: its number is too large) with fd
 * closed, because a descriptor that we cannot watch would carry plaintext. */
int adopt_copy(int fd, struct conn *c);

/* fd, reserved for c (table_reserve), has become its copy. As adopt_copy. */
int adopt_reserved(int fd, struct conn *c);

#endif
