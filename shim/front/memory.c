/* SPDX-License-Identifier: MIT
 * memory: is there memory where the app's pointer says? */
#include "memory.h"
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, KNOWN = 8 }; /* pages may be larger: then some are asked about twice */
enum access { READING, WRITING };

/* Per thread: pages that were there a moment ago; number + 1, so that 0 is none. */
static _Thread_local uintptr_t known[2][KNOWN];

static bool kernel_reads(uintptr_t page)
{
	/* at the page's end, for the first word of all is NULL, which the kernel would take for "no set" */
	return syscall(SYS_rt_sigprocmask, ~0, page + PAGE - 8, NULL, 8) == 0 || errno != EFAULT;
}

static bool kernel_writes(uintptr_t page)
{
	static _Atomic uint32_t nobody; /* waits here */

	return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, NULL, page,
		       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) >= 0 ||
	       errno != EFAULT;
}

static bool is_there(uintptr_t address, enum access how)
{
	uintptr_t number = address / PAGE, *seen = &known[how][number % KNOWN];
	int error = errno;
	bool there;

	if (*seen == number + 1)
		return true;
	there = how == READING ? kernel_reads(number * PAGE) : kernel_writes(number * PAGE);
	errno = error;
	if (there)
		*seen = number + 1;
	return there;
}

static size_t prefix(uintptr_t from, size_t n, enum access how)
{
	uintptr_t end;

	if (!n)
		return 0;
	if (__builtin_add_overflow(from, n - 1, &end))
		end = UINTPTR_MAX;
	if (!is_there(from, how))
		return 0;
	if (end / PAGE == from / PAGE || is_there(end, how))
		return n;
	for (uintptr_t at = (from / PAGE + 1) * PAGE;; at += PAGE)
		if (!is_there(at, how))
			return at - from;
}

bool memory_readable(const void *bytes, size_t n)
{
	return prefix((uintptr_t)bytes, n, READING) == n;
}

size_t memory_writable(void *bytes, size_t n)
{
	return prefix((uintptr_t)bytes, n, WRITING);
}
