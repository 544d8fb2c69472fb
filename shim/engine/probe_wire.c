/* SPDX-License-Identifier: MIT
 * probe_wire: a non-blocking descriptor and poll(2), with one deadline for everything. */
#include "probe_wire.h"
#include "sys.h"
#include <errno.h>
#include <netinet/in.h>
#include <time.h>

int64_t wire_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until it can be read, or written: POLLIN, POLLOUT. False, with ETIMEDOUT, behind the
 * deadline. */
static bool wait_for(const struct probe_wire *w, short events)
{
	struct pollfd p = {.fd = w->fd, .events = events};
	int64_t left;
	int n;

	do {
		left = w->deadline_ms - wire_now();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

ssize_t wire_peek(const struct probe_wire *w, void *bytes, size_t room)
{
	ssize_t n;

	errno = ETIMEDOUT;
	if (wire_now() >= w->deadline_ms)
		return -1; /* who talks without end is late, too */
	while ((n = sys_recv(w->fd, bytes, room, MSG_PEEK)) < 0)
		if ((errno != EAGAIN && errno != EINTR) || !wait_for(w, POLLIN))
			return -1;
	return n;
}

bool wire_send(const struct probe_wire *w, struct span bytes)
{
	while (bytes.n) {
		ssize_t n = sys_send(w->fd, bytes.at, bytes.n);

		if (n > 0)
			bytes = span_after(bytes, (size_t)n);
		else if ((errno != EAGAIN && errno != EINTR) || !wait_for(w, POLLOUT))
			return false;
	}
	return true;
}

void wire_drain(const struct probe_wire *w)
{
	uint8_t bytes[4096];
	ssize_t n;

	while ((n = wire_peek(w, bytes, sizeof bytes)) > 0)
		sys_discard(w->fd, (size_t)n);
}

static bool connected(const struct probe_wire *w, const struct sockaddr *addr, socklen_t n)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (sys_connect(w->fd, addr, n) == 0)
		return true;
	if (errno != EINPROGRESS || !wait_for(w, POLLOUT))
		return false;
	sys_getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	return !error;
}

int wire_dial(const struct sockaddr *addr, socklen_t n, int timeout_ms)
{
	struct probe_wire w = {.deadline_ms = wire_now() + timeout_ms};
	int error;

	w.fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (w.fd < 0 || connected(&w, addr, n))
		return w.fd;
	error = errno;
	sys_close(w.fd);
	errno = error;
	return -1;
}
