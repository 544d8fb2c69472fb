/* SPDX-License-Identifier: MIT
 * conn_receive: the app reads, or asks whether it could. engine.h has the contracts. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>

/* An app that turns to read has said all it has to say. After one write nothing can be held back:
 * what came before is acknowledged. */
static void push_before_read(struct conn *c, int fd)
{
	if (c->unpushed > 1) {
		conn_push_tail(fd);
		tls_keep_buffers(c->rec.tls, false);
	}
	c->unpushed = 0;
}

/* Hand the app what the talk has for it: the greeting under CLEAR, our words under REFUSED. */
static ssize_t take_words(struct call *call, struct buf *words)
{
	struct span s = buf_span(words);
	size_t given = 0, skip = call->done, i, part;

	for (i = 0; i < call->n && s.n; i++) {
		if (skip >= call->iov[i].iov_len) {
			skip -= call->iov[i].iov_len;
			continue;
		}
		part = call->iov[i].iov_len - skip < s.n ? call->iov[i].iov_len - skip : s.n;
		memcpy((uint8_t *)call->iov[i].iov_base + skip, s.at, part);
		s = span_after(s, part);
		given += part;
		skip = 0;
	}
	if (!(call->flags & MSG_PEEK))
		buf_drop(words, given);
	return (ssize_t)given;
}

static ssize_t receive_refused(struct call *call)
{
	struct conn *c = call->c;

	if (buf_len(talk_to_app(c->talk)))
		return take_words(call, talk_to_app(c->talk));
	c->told_end = true;
	if (c->told_words)
		return 0;
	errno = ECONNABORTED;
	return FAILED;
}

static ssize_t receive_clear(struct call *call)
{
	struct conn *c = call->c;
	ssize_t n = 0;

	if (buf_len(talk_to_app(c->talk)))
		n = take_words(call, talk_to_app(c->talk));
	conn_done_with(c, call->fd, 0);
	/* There may be words, but no room for them: 0, as the kernel says. */
	if (n || buf_len(talk_to_app(c->talk)))
		return n;
	call->wait = WAIT_OUT; /* what the app said early goes first */
	return conn_advance(c, call->fd, true) == WAIT_NONE && c->phase == CONN_GONE ? KERNEL
										     : AGAIN;
}

/* What the app is told before TLS: the greeting it answers (MySQL), or a word of ours
 * (PostgreSQL). */
static ssize_t receive_early(struct call *call)
{
	ssize_t n = take_words(call, talk_to_app(call->c->talk));

	conn_done_with(call->c, call->fd, 0);
	return n || call->room == call->done ? n : AGAIN;
}

static ssize_t receive_open(struct call *call)
{
	struct conn *c = call->c;
	int saved;
	ssize_t n;

	push_before_read(c, call->fd);
	if (c->talk || record_unsent(&c->rec))
		conn_send_early(c, call->fd);
	conn_finish_writing(c, call->fd);
	if (!call->room && !record_readable(&c->rec, call->fd) && !c->rec.ended && !c->rec.error) {
		call->wait = WAIT_IN; /* recv() of nothing waits for something all the same */
		return AGAIN;
	}
	n = record_receive(&c->rec, call->fd, call->iov, call->n, call->done,
			   call->flags & MSG_PEEK);
	saved = errno;
	if (n < 0 && saved == ECONNRESET)
		conn_data_failed(c, "the data connection was cut short", true);
	if (c->talk) { /* the talk inside TLS may have had an answer */
		conn_send_early(c, call->fd);
		conn_finish_writing(c, call->fd);
	}
	errno = saved;
	if (n >= 0)
		return n;
	call->wait = WAIT_IN;
	if (errno == EAGAIN && conn_overdue(c, call->fd))
		return receive_refused(call);
	return errno == EAGAIN ? AGAIN : FAILED;
}

/* One attempt, with the lock held. */
static ssize_t receive_step(struct call *call)
{
	struct conn *c = call->c;

	if (!conn_follow(c, call->fd) || conn_strange(c)) {
		errno = EIO;
		return FAILED;
	}
	if (c->shut_read && !conn_settled(c))
		return 0;
	call->wait = conn_advance(c, call->fd, true);
	if (c->phase == CONN_GUARD)
		return KERNEL;
	if (call->wait == WAIT_TELL)
		return receive_early(call);
	if (call->wait != WAIT_NONE)
		return AGAIN;
	switch (c->phase) {
	case CONN_OPEN:
		return receive_open(call);
	case CONN_CLEAR:
		return receive_clear(call);
	case CONN_REFUSED:
		return receive_refused(call);
	case CONN_BROKEN:
		return call_tell_break(c, call->fd, 0);
	case CONN_GONE:
		return KERNEL;
	case CONN_MOVED:
		return call_wait_moved(call);
	case CONN_CLOSED:
		errno = EBADF;
		return FAILED;
	case CONN_TALK:
	case CONN_GUARD:
	case CONN_SHAKE:
	case CONN_REDIAL:
		break;
	}
	return AGAIN;
}

/* The bytes of a call that stores none: one piece of them. */
static ssize_t drop_piece(struct call *call, void *bytes, size_t n)
{
	struct iovec piece = {bytes, n};
	struct call part = *call;

	part.iov = &piece;
	part.n = 1;
	part.done = 0;
	n = (size_t)receive_step(&part);
	call->wait = part.wait;
	return (ssize_t)n;
}

/* MSG_TRUNC on TCP: take bytes without storing them (tcp(7)). */
static ssize_t receive_dropping(struct call *call)
{
	uint8_t bytes[4096];
	size_t left = call->room - call->done, done = 0;
	ssize_t n;

	do {
		n = drop_piece(call, bytes, left < sizeof bytes ? left : sizeof bytes);
		if (n <= 0)
			break;
		done += (size_t)n;
		left -= (size_t)n;
	} while (left && call->c->phase == CONN_OPEN && record_readable(&call->c->rec, call->fd));
	return done ? (ssize_t)done : n;
}

/* And with MSG_PEEK: how many there are. */
static ssize_t receive_counting(struct call *call)
{
	uint8_t byte;
	ssize_t n = drop_piece(call, &byte, call->room ? 1 : 0);
	size_t there;

	if (n <= 0 || call->c->phase != CONN_OPEN)
		return n;
	there = record_readable(&call->c->rec, call->fd);
	return (ssize_t)(there < call->room ? there : call->room);
}

/* One attempt, as the flags want it. */
static ssize_t receive_once(struct call *call)
{
	if (!(call->flags & MSG_TRUNC))
		return receive_step(call);
	return call->flags & MSG_PEEK ? receive_counting(call) : receive_dropping(call);
}

/* Most reads of a program that reads little at a time: plaintext is waiting, and more of it than is
 * asked for, so that the read token does not change. */
static bool is_waiting(const struct conn *c, size_t n)
{
	return c->phase == CONN_OPEN && !c->talk && c->unpushed <= 1 &&
	       n < buf_len(&c->rec.plain) && record_may_read(&c->rec);
}

size_t conn_receive_waiting(struct conn *c, int fd, void *bytes, size_t n)
{
	bool waiting;

	if (conn_nested() || !conn_lock_unless_left(c, fd))
		return 0;
	waiting = is_waiting(c, n);
	if (waiting) {
		memcpy(bytes, buf_span(&c->rec.plain).at, n);
		buf_drop(&c->rec.plain, n);
		c->unpushed = 0;
	}
	conn_unlock(c);
	return waiting ? n : 0;
}

/* With how many bytes a call that may wait is content. */
static size_t awaited(const struct call *call)
{
	size_t mark = (size_t)call->c->low_water;

	if (call->flags & MSG_PEEK)
		return 0;
	return call->flags & MSG_WAITALL || mark > call->room ? call->room : mark;
}

ssize_t conn_receive(struct conn *c, int fd, struct msghdr *msg, int flags)
{
	struct call call = {
		.c = c, .fd = fd, .flags = flags, .iov = msg->msg_iov, .n = msg->msg_iovlen};
	int saved = errno;
	ssize_t n;

	if (conn_nested())
		return call_too_early(c);
	call.room = call_bytes(call.iov, call.n);
	/* TLS has no urgent data; errors are not queued on TCP. */
	if (flags & (MSG_OOB | MSG_ERRQUEUE)) {
		conn_put(c);
		errno = flags & MSG_OOB ? EINVAL : EAGAIN;
		return -1;
	}
	conn_lock(c);
	do {
		n = receive_once(&call);
		if (n > 0)
			call.done += (size_t)n;
	} while ((n == AGAIN && call_waits(&call)) || (n > 0 && call.done < awaited(&call)));
	if (n == KERNEL && !call.done && c->phase == CONN_GUARD)
		return conn_guard_receive(c, fd, msg, flags);
	if (n == KERNEL && !call.done) {
		conn_unlock(c);
		conn_put(c);
		return front->recvmsg(fd, msg, flags);
	}
	if (n == AGAIN && !call.room && conn_may_wait(fd, flags))
		n = 0; /* for nothing, the kernel waits once, whatever comes of it */
	if (n == FAILED && !call.done && c->phase == CONN_OPEN)
		record_told(&c->rec);
	call_ends(c);
	if (n < 0 && !call.done)
		return -1;
	errno = saved;
	if (msg->msg_name)
		msg->msg_namelen = 0;
	msg->msg_controllen = 0;
	msg->msg_flags = flags & MSG_CMSG_CLOEXEC; /* as the kernel, though no descriptor comes */
	return (ssize_t)call.done;
}

int conn_readable(struct conn *c, int fd, int *bytes)
{
	int saved = errno, unread = 0, result = 0;
	enum wait wait;

	if (conn_nested())
		return (int)call_too_early(c);
	conn_lock(c);
	conn_follow(c, fd);
	sys_unread(fd, &unread);
	wait = conn_strange(c) ? WAIT_IN : conn_advance(c, fd, true);
	switch (c->phase) {
	case CONN_OPEN:
		/* Without unread bytes there are none for the app (record.h), and to look would be to
		 * take the socket's error, which nobody would be told then. */
		*bytes = unread ? (int)record_readable(&c->rec, fd) : 0;
		break;
	case CONN_CLEAR:
	case CONN_REFUSED:
		*bytes = (int)buf_len(talk_to_app(c->talk));
		break;
	case CONN_GONE:
	case CONN_GUARD:
	case CONN_BROKEN:
		result = sys_unread(fd, bytes);
		break;
	case CONN_TALK:
	case CONN_SHAKE:
	case CONN_REDIAL:
	case CONN_CLOSED:
	case CONN_MOVED:
		if (conn_has_moved(c)) {
			result = sys_unread(fd, bytes);
			break;
		}
		if (wait == WAIT_TELL) {
			*bytes = (int)buf_len(talk_to_app(c->talk));
			break;
		}
		/* The app comes because poll() said readable; "readable and 0" would mean end of
		 * file to it. */
		*bytes = wait != WAIT_NONE && unread > 0;
		break;
	}
	call_ends(c);
	if (result == 0)
		errno = saved;
	return result;
}

bool conn_ready(struct conn *c, int fd)
{
	int saved = errno;
	enum wait wait = WAIT_NONE;
	bool ready = true;

	if (conn_nested()) {
		conn_put(c);
		return true;
	}
	conn_lock(c);
	conn_follow(c, fd);
	if (conn_has_moved(c)) {
		ready = sys_ready(fd, POLLIN);
	} else if (!conn_strange(c)) {
		wait = conn_advance(c, fd, true);
		ready = wait == WAIT_NONE || wait == WAIT_TELL || c->phase == CONN_GUARD;
	}
	if (c->phase == CONN_OPEN && !conn_strange(c)) {
		ready = record_readable(&c->rec, fd) || c->rec.ended || c->rec.error;
		if (c->talk || record_unsent(&c->rec))
			conn_send_early(c, fd);
		conn_end_writing(c, fd);
		ready |= conn_overdue(c, fd);
	}
	call_ends(c);
	errno = saved;
	return ready;
}

int conn_low_water(struct conn *c, int bytes)
{
	int saved = errno, now;

	if (conn_nested())
		return (int)call_too_early(c);
	conn_lock(c);
	if (bytes > 0)
		c->low_water = bytes;
	now = c->low_water ? c->low_water : 1;
	conn_unlock(c);
	conn_put(c);
	errno = saved;
	return now;
}
