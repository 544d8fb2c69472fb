/* SPDX-License-Identifier: MIT
 * conn_setup: from connect() to TLS: drives the dialogue, then the handshake, against the deadline.
 * Everything happens inside the app's own calls; nothing blocks.
 *
 *   conn_advance ─┬─► conn_talk.c ───► conn_shake.c ───► conn_inside.c      TLS is up
 *                 │        └────────────────┴─► conn_redial.c               `may`: dial again, in plaintext
 *                 └─► conn_verdict.c                                        refused, broken, left alone */
#include "conn_setup.h"

enum { DEFAULT_TIMEOUT_S = 60 };

bool conn_deadline_over(struct conn *c)
{
	const struct proto *proto = proto_named(c->verdict.proto);
	int timeout_s = c->verdict.timeout_s ? c->verdict.timeout_s
			: proto->silence_s   ? proto->silence_s
					     : DEFAULT_TIMEOUT_S;

	/* While it is the app's turn nobody owes us an answer: it may take hours. Nor before the
	 * transfer has begun, or the app behaves as if it had. */
	if ((c->phase == CONN_TALK && talk_waits_for_app(c->talk)) ||
	    (c->is_data && !c->spoke && !transfer_started(c->transfer))) {
		c->deadline_ms = 0;
		return false;
	}
	if (!c->deadline_ms) {
		c->deadline_ms = now_ms() + (int64_t)timeout_s * 1000;
		conn_due_at(c->deadline_ms);
	}
	return now_ms() >= c->deadline_ms;
}

static void too_late(struct conn *c, int fd)
{
	static const char why[] =
		"the server did not bring TLS up before the deadline (the rule's `timeout`)";

	if (c->phase == CONN_REDIAL) {
		conn_redial_too_late(c, fd);
		return;
	}
	if (c->phase == CONN_SHAKE) {
		conn_refuse(c, fd, CAUSE_TLS, why);
		return;
	}
	talk_too_late(c->talk, why);
	conn_follow_talk(c, fd);
}

bool conn_late(struct conn *c, int fd)
{
	if ((c->phase != CONN_TALK && c->phase != CONN_SHAKE && c->phase != CONN_REDIAL) ||
	    !conn_deadline_over(c))
		return false;
	too_late(c, fd);
	if (c->phase == CONN_CLEAR)
		conn_clear_step(c, fd);
	return true;
}

enum wait conn_advance(struct conn *c, int fd, bool read_ok)
{
	enum wait wait = WAIT_NONE;

	c->rec.fd = fd;
	while (wait == WAIT_NONE) {
		switch (c->phase) {
		case CONN_TALK:
			wait = conn_talk_step(c, fd, read_ok);
			break;
		case CONN_SHAKE:
			wait = conn_handshake_step(c, fd, read_ok);
			break;
		case CONN_REDIAL:
			wait = conn_redial_step(c, fd);
			break;
		case CONN_CLEAR:
			return conn_clear_step(c, fd);
		case CONN_GUARD:
			return conn_guard_step(c, fd);
		case CONN_OPEN:
		case CONN_BROKEN:
		case CONN_GONE:
		case CONN_REFUSED:
		case CONN_CLOSED:
		case CONN_MOVED:
			return WAIT_NONE;
		}
	}
	return conn_late(c, fd) ? WAIT_NONE : wait;
}
