/* SPDX-License-Identifier: MIT
 * talk_inside: protocols that go on editing inside TLS (MySQL's packet numbers, FTP's data
 * connections, a word of PostgreSQL's).
 *
 *   peer ─ TLS ─► part ─ a whole unit ─► proto->inside ─ PASS ─► to_app      (the greeting first)
 *    app ───────► held ─ a whole unit ─► proto->inside ─ PASS ─► to_peer ─ TLS ─►
 *                                         └ DONE ─► TALK_OPEN: the rest goes past us
 *
 * Nothing here decides over plaintext: this phase begins when TLS is up. Surprising: a unit of the
 * peer is always copied into `part`, because the protocol may change it where it lies. */
#include "talk_local.h"

/* Show the first n bytes of `from`, which goes to `to` when it passes. False: not now, or never. */
static bool show(struct talk *t, enum side side, struct buf *from, size_t n, struct buf *to)
{
	enum move move = t->proto->inside(t, side, from->at + from->off, n);

	if (move == MOVE_HOLD && side == SIDE_APP)
		return false;
	if (move == MOVE_PASS || move == MOVE_DONE) {
		if (side == SIDE_PEER)
			talk_release_greeting(t);
		t->overflowed |= !buf_add(to, span_first(buf_span(from), n));
	} else if (move != MOVE_KEEP) {
		talk_fail_with(t, side == SIDE_PEER ? talk_not_peers : talk_not_apps);
	}
	if (talk_overflowed(t) || t->phase == TALK_REFUSED)
		return false;
	if (move == MOVE_DONE)
		t->phase = TALK_OPEN;
	return true;
}

/* Take the first unit of what the peer says, or as much of it as there is. Returns the bytes
 * taken. */
static size_t hear(struct talk *t, struct span in)
{
	size_t before = buf_len(&t->part), room = TALK_UNIT_MAX - before;
	size_t taken = in.n < room ? in.n : room;
	ssize_t n;

	if (!buf_add(&t->part, span_first(in, taken))) {
		talk_fail(t, CAUSE_OTHER, "out of memory");
		return 0;
	}
	n = talk_frame(t, SIDE_PEER, buf_span(&t->part), before);
	if (n < 0) {
		talk_fail_with(t, talk_not_peers);
	} else if (n > 0) {
		taken = (size_t)n - before;
		show(t, SIDE_PEER, &t->part, (size_t)n, &t->to_app);
		buf_drop(&t->part, buf_len(&t->part));
	} else if (taken == room) {
		talk_fail(t, CAUSE_OTHER, "peer sent a message without end");
	}
	return taken;
}

size_t talk_inside_from_peer(struct talk *t, struct span bytes)
{
	size_t taken = 0;

	while (taken < bytes.n && t->phase == TALK_INSIDE)
		taken += hear(t, span_after(bytes, taken));
	return taken;
}

void talk_inside_from_app(struct talk *t)
{
	size_t n;

	while (t->phase == TALK_INSIDE && (n = talk_held_unit(t)) &&
	       show(t, SIDE_APP, &t->held, n, &t->to_peer))
		buf_drop(&t->held, n);
}

void talk_inside_begin(struct talk *t)
{
	if (t->proto->inside_begin)
		t->proto->inside_begin(t);
	if (!talk_overflowed(t))
		talk_inside_from_app(t);
}
