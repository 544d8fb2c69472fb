/* SPDX-License-Identifier: MIT
 * memory: is there memory where the app's pointer says? The kernel answers EFAULT; our memcpy()
 * would end the process.
 *
 * Two system calls that look at an address and change nothing, which every filter of system calls
 * allows: rt_sigprocmask(2) with a senseless `how` reads a set, futex(2) ORs a zero into a word.
 * They cost about 0.1 µs each, which is more than a small read, so memory that this thread has used
 * successfully is not asked about again: who unmaps its buffer, or cuts the file that it maps
 * short, and then hands it to us still crashes.
 *
 * All keep errno and are async-signal-safe. */
#ifndef STARTTLS_MEMORY_H
#define STARTTLS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* How many of the n bytes at `bytes`, from the first on, can be read, can be written? */
size_t memory_there(const void *bytes, size_t n);
size_t memory_writable(const void *bytes, size_t n);

/* Can all n bytes at `bytes` be read? */
static inline bool memory_readable(const void *bytes, size_t n)
{
	return memory_there(bytes, n) == n;
}

#endif
