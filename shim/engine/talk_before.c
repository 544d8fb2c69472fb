/* SPDX-License-Identifier: MIT
 * talk_before: the units before TLS: each side's words, cut where the protocol says, are shown to
 * it whole, and its move is acted on.
 *
 *   peer ─► part ─ a whole unit ─► proto->peer ─┐
 *                                               ├─ move ─► talk_act (talk.c)
 *    app ─► held ─ a whole unit ─► proto->app ──┘          what the app said stays where it is
 *
 * Surprising: a word of the peer's that comes too early is an attack at every level, for what it
 * says shall be believed inside TLS. */
#include "talk_local.h"

/* Why the peer has no business to speak now, or NULL. A reply counts only if it came after the
 * command it answers: what comes earlier was written by someone who wants it believed inside TLS
 * (CVE-2021-22947, CVE-2021-38371, CVE-2026-42246). At every level, `may` included: no honest peer
 * does it. */
static const char *out_of_turn(const struct talk *t)
{
	if (t->phase == TALK_HANDSHAKE && t->proto->implicit)
		return "peer sent plaintext where TLS was expected";
	if (t->phase == TALK_HANDSHAKE)
		return "peer sent plaintext after agreeing to TLS";
	if (buf_len(&t->to_peer) && !t->proto->unasked)
		return "peer answered before it was asked";
	if (!t->proto->peer_first && !t->spoken)
		return "peer spoke before the app did";
	return NULL;
}

/* Was TLS to be there from the first byte? What a peer says in the clear answers nothing then: it
 * is a no, not an injection, as it is where it comes behind our ClientHello and the handshake
 * fails. Under CLEAR it is the app's. */
static bool is_wrapped(const struct talk *t)
{
	return t->phase == TALK_HANDSHAKE && t->proto->implicit && !t->proto->no_redial;
}

static void show_peer_unit(struct talk *t, struct span unit)
{
	enum move move = t->proto->peer(t, unit);

	if (move == MOVE_HOLD)
		talk_hold(t, unit);
	talk_act(t, move, talk_not_peers);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Take the first unit of what the peer says, or as much of it as there is, and show it to the
 * protocol when it is whole. It is framed where it lies, unless its beginning came earlier. Returns
 * the bytes taken from `in`. */
static size_t hear(struct talk *t, struct span in)
{
	size_t before = buf_len(&t->part);
	size_t room = least(TALK_UNIT_MAX - before, TALK_PEER_MAX - t->peer_bytes);
	size_t taken = least(in.n, room);
	struct span unit = span_first(in, taken);
	ssize_t n;

	if (before) {
		if (!buf_add(&t->part, unit)) {
			talk_fail(t, CAUSE_OTHER, "out of memory");
			return 0;
		}
		unit = buf_span(&t->part);
	} else {
		t->own.asked = !buf_len(&t->to_peer);
	}
	n = talk_frame(t, SIDE_PEER, unit, before);
	if (n > 0)
		taken = (size_t)n - before;
	t->peer_bytes += taken;

	if (n < 0) {
		talk_fail_with(t, talk_not_peers);
	} else if (n > 0) {
		show_peer_unit(t, span_first(unit, (size_t)n));
		buf_drop(&t->part, buf_len(&t->part));
	} else if (taken == room) {
		talk_fail(t, CAUSE_OTHER, "peer said too much before TLS");
	} else if (!before && !buf_add(&t->part, unit)) {
		talk_fail(t, CAUSE_OTHER, "out of memory");
	}
	return taken;
}

size_t talk_before_from_peer(struct talk *t, struct span bytes)
{
	size_t taken = 0;

	while (taken < bytes.n && talk_is_before(t)) {
		const char *why = out_of_turn(t);

		if (why && is_wrapped(t))
			talk_no_tls(t, CAUSE_NOT_OFFERED, why);
		else if (why)
			talk_fail(t, CAUSE_OTHER, why);
		else
			taken += hear(t, span_after(bytes, taken));
	}
	return taken;
}

/* Show the protocol a unit of the app's, before TLS. */
static void show_app_unit(struct talk *t, struct span unit)
{
	enum move move = t->proto->app(t, unit);

	if (move == MOVE_KEEP)
		buf_drop(&t->held, unit.n);
	else
		t->app_known = true;
	/* Half a unit of the peer's would be glued to its answer. */
	if (buf_len(&t->part) && (move == MOVE_TLS || buf_len(&t->to_peer)))
		talk_fail(t, CAUSE_OTHER, "peer answered before it was asked");
	else if (move == MOVE_OWN)
		talk_step_aside(t);
	else
		talk_act(t, move, talk_not_apps);
}

bool talk_wants_app(const struct talk *t)
{
	return t->phase == TALK_DIALOGUE && t->proto->app && !t->app_known;
}

void talk_before_from_app(struct talk *t)
{
	size_t n;

	while (talk_wants_app(t) && (n = talk_held_unit(t)))
		show_app_unit(t, span_first(buf_span(&t->held), n));
}
