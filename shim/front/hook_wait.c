/* SPDX-License-Identifier: MIT
 * hook_wait: poll(), for those who take the kernel at its word.
 *
 *   poll ─► kernel: readable ─► ours? ─► the engine: for the app, or only for us? ─► wait on
 *
 * The kernel is kept truthful about data, but says "readable" too for a handshake flight or a ticket. Most programs then get EAGAIN and wait
 * on, as select(2) tells them to. Some take EAGAIN after poll() for an error: PHP's streams, which have a blocking descriptor and
 * recv(MSG_DONTWAIT), and isync, whose descriptor is non-blocking.
 *
 * Surprising: nothing is added to what the kernel says, only taken away, so a program that does not come through here loses nothing. */
#include "hook.h"
#include "process.h"
#include <poll.h>
#include <stdint.h>
#include <time.h>

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Did the kernel say readable for our sake only? */
static bool is_ours_alone(const struct pollfd *p)
{
	struct conn *c;

	if (p->fd < 0 || !(p->revents & (POLLIN | POLLRDNORM)) ||
	    p->revents & (POLLERR | POLLHUP | POLLRDHUP) || !table_has(p->fd) || process_borrowed())
		return false;
	c = table_get(p->fd);
	return c && !engine->ready(c, p->fd);
}

/* Take that back. Returns for how many nothing is left. */
static int filter(struct pollfd *fds, nfds_t n)
{
	int idle = 0;

	for (nfds_t i = 0; i < n; i++) {
		if (!is_ours_alone(fds + i))
			continue;
		fds[i].revents &= (short)~(POLLIN | POLLRDNORM);
		idle += !fds[i].revents;
	}
	return idle;
}

static SLOW int poll_watched(struct pollfd *fds, nfds_t n, int timeout)
{
	int64_t until = timeout > 0 ? now_ms() + timeout : 0, left;
	int ready;

	for (;;) {
		ready = real.poll(fds, n, timeout);
		if (ready <= 0)
			return ready;
		ready -= filter(fds, n);
		if (ready || !timeout)
			return ready;
		if (timeout > 0) {
			left = until - now_ms();
			timeout = left > 0 ? (int)left : 0;
		}
	}
}

HOOK int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return engine ? poll_watched(fds, n, timeout) : real.poll(fds, n, timeout);
}

HOOK int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return engine ? poll_watched(fds, n, timeout) : real.poll(fds, n, timeout);
}
