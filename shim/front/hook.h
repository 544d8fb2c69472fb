/* SPDX-License-Identifier: MIT
 * hook: a function of libc's name that the app calls instead. The same line everywhere:
 *
 * 	HOOK ssize_t write(int fd, const void *bytes, size_t n)
 * 	{
 * 		return table_has(fd) ? io_write(fd, bytes, n) : real.write(fd, bytes, n);
 * 	}
 *
 * A miss is one load, one branch and a tail call: no system call, no lock, errno untouched. So that
 * the compiler keeps it that way, whatever needs a local variable or a call of its own goes into a
 * function that is called on a hit only. Contracts are those of the libc functions. */
#ifndef STARTTLS_HOOK_H
#define STARTTLS_HOOK_H

#include "engine_open.h"
#include "real.h"
#include "table.h"
#include <stdarg.h>

#define HOOK __attribute__((visibility("default")))

/* The second name under which libc exports a function that is hooked in this file. (glibc's headers
 * give some of them the last two attributes, and gcc wants an alias to have what its target
 * has.) */
#define HOOK_ALIAS(name, of) \
	HOOK extern __typeof(of) name __attribute__((alias(#of), nothrow, leaf))

/* The body of a hook with a variable number of arguments: what the one that takes `args`
 * answers. */
#define HOOK_VARIADIC(last, call) \
	va_list args; \
	int answer; \
	va_start(args, last); \
	answer = call; \
	va_end(args); \
	return answer

/* On a hit only: kept out of the hook, which would else save registers for it on every miss. */
#define SLOW __attribute__((noinline, cold))

/* What libc calls when a fortified function would overrun its buffer; ends the process, as it would
 * without us. */
extern void __chk_fail(void) __attribute__((noreturn));

#endif
