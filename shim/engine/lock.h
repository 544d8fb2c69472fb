/* SPDX-License-Identifier: MIT
 * lock: a mutex that says whose it is. A signal handler may leave the function that has it by
 * siglongjmp(), between any two instructions; a pthread_mutex_t cannot tell then whether it had
 * been taken already. This is one word, so there is no "between":
 *
 *   0 ─► thread id ─► 0                      one atomic instruction each
 *        thread id | WAITED_FOR ─► 0, futex  somebody sleeps
 *
 * Not recursive, but see lock_mine(). fork() in a process with threads: lock_reset() in the child,
 * for thread ids change. Keep errno. */
#ifndef STARTTLS_ENGINE_LOCK_H
#define STARTTLS_ENGINE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	_Atomic uint32_t word;
};

/* This thread's id; 0: not asked for yet. */
extern _Thread_local uint32_t lock_self;
uint32_t lock_learn_self(void);
/* The slow halves of take and give. */
void lock_wait(struct lock *l);
void lock_wake(struct lock *l);

enum { LOCK_WAITED_FOR = 1 << 30 }; /* above any thread id */

/* ThreadSanitizer looks away from atomics while one of its own blocking calls runs, and a poll() of
 * the program's is one, with our hook in it: so it is told. */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *of);
void __tsan_release(void *of);
#define LOCK_TAKEN(l)  __tsan_acquire(l)
#define LOCK_GIVING(l) __tsan_release(l)
#else
#define LOCK_TAKEN(l)  ((void)0)
#define LOCK_GIVING(l) ((void)0)
#endif

static inline uint32_t lock_me(void)
{
	return lock_self ? lock_self : lock_learn_self();
}

/* Has this thread taken it? Async-signal-safe, and exact in a handler too. */
static inline bool lock_mine(struct lock *l)
{
	return (atomic_load_explicit(&l->word, memory_order_relaxed) &
		~(uint32_t)LOCK_WAITED_FOR) == lock_me();
}

static inline bool lock_try(struct lock *l)
{
	uint32_t nobody = 0;

	return atomic_compare_exchange_strong_explicit(&l->word, &nobody, lock_me(),
						       memory_order_acquire, memory_order_relaxed);
}

static inline void lock_take(struct lock *l)
{
	if (!lock_try(l))
		lock_wait(l);
	LOCK_TAKEN(l);
}

static inline void lock_give(struct lock *l)
{
	LOCK_GIVING(l);
	if (atomic_exchange_explicit(&l->word, 0, memory_order_release) & LOCK_WAITED_FOR)
		lock_wake(l);
}

/* In the child of fork(): nobody has it, and this thread has another id. */
static inline void lock_reset(struct lock *l)
{
	lock_self = 0;
	atomic_store(&l->word, 0);
}

#endif
