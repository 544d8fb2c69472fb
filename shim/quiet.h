/* SPDX-License-Identifier: MIT
 * quiet: keep signal handlers out for a while. One that left a lock, malloc(), the loader, a
 * half-opened engine or a half-made connection behind by siglongjmp() (the time-out of old
 * mailers), or that dialled itself meanwhile, would find the thread in a state in which nothing can
 * be decided safely. The kernel's connect() and close() may be left at any instruction, so all of
 * ours that is not async-signal-safe is done like this. */
#ifndef STARTTLS_QUIET_H
#define STARTTLS_QUIET_H

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Raw system calls, so that no interposed sigprocmask() is asked. What the thread causes itself
 * still comes, and so do libc's own signals. Returns what quiet_end() wants. Keeps errno;
 * async-signal-safe. */
static inline uint64_t quiet_begin(void)
{
	static const uint64_t own = 1ULL << (SIGSEGV - 1) | 1ULL << (SIGBUS - 1) |
				    1ULL << (SIGILL - 1) | 1ULL << (SIGFPE - 1) |
				    1ULL << (SIGTRAP - 1) | 1ULL << (SIGSYS - 1) | 3ULL << 31;
	uint64_t others = ~own, was = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &others, &was, sizeof(was));
	return was;
}

static inline void quiet_end(uint64_t was)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &was, NULL, sizeof(was));
}

#endif
