/* SPDX-License-Identifier: MIT
 * conn_transmit: the app writes. engine.h has the contract. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>

enum { DOZE_MS = 2 };

/* But for the very first one: our Finished is not acknowledged yet. */
static void push_first_write(struct conn *c, int fd)
{
	if (!c->finished_unacked)
		return;
	c->finished_unacked = false;
	conn_push_tail(fd);
}

static ssize_t transmit_refused(struct call *call)
{
	if (!call->c->told_end)
		return (ssize_t)(call->room - call->done);
	errno = ECONNABORTED;
	return FAILED;
}

/* The kernel says writable all the while, so an app that cannot wait in here would do nothing but come again. The peer's answer ends it. */
static void doze(struct call *call)
{
	struct patience p = {.sending = true, .known = true, .until_ms = -1};

	if (call->wait != WAIT_IN || conn_may_wait(call->fd, call->flags))
		return;
	conn_pause(call->c);
	conn_wait(call->c, call->fd, WAIT_IN, now_ms() + DOZE_MS, &p);
	conn_resume(call->c);
}

/* The talk goes on inside TLS. When the hold is full nothing goes on before the peer has answered, and the app may not read before it has written. */
static ssize_t transmit_watched(struct call *call)
{
	struct conn *c = call->c;
	size_t held = conn_hold(c, call->iov, call->n, call->done);

	if (!held && call->done < call->room) {
		record_readable(&c->rec, call->fd);
		call->wait = conn_awaits_answer(c) ? WAIT_IN : WAIT_OUT;
		if (call->wait == WAIT_IN && c->rec.ended) { /* it has gone instead */
			errno = EPIPE;
			return -1;
		}
	}
	if (!conn_data_after(c)) {
		record_end(&c->rec, call->fd, ENOMEM);
		errno = ENOMEM;
		return -1;
	}
	if (conn_talk_broke(c, call->fd)) {
		errno = ECONNRESET;
		return -1;
	}
	conn_send_early(c, call->fd);
	errno = EAGAIN;
	return held || call->done == call->room ? (ssize_t)held : -1;
}

/* The app has shut writing down. What else is wrong with the connection the kernel would say
 * first. */
static ssize_t transmit_shut(int fd)
{
	int error = 0;
	socklen_t n = sizeof error;

	sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
	errno = error ? error : EPIPE;
	return FAILED;
}

static ssize_t transmit_open(struct call *call)
{
	struct conn *c = call->c;
	ssize_t n;

	if (c->shut_write)
		return transmit_shut(call->fd);
	if (conn_overdue(c, call->fd))
		return transmit_refused(call);
	call->wait = WAIT_OUT;
	if (c->talk && !conn_send_early(c, call->fd))
		n = -1;
	else if (c->talk)
		n = transmit_watched(call);
	else
		n = record_transmit(&c->rec, call->fd, call->iov, call->n, call->done);
	if (n >= 0) {
		if (++c->unpushed == 2)
			tls_keep_buffers(c->rec.tls, true);
		push_first_write(c, call->fd);
		return n;
	}
	if (errno == EAGAIN && !c->rec.send_error) {
		doze(call);
		return AGAIN;
	}
	if (c->rec.send_error) {
		errno = c->rec.send_error;
		record_told_sending(&c->rec);
	}
	return FAILED;
}

/* Before TLS is up the app's bytes are held. When the hold is full, a call that can wait does; one
 * that cannot at least takes the peer's answer, or an app that only writes would spin for ever. */
static ssize_t transmit_early(struct call *call)
{
	struct conn *c = call->c;
	size_t held;

	if (c->shut_write) {
		errno = EPIPE;
		return FAILED;
	}
	held = conn_hold(c, call->iov, call->n, call->done);
	c->spoke |= held > 0;
	call->held |= held > 0;
	call->wait = conn_advance(c, call->fd, held == 0);
	if (held || !call->room)
		return (ssize_t)held;
	doze(call);
	return AGAIN;
}

static ssize_t transmit_step(struct call *call)
{
	struct conn *c = call->c;

	if (!conn_follow(c, call->fd) || conn_strange(c)) {
		errno = EIO;
		return FAILED;
	}
	switch (c->phase) {
	case CONN_TALK:
	case CONN_SHAKE:
		return transmit_early(call);
	case CONN_GUARD:
		return conn_guard_transmit(call);
	case CONN_REDIAL:
		call->wait = conn_advance(c, call->fd, false);
		return c->phase == CONN_REDIAL ? AGAIN : transmit_step(call);
	case CONN_OPEN:
		return transmit_open(call);
	case CONN_CLEAR:
		call->wait = WAIT_OUT;
		if (conn_advance(c, call->fd, false) == WAIT_NONE &&
		    !buf_len(talk_to_peer(c->talk)))
			return KERNEL;
		return AGAIN;
	case CONN_REFUSED:
		return transmit_refused(call);
	case CONN_BROKEN:
		return call_tell_break(c, call->fd, EPIPE);
	case CONN_GONE:
		return KERNEL;
	case CONN_MOVED:
		return call_wait_moved(call);
	case CONN_CLOSED:
		break;
	}
	errno = EBADF;
	return FAILED;
}

/* EPIPE raises SIGPIPE exactly where the kernel would have. */
static void raise_pipe(int flags)
{
	if (errno != EPIPE || flags & MSG_NOSIGNAL)
		return;
	syscall(SYS_tgkill, getpid(), gettid(), SIGPIPE);
	errno = EPIPE;
}

/* Is there anything to wait for before what is held can go out? call->wait says what for. */
static bool is_held_back(struct call *call)
{
	struct conn *c = call->c;

	call->wait = conn_advance(c, call->fd, true);
	if (c->phase == CONN_OPEN && c->talk && !c->rec.send_error && !conn_send_early(c, call->fd))
		call->wait = WAIT_OUT;
	return call->wait != WAIT_NONE && call->wait != WAIT_TELL &&
	       !(c->phase == CONN_TALK && talk_waits_for_app(c->talk));
}

/* What a write() took is on its way to the peer even if the app never calls again. So a blocking
 * call whose bytes are held waits for TLS; one that may not block leaves them to the app's next
 * call, which the peer's answer will bring about. */
static void send_held(struct call *call)
{
	while (conn_may_wait(call->fd, call->flags) && is_held_back(call) && call_waits(call))
		;
}

ssize_t conn_transmit(struct conn *c, int fd, const struct msghdr *msg, int flags)
{
	struct call call = {.c = c,
			    .fd = fd,
			    .flags = flags,
			    .iov = msg->msg_iov,
			    .n = msg->msg_iovlen,
			    .patience.sending = true};
	int saved = errno;
	ssize_t n;

	if (conn_nested())
		return call_too_early(c);
	call.room = call_bytes(call.iov, call.n);
	if (c->urgent_inline)
		flags &= ~MSG_OOB;
	if (flags & MSG_OOB) { /* urgent data is out of band of TLS, so it would be plaintext */
		conn_put(c);
		errno = EOPNOTSUPP;
		return -1;
	}
	conn_lock(c);
	do {
		n = transmit_step(&call);
		if (n > 0)
			call.done += (size_t)n;
	} while ((n == AGAIN && call_waits(&call)) ||
		 (n > 0 && call.done < call.room &&
		  (!record_unsent(&c->rec) || conn_may_wait(fd, flags))));
	if (n == KERNEL && !call.done) {
		conn_unlock(c);
		conn_put(c);
		return front->sendmsg(fd, msg, flags);
	}
	if (call.held)
		send_held(&call);
	call_ends(c);
	if (call.done || n >= 0) {
		errno = saved;
		return (ssize_t)call.done;
	}
	raise_pipe(flags);
	return -1;
}
