/* SPDX-License-Identifier: MIT
 * oom: a memory allocator to be preloaded, behind the library, that fails once: at the n-th allocation after oom_fail(n).
 *
 * The engine is opened with RTLD_DEEPBIND and would never ask us: so this is also the next dlopen() behind the library's, and goes without it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

static _Atomic long left; /* allocations until the one that fails; <= 0: none does */
static _Atomic long made; /* since oom_fail() */

void *dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");

	return next(file, mode & ~RTLD_DEEPBIND);
}

/* Let the n-th allocation from now on fail; 0: none. Returns how many there were since the last time. */
long oom_fail(long n);
long oom_fail(long n)
{
	atomic_store(&left, n);
	return atomic_exchange(&made, 0);
}

static int fails(void)
{
	atomic_fetch_add(&made, 1);
	if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
	return fails() ? NULL : __libc_realloc(old, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __libc_memalign(alignment, n);
}

int posix_memalign(void **to, size_t alignment, size_t n)
{
	void *p = fails() ? NULL : __libc_memalign(alignment, n);

	if (p)
		*to = p;
	return p ? 0 : ENOMEM;
}
