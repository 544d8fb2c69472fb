/* SPDX-License-Identifier: MIT
 * record_pool: windows that connections use in turn. A connection holds one only while bytes wait in it, so that thousands of idle ones cost
 * nothing, and giving it back must not cost a malloc at each read. */
#include "record.h"
#include <pthread.h>
#include <stdlib.h>

enum { POOL = 8 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost: never held across anything */
static uint8_t *pool[POOL];
static size_t pooled;

uint8_t *window_take(void)
{
	uint8_t *window = NULL;

	pthread_mutex_lock(&lock);
	if (pooled)
		window = pool[--pooled];
	pthread_mutex_unlock(&lock);
	return window ? window : malloc(RECORD_WINDOW);
}

void window_give(uint8_t *window)
{
	if (!window)
		return;
	pthread_mutex_lock(&lock);
	if (pooled < POOL) {
		pool[pooled++] = window;
		window = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(window);
}

void window_fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

void window_fork_done(void)
{
	pthread_mutex_unlock(&lock);
}
