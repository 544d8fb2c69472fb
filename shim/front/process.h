/* SPDX-License-Identifier: MIT
 * process: are we still the process that owns the memory we run in?
 *
 *   fork()   child with a copy of our memory: our atfork handler runs, it is a process of its own
 *   vfork()  child *in* our memory, until it execs (CPython's subprocess, shells): what it closes and
 *            dups are its own descriptors, the table describes its parent's
 *
 * A fork that bypasses the C library looks like the second once the engine is open, and is treated
 * as carefully. Before, a page that the kernel wipes in every forked child tells the two apart. */
#ifndef STARTTLS_PROCESS_H
#define STARTTLS_PROCESS_H

#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Once, when we are loaded: remember who we are, so that a first connection in a child of vfork()
 * is known for what it is. Without it, or on kernels before 4.14, that is known from process_own()
 * on. */
void process_begin(void);

/* This process owns its memory: when the engine is opened, and in the child of fork(). */
void process_own(void);

/* Is this memory another process's? Then touch nothing of ours, only call the kernel. One system
 * call, so only asked about descriptors that are ours. Async-signal-safe. */
bool process_borrowed(void);

/* This thread has got descriptors of its own, which the table does not describe: from now on it is
 * as a child of vfork(). */
void process_part(void);

/* Is it a copy of another process's, made by a fork that bypassed the C library? Our locks in it
 * may be held for ever, so nothing new can be tracked. False as well when the kernel cannot tell.
 * Async-signal-safe. */
bool process_estranged(void);

/* Close a descriptor of our own. Not by SYS_close: that number is taken for the app's close()
 * (hook_raw.c), and in a relay, whose table is a copy, what we opened may have the number of a
 * connection. Async-signal-safe, no cancellation point. */
static inline void process_close(int fd)
{
	if (syscall(SYS_close_range, (unsigned)fd, (unsigned)fd, 0) < 0)
		syscall(SYS_close, fd);
}

#endif
