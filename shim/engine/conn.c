/* SPDX-License-Identifier: MIT
 * conn: the app's calls on one connection. Each takes the lock, advances whatever has to come first, does what can be done
 * now, and, if that is nothing and the call may block, lets go of the lock, waits and looks again. */
#include "conn.h"
#include "sys.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

/* The pieces of one call and how far it has come. */
struct call {
	struct conn *c;
	int fd;
	int flags;
	const struct iovec *iov;
	size_t n;    /* pieces */
	size_t room; /* bytes in all pieces */
	size_t done; /* bytes of them that are done */
	enum wait wait;
	bool held; /* some of them are held until TLS is up */
	struct patience patience;
};

enum { TICKET_MS = 2000 };

enum {
	AGAIN = -1,
	FAILED = -2,
	KERNEL = -3
}; /* what a step answers besides bytes; FAILED: errno is for the app */

static size_t bytes_in(const struct iovec *iov, size_t n)
{
	size_t room = 0;

	for (; n; iov++, n--)
		room += iov->iov_len;
	return room;
}

/* Not strdup(): it would take from the host's malloc, and free() here may be libc's own (RTLD_DEEPBIND). */
static char *copy_text(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy ? memcpy(copy, text, n) : NULL;
}

/* The four bytes of an IPv4 address, also when it is mapped into IPv6; or NULL. */
static const uint8_t *address_v4(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (addr->ss_family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
	if (addr->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return in6->sin6_addr.s6_addr + 12;
	return NULL;
}

struct conn *conn_open(const struct order *order, const char **why)
{
	const struct proto *proto = proto_named(order->verdict->proto);
	struct talk_setup setup = {
		.proto = proto,
		.tls_required = order->verdict->needs & NEED_TLS,
		.self = "[127.0.0.1]", /* the real one is known once connected */
		.host = order->name,
	};
	struct conn *c;

	if (order->verdict->by_app) {
		*why = "`by app` is not built in yet";
		return NULL;
	}
	if (!proto) {
		*why = "this protocol is not built in yet";
		return NULL;
	}
	if (!tls_ready(order->verdict, why))
		return NULL;
	if (!sys_random(setup.nonce, sizeof setup.nonce)) {
		*why = "the kernel gives no random numbers";
		return NULL;
	}
	c = conn_take();
	if (!c) {
		*why = "out of memory";
		return NULL;
	}
	record_init(&c->rec, proto->eof_delimits);
	c->verdict = *order->verdict;
	c->addr = order->addr;
	c->addr_len = order->addr_len;
	c->cookie = order->cookie;
	c->opened_ms = now_ms();
	c->name = order->name ? copy_text(order->name) : NULL;
	c->urgent_inline = proto->urgent_inline;
	c->talk = talk_new(&setup);
	if (c->talk)
		talk_proto(c->talk)->peer_v4 = address_v4(&c->addr);
	if (c->talk && (c->name || !order->name))
		return c;
	*why = "out of memory";
	conn_put(c);
	return NULL;
}

/* Small writes may be held back by Nagle's algorithm until the peer acknowledges what went before, which it may delay by 40 ms.
 * Asking for TCP_NODELAY sends what waits (tcp(7)); the app's own setting stays. */
static void push_tail(int fd)
{
	int on = 1, was = 1;
	socklen_t n = sizeof was;

	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, &n) < 0 || was)
		return;
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, sizeof was);
}

/* An app that turns to read has said all it has to say. After one write nothing can be held back: what came before is acknowledged. */
static void push_before_read(struct conn *c, int fd)
{
	if (c->unpushed > 1) {
		push_tail(fd);
		tls_keep_buffers(c->rec.tls, false);
	}
	c->unpushed = 0;
}

/* But for the very first one: our Finished is not acknowledged yet. */
static void push_first_write(struct conn *c, int fd)
{
	if (!c->finished_unacked)
		return;
	c->finished_unacked = false;
	push_tail(fd);
}

/* The app's shutdown(SHUT_WR) is carried out once everything it said before is sent. */
static void finish_writing(struct conn *c, int fd)
{
	if (!c->shut_write || c->shut_done || c->phase != CONN_OPEN || !conn_send_early(c, fd))
		return;
	record_notify(&c->rec, fd);
	if (record_unsent(&c->rec) && !c->rec.send_error)
		return;
	c->shut_done = true;
	sys_shutdown(fd, SHUT_WR);
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

static bool is_settled(const struct conn *c)
{
	return c->phase != CONN_TALK && c->phase != CONN_SHAKE && c->phase != CONN_REDIAL;
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
	if (n ||
	    buf_len(talk_to_app(
		    c->talk))) /* there are words, but no room for them: 0, as the kernel says */
		return n;
	call->wait = WAIT_OUT; /* what the app said early goes first */
	return conn_advance(c, call->fd, true) == WAIT_NONE && c->phase == CONN_GONE ? KERNEL
										     : AGAIN;
}

/* What the app is told before TLS: the greeting it answers (MySQL), or a word of ours (PostgreSQL). */
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
	finish_writing(c, call->fd);
	if (!call->room && !record_readable(&c->rec, call->fd) && !c->rec.ended && !c->rec.error) {
		call->wait = WAIT_IN; /* recv() of nothing waits for something all the same */
		return AGAIN;
	}
	n = record_receive(&c->rec, call->fd, call->iov, call->n, call->done,
			   call->flags & MSG_PEEK);
	saved = errno;
	if (n < 0 && saved == ECONNRESET)
		conn_data_failed(c, "the data connection was cut short", true);
	if (c->talk) /* the talk inside TLS may have had an answer */
		conn_send_early(c, call->fd);
	errno = saved;
	if (n >= 0)
		return n;
	call->wait = WAIT_IN;
	if (errno == EAGAIN && conn_overdue(c, call->fd))
		return receive_refused(call);
	return errno == EAGAIN ? AGAIN : FAILED;
}

/* The kernel's reason once, then what the kernel says of a dead connection: `after`. Nothing is handed on to the descriptor: an error may be a soft one
 * (IP_RECVERR) that leaves the connection up, and what went out on it would be plaintext. */
static ssize_t tell_break(struct conn *c, int fd, int after)
{
	int error = c->rec.error ? c->rec.error : after;

	if (c->rec.error)
		sys_shutdown(fd, SHUT_RDWR);
	c->rec.error = 0;
	errno = error;
	return error ? FAILED : 0;
}

/* Another process (fork) has begun to bring TLS up; what comes of that, we can never know. */
static bool is_strange(const struct conn *c)
{
	bool early = !is_settled(c) || (c->phase == CONN_OPEN && c->talk);

	return early && !share_early(&c->rec);
}

/* The descriptor is just being replaced; there is nothing else to wait for. */
static ssize_t wait_moved(struct call *call)
{
	if (!atomic_load(&call->c->ref.slots))
		return KERNEL;
	call->wait = WAIT_MOVED;
	return AGAIN;
}

/* One attempt, with the lock held. */
static ssize_t receive_step(struct call *call)
{
	struct conn *c = call->c;

	if (is_strange(c)) {
		errno = EIO;
		return FAILED;
	}
	if (c->shut_read && !is_settled(c))
		return 0;
	call->wait = conn_advance(c, call->fd, true);
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
		return tell_break(c, call->fd, 0);
	case CONN_GONE:
		return KERNEL;
	case CONN_MOVED:
		return wait_moved(call);
	case CONN_CLOSED:
		errno = EBADF;
		return FAILED;
	case CONN_TALK:
	case CONN_SHAKE:
	case CONN_REDIAL:
		break;
	}
	return AGAIN;
}

/* Give up the lock and wait, as the kernel would. False: the call ends, with errno. */
static bool call_waits(struct call *call)
{
	int64_t deadline = call->c->deadline_ms ? call->c->deadline_ms : INT64_MAX; /* none runs */
	bool worth = false;

	if (is_settled(call->c) && !conn_awaits_answer(call->c))
		deadline = -1;
	conn_unlock(call->c);
	if (call->wait == WAIT_MOVED)
		worth = sched_yield() == 0;
	else if (call->wait == WAIT_REDIAL || conn_may_wait(call->fd, call->flags))
		worth = conn_wait(call->c, call->fd, call->wait, deadline, &call->patience) == 0;
	else
		errno = EAGAIN;
	conn_lock(call->c);
	if (!worth || call->wait == WAIT_MOVED || call->c->phase == CONN_MOVED ||
	    (call->c->phase != CONN_CLOSED && front->holds(call->c, call->fd)))
		return worth;
	errno = EBADF; /* another thread has closed it meanwhile; the number may be somebody else's by now */
	return false;
}

/* Unlock, give the call's reference back, keep errno. */
static void call_ends(struct conn *c)
{
	int saved = errno;

	conn_unlock(c);
	conn_data_kick(c);
	conn_put(c);
	errno = saved;
}

/* MSG_TRUNC on TCP: take bytes without storing them (tcp(7)). */
static ssize_t receive_dropping(struct call *call)
{
	uint8_t bytes[4096];
	struct iovec piece = {bytes, call->room - call->done < sizeof bytes
					     ? call->room - call->done
					     : sizeof bytes};
	struct call part = *call;
	ssize_t n;

	part.iov = &piece;
	part.n = 1;
	part.done = 0;
	n = receive_step(&part);
	call->wait = part.wait;
	return n;
}

/* Most reads of a program that reads little at a time: plaintext is waiting, and more of it than is asked for, so that the read token does not change.
 * Returns 0 when it is not that simple. */
static size_t receive_waiting(struct conn *c, struct msghdr *msg)
{
	size_t n = msg->msg_iov->iov_len;

	if (c->phase != CONN_OPEN || c->talk || c->unpushed > 1 || n >= buf_len(&c->rec.plain) ||
	    !record_may_read(&c->rec))
		return 0;
	memcpy(msg->msg_iov->iov_base, buf_span(&c->rec.plain).at, n);
	buf_drop(&c->rec.plain, n);
	c->unpushed = 0;
	msg->msg_namelen = 0;
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	return n;
}

/* With how many bytes a call that may wait is content. */
static size_t awaited(const struct call *call)
{
	size_t mark = (size_t)call->c->low_water;

	if (call->flags & MSG_PEEK)
		return 0;
	return call->flags & MSG_WAITALL || mark > call->room ? call->room : mark;
}

/* A signal handler that came in the middle of a call of its own thread: to wait for that call would be to wait for ever. */
static ssize_t too_early(struct conn *c)
{
	conn_put(c);
	errno = EAGAIN;
	return -1;
}

ssize_t conn_receive(struct conn *c, int fd, struct msghdr *msg, int flags)
{
	size_t waiting;
	struct call call = {
		.c = c, .fd = fd, .flags = flags, .iov = msg->msg_iov, .n = msg->msg_iovlen};
	int saved = errno;
	ssize_t n;

	if (conn_nested())
		return too_early(c);
	call.room = bytes_in(call.iov, call.n);
	if (flags &
	    (MSG_OOB | MSG_ERRQUEUE)) { /* TLS has no urgent data; errors are not queued on TCP */
		conn_put(c);
		errno = flags & MSG_OOB ? EINVAL : EAGAIN;
		return -1;
	}
	conn_lock(c);
	waiting = msg->msg_iovlen == 1 && !(flags & (MSG_PEEK | MSG_TRUNC))
			  ? receive_waiting(c, msg)
			  : 0;
	if (waiting) {
		conn_unlock(c);
		conn_put(c);
		return (ssize_t)waiting;
	}
	do {
		n = flags & MSG_TRUNC && !(flags & MSG_PEEK) ? receive_dropping(&call)
							     : receive_step(&call);
		if (n > 0)
			call.done += (size_t)n;
	} while ((n == AGAIN && call_waits(&call)) || (n > 0 && call.done < awaited(&call)));
	if (n == KERNEL && !call.done) {
		conn_unlock(c);
		conn_put(c);
		return front->recvmsg(fd, msg, flags);
	}
	call_ends(c);
	if (n < 0 && !call.done)
		return -1;
	errno = saved;
	msg->msg_namelen = 0;
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	return (ssize_t)call.done;
}

static ssize_t transmit_refused(struct call *call)
{
	if (!call->c->told_end)
		return (ssize_t)(call->room - call->done);
	errno = ECONNABORTED;
	return FAILED;
}

/* The talk goes on inside TLS. */
static ssize_t transmit_watched(struct call *call)
{
	struct conn *c = call->c;
	size_t held = conn_hold(c, call->iov, call->n, call->done);

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

static ssize_t transmit_open(struct call *call)
{
	struct conn *c = call->c;
	ssize_t n;

	if (c->shut_write) {
		errno = EPIPE;
		return FAILED;
	}
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
	if (errno == EAGAIN && !c->rec.send_error)
		return AGAIN;
	if (c->rec.send_error) {
		errno = c->rec.send_error;
		c->rec.send_error = EPIPE; /* as the kernel: the reason once, from then on EPIPE */
	}
	return FAILED;
}

/* Before TLS is up the app's bytes are held. When the hold is full, a call that can wait does; one that cannot at least takes the peer's
 * answer, or an app that only writes would spin for ever. */
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
	return AGAIN;
}

static ssize_t transmit_step(struct call *call)
{
	struct conn *c = call->c;

	if (is_strange(c)) {
		errno = EIO;
		return FAILED;
	}
	switch (c->phase) {
	case CONN_TALK:
	case CONN_SHAKE:
		return transmit_early(call);
	case CONN_REDIAL:
		call->wait = WAIT_REDIAL;
		return AGAIN;
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
		return tell_break(c, call->fd, EPIPE);
	case CONN_GONE:
		return KERNEL;
	case CONN_MOVED:
		return wait_moved(call);
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

/* What a write() took is on its way to the peer even if the app never calls again. So a blocking call whose bytes are held waits for TLS; one
 * that may not block leaves them to the app's next call, which the peer's answer will bring about. */
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
		return too_early(c);
	call.room = bytes_in(call.iov, call.n);
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

void conn_settle(struct conn *c, int fd)
{
	struct pollfd p = {.fd = fd};
	enum wait wait;

	for (;;) {
		wait = conn_advance(c, fd, true);
		if (wait == WAIT_NONE && (c->phase != CONN_OPEN || !c->talk ||
					  conn_send_early(c, fd) || c->rec.send_error))
			return;
		if (wait == WAIT_TELL || (c->phase == CONN_TALK && talk_waits_for_app(c->talk)))
			return; /* more it will not say */
		if (wait == WAIT_NONE && c->deadline_ms && now_ms() > c->deadline_ms)
			return;
		conn_unlock(c);
		if (wait == WAIT_REDIAL) {
			conn_redial(c, fd);
		} else {
			p.events = wait == WAIT_IN ? POLLIN : POLLOUT;
			front->poll(&p, 1, 1000);
		}
		conn_lock(c);
	}
}

static bool has_held(const struct conn *c)
{
	return (c->phase == CONN_TALK || c->phase == CONN_SHAKE || c->phase == CONN_REDIAL) &&
	       c->talk && c->spoke && !is_strange(c);
}

int conn_shutdown(struct conn *c, int fd, int how)
{
	int result = 0;

	if (conn_nested())
		return (int)too_early(c);
	conn_lock(c);
	if (how == SHUT_RD || how == SHUT_RDWR)
		c->shut_read = true;
	if (how == SHUT_WR || how == SHUT_RDWR) {
		c->shut_write = true;
		if ((has_held(c) || conn_data_owes_end(c)) &&
		    (how == SHUT_RDWR || conn_may_wait(fd, 0)))
			conn_settle(c, fd);
		finish_writing(c, fd);
	}
	if (c->phase == CONN_GONE || c->phase == CONN_CLEAR || c->phase == CONN_BROKEN ||
	    how == SHUT_RDWR || (how == SHUT_RD && c->phase == CONN_OPEN))
		result = sys_shutdown(fd, how);
	call_ends(c);
	return result;
}

int conn_readable(struct conn *c, int fd, int *bytes)
{
	int saved = errno, unread = 0, result = 0;
	enum wait wait;

	if (conn_nested())
		return (int)too_early(c);
	conn_lock(c);
	sys_unread(fd, &unread);
	wait = is_strange(c) ? WAIT_IN : conn_advance(c, fd, true);
	switch (c->phase) {
	case CONN_OPEN:
		*bytes = (int)record_readable(&c->rec, fd);
		break;
	case CONN_CLEAR:
	case CONN_REFUSED:
		*bytes = (int)buf_len(talk_to_app(c->talk));
		break;
	case CONN_GONE:
	case CONN_BROKEN:
		result = sys_unread(fd, bytes);
		break;
	case CONN_TALK:
	case CONN_SHAKE:
	case CONN_REDIAL:
	case CONN_CLOSED:
	case CONN_MOVED:
		if (wait == WAIT_TELL) {
			*bytes = (int)buf_len(talk_to_app(c->talk));
			break;
		}
		/* The app comes because poll() said readable; "readable and 0" would mean end of file to it. */
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
	if (!is_strange(c)) {
		wait = conn_advance(c, fd, true);
		ready = wait == WAIT_NONE || wait == WAIT_TELL || wait == WAIT_REDIAL;
	}
	if (c->phase == CONN_OPEN && !is_strange(c)) {
		ready = record_readable(&c->rec, fd) || c->rec.ended || c->rec.error;
		if (c->talk || record_unsent(&c->rec))
			conn_send_early(c, fd);
	}
	call_ends(c);
	errno = saved;
	return ready;
}

int conn_low_water(struct conn *c, int bytes)
{
	int saved = errno, now;

	conn_lock(c);
	if (bytes > 0)
		c->low_water = bytes;
	now = c->low_water ? c->low_water : 1;
	conn_unlock(c);
	conn_put(c);
	errno = saved;
	return now;
}

int conn_reconnect(struct conn *c, int fd, const struct sockaddr *addr, socklen_t n)
{
	conn_put(c);
	return front->connect(fd, addr,
			      n); /* the kernel knows: EALREADY, EISCONN, or 0 when it is up */
}

void conn_connected(struct conn *c, int fd)
{
	int saved = errno;

	if (conn_nested()) {
		conn_put(c);
		return;
	}
	if (c->is_data) {
		conn_data_begin(c, fd);
		return;
	}
	conn_lock(c);
	if (!is_settled(c) && !is_strange(c))
		conn_advance(c, fd, false);
	call_ends(c);
	errno = saved;
}

void (*conn_linger)(struct conn *c, int fd);

/* Not all that the app was told is sent, or not our close_notify, is in the kernel, and nobody else will send it. */
static bool has_rest(const struct conn *c, int fd)
{
	return fd >= 0 && conn_linger && c->phase == CONN_OPEN && !c->rec.send_error && record_unsent(&c->rec) &&
	       !record_shared(&c->rec);
}

/* TLS 1.3 sends tickets behind the handshake. An app that only wrote, and closes before they are here, would make the kernel answer them with
 * RST, and the peer lose what it has not read: the end of an upload. They come within one round trip; so long we wait. */
static void await_ticket(struct conn *c, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0 || !c->is_data || c->rec.ended || !tls_awaits_ticket(c->rec.tls))
		return;
	conn_unlock(c);
	front->poll(&p, 1, TICKET_MS);
	conn_lock(c);
}

/* What the app said before TLS was up is still to be sent, and close() must not wait for that on a descriptor that does not block, nor exit() on any: a
 * process stays for it. */
static bool leave_held(struct conn *c, int fd)
{
	if (fd < 0 || !conn_linger || !has_held(c))
		return false;
	conn_unlock(c);
	conn_linger(c, fd);
	conn_lock(c);
	return true;
}

static void end_session(struct conn *c, int fd)
{
	if (has_held(c) || conn_data_owes_end(c))
		conn_settle(c, fd);
	if (c->phase == CONN_OPEN && !is_strange(c) && !record_shared(&c->rec)) {
		if (c->talk)
			conn_settle(c, fd);
		if (!c->shut_done)
			record_notify(&c->rec, fd);
		await_ticket(c, fd);
		record_readable(&c->rec, fd); /* tickets that nobody read would turn close() into RST */
	}
	if (has_rest(c, fd)) {
		conn_unlock(c);
		conn_linger(c, fd);
		conn_lock(c);
	}
}

/* The last descriptor is closed. */
static void say_goodbye(struct conn *c, int fd)
{
	/* What becomes of a data connection this process must know: the control connection tells the app. */
	if (conn_may_wait(fd, 0) || c->is_data || !leave_held(c, fd))
		end_session(c, fd);
	c->phase = CONN_CLOSED;
	record_free(&c->rec);
}

void conn_release(struct conn *c, int fd)
{
	int saved = errno;

	if (conn_nested()) { /* the interrupted call, or nobody, says goodbye */
		conn_put(c);
		conn_put(c);
		return;
	}
	conn_lock(c);
	if (!atomic_load(&c->ref.slots) && c->phase != CONN_CLOSED && c->phase != CONN_MOVED)
		say_goodbye(c, fd);
	if (c->phase == CONN_CLOSED)
		conn_data_closed(c);
	conn_unlock(c);
	conn_put(c);
	conn_put(c);
	errno = saved;
}

void conn_finish(struct conn *c, int fd)
{
	int saved = errno;
	bool rest;

	conn_lock(c);
	if (c->phase == CONN_OPEN && !is_strange(c) && (!c->talk || conn_send_early(c, fd)) &&
	    !c->shut_done && !record_shared(&c->rec))
		record_notify(&c->rec, fd);
	rest = has_rest(c, fd) || (fd >= 0 && conn_linger && has_held(c));
	conn_unlock(c);
	if (rest)
		conn_linger(c, fd);
	conn_put(c);
	errno = saved;
}
