/* SPDX-License-Identifier: MIT
 * hook: a function of libc's name that the app calls instead. The same three lines everywhere:
 *
 *	HOOK ssize_t write(int fd, const void *bytes, size_t n)
 *	{
 *		struct conn *c = table_get(fd);          one load, one branch when fd is not ours
 *
 *		return c ? io_transmit(c, fd, bytes, n, 0) : real.write(fd, bytes, n);
 *	}
 *
 * A miss makes no system call, takes no lock, keeps errno and ends in a tail call. Contracts are those of the libc functions. */
#ifndef STARTTLS_HOOK_H
#define STARTTLS_HOOK_H

#include "engine_open.h"
#include "real.h"
#include "table.h"

#define HOOK __attribute__((visibility("default")))

/* The second name under which libc exports a function that is hooked in this file. */
#define HOOK_ALIAS(name, of) HOOK extern __typeof(of) name __attribute__((alias(#of), copy(of)))

/* What libc calls when a fortified function would overrun its buffer; ends the process, as it would without us. */
extern void __chk_fail(void) __attribute__((noreturn));

#endif
