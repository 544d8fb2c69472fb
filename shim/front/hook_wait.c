/* SPDX-License-Identifier: MIT
 * hook_wait: poll() and ppoll(), for those who take the kernel at its word. select() is in
 * hook_select.c.
 *
 *   poll ─► kernel: readable ─► ours? ─► the engine: for the app, or only for us? ─► wait on
 *
 * The kernel is kept truthful about data, but says "readable" too for a handshake flight or a
 * ticket. Most programs then get EAGAIN and wait on. Some take that for an error: PHP's streams,
 * which have a blocking descriptor and recv(MSG_DONTWAIT), and isync, whose descriptor is
 * non-blocking. And a blocking client with a terminal beside its connection would stop in read(),
 * deaf to its user, until the peer says something.
 *
 * Surprising: nothing is added to what the kernel says, only taken away, so a program that does not
 * come through here (epoll, or a system call of its own) loses nothing. But for one thing: the
 * engine's deadlines are met here, too, by not sleeping beyond them (hook_epoll.c is for that
 * alone). */
#include "hook_wait.h"
#include "hook.h"
#include "process.h"
#include <limits.h>
#include <poll.h>
#include <stdint.h>

enum { BILLION = 1000000000 };

bool wait_is_ours_alone(int fd)
{
	struct conn *c;

	if (!table_has(fd) || process_borrowed())
		return false;
	c = table_get(fd);
	return c && !engine->ready(c, fd);
}

/* Else the kernel will refuse it. */
static bool is_time(const struct timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < BILLION;
}

struct timespec wait_until(const struct timespec *timeout)
{
	struct timespec t = {0};

	if (!timeout || !is_time(timeout))
		return t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += timeout->tv_nsec;
	if (__builtin_add_overflow(t.tv_sec, timeout->tv_sec + t.tv_nsec / BILLION, &t.tv_sec))
		t.tv_sec = INT64_MAX;
	t.tv_nsec %= BILLION;
	return t;
}

struct timespec wait_left(const struct timespec *until)
{
	struct timespec t, none = {0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec = until->tv_sec - t.tv_sec;
	t.tv_nsec = until->tv_nsec - t.tv_nsec;
	if (t.tv_nsec < 0) {
		t.tv_nsec += BILLION;
		t.tv_sec--;
	}
	return t.tv_sec < 0 ? none : t;
}

bool wait_is_over(const struct timespec *timeout)
{
	return timeout && !timeout->tv_sec && !timeout->tv_nsec;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool wait_shorten(int *ms)
{
	int64_t due = atomic_load_explicit(engine->due, memory_order_relaxed), now;

	if (due == INT64_MAX)
		return false;
	now = now_ms();
	if (due <= now && !process_borrowed()) {
		engine->tick();
		due = atomic_load(engine->due);
	}
	if (due == INT64_MAX || due <= now || (*ms >= 0 && due - now >= *ms))
		return false;
	*ms = due - now < INT_MAX ? (int)(due - now) : INT_MAX;
	return true;
}

int wait_ms(const struct timespec *timeout)
{
	if (!timeout)
		return -1;
	if (!is_time(timeout))
		return 0;
	if (timeout->tv_sec >= INT_MAX / 1000)
		return INT_MAX;
	return (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000);
}

struct timespec wait_span(int ms)
{
	return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
}

/* Take back what the kernel said for our sake. Returns for how many nothing is left. */
static int filter(struct pollfd *fds, nfds_t n)
{
	int idle = 0;

	for (nfds_t i = 0; i < n; i++) {
		struct pollfd *p = &fds[i];

		if (p->fd < 0 || !(p->revents & (POLLIN | POLLRDNORM)) ||
		    p->revents & (POLLERR | POLLHUP | POLLRDHUP) || !wait_is_ours_alone(p->fd))
			continue;
		p->revents &= (short)~(POLLIN | POLLRDNORM);
		idle += !p->revents;
	}
	return idle;
}

static SLOW int poll_watched(struct pollfd *fds, nfds_t n, int timeout)
{
	const struct timespec ts = wait_span(timeout);
	struct timespec until = wait_until(timeout > 0 ? &ts : NULL), left;
	int ready, step;
	bool shortened;

	for (;;) {
		step = timeout;
		shortened = wait_shorten(&step);
		ready = real.poll(fds, n, step);
		if (ready < 0 || (!ready && !shortened))
			return ready;
		ready -= filter(fds, n);
		if (ready || !timeout)
			return ready;
		if (timeout > 0) {
			left = wait_left(&until);
			timeout = wait_ms(&left);
		}
	}
}

static SLOW int ppoll_watched(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			      const sigset_t *mask)
{
	struct timespec until = wait_until(timeout), left, step;
	int ready, ms;
	bool shortened;

	for (;;) {
		ms = wait_ms(timeout);
		shortened = wait_shorten(&ms);
		step = wait_span(ms);
		ready = real.ppoll(fds, n, shortened ? &step : timeout, mask);
		if (ready < 0 || (!ready && !shortened))
			return ready;
		ready -= filter(fds, n);
		if (ready || wait_is_over(timeout))
			return ready;
		if (timeout) {
			left = wait_left(&until);
			timeout = &left;
		}
	}
}

HOOK int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return engine ? poll_watched(fds, n, timeout) : real.poll(fds, n, timeout);
}

HOOK_ALIAS(__poll, poll);

HOOK int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return poll(fds, n, timeout);
}

HOOK int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	return engine ? ppoll_watched(fds, n, timeout, mask) : real.ppoll(fds, n, timeout, mask);
}

HOOK int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		     const sigset_t *mask, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return ppoll(fds, n, timeout, mask);
}
