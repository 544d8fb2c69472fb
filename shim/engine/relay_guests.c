/* SPDX-License-Identifier: MIT
 * relay_guests: a relay of which other processes know that they share its connection, but have not
 * used it since: a shell, while a program runs that it has started.
 *
 *   shell ─ fd ─ kernel's socket          still; until its next call, which finds the meeting open
 *                                         (meet.h), and puts the app end in fd's place
 *   child ─ fd ─ [ app end ═ relay's end ] relay
 *
 * Until all have come the relay has an app end, too, to give to them. And since they may be waiting
 * in poll() or read(), in the kernel, that must stay true: what is passed on to the program is lent
 * only. It stays in the record layer, and its token in the kernel, until the program has read
 * it. */
#include "relay_local.h"
#include "sys.h"
#include <errno.h>

/* What was lent is the program's. */
static void take_back(struct relay *r)
{
	struct iovec piece = {NULL, 0};
	struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t n;

	for (; r->lent; r->lent -= (size_t)n) {
		piece.iov_len = r->lent;
		n = conn_receive(relay_held(r), r->tcp, &msg, MSG_TRUNC | MSG_DONTWAIT);
		if (n <= 0)
			relay_end();
	}
}

bool relay_lend(struct relay *r)
{
	int unread = 0;

	if (flow_waiting(&r->down) || sys_unread(r->app_end, &unread) < 0 || unread > 0)
		return false;
	take_back(r);
	if (!relay_receive(r, MSG_PEEK))
		return false;
	r->lent = flow_waiting(&r->down);
	return true;
}

/* Another relay was faster: what is said here goes through that one. */
static bool join(struct relay *r, struct meet *meet)
{
	int end = meet_join(meet);

	if (end < 0)
		return false;
	conn_leave(r->c);
	sys_close(r->tcp);
	r->tcp = end;
	if (r->app_end >= 0)
		sys_close(r->app_end);
	r->app_end = -1;
	return true;
}

bool relay_open(struct relay *r)
{
	struct meet *meet = share_meet(&r->c->rec);

	if (!meet)
		return false;
	if (r->app_end >= 0)
		r->listener = meet_begin(meet);
	if (r->listener >= 0)
		meet_open(meet, true);
	if (meet_is_open(meet) && r->listener < 0)
		return join(r, meet);
	return r->listener >= 0 || r->app_end < 0;
}

void relay_look(struct relay *r)
{
	bool came = false;

	if (r->app_end < 0)
		return;
	while (meet_serve(share_meet(&r->c->rec), r->listener, r->app_end))
		came = true;
	if (!came && now_ms() < r->look_ms)
		return;
	r->look_ms = now_ms() + r->nap_ms;
	meet_bury(share_meet(&r->c->rec));
	share_bury(&r->c->rec);
	if (record_shared(&r->c->rec))
		return;
	sys_close(r->app_end);
	sys_close(r->listener);
	r->app_end = r->listener = -1;
	take_back(r);
}
