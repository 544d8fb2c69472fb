/* SPDX-License-Identifier: MIT
 * hook_select: select() and pselect(), as hook_wait.c does it for poll(). Sets may be larger than fd_set is, and then lie in the program's own
 * memory; where nothing was for the program after all, they are filled again and waited on anew. */
#include "hook.h"
#include "hook_wait.h"
#include "memory.h"
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>

enum {
	MOST = 8192, /* descriptors; beyond them the kernel's word stands: what was asked is kept on the stack, which may be small */
	WORD = NFDBITS,
};

/* What the program asked for. */
struct asked {
	fd_mask *sets[3]; /* the program's: to read, to write, exceptions; NULL: none */
	fd_mask was[3][MOST / WORD];
	size_t words;
};

/* False: leave it to the kernel. Unset parts of `was` are never looked at, so that a small call costs little. */
static bool keep(struct asked *a, int n, fd_set *in, fd_set *out, fd_set *except)
{
	fd_set *sets[] = {in, out, except};

	if (n <= 0 || n > MOST)
		return false;
	a->words = ((size_t)n + WORD - 1) / WORD;
	for (int i = 0; i < 3; i++) {
		a->sets[i] = (fd_mask *)sets[i];
		if (!sets[i])
			continue;
		if (!memory_readable(sets[i], a->words * sizeof(fd_mask)))
			return false; /* EFAULT */
		memcpy(a->was[i], sets[i], a->words * sizeof(fd_mask));
	}
	return a->sets[0];
}

static void ask_again(const struct asked *a)
{
	for (int i = 0; i < 3; i++)
		if (a->sets[i])
			memcpy(a->sets[i], a->was[i], a->words * sizeof(fd_mask));
}

/* As wait_is_ours_alone(), but select() says "readable" for an error too, which must be left for the app to find. */
static bool is_idle(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return table_has(fd) && real.poll(&p, 1, 0) == 1 && !(p.revents & (POLLERR | POLLHUP)) &&
	       wait_is_ours_alone(fd);
}

/* Take back what the kernel said for our sake. Returns how much that was. */
static int filter(const struct asked *a)
{
	int idle = 0;

	for (size_t i = 0; i < a->words; i++)
		for (unsigned long left = (unsigned long)a->sets[0][i]; left; left &= left - 1) {
			int bit = __builtin_ctzl(left);

			if (!is_idle((int)i * WORD + bit))
				continue;
			a->sets[0][i] &= ~(fd_mask)(1UL << bit);
			idle++;
		}
	return idle;
}

/* As select(2), which counts the time-out down, but not beyond what the engine has to do. *shortened: 0 is not the end of the time-out. */
static int select_step(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout,
		       bool *shortened)
{
	struct timespec asked =
		timeout ? (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000L}
			: wait_span(0);
	struct timeval step, used;
	int ms = wait_ms(timeout ? &asked : NULL), ready;

	*shortened = wait_shorten(&ms);
	if (!*shortened)
		return real.select(n, in, out, except, timeout);
	step = used = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L};
	ready = real.select(n, in, out, except, &step);
	timersub(&used, &step, &used);
	if (timeout)
		timersub(timeout, &used, timeout);
	return ready;
}

static SLOW int select_watched(int n, fd_set *in, fd_set *out, fd_set *except,
			       struct timeval *timeout)
{
	struct asked a;
	int ready;
	bool shortened;

	if (!keep(&a, n, in, out, except))
		return real.select(n, in, out, except, timeout);
	for (;;) {
		ready = select_step(n, in, out, except, timeout, &shortened);
		if (ready < 0 || (!ready && !shortened))
			return ready;
		ready -= filter(&a);
		if (ready || (timeout && !timeout->tv_sec && !timeout->tv_usec))
			return ready;
		ask_again(&a);
	}
}

HOOK int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	return engine ? select_watched(n, in, out, except, timeout)
		      : real.select(n, in, out, except, timeout);
}

HOOK_ALIAS(__select, select);

static SLOW int pselect_watched(int n, fd_set *in, fd_set *out, fd_set *except,
				const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec until = wait_until(timeout), left, step;
	struct asked a;
	int ready, ms;
	bool shortened;

	if (!keep(&a, n, in, out, except))
		return real.pselect(n, in, out, except, timeout, mask);
	for (;;) {
		ms = wait_ms(timeout);
		shortened = wait_shorten(&ms);
		step = wait_span(ms);
		ready = real.pselect(n, in, out, except, shortened ? &step : timeout, mask);
		if (ready < 0 || (!ready && !shortened))
			return ready;
		ready -= filter(&a);
		if (ready || wait_is_over(timeout))
			return ready;
		if (timeout) {
			left = wait_left(&until);
			timeout = &left;
		}
		ask_again(&a);
	}
}

HOOK int pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
		 const sigset_t *mask)
{
	return engine ? pselect_watched(n, in, out, except, timeout, mask)
		      : real.pselect(n, in, out, except, timeout, mask);
}
