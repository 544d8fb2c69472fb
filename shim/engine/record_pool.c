/* SPDX-License-Identifier: MIT
 * record_pool: windows that connections use in turn. A connection holds one only while bytes wait
 * in it, so that thousands of idle ones cost nothing, and giving it back must not cost a malloc at
 * each read. */
#include "lock.h"
#include "record.h"
#include <stdlib.h>

enum { POOL = 8 };

static struct lock lock; /* innermost: never held across anything */
static uint8_t *pool[POOL];
static volatile size_t pooled;

/* Nothing in here calls anything, so if it is this thread's already, a signal handler has left by
 * siglongjmp(): what can be missing then is one window. */
static void enter(void)
{
	if (!lock_mine(&lock))
		lock_take(&lock);
}

uint8_t *window_take(void)
{
	uint8_t *window = NULL;

	enter();
	if (pooled) {
		pooled--;
		window = pool[pooled];
	}
	lock_give(&lock);
	return window ? window : malloc(RECORD_WINDOW);
}

void window_give(uint8_t *window)
{
	if (!window)
		return;
	enter();
	if (pooled < POOL) {
		pool[pooled] = window;
		/* A number without a window must not be seen. */
		atomic_signal_fence(memory_order_seq_cst);
		pooled++;
		window = NULL;
	}
	lock_give(&lock);
	free(window);
}

void window_fork_prepare(void)
{
	enter();
}

void window_fork_parent(void)
{
	lock_give(&lock);
}

void window_fork_child(void)
{
	lock_reset(&lock);
}
