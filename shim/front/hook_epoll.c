/* SPDX-License-Identifier: MIT
 * hook_epoll: epoll_wait() and kin, for the engine's deadlines alone (hook_wait.c does it for
 * poll()).
 *
 *   epoll_wait ─► nothing is due: the kernel
 *              └► sleep no longer than until then ─► tick: who is late is refused ─► sleep on
 *
 * What is ready the kernel says, of whom it watches and how (edges, one shot, sets within sets): a
 * refused connection is readable to it. Nothing is added and nothing taken away. A sleep that ends
 * early has taken nothing out of the set.
 *
 * Surprising: a thread that sleeps already when another one dials is not woken for the deadline.
 * The next one that comes to wait meets it. */
#include "hook.h"
#include "hook_wait.h"
#include "memory.h"
#include <limits.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Nearly never. False: whatever the arguments are, they are the kernel's. */
static inline bool is_due(void)
{
	const struct engine *e =
		__atomic_load_n(&engine, __ATOMIC_ACQUIRE); /* others may open it */

	return __builtin_expect(
		e && atomic_load_explicit(e->due, memory_order_relaxed) != INT64_MAX, false);
}

/* The kernel never wakes early, so a part of a millisecond is a whole one. */
static int ms_left(const struct timespec *until)
{
	const struct timespec left = wait_left(until);
	int ms = wait_ms(&left);

	return left.tv_nsec % 1000000 && ms < INT_MAX ? ms + 1 : ms;
}

/* epoll_wait() itself has no mask; NULL is the same to epoll_pwait(), but not to a sandbox. */
static int wait_once(int set, struct epoll_event *events, int most, int timeout,
		     const sigset_t *mask)
{
	return mask ? real.epoll_pwait(set, events, most, timeout, mask)
		    : real.epoll_wait(set, events, most, timeout);
}

static SLOW int wait_watched(int set, struct epoll_event *events, int most, int timeout,
			     const sigset_t *mask)
{
	const struct timespec span = wait_span(timeout);
	struct timespec until = wait_until(timeout > 0 ? &span : NULL);
	int step = timeout, ready;

	while (wait_shorten(&step)) {
		ready = wait_once(set, events, most, step, mask);
		if (ready)
			return ready;
		if (timeout > 0)
			timeout = ms_left(&until);
		step = timeout;
	}
	return wait_once(set, events, most, timeout, mask);
}

HOOK int epoll_wait(int set, struct epoll_event *events, int most, int timeout)
{
	return is_due() ? wait_watched(set, events, most, timeout, NULL)
			: real.epoll_wait(set, events, most, timeout);
}

HOOK int epoll_pwait(int set, struct epoll_event *events, int most, int timeout,
		     const sigset_t *mask)
{
	return is_due() ? wait_watched(set, events, most, timeout, mask)
			: real.epoll_pwait(set, events, most, timeout, mask);
}

static SLOW int pwait2_watched(int set, struct epoll_event *events, int most,
			       const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec until, left, step;
	int ms, ready;

	if (timeout && !memory_readable(timeout, sizeof(*timeout)))
		return real.epoll_pwait2(set, events, most, timeout, mask); /* EFAULT */
	until = wait_until(timeout);
	while (ms = wait_ms(timeout), wait_shorten(&ms)) {
		step = wait_span(ms);
		ready = real.epoll_pwait2(set, events, most, &step, mask);
		if (ready)
			return ready;
		if (timeout) {
			left = wait_left(&until);
			timeout = &left;
		}
	}
	return real.epoll_pwait2(set, events, most, timeout, mask);
}

HOOK int epoll_pwait2(int set, struct epoll_event *events, int most, const struct timespec *timeout,
		      const sigset_t *mask)
{
	return is_due() ? pwait2_watched(set, events, most, timeout, mask)
			: real.epoll_pwait2(set, events, most, timeout, mask);
}
