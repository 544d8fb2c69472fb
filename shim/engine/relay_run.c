/* SPDX-License-Identifier: MIT
 * relay_run: the relay's life. Two directions, each with a buffer; everything is tried until it would block, then the relay sleeps until the
 * kernel reports an edge:
 *
 *   program ─► [ up ] ─► conn_transmit ─► peer            peer ─► conn_receive ─► [ down ] ─► program */
#include "relay.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

enum { ROOM = 64 * 1024, LINGER_MS = 5000, FLUSH_MS = 60000 };

struct flow {
	uint8_t *bytes;
	size_t at, end; /* waiting: [at, end) */
	bool over;      /* no more will come in */
	bool told;      /* and the other side has been told */
};

struct relay {
	struct conn *c;
	int tcp, app, epoll;
	struct flow up, down;
	bool app_hung_up;  /* nobody has the app end any more */
	bool app_finished; /* nothing will be said on it after what is queued */
	int error;         /* the program is to see this instead of an end of file */
};

static void end(void)
{
	syscall(SYS_exit_group, 0);
}

static size_t waiting(const struct flow *f)
{
	return f->end - f->at;
}

static size_t room(struct flow *f)
{
	if (f->at == f->end)
		f->at = f->end = 0;
	return ROOM - f->end;
}

static struct conn *held(struct relay *r)
{
	atomic_fetch_add(&r->c->ref.refs, 1);
	return r->c;
}

/* From the peer into `down`. Each of these four returns whether something happened. */
static bool take_from_peer(struct relay *r)
{
	size_t n = r->down.over ? 0 : room(&r->down);
	struct iovec piece = {r->down.bytes + r->down.end, n};
	struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t got;

	if (!n)
		return false;
	got = conn_receive(held(r), r->tcp, &msg, MSG_DONTWAIT);
	if (got > 0)
		r->down.end += (size_t)got;
	else if (got == 0)
		r->down.over = true;
	else if (errno == EAGAIN || errno == EINTR)
		return false;
	else {
		r->error = errno;
		r->down.over = true;
	}
	return true;
}

static bool give_to_app(struct relay *r)
{
	ssize_t sent;

	if (!waiting(&r->down))
		return false;
	sent = sys_send(r->app, r->down.bytes + r->down.at, waiting(&r->down));
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	r->down.at = sent < 0 ? r->down.end : r->down.at + (size_t)sent; /* nobody reads any more */
	return true;
}

/* From the program into `up`. Its last byte stays unread (relay.h). */
static bool take_from_app(struct relay *r)
{
	uint8_t *to = r->up.bytes + (room(&r->up), r->up.end);
	uint8_t dropped[4096], first;
	struct iovec pieces[2] = {{&first, 1}, {to, ROOM - r->up.end}};
	struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = 2};
	ssize_t n;
	size_t left;

	if (r->up.over || !pieces[1].iov_len)
		return false;
	n = syscall(SYS_recvmsg, r->app, &msg, MSG_PEEK | MSG_DONTWAIT);
	if (n > 1) {
		r->up.end += (size_t)n - 1;
		for (left = (size_t)n - 1; left; left -= (size_t)n) {
			n = sys_recv(r->app, dropped, left < sizeof dropped ? left : sizeof dropped,
				     0);
			if (n <= 0)
				end();
		}
		return true;
	}
	if (n == 1 && !r->app_finished)
		return false;
	r->up.over = true;
	return true;
}

static bool give_to_peer(struct relay *r)
{
	struct iovec piece = {r->up.bytes + r->up.at, waiting(&r->up)};
	const struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t sent;

	if (!piece.iov_len)
		return false;
	sent = conn_transmit(held(r), r->tcp, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (sent < 0) { /* the reading side says why; EPIPE is what a program gets that writes on */
		r->up.over = true;
		r->up.at = r->up.end;
		if (!r->error)
			r->error = errno == EPIPE ? ECONNRESET : errno;
	} else {
		r->up.at += (size_t)sent;
	}
	return true;
}

static void move(struct relay *r)
{
	bool moved = true;

	while (moved) {
		moved = take_from_peer(r);
		moved |= give_to_app(r);
		moved |= take_from_app(r);
		moved |= give_to_peer(r);
	}
}

/* Pass on the ends of both directions. True: it is all over. */
static bool pass_ends(struct relay *r)
{
	char unread;

	if (r->up.over && !waiting(&r->up) && !r->up.told && !r->error) {
		r->up.told = true;
		if (!r->app_hung_up ||
		    !record_shared(&r->c->rec)) /* a close() ends nothing that others have, too */
			conn_shutdown(held(r), r->tcp, SHUT_WR);
	}
	if (r->error && !waiting(&r->down))
		return true; /* closing with a byte unread says ECONNRESET */
	if (r->down.over && !waiting(&r->down) && !r->down.told) {
		r->down.told = true;
		if (r->up.told)
			sys_recv(r->app, &unread, 1, 0);
		sys_shutdown(r->app, SHUT_WR);
	}
	if (!r->up.told)
		return false;
	if (r->down.told)
		sys_recv(r->app, &unread, 1, 0);
	return r->down.told || r->app_hung_up;
}

/* Milliseconds that the relay may sleep; -1: for ever. Only the time before TLS is limited. */
static int patience(const struct relay *r)
{
	int64_t left;

	if (r->c->phase != CONN_TALK && r->c->phase != CONN_SHAKE && r->c->phase != CONN_REDIAL)
		return -1;
	left = r->c->deadline_ms - now_ms();
	return !r->c->deadline_ms ? 1000 : left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left + 1;
}

static void sleep_until_event(struct relay *r, int timeout_ms)
{
	struct epoll_event events[4];
	int i, n = epoll_wait(r->epoll, events, 4, timeout_ms);

	for (i = 0; i < n; i++)
		if (events[i].data.fd == r->app) {
			r->app_finished |= events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
			r->app_hung_up |= events[i].events & (EPOLLHUP | EPOLLERR);
		}
}

/* The program is gone, or has no more to say and to hear: what was sealed for it shall still arrive. */
static void linger(struct relay *r)
{
	int64_t until = now_ms() + LINGER_MS, left;
	struct pollfd p = {.fd = r->tcp, .events = POLLIN};

	while (r->up.told && !r->down.over && !r->error && (left = until - now_ms()) > 0) {
		r->down.at = r->down.end = 0;
		if (take_from_peer(r))
			continue;
		p.events = (short)(record_unsent(&r->c->rec) ? POLLIN | POLLOUT : POLLIN);
		if (front->poll(&p, 1, (int)left) < 0)
			break;
	}
	conn_release(held(r), r->tcp);
}

static void watch(struct relay *r, int fd)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};

	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		end();
}

/* Keep these two descriptors, as new numbers above stderr's; close all others. */
static void close_others(struct relay *r)
{
	int a = (int)syscall(SYS_fcntl, r->tcp, F_DUPFD_CLOEXEC, 3),
	    b = (int)syscall(SYS_fcntl, r->app, F_DUPFD_CLOEXEC, 3);
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a), fd;

	if (a < 0 || b < 0)
		end();
	r->tcp = a;
	r->app = b;
	if (syscall(SYS_close_range, high + 1, ~0U, 0) < 0)
		for (fd = high + 1; fd < 65536; fd++)
			sys_close((int)fd);
	for (fd = 0; fd < high; fd++)
		if (fd != low)
			sys_close((int)fd);
}

/* Nothing of the program whose copy we are shall happen here. */
static void become_nobody(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, "starttls-relay");
	if (chdir("/") < 0)
		return; /* a directory that cannot be left costs nobody anything but an unmount */
}

/* Sleep until the program says something, or nobody else is left who could use the connection. The others do not tell when they leave, so that is
 * looked up now and then. False: the program is gone without a word. */
static bool wait_for_app(struct relay *r)
{
	int nap_ms = 10;

	while (!take_from_app(r)) {
		if (!record_shared(&r->c->rec))
			return true;
		sleep_until_event(r, nap_ms);
		nap_ms = nap_ms < 1000 ? nap_ms * 2 : 1000;
	}
	return waiting(&r->up);
}

void relay_run(struct conn *c, int tcp, int app, bool later)
{
	struct relay r = {.c = c, .tcp = tcp, .app = app};

	become_nobody();
	close_others(&r);
	atomic_store(&c->ref.slots, 0);
	r.up.bytes = malloc(ROOM);
	r.down.bytes = malloc(ROOM);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r.epoll < 0 || !r.up.bytes || !r.down.bytes)
		end();
	watch(&r, r.app);
	if (later && !wait_for_app(&r)) {
		conn_leave(c);
		end();
	}
	watch(&r, r.tcp);
	do {
		move(&r);
		if (pass_ends(&r))
			break;
		sleep_until_event(&r, patience(&r));
	} while (true);
	sys_close(r.app);
	linger(&r);
	end();
	__builtin_unreachable();
}

/* Nobody reads any more: take what comes until the peer closes, or close() would answer it with RST, and the peer lose what it has not read yet. */
static void discard_rest(int tcp)
{
	struct pollfd p = {.fd = tcp, .events = POLLIN};
	int64_t until = now_ms() + LINGER_MS, left;
	char bytes[4096];

	sys_shutdown(tcp, SHUT_WR);
	while ((left = until - now_ms()) > 0 && front->poll(&p, 1, (int)left) > 0)
		if (sys_recv(tcp, bytes, sizeof bytes, 0) <= 0)
			break;
}

void relay_flush(struct conn *c, int tcp)
{
	struct relay r = {.c = c, .tcp = tcp, .app = tcp};
	struct pollfd p = {.events = POLLOUT};
	int64_t until = now_ms() + FLUSH_MS, left;

	become_nobody();
	close_others(&r);
	p.fd = r.tcp;
	conn_lock(c);
	conn_settle(c, r.tcp);
	if (c->phase == CONN_OPEN)
		record_notify(&c->rec, r.tcp);
	conn_unlock(c);
	while (record_flush(&c->rec, r.tcp) < 0 && errno == EAGAIN && (left = until - now_ms()) > 0)
		front->poll(&p, 1, (int)left);
	discard_rest(r.tcp);
	end();
	__builtin_unreachable();
}

void relay_send(int tcp, struct span rest)
{
	struct relay r = {.tcp = tcp, .app = tcp};
	struct pollfd p = {.events = POLLOUT};
	int64_t until = now_ms() + FLUSH_MS, left;
	ssize_t n;

	become_nobody();
	close_others(&r);
	p.fd = r.tcp;
	while (rest.n && (left = until - now_ms()) > 0) {
		n = sys_send(r.tcp, rest.at, rest.n);
		if (n > 0)
			rest = span_after(rest, (size_t)n);
		else if (errno == EAGAIN || errno == EINTR)
			front->poll(&p, 1, (int)left);
		else
			break;
	}
	sys_shutdown(r.tcp, SHUT_WR);
	end();
	__builtin_unreachable();
}
