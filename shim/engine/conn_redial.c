/* SPDX-License-Identifier: MIT
 * conn_redial: `may`, and the handshake failed: the peer is dialled again in place, on the
 * descriptor that the app has, its place in every epoll set included (connect(2) to AF_UNSPEC, then
 * to the peer).
 *
 *   REDIAL ─ dial ─► on its way ─┬─► CLEAR      it answered: on in plaintext
 *                                ├─► BROKEN     it did not: the kernel's errno
 *                                └─► REFUSED    it said nothing before the rule's deadline
 *
 * Surprising: also on a descriptor that blocks nothing here waits for the peer: who calls waits for
 * the kernel's POLLOUT (conn_wait.c), not beyond the deadline. */
#include "conn_setup.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>

static int connect_errno(const struct conn *c, int fd)
{
	int result = sys_connect(fd, (const struct sockaddr *)&c->addr, c->addr_len);

	return result < 0 && errno != EINPROGRESS && errno != EINTR ? errno : 0;
}

/* O_NONBLOCK is the app's, and other processes' too. A connect() whose SO_SNDTIMEO is over has
 * given up waiting, not dialling (socket(7)); the shortest one is a tick of the kernel's clock. */
static int connect_in_a_tick(const struct conn *c, int fd)
{
	const struct timeval tick = {.tv_usec = 1};
	struct timeval was;
	socklen_t n = sizeof was;
	int error;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &was, &n) < 0 ||
	    sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick) < 0)
		return errno;
	error = connect_errno(c, fd);
	sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &was, sizeof was);
	return error;
}

static void hang_up(int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	sys_connect(fd, &nobody, sizeof nobody);
}

static int dial_again(struct conn *c, int fd)
{
	conn_keep_quiet(c); /* a handler that left would leave the app a strange SO_SNDTIMEO */
	hang_up(fd);
	c->dialled = true;
	c->heard = false;
	c->unread = 0;
	return conn_may_wait(fd, 0) ? connect_in_a_tick(c, fd) : connect_errno(c, fd);
}

/* Takes the socket's error. */
static int take_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof error;

	return sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? errno : error;
}

static void forget_tls(struct conn *c, int fd)
{
	record_again(&c->rec);
	c->rec.fd = fd;
}

static void answered(struct conn *c, int fd)
{
	char why[320];

	snprintf(why, sizeof why, "%s",
		 talk_phase(c->talk) == TALK_REDIAL   ? talk_why(c->talk)
		 : c->rec.tls && *tls_why(c->rec.tls) ? tls_why(c->rec.tls)
						      : "TLS handshake failed");
	forget_tls(c, fd);
	talk_redialled(c->talk, why);
	conn_follow_talk(c, fd);
}

enum wait conn_redial_step(struct conn *c, int fd)
{
	int error = c->dialled ? 0 : dial_again(c, fd);

	if (!error && !sys_ready(fd, POLLOUT)) {
		conn_due_soon(); /* the app may wait for the peer's words, and the peer for its */
		return WAIT_OUT;
	}
	if (!error)
		error = take_error(fd);
	if (error) {
		forget_tls(c, fd);
		conn_broke_early(c, error);
	} else {
		answered(c, fd);
	}
	return WAIT_NONE;
}

void conn_redial_too_late(struct conn *c, int fd)
{
	hang_up(fd);
	take_error(fd); /* of our own making */
	talk_too_late(c->talk,
		      "TLS failed, and the server, dialled again, did not answer before the "
		      "deadline (the rule's `timeout`)");
	conn_refused(c, fd);
}
