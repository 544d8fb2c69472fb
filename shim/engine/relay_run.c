/* SPDX-License-Identifier: MIT
 * relay_run: the relay's life. Two directions, each with a buffer; everything is tried until it
 * would block, then the relay sleeps until the kernel reports an edge:
 *
 *   program ─► [ up ] ─► conn_transmit ─► peer         peer ─► conn_receive ─► [ down ] ─► program */
#include "relay_local.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

void relay_end(void)
{
	syscall(SYS_exit_group, 0);
	__builtin_unreachable();
}

bool relay_receive(struct relay *r, int flags)
{
	struct iovec piece = flow_room(&r->down);
	struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t got;

	if (!piece.iov_len)
		return false;
	got = conn_receive(relay_held(r), r->tcp, &msg, flags | MSG_DONTWAIT);
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

/* Each of these four returns whether something happened. */
static bool take_from_peer(struct relay *r)
{
	if (r->down.over)
		return false;
	return r->app_end < 0 ? relay_receive(r, 0) : relay_lend(r);
}

static bool give_to_app(struct relay *r)
{
	ssize_t sent;

	if (!flow_waiting(&r->down))
		return false;
	sent = sys_send(r->app, r->down.bytes + r->down.at, flow_waiting(&r->down));
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	r->down.at = sent < 0 ? r->down.end : r->down.at + (size_t)sent; /* nobody reads any more */
	return true;
}

/* From the program into `up`. Its last byte stays unread (relay.h). */
static bool take_from_app(struct relay *r)
{
	uint8_t dropped[4096], first;
	struct iovec pieces[2] = {{&first, 1}, flow_room(&r->up)};
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
				relay_end();
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
	struct iovec piece = {r->up.bytes + r->up.at, flow_waiting(&r->up)};
	const struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t sent;

	if (!piece.iov_len)
		return false;
	sent = conn_transmit(relay_held(r), r->tcp, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
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

static bool others_have(const struct relay *r)
{
	return r->c->phase == CONN_MOVED || record_shared(&r->c->rec);
}

/* Pass on the ends of both directions. True: it is all over. */
static bool pass_ends(struct relay *r)
{
	char unread;

	if (r->up.over && !flow_waiting(&r->up) && !r->up.told && !r->error) {
		r->up.told = true;
		if (!r->app_hung_up || !others_have(r)) /* a close() ends nothing for them */
			conn_shutdown(relay_held(r), r->tcp, SHUT_WR);
	}
	if (r->error && !flow_waiting(&r->down))
		return true; /* closing with a byte unread says ECONNRESET */
	if (r->down.over && !flow_waiting(&r->down) && !r->down.told) {
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

static int nap(struct relay *r)
{
	r->nap_ms = r->nap_ms < RELAY_NAP_MS / 2 ? 2 * r->nap_ms : RELAY_NAP_MS;
	return r->nap_ms;
}

/* Milliseconds that the relay may sleep; -1: for ever. Only the time before TLS is limited; and
 * those who die do not tell. */
static int patience(struct relay *r)
{
	int64_t left;

	if (r->app_end >= 0)
		return nap(r);
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

/* The program is gone, or has no more to say and to hear: what was sealed for it shall still
 * arrive. */
static void linger(struct relay *r)
{
	int64_t until = now_ms() + RELAY_LINGER_MS, left;
	struct pollfd p = {.fd = r->tcp, .events = POLLIN};

	if (r->c->phase == CONN_MOVED)
		return;
	while (r->up.told && !r->down.over && !r->error && (left = until - now_ms()) > 0) {
		r->down.at = r->down.end = 0;
		if (take_from_peer(r))
			continue;
		p.events = (short)(record_unsent(&r->c->rec) ? POLLIN | POLLOUT : POLLIN);
		if (front->poll(&p, 1, (int)left) < 0)
			break;
	}
	conn_release(relay_held(r), r->tcp);
}

void relay_watch(struct relay *r, int fd)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};

	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		relay_end();
}

static void close_between(unsigned first, unsigned last)
{
	if (syscall(SYS_close_range, first, last, 0) < 0)
		for (; first <= last && first < 65536; first++)
			sys_close((int)first);
}

static bool is_kept(int *keep[], size_t n, int fd)
{
	while (n--)
		if (*keep[n] == fd)
			return true;
	return false;
}

void relay_close_others(int *keep[], size_t n)
{
	unsigned low = 0, fd, last = 0;
	size_t i;

	for (i = 0; i < n; i++)
		last = *keep[i] >= (int)last ? (unsigned)*keep[i] + 1 : last;
	close_between(last, ~0U);
	for (fd = 0; fd < last; fd++)
		if (is_kept(keep, n, (int)fd)) {
			if (fd > low)
				close_between(low, fd - 1);
			low = fd + 1;
		}
	for (i = 0; i < n; i++)
		if (*keep[i] >= 0 && *keep[i] <= STDERR_FILENO) {
			fd = (unsigned)*keep[i];
			*keep[i] = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
			sys_close((int)fd);
			if (*keep[i] < 0)
				relay_end();
		}
}

void relay_become_nobody(void)
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

/* Is the program that has not spoken yet, and what it may have handed the connection on to while it
 * lived, gone? */
static void look_for_heir(struct relay *r, pid_t heir)
{
	if (r->app_end < 0 || !sys_has_ended(heir))
		return;
	sys_close(r->app_end);
	r->app_end = -1;
}

/* Sleep until the program says something, or nobody else is left who could use the connection. The
 * others do not tell when they leave, so that is looked up now and then. False: the program is gone
 * without a word. */
static bool wait_for_app(struct relay *r, pid_t heir)
{
	while (!take_from_app(r)) {
		look_for_heir(r, heir);
		share_bury(&r->c->rec);
		if (!record_shared(&r->c->rec))
			return true;
		sleep_until_event(r, nap(r));
	}
	return flow_waiting(&r->up);
}

/* Make the session ours. */
static void begin(struct relay *r)
{
	r->c->rec.hosted = r->app_end >= 0;
	if (r->listener >= 0) /* not before whoever started us says so, too */
		meet_open(share_meet(&r->c->rec), true);
	conn_lock(r->c);
	share_take_over(&r->c->rec);
	conn_unlock(r->c);
	relay_watch(r, r->tcp);
	if (r->listener >= 0)
		relay_watch(r, r->listener);
}

static void carry(struct relay *r)
{
	for (;;) {
		relay_look(r);
		move(r);
		if (pass_ends(r))
			break;
		sleep_until_event(r, patience(r));
	}
	sys_close(r->app);
	for (relay_look(r); r->app_end >= 0; relay_look(r))
		sleep_until_event(r, nap(r));
	linger(r);
}

void relay_run(const struct relay_order *order)
{
	struct relay r = {.c = order->c,
			  .tcp = order->tcp,
			  .app = order->end,
			  .app_end = order->app_end,
			  .listener = order->listener,
			  .nap_ms = 5};
	int *keep[] = {&r.tcp, &r.app, &r.app_end, &r.listener};
	pid_t heir = order->heir;

	relay_become_nobody();
	relay_close_others(keep, 4);
	atomic_store(&r.c->ref.slots, 0);
	r.c->relayed = true;
	r.up.bytes = malloc(RELAY_ROOM);
	r.down.bytes = malloc(RELAY_ROOM);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r.epoll < 0 || !r.up.bytes || !r.down.bytes)
		relay_end();
	relay_watch(&r, r.app);
	if (heir && (!wait_for_app(&r, heir) || !relay_open(&r))) {
		conn_leave(r.c);
		relay_end();
	}
	begin(&r);
	carry(&r);
	relay_end();
}
