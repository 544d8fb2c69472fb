/* SPDX-License-Identifier: MIT
 * conn_call: what receiving and transmitting have in common; conn_call.h has the contracts. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>

size_t call_bytes(const struct iovec *iov, size_t n)
{
	size_t room = 0;

	for (; n; iov++, n--)
		room += iov->iov_len;
	return room;
}

bool conn_settled(const struct conn *c)
{
	return c->phase != CONN_TALK && c->phase != CONN_SHAKE && c->phase != CONN_REDIAL;
}

/* Another process (fork) has begun to bring TLS up, and what comes of that we can never know; or a
 * relay has it. */
bool conn_strange(const struct conn *c)
{
	bool early = !conn_settled(c) || (c->phase == CONN_OPEN && c->talk);

	return share_elsewhere(&c->rec) || (early && !share_early(&c->rec));
}

bool conn_has_held(const struct conn *c)
{
	bool early = c->phase == CONN_TALK || c->phase == CONN_SHAKE || c->phase == CONN_REDIAL;

	if (!c->talk || conn_strange(c))
		return false;
	return early ? c->spoke : conn_awaits_answer(c) && talk_said(c->talk).n;
}

/* Small writes may be held back by Nagle's algorithm until the peer acknowledges what went before,
 * which it may delay by 40 ms. Asking for TCP_NODELAY sends what waits (tcp(7)); the app's own
 * setting stays. */
void conn_push_tail(int fd)
{
	int on = 1, was = 1;
	socklen_t n = sizeof was;

	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, &n) < 0 || was)
		return;
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, sizeof was);
}

/* The app's shutdown(SHUT_WR) is carried out once everything it said before is sent. */
bool conn_finish_writing(struct conn *c, int fd)
{
	if (!c->shut_write || c->shut_done || c->phase != CONN_OPEN)
		return true;
	if (c->talk && (!conn_send_early(c, fd) || conn_has_held(c)))
		return true;
	record_notify_last(&c->rec, fd);
	if (record_unsent(&c->rec) && !c->rec.send_error)
		return false;
	c->shut_done = true;
	sys_shutdown(fd, c->shut_read ? SHUT_RDWR : SHUT_WR);
	return true;
}

/* The kernel's reason once, then what the kernel says of a dead connection: `after`. Nothing is
 * handed on to the descriptor: an error may be a soft one (IP_RECVERR) that leaves the connection
 * up, and what went out on it would be plaintext. */
ssize_t call_tell_break(struct conn *c, int fd, int after)
{
	int error = c->rec.error ? c->rec.error : after;

	if (c->rec.error)
		sys_shutdown(fd, SHUT_RDWR);
	c->rec.error = 0;
	errno = error;
	return error ? FAILED : 0;
}

/* The app may have set it since: for natively it is one socket that they have. */
static void copy_flags(int from, int to)
{
	int wanted = sys_flags(from), has = sys_flags(to);

	if (wanted >= 0 && (wanted ^ has) & O_NONBLOCK)
		syscall(SYS_fcntl, to, F_SETFL, has ^ O_NONBLOCK);
}

bool conn_follow(struct conn *c, int fd)
{
	int end;

	if (!share_elsewhere(&c->rec))
		return true;
	if (c->relayed || record_self() != getpid())
		return false;
	end = meet_join(share_meet(&c->rec));
	if (end < 0)
		return false;
	copy_flags(fd, end);
	c->phase = CONN_MOVED;
	record_free(&c->rec);
	share_leave(&c->rec);
	conn_pause(c);
	front->replace(c, end);
	conn_resume(c);
	return true;
}

bool conn_has_moved(const struct conn *c)
{
	return c->phase == CONN_MOVED && !atomic_load(&c->ref.slots);
}

/* The descriptor is just being replaced; there is nothing else to wait for. */
ssize_t call_wait_moved(struct call *call)
{
	if (conn_has_moved(call->c))
		return KERNEL;
	call->wait = WAIT_MOVED;
	return AGAIN;
}

/* Give up the lock and wait, as the kernel would. False: the call ends, with errno. */
bool call_waits(struct call *call)
{
	int64_t deadline = call->c->deadline_ms ? call->c->deadline_ms : INT64_MAX; /* none runs */
	bool worth = false;

	if (conn_settled(call->c) && !conn_awaits_answer(call->c))
		deadline = -1;
	conn_pause(call->c);
	if (call->wait == WAIT_MOVED)
		worth = sched_yield() == 0;
	else if (conn_may_wait(call->fd, call->flags))
		worth = conn_wait(call->c, call->fd, call->wait, deadline, &call->patience) == 0;
	else
		errno = EAGAIN;
	conn_resume(call->c);
	if (!worth || call->wait == WAIT_MOVED || call->c->phase == CONN_MOVED ||
	    (call->c->phase != CONN_CLOSED && front->holds(call->c, call->fd)))
		return worth;
	errno = EBADF; /* another thread has closed it meanwhile; the number may be somebody else's
			* by now */
	return false;
}

/* Unlock, give the call's reference back, keep errno. */
void call_ends(struct conn *c)
{
	int saved = errno;

	conn_unlock(c);
	if (c->transfer)
		conn_data_kick(c);
	conn_put(c);
	errno = saved;
}

/* A signal handler that came in the middle of a call of its own thread: to wait for that call would
 * be to wait for ever. */
ssize_t call_too_early(struct conn *c)
{
	conn_put(c);
	errno = EAGAIN;
	return -1;
}
