/* SPDX-License-Identifier: MIT
 * calm: a mutex whose holder is not interrupted: no signal handler finds it taken by its own
 * thread, or leaves it taken by siglongjmp(). For what is short and rare; a call of the app's that
 * may wait has a lock of the other kind (lock.h). */
#ifndef STARTTLS_ENGINE_CALM_H
#define STARTTLS_ENGINE_CALM_H

#include "sys.h"
#include <pthread.h>

struct calm {
	pthread_mutex_t mutex;
	uint64_t signals; /* of who has it */
};
#define CALM_INITIALIZER \
	{ \
		PTHREAD_MUTEX_INITIALIZER, 0 \
	}

/* Not recursive. Several are given back in the opposite order. Keep errno. */
static inline void calm_take(struct calm *l)
{
	uint64_t was;

	was = quiet_begin();
	pthread_mutex_lock(&l->mutex);
	l->signals = was;
}

static inline void calm_give(struct calm *l)
{
	uint64_t was = l->signals;

	pthread_mutex_unlock(&l->mutex);
	quiet_end(was);
}

#endif
