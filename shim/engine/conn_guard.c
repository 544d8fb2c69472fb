/* SPDX-License-Identifier: MIT
 * conn_guard: `by app`: the app brings TLS up itself, and we see to it that it does.
 *
 *   app ─ write ─► talk (TALK_GUARD) ─ harmless ─► kernel ─► peer
 *                   │   └ a ClientHello: the same, and the connection is forgotten
 *                   └ anything else: refused, or plaintext by leave of the policy
 *   app ◄─ read ────────────────────────────────── kernel ◄─ peer
 *
 * What the peer says goes past us, so no byte of it is late or changed, and the kernel's readiness
 * is the app's own. Surprising: a thread may be blocked in the kernel when another's word is
 * refused. The refusal's end of file wakes it, and it is told our words. */
#include "conn_call.h"
#include "conn_setup.h"
#include "sys.h"
#include <errno.h>

enum wait conn_guard_step(struct conn *c, int fd)
{
	return conn_send_words(c, fd) == EAGAIN ? WAIT_OUT : WAIT_NONE;
}

static ssize_t fails(struct call *call, int error)
{
	call->wait = WAIT_OUT;
	errno = error;
	return error == EAGAIN ? AGAIN : FAILED;
}

/* What the peer has said meanwhile nobody will read, and unread it would make close() a reset. */
static void follow(struct conn *c, int fd)
{
	int unread = 0;

	if (talk_phase(c->talk) == TALK_REFUSED && sys_unread(fd, &unread) == 0)
		c->unread = (size_t)unread;
	conn_follow_talk(c, fd);
}

ssize_t conn_guard_transmit(struct call *call)
{
	struct conn *c = call->c;
	int error = conn_send_words(c, call->fd); /* of an earlier call */
	size_t held;

	if (!error && !call->room)
		return KERNEL;
	/* While it connects, and when it is full, the kernel takes nothing; nor do we, so the app
	 * comes again as it would without us. */
	if (!error && !sys_ready(call->fd, POLLOUT))
		error = EAGAIN;
	if (error)
		return fails(call, error);
	held = conn_hold(c, call->iov, call->n, call->done);
	follow(c, call->fd);
	error = c->phase == CONN_GUARD ? conn_send_words(c, call->fd) : 0;
	if (error && error != EAGAIN)
		return fails(call, error);
	conn_advance(c, call->fd, false);
	call->held = c->phase != CONN_REFUSED && buf_len(talk_to_peer(c->talk)) > 0;
	return (ssize_t)held;
}

static void put(void *c)
{
	conn_put(c);
}

ssize_t conn_guard_receive(struct conn *c, int fd, struct msghdr *msg, int flags)
{
	bool refused;
	ssize_t n;

	if (c->low_water) /* here the kernel counts what the app counts */
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &c->low_water, sizeof c->low_water);
	conn_unlock(c);
	pthread_cleanup_push(put, c);
	n = front->recvmsg(fd, msg, flags);
	pthread_cleanup_pop(0);
	conn_lock(c);
	refused = n == 0 && c->phase == CONN_REFUSED;
	conn_unlock(c);
	if (refused)
		return conn_receive(c, fd, msg, flags);
	conn_put(c);
	return n;
}
