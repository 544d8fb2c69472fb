/* SPDX-License-Identifier: MIT
 * conn_inside: TLS is up and the talk still has a part in it: what the app said early goes out, and
 * what protocols go on editing (talk.h) passes through. */
#include "conn_setup.h"
#include <errno.h>

bool conn_send_early(struct conn *c, int fd)
{
	struct buf *early;
	struct iovec piece;
	struct span s;
	ssize_t n;

	if (!c->talk)
		return record_flush(&c->rec, fd) == 0;
	early = talk_to_peer(c->talk);
	while ((s = buf_span(early)).n) {
		piece = (struct iovec){(void *)s.at, s.n};
		n = record_transmit(&c->rec, fd, &piece, 1, 0);
		if (n <= 0)
			return false;
		buf_drop(early, (size_t)n);
	}
	if (talk_phase(c->talk) == TALK_INSIDE)
		return true;
	c->rec.watcher = (struct watcher){.look = NULL};
	talk_free(c->talk);
	c->talk = NULL;
	return true;
}

bool conn_look_inside(void *of, struct span opened, struct buf *plain)
{
	struct conn *c = of;
	struct buf *words = talk_to_app(c->talk);
	size_t used;
	bool fits;

	conn_data_before(c);
	used = talk_from_peer(c->talk, opened);
	/* It is the app's turn; until then all answers together have their time. */
	if (!conn_awaits_answer(c))
		c->deadline_ms = 0;
	fits = conn_data_after(c) && buf_add(plain, buf_span(words));
	buf_drop(words, buf_len(words));
	if (talk_phase(c->talk) == TALK_REFUSED) {
		conn_log(c, EVENT_REFUSED, conn_why(c));
		return false;
	}
	return fits &&
	       buf_add(plain, span_after(opened, used)); /* behind its end all is the app's */
}

bool conn_talk_broke(struct conn *c, int fd)
{
	if (!c->talk || talk_phase(c->talk) != TALK_REFUSED)
		return false;
	conn_log(c, EVENT_REFUSED, conn_why(c));
	record_end(&c->rec, fd, ECONNRESET);
	return true;
}

bool conn_awaits_answer(const struct conn *c)
{
	return c->phase == CONN_OPEN && c->talk && talk_phase(c->talk) == TALK_INSIDE &&
	       talk_proto(c->talk)->waiting;
}

bool conn_overdue(struct conn *c, int fd)
{
	if (!conn_awaits_answer(c) || !conn_deadline_over(c))
		return false;
	talk_too_late(c->talk,
		      "the server did not answer inside TLS before the deadline (the rule's "
		      "`timeout`)");
	conn_refused(c, fd);
	return true;
}
