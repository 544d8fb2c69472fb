/* SPDX-License-Identifier: MIT
 * hook_raw: syscall(2), for the sake of one number. libuv, and so node, closes its descriptors by
 * syscall(SYS_close) to keep close() from being a cancellation point; what the app said last would
 * be lost with it, and the peer would miss its close_notify.
 *
 * Everything else passes untouched: read and write by number are the program's way of saying that
 * it wants the kernel itself. It is made here and not by libc, which may be asked while the loader
 * is looking a function of libc's up for us (real.h). */
#include "hook.h"
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
static inline long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long kernel(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
			 x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
			 x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#endif

#if defined(__x86_64__) || defined(__aarch64__)
static SLOW long failed(long result)
{
	errno = (int)-result;
	return -1;
}

static SLOW long close_ours(long fd)
{
	return close((int)fd);
}

/* Under a name of its own, because libc's is variadic: every caller passes up to six more
 * arguments, and they are fetched whatever there is (as libc does). A leaf as libc's is, with
 * nothing of its own on the stack: it may be clone() that is called. */
HOOK long raw_call(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
	long result;

	if (number == SYS_close && table_has((int)a))
		return close_ours(a);
	result = kernel(number, a, b, c, d, e, f);
	return __builtin_expect((unsigned long)result < (unsigned long)-4095, 1) ? result
										 : failed(result);
}
#endif
