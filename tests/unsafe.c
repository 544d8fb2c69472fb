/* SPDX-License-Identifier: MIT
 * unsafe: functions that are not async-signal-safe, to be preloaded behind the library. They notice
 * when they are called while signals may come: a program may leave connect() from a handler, for
 * good, and then one of these must not be half-way through.
 *
 * The engine is opened with RTLD_DEEPBIND and would never ask us: so the library is given a
 * dlopen() that goes without it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);
extern void __libc_free(void *of);

static bool watching;
static const char *called;

/* Begin or end to watch. Returns the first of these functions that was called with SIGALRM let in,
 * or NULL. */
const char *unsafe_watch(bool on);
const char *unsafe_watch(bool on)
{
	const char *was = called;

	watching = on;
	called = NULL;
	return was;
}

static void note(const char *function)
{
	sigset_t blocked;

	if (!watching || called)
		return;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (!sigismember(&blocked, SIGALRM))
		called = function;
}

void *malloc(size_t n)
{
	note("malloc");
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	note("calloc");
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
	note("realloc");
	return __libc_realloc(old, n);
}

void free(void *of)
{
	note("free");
	__libc_free(of);
}

static void *shallow_dlopen(const char *file, int mode)
{
	return ((void *(*)(const char *, int))dlvsym(RTLD_NEXT, "dlopen", "GLIBC_2.34"))(
		file, mode & ~RTLD_DEEPBIND);
}

/* What is looked up from here with RTLD_NEXT stands behind us: the library means us by it, too. */
void *dlsym(void *handle, const char *name)
{
	static void *(*next)(void *, const char *);

	note("dlsym");
	if (!next)
		next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
	return handle == RTLD_NEXT && strcmp(name, "dlopen") == 0 ? (void *)shallow_dlopen
								  : next(handle, name);
}

#define NEXT(name) \
	static __typeof(name) *next; \
\
	note(#name); \
	if (!next) \
		next = (__typeof(next))dlvsym(RTLD_NEXT, #name, "GLIBC_2.34"); \
	if (!next) \
	next = (__typeof(next))dlvsym(RTLD_NEXT, #name, "GLIBC_2.2.5")

int pthread_once(pthread_once_t *once, void (*of)(void))
{
	NEXT(pthread_once);
	return next(once, of);
}

int pthread_mutex_lock(pthread_mutex_t *lock)
{
	NEXT(pthread_mutex_lock);
	return next(lock);
}

struct tm *localtime_r(const time_t *time, struct tm *to)
{
	NEXT(localtime_r);
	return next(time, to);
}
