/* SPDX-License-Identifier: MIT
 * hook_wait: poll() and ppoll(), for those who take the kernel at its word. select() is in hook_select.c.
 *
 *   poll ─► kernel: readable ─► ours? ─► the engine: for the app, or only for us? ─► wait on
 *
 * The kernel is kept truthful about data, but says "readable" too for a handshake flight or a ticket. Most programs then get EAGAIN and wait on. Some
 * take that for an error: PHP's streams, which have a blocking descriptor and recv(MSG_DONTWAIT), and isync, whose descriptor is
 * non-blocking. And a blocking client with a terminal beside its connection would stop in read(), deaf to its user, until the peer says something.
 *
 * Surprising: nothing is added to what the kernel says, only taken away, so a program that does not come through here (epoll, or a system call of its
 * own) loses nothing. */
#include "hook_wait.h"
#include "hook.h"
#include "process.h"
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

struct timespec wait_until(const struct timespec *timeout)
{
	struct timespec t = {0};

	if (!timeout || timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= BILLION)
		return t; /* the kernel will refuse it */
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
	const struct timespec ts = {.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L};
	struct timespec until = wait_until(timeout > 0 ? &ts : NULL), left;
	int ready;

	for (;;) {
		ready = real.poll(fds, n, timeout);
		if (ready <= 0)
			return ready;
		ready -= filter(fds, n);
		if (ready || !timeout)
			return ready;
		if (timeout > 0) {
			left = wait_left(&until);
			timeout = (int)(left.tv_sec * 1000 + left.tv_nsec / 1000000);
		}
	}
}

static SLOW int ppoll_watched(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			      const sigset_t *mask)
{
	struct timespec until = wait_until(timeout), left;
	int ready;

	for (;;) {
		ready = real.ppoll(fds, n, timeout, mask);
		if (ready <= 0)
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
