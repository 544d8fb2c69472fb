/* SPDX-License-Identifier: MIT
 * lock: sleeping until a lock is free (futex(2)). */
#include "lock.h"
#include "sys.h"
#include <errno.h>
#include <linux/futex.h>

_Thread_local uint32_t lock_self;

uint32_t lock_learn_self(void)
{
	return lock_self = (uint32_t)syscall(SYS_gettid);
}

/* Whoever has slept takes it as one that somebody else may wait for, too. */
void lock_wait(struct lock *l)
{
	uint32_t me = lock_me() | LOCK_WAITED_FOR, now = 0;
	int saved = errno;

	while (!atomic_compare_exchange_strong_explicit(&l->word, &now, me, memory_order_acquire,
							memory_order_relaxed)) {
		if (now & LOCK_WAITED_FOR ||
		    atomic_compare_exchange_strong(&l->word, &now, now | LOCK_WAITED_FOR))
			syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, now | LOCK_WAITED_FOR,
				NULL);
		now = 0;
	}
	errno = saved;
}

void lock_wake(struct lock *l)
{
	int saved = errno;

	syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1);
	errno = saved;
}
