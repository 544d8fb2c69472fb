/* SPDX-License-Identifier: MIT
 * conn_close: the app shuts down, closes or ends. What it said is sent first, close_notify last,
 * and a descriptor that does not block never waits for either: a process stays behind for that
 * (conn_linger). engine.h has the contracts. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { TICKET_MS = 2000, TICKETS_APART_MS = 100, BRING_UP_MS = 5000 };

/* Inside TLS what is held waits for the peer's answer. WAIT_NONE: for nothing any more. */
static enum wait hear_answer(struct conn *c, int fd)
{
	record_readable(&c->rec, fd);
	return c->rec.ended || conn_overdue(c, fd) || !conn_awaits_answer(c) ? WAIT_NONE : WAIT_IN;
}

static void settle_until(struct conn *c, int fd, int64_t until)
{
	struct pollfd p = {.fd = fd};
	enum wait wait;

	while (now_ms() < until) {
		wait = conn_advance(c, fd, true);
		if (c->phase == CONN_OPEN && conn_has_held(c))
			wait = hear_answer(c, fd);
		if (wait == WAIT_NONE && (c->phase != CONN_OPEN || !c->talk ||
					  conn_send_early(c, fd) || c->rec.send_error))
			return;
		if (wait == WAIT_TELL || (c->phase == CONN_TALK && talk_waits_for_app(c->talk)))
			return; /* more it will not say */
		if (wait == WAIT_NONE && c->deadline_ms && now_ms() > c->deadline_ms)
			return;
		conn_pause(c);
		p.events = wait == WAIT_IN ? POLLIN : POLLOUT;
		front->poll(&p, 1, 1000);
		conn_resume(c);
	}
}

void conn_settle(struct conn *c, int fd)
{
	settle_until(c, fd, INT64_MAX);
}

void conn_bring_up(struct conn *c, int fd)
{
	int saved = errno;

	if (conn_nested()) {
		conn_put(c);
		return;
	}
	conn_lock(c);
	if (!conn_settled(c) && conn_may_wait(fd, 0) && !conn_strange(c))
		settle_until(c, fd, now_ms() + BRING_UP_MS);
	call_ends(c);
	errno = saved;
}

bool (*conn_finish_elsewhere)(int fd, struct span rest);

/* Our end is sealed, but the kernel's buffer is full. The app, which has nothing more to write,
 * will wait for the peer, and the peer for our end: so the rest leaves with a process of its own,
 * as the kernel would send it. With the lock held, which it gives up: what is in rest is nobody
 * else's meanwhile. */
static void finish_elsewhere(struct conn *c, int fd)
{
	struct buf rest = c->rec.out;
	bool gone;

	if (!conn_finish_elsewhere || record_shared(&c->rec))
		return;
	c->rec.out = (struct buf){.max = rest.max};
	c->shut_done = true;
	conn_pause(c);
	gone = conn_finish_elsewhere(fd, buf_span(&rest));
	conn_resume(c);
	if (gone) {
		buf_free(&rest);
	} else { /* no process is to be had: with the next call */
		c->rec.out = rest;
		c->shut_done = false;
	}
}

void conn_end_writing(struct conn *c, int fd)
{
	if (!conn_finish_writing(c, fd))
		finish_elsewhere(c, fd);
}

/* Have both ends done with it, so that shutdown() finds no connection? */
static bool is_over(int fd)
{
	struct tcp_info tcp;
	socklen_t n = sizeof tcp;

	return sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &n) == 0 &&
	       tcp.tcpi_state == TCP_CLOSE;
}

/* Writing is shut down behind what was said, and what the kernel says of that comes too late.
 * `over`: there was no connection to begin with. */
static int shut_open(int fd, int how, bool over)
{
	if (how != SHUT_WR)
		sys_shutdown(fd, SHUT_RD);
	if (over)
		errno = ENOTCONN;
	return over ? -1 : 0;
}

int conn_shutdown(struct conn *c, int fd, int how)
{
	int result = 0, cancel;
	bool over;

	if (conn_nested())
		return (int)call_too_early(c);
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
		conn_put(c);
		errno = EINVAL;
		return -1;
	}
	/* shutdown(2) is no cancellation point. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	conn_lock(c);
	conn_follow(c, fd);
	over = c->phase == CONN_OPEN && is_over(fd);
	if (how == SHUT_RD || how == SHUT_RDWR)
		c->shut_read = true;
	if (how == SHUT_WR || how == SHUT_RDWR) {
		c->shut_write = true;
		conn_keep_quiet(c); /* as from now on conn_lock() does */
		if ((conn_has_held(c) || conn_data_owes_end(c)) &&
		    (how == SHUT_RDWR || conn_may_wait(fd, 0)))
			conn_settle(c, fd);
		conn_end_writing(c, fd);
	}
	if (c->phase == CONN_OPEN)
		result = shut_open(fd, how, over);
	else if (c->phase == CONN_GONE || c->phase == CONN_GUARD || c->phase == CONN_CLEAR ||
		 c->phase == CONN_BROKEN || conn_has_moved(c) || how == SHUT_RDWR)
		result = sys_shutdown(fd, how);
	call_ends(c);
	pthread_setcancelstate(cancel, NULL);
	return result;
}

/* TLS 1.3 sends tickets behind the handshake. An app that only wrote, and closes before they are
 * here, would make the kernel answer them with RST, and throw away what it has not sent yet: all of
 * the app's words, if the peer is far away. What else the peer says comes behind them. */
static bool awaits_ticket(const struct conn *c, int fd)
{
	return fd >= 0 && c->phase == CONN_OPEN && !c->rec.ended && !c->rec.send_error &&
	       tls_awaits_ticket(c->rec.tls) &&
	       (c->is_data || (!c->rec.opened && (c->spoke || !c->finished_unacked)));
}

/* They come within one round trip; so long we wait. With them, or soon after, the peer's own end
 * may come, for it has had ours. */
static void await_ticket(struct conn *c, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t until = now_ms() + TICKET_MS, left;
	bool over = false;

	if (!awaits_ticket(c, fd))
		return;
	if (!c->is_data && !record_unsent(&c->rec))
		sys_shutdown(fd, SHUT_WR);
	while (!over && (left = until - now_ms()) > 0) {
		conn_pause(c);
		over = front->poll(&p, 1, (int)left) <= 0;
		conn_resume(c);
		over |= record_readable(&c->rec, fd) || c->rec.ended || c->is_data;
		if (!awaits_ticket(c, fd) && until > now_ms() + TICKETS_APART_MS)
			until = now_ms() + TICKETS_APART_MS;
	}
}

void (*conn_linger)(struct conn *c, int fd);

/* Not all that the app was told is sent, or not our close_notify, is in the kernel, or the kernel
 * may yet throw it away; and nobody else will see to it. */
static bool has_rest(const struct conn *c, int fd)
{
	return fd >= 0 && conn_linger && c->phase == CONN_OPEN && !c->rec.send_error &&
	       !record_shared(&c->rec) && (record_unsent(&c->rec) || awaits_ticket(c, fd));
}

/* What the app said before TLS was up is still to be sent, and close() must not wait for that on a
 * descriptor that does not block, nor exit() on any: a process stays for it. */
static bool leave_held(struct conn *c, int fd)
{
	if (fd < 0 || !conn_linger || !conn_has_held(c))
		return false;
	conn_pause(c);
	conn_linger(c, fd);
	conn_resume(c);
	return true;
}

static void end_session(struct conn *c, int fd)
{
	if (conn_has_held(c) || conn_data_owes_end(c))
		conn_settle(c, fd);
	if (c->phase == CONN_OPEN && !conn_strange(c) && !record_shared(&c->rec)) {
		if (c->talk)
			conn_settle(c, fd);
		if (!c->shut_done)
			record_notify(&c->rec, fd);
		if (c->is_data || conn_may_wait(fd, 0))
			await_ticket(c, fd);
		/* tickets that nobody read would turn close() into RST */
		record_readable(&c->rec, fd);
	}
	if (has_rest(c, fd)) {
		conn_pause(c);
		conn_linger(c, fd);
		conn_resume(c);
	}
}

/* The last descriptor is closed. */
static void say_goodbye(struct conn *c, int fd)
{
	/* What becomes of a data connection this process must know: the control connection tells
	 * the app. */
	if (conn_may_wait(fd, 0) || c->is_data || !leave_held(c, fd))
		end_session(c, fd);
	c->phase = CONN_CLOSED;
	record_free(&c->rec);
}

void conn_release(struct conn *c, int fd)
{
	int saved = errno, cancel;

	if (conn_nested()) { /* the interrupted call, or nobody, says goodbye */
		conn_put(c);
		conn_put(c);
		return;
	}
	/* close(2) is a cancellation point when it begins. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	conn_lock(c);
	if (!atomic_load(&c->ref.slots) && c->phase != CONN_CLOSED && c->phase != CONN_MOVED)
		say_goodbye(c, fd);
	if (c->phase == CONN_CLOSED)
		conn_data_closed(c);
	conn_unlock(c);
	conn_put(c);
	conn_put(c);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
}

/* What is interrupted, perhaps in malloc(), stays so: only the kernel is asked. */
void conn_exits(struct conn *c, int fd)
{
	int saved = errno;

	if (!lock_try(&c->lock))
		return;
	if (!record_shared(&c->rec) && awaits_ticket(c, fd)) {
		sys_shutdown(fd, SHUT_WR); /* as the end of the process does */
		sys_ready_within(fd, POLLIN, TICKET_MS);
		while (sys_discard(fd, INT_MAX) > 0)
			;
	}
	lock_give(&c->lock);
	errno = saved;
}

void conn_finish(struct conn *c, int fd)
{
	int saved = errno;
	bool rest;

	/* A handler that calls exit(): what it interrupted was not finished: there is nothing to
	 * add. */
	if (conn_nested()) {
		conn_put(c);
		return;
	}
	conn_lock(c);
	if (c->phase == CONN_OPEN && !conn_strange(c) && !conn_has_held(c) &&
	    (!c->talk || conn_send_early(c, fd)) && !record_shared(&c->rec)) {
		if (!c->shut_done)
			record_notify(&c->rec, fd);
		record_readable(&c->rec, fd);
	}
	rest = has_rest(c, fd) || (fd >= 0 && conn_linger && conn_has_held(c));
	conn_unlock(c);
	if (rest)
		conn_linger(c, fd);
	conn_put(c);
	errno = saved;
}
