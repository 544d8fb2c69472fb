/* SPDX-License-Identifier: MIT
 * conn_wait: blocking, as the kernel would: SO_RCVTIMEO, SO_SNDTIMEO, signals with and without
 * SA_RESTART, cancellation. The lock is not held here; the call's reference keeps the conn, and is
 * given back should the thread be cancelled. */
#include "conn.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <time.h>

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool conn_may_wait(int fd, int flags)
{
	int saved = errno, fl;

	if (flags & MSG_DONTWAIT)
		return false;
	fl = sys_flags(fd);
	errno = saved;
	return fl >= 0 && !(fl & O_NONBLOCK);
}

static int64_t own_timeout(int fd, bool sending)
{
	struct timeval t = {0, 0};
	socklen_t n = sizeof t;

	if (sys_getsockopt(fd, SOL_SOCKET, sending ? SO_SNDTIMEO : SO_RCVTIMEO, &t, &n) < 0 ||
	    (!t.tv_sec && !t.tv_usec))
		return -1;
	return now_ms() + (int64_t)t.tv_sec * 1000 + (t.tv_usec + 999) / 1000;
}

/* poll() answers EINTR even where the interrupted read() would have been restarted. Which signal it
 * was cannot be known; when every handler the app has asks for a restart, this one did. */
static bool signals_restart(void)
{
	struct sigaction a;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &a) == 0 && a.sa_handler != SIG_DFL &&
		    a.sa_handler != SIG_IGN && !(a.sa_flags & SA_RESTART))
			return false;
	return true;
}

/* Until what moment poll() may sleep: the earlier of the app's time-out and the dialogue's
 * deadline; -1: for ever. */
static int64_t earlier(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* also: another descriptor, to be readable; or -1. */
static int wait_poll(int fd, short events, int also, int64_t until, const struct patience *p)
{
	struct pollfd pfds[] = {{.fd = fd, .events = events}, {.fd = also, .events = POLLIN}};
	int64_t left, now;
	int ready;

	for (;;) {
		now = now_ms();
		left = until < 0 ? -1 : until > now ? until - now : 0;
		ready = front->poll(pfds, 2, left > 3600000 ? 3600000 : (int)left);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno == EINTR && p->until_ms < 0 && signals_restart())
			continue;
		if (ready < 0)
			return -1;
		now = now_ms();
		if (p->until_ms >= 0 && now >= p->until_ms) {
			errno = EAGAIN;
			return -1;
		}
		if (until >= 0 && now >= until)
			return 0; /* the deadline: conn_advance() refuses */
	}
}

/* In the steady state the kernel itself waits, with all its rules for time-outs, signals and
 * cancellation. */
static int wait_readable(struct conn *c, int fd)
{
	char byte;
	ssize_t n = front->recv(fd, &byte, 1, MSG_PEEK);

	if (n >= 0)
		return 0;
	if (errno == EAGAIN || errno == EINTR || errno == EBADF)
		return -1;
	conn_lock(c);
	if (!c->rec.ended) { /* a socket's error is told once: to us, now */
		c->rec.ended = true;
		c->rec.error = errno;
	}
	conn_unlock(c);
	return 0;
}

static void cancelled(void *c)
{
	conn_pause_cancelled(c);
}

int conn_wait(struct conn *c, int fd, enum wait wait, int64_t deadline, struct patience *p)
{
	int result, data = conn_data_pending(c);

	if (!p->known) {
		p->until_ms = own_timeout(fd, p->sending);
		p->known = true;
	}
	pthread_cleanup_push(cancelled, c);
	if (wait == WAIT_IN && deadline < 0 && !p->sending && data < 0)
		result = wait_readable(c, fd);
	else
		result = wait_poll(fd, wait == WAIT_OUT ? POLLOUT : POLLIN, data,
				   earlier(deadline, p->until_ms), p);
	pthread_cleanup_pop(0);
	if (data >= 0)
		conn_data_kick(c);
	return result;
}
