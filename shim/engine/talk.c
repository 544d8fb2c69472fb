/* SPDX-License-Identifier: MIT
 * talk: the plaintext dialogue before TLS. Contract: talk.h; what a protocol may say: proto.h.
 *
 *   DIALOGUE ──MOVE_TLS──► HANDSHAKE ──talk_tls_up──► OPEN     both queues move, inside TLS
 *      │ │ │                    └► INSIDE ─MOVE_DONE──► OPEN     a protocol that edits inside TLS
 *      │ │ └──MOVE_NOTLS, and the policy allows it───► CLEAR    the same, in plaintext (spent: REDIAL first)
 *      │ └────MOVE_OWN, and it is a ClientHello──────► OWN      the same, in the app's own TLS
 *      └──anything else──────────────────────────────► REFUSED  both are forgotten
 *
 *   held      what the app said  ─► to_peer              greeting  of the peer  ─► to_app
 *
 * Surprising: this is the only file that decides over plaintext, and it does so three times, in
 * app_may_be_heard(), no_tls() and step_aside(). `by app` is not built yet: before TLS MOVE_PASS
 * and MOVE_DONE refuse. */
#include "talk.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PREFIX "libstarttls: "

enum {
	WHY_MAX = 400, /* a refusal fits one SMTP reply line of 512 (RFC 5321 section 4.5.3.1.5) */
	LAST_WORDS_MAX = 4096, /* what a refusal adds to to_app, whatever waits there */
};

struct talk {
	const struct proto *proto;
	struct talk_proto own; /* the protocol's */
	enum talk_phase phase;
	bool tls_required;
	bool spoken;       /* we have said something to the peer */
	bool told;         /* we have told the app something */
	bool app_known;    /* the protocol has seen all it needs of the app */
	bool overflowed;   /* a queue could not take what the protocol said */
	size_t peer_bytes; /* all that the peer has said */

	struct buf part;     /* the beginning of a unit of the peer */
	struct buf held;     /* what the app said, whole and in order */
	struct buf greeting; /* what the app is told once the talk is over */
	struct buf to_peer, to_app;

	char name[256];    /* talk_verify_as; empty: not said */
	char why[WHY_MAX]; /* PREFIX and the sentence; empty: none yet */
	char names[];      /* of own.self and own.host */
};

/* THE SAFETY RULE: may what the app said go to the peer? */
static bool app_may_be_heard(const struct talk *t)
{
	return t->phase == TALK_INSIDE || t->phase == TALK_OPEN || t->phase == TALK_OWN ||
	       (t->phase == TALK_CLEAR && !t->tls_required);
}

/* TLS has not come up yet, and may still. */
static bool is_before(const struct talk *t)
{
	return t->phase == TALK_DIALOGUE || t->phase == TALK_HANDSHAKE;
}

/* One printable line, whatever it is made of: certificates and resolvers have their say in it. */
static void set_why(struct talk *t, const char *sentence)
{
	size_t n = sizeof(PREFIX) - 1;

	memcpy(t->why, PREFIX, n);
	for (; *sentence && n < sizeof(t->why) - 1; sentence++)
		t->why[n++] = *sentence >= ' ' && *sentence <= '~' ? *sentence : '?';
	t->why[n] = '\0';
}

static void forget(struct talk *t)
{
	buf_free(&t->part);
	buf_free(&t->held);
	buf_free(&t->greeting);
	buf_free(&t->to_peer);
}

/* The end of every branch that is not TLS or the policy's leave. The first reason stays. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	const struct proto *words = t->proto->inner ? proto_named(t->proto->inner) : t->proto;

	if (t->phase == TALK_REFUSED)
		return;
	t->phase = TALK_REFUSED;
	set_why(t, why);
	t->to_app.max += LAST_WORDS_MAX;
	if (words && words->refuse)
		words->refuse(t, cause, t->why);
	forget(t);
}

static bool move_all(struct buf *to, struct buf *from)
{
	bool moved = buf_add(to, buf_span(from));

	buf_free(from);
	return moved;
}

/* What waited for the end of the talk goes its ways. */
static void release(struct talk *t)
{
	if (!app_may_be_heard(t) || t->phase == TALK_INSIDE)
		return;
	t->to_peer.max = TALK_SAY_MAX + TALK_HELD_MAX;
	if (!move_all(&t->to_peer, &t->held) || !move_all(&t->to_app, &t->greeting) ||
	    (t->phase == TALK_OPEN && !move_all(&t->to_app, &t->part))) /* begun inside TLS */
		refuse(t, CAUSE_OTHER, "out of memory");
}

/* There will be no TLS: the policy's one question. */
static void no_tls(struct talk *t, enum cause cause, const char *why)
{
	if (t->tls_required) {
		refuse(t, cause, why);
		return;
	}
	set_why(t, why);
	t->phase = t->own.spent ? TALK_REDIAL : TALK_CLEAR;
	release(t);
}

/* The app does TLS itself. That it said so is not enough: it must do it, or an attacker's "no" would
 * make it go on in plaintext. What it says from here on begins with a handshake record (RFC 8446
 * section 5.1). */
static void step_aside(struct talk *t)
{
	struct span said = buf_span(&t->held);

	if (!said.n || *said.at != 22) {
		refuse(t, CAUSE_OTHER, "app asked for TLS and went on without it");
		return;
	}
	t->phase = TALK_OWN;
	release(t);
}

static const char not_peers[] = "peer does not speak this protocol";
static const char not_apps[] = "app does not speak this protocol";

static void refuse_with(struct talk *t, const char *otherwise)
{
	refuse(t, CAUSE_OTHER, t->own.why ? t->own.why : otherwise);
}

static bool has_overflowed(struct talk *t)
{
	if (t->overflowed)
		refuse(t, CAUSE_OTHER,
		       t->phase == TALK_INSIDE ? "dialogue inside TLS grew too large"
					       : "dialogue before TLS grew too large");
	return t->overflowed;
}

/* The moves that mean the same whoever's unit it was. */
static void act(struct talk *t, enum move move, const char *if_bad)
{
	if (has_overflowed(t))
		return;
	switch (move) {
	case MOVE_KEEP:
	case MOVE_HOLD:
		return;
	case MOVE_TLS:
		t->phase = TALK_HANDSHAKE;
		return;
	case MOVE_NOTLS:
		no_tls(t, CAUSE_NOT_OFFERED, t->own.why ? t->own.why : "peer did not offer TLS");
		return;
	case MOVE_PASS:
	case MOVE_DONE:
	case MOVE_OWN:
	case MOVE_BAD:
		break;
	}
	refuse_with(t, if_bad);
}

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

static void show_app(struct talk *t);

/* Inside TLS: show the first n bytes of `from`, which goes to `to` when it passes. False: not now. */
static bool show_inside(struct talk *t, enum side side, struct buf *from, size_t n, struct buf *to)
{
	enum move move = t->proto->inside(t, side, from->at + from->off, n);

	if (move == MOVE_HOLD && side == SIDE_APP)
		return false;
	if (move == MOVE_PASS || move == MOVE_DONE) {
		if (side == SIDE_PEER)
			talk_release_greeting(t);
		t->overflowed |= !buf_add(to, span_first(buf_span(from), n));
	} else if (move != MOVE_KEEP) {
		refuse_with(t, side == SIDE_PEER ? not_peers : not_apps);
	}
	if (has_overflowed(t) || t->phase == TALK_REFUSED)
		return false;
	if (move == MOVE_DONE)
		t->phase = TALK_OPEN;
	return true;
}

static void show_peer_unit(struct talk *t, struct span unit)
{
	enum move move = t->proto->peer(t, unit);

	if (move == MOVE_HOLD)
		talk_hold(t, unit);
	act(t, move, not_peers);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Take the first unit of what the peer says, or as much of it as there is, and show it to the
 * protocol when it is whole. It is framed where it lies, unless its beginning came earlier or it may
 * be changed. Returns the bytes taken from `in`. */
static size_t hear(struct talk *t, struct span in)
{
	bool inside = t->phase == TALK_INSIDE;
	size_t before = buf_len(&t->part);
	size_t room = least(TALK_UNIT_MAX - before, TALK_PEER_MAX - t->peer_bytes);
	size_t taken = least(in.n, room);
	struct span unit = span_first(in, taken);
	ssize_t n;

	if (before || inside) {
		if (!buf_add(&t->part, unit)) {
			refuse(t, CAUSE_OTHER, "out of memory");
			return 0;
		}
		unit = buf_span(&t->part);
	}
	t->own.why = NULL;
	if (!before)
		t->own.asked = !buf_len(&t->to_peer);
	n = t->proto->frame(t, SIDE_PEER, unit);
	if (n > 0 && ((size_t)n <= before || (size_t)n > unit.n))
		n = -1; /* a protocol that miscounts shall not make us do so */
	if (n > 0)
		taken = (size_t)n - before;
	t->peer_bytes += inside ? 0 : taken;

	if (n < 0) {
		refuse_with(t, not_peers);
	} else if (n > 0) {
		if (inside)
			show_inside(t, SIDE_PEER, &t->part, (size_t)n, &t->to_app);
		else
			show_peer_unit(t, span_first(unit, (size_t)n));
		buf_drop(&t->part, buf_len(&t->part));
	} else if (taken == room) {
		refuse(t, CAUSE_OTHER,
		       inside ? "peer sent a message without end"
			      : "peer said too much before TLS");
	} else if (!before && !inside && !buf_add(&t->part, unit)) {
		refuse(t, CAUSE_OTHER, "out of memory");
	}
	return taken;
}

size_t talk_from_peer(struct talk *t, struct span bytes)
{
	size_t taken = 0;

	while (taken < bytes.n && (is_before(t) || t->phase == TALK_INSIDE)) {
		const char *why = is_before(t) ? out_of_turn(t) : NULL;

		if (why)
			refuse(t, CAUSE_OTHER, why);
		else
			taken += hear(t, span_after(bytes, taken));
	}
	show_app(t);
	release(t);
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
	if (buf_len(&t->part) && (move == MOVE_TLS || buf_len(&t->to_peer)))
		refuse(t, CAUSE_OTHER,
		       "peer answered before it was asked"); /* half a unit, to glue to the answer */
	else if (move == MOVE_OWN)
		step_aside(t);
	else
		act(t, move, not_apps);
}

/* Does the protocol want to see what the app said? */
static bool wants_app(const struct talk *t)
{
	if (t->phase == TALK_INSIDE)
		return true;
	return t->phase == TALK_DIALOGUE && t->proto->app && !t->app_known;
}

/* Show the protocol what the app said, a unit at a time, until it knows enough. The unit is always
 * the front of the hold. Inside TLS this is what takes from `held`, else it is release(). */
static void show_app(struct talk *t)
{
	while (wants_app(t) && buf_len(&t->held)) {
		struct span all = buf_span(&t->held);
		ssize_t n;

		t->own.why = NULL;
		n = t->proto->frame(t, SIDE_APP, all);
		if (n < 0 || (size_t)n > all.n) {
			refuse_with(t, not_apps);
			return;
		}
		if (n == 0) {
			if (all.n == TALK_HELD_MAX)
				refuse(t, CAUSE_OTHER, "app sent a message without end");
			return;
		}
		if (t->phase == TALK_DIALOGUE)
			show_app_unit(t, span_first(all, (size_t)n));
		else if (show_inside(t, SIDE_APP, &t->held, (size_t)n, &t->to_peer))
			buf_drop(&t->held, (size_t)n);
		else
			return;
	}
}

size_t talk_from_app(struct talk *t, struct span bytes)
{
	size_t waiting = buf_len(&t->held);
	struct span taken;

	if (t->phase == TALK_REFUSED)
		return bytes.n;
	if (app_may_be_heard(t))
		waiting += buf_len(&t->to_peer);
	taken = span_first(bytes, waiting < TALK_HELD_MAX ? TALK_HELD_MAX - waiting : 0);
	if (buf_add(&t->held, taken))
		show_app(t);
	else
		refuse(t, CAUSE_OTHER, "out of memory");
	release(t);
	return t->phase == TALK_REFUSED ? bytes.n : taken.n;
}

void talk_peer_gone(struct talk *t)
{
	talk_refuse(t, CAUSE_OTHER, "peer closed the connection before TLS");
}

void talk_tls_up(struct talk *t)
{
	if (talk_phase(t) != TALK_HANDSHAKE) {
		talk_refuse(t, CAUSE_OTHER, "TLS came before it was agreed");
		return;
	}
	t->phase = t->proto->inside ? TALK_INSIDE : TALK_OPEN;
	t->to_peer.max = TALK_SAY_MAX + TALK_HELD_MAX;
	if (t->phase == TALK_INSIDE && t->proto->inside_begin)
		t->proto->inside_begin(t);
	if (has_overflowed(t))
		return;
	show_app(t);
	release(t);
}

void talk_refuse(struct talk *t, enum cause cause, const char *why)
{
	if (is_before(t))
		refuse(t, cause, why);
}

void talk_too_late(struct talk *t, const char *why)
{
	if (t->phase == TALK_INSIDE && t->own.waiting) {
		refuse(t, CAUSE_OTHER, why);
		return;
	}
	if (t->phase != TALK_DIALOGUE || !t->proto->silence_s || buf_len(&t->to_peer)) {
		talk_refuse(t, CAUSE_OTHER, why);
		return;
	}
	if (move_all(&t->greeting, &t->part)) /* in plaintext the app wants half a line too */
		no_tls(t, CAUSE_NOT_OFFERED, why);
	else
		refuse(t, CAUSE_OTHER, "out of memory");
}

void talk_redialled(struct talk *t, const char *why)
{
	if (!is_before(t) && t->phase != TALK_REDIAL)
		return;
	if (t->proto->no_redial) {
		refuse(t, CAUSE_TLS, why);
		return;
	}
	t->own.spent = false;
	buf_free(&t->part);
	buf_free(&t->greeting); /* the peer greets again */
	buf_free(&t->to_peer);
	buf_free(&t->to_app);
	no_tls(t, CAUSE_TLS, why);
}

bool talk_may_redial(const struct talk *t)
{
	return !t->tls_required && !t->proto->no_redial;
}

bool talk_waits_for_app(const struct talk *t)
{
	return t->phase == TALK_DIALOGUE && wants_app(t) && !buf_len(&t->to_peer) &&
	       (!t->proto->peer_first || t->told);
}

/* A protocol may agree to TLS and have a last word to say (MySQL): the handshake begins when that
 * has left. */
enum talk_phase talk_phase(const struct talk *t)
{
	return t->phase == TALK_HANDSHAKE && buf_len(&t->to_peer) ? TALK_DIALOGUE : t->phase;
}

const char *talk_why(const struct talk *t)
{
	return *t->why ? t->why + sizeof(PREFIX) - 1 : NULL;
}

struct buf *talk_to_peer(struct talk *t)
{
	return &t->to_peer;
}

struct buf *talk_to_app(struct talk *t)
{
	return &t->to_app;
}

struct talk_proto *talk_proto(struct talk *t)
{
	return &t->own;
}

void talk_verify_as(struct talk *t, struct span name)
{
	struct span s = span_first(name, sizeof(t->name) - 1);

	memcpy(t->name, s.at, s.n);
	t->name[s.n] = '\0';
}

const char *talk_name(const struct talk *t)
{
	return *t->name ? t->name : NULL;
}

/* What a full queue means is settled when the protocol returns: it still reads the unit it was
 * shown. */
static bool queue(struct talk *t, struct buf *b, struct span bytes)
{
	bool fits = buf_add(b, bytes);

	t->overflowed |= !fits;
	return fits;
}

__attribute__((format(printf, 3, 0))) static bool queue_text(struct talk *t, struct buf *b,
							     const char *fmt, va_list args)
{
	char text[2048];
	int n = vsnprintf(text, sizeof(text), fmt, args);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		t->overflowed = true; /* half a command is worse than none */
		return false;
	}
	return queue(t, b, span_of(text, (size_t)n));
}

bool talk_say_bytes(struct talk *t, struct span bytes)
{
	t->spoken = true;
	return queue(t, &t->to_peer, bytes);
}

bool talk_say(struct talk *t, const char *fmt, ...)
{
	va_list args;
	bool fits;

	t->spoken = true;
	va_start(args, fmt);
	fits = queue_text(t, &t->to_peer, fmt, args);
	va_end(args);
	return fits;
}

bool talk_tell_bytes(struct talk *t, struct span bytes)
{
	t->told = true;
	return queue(t, &t->to_app, bytes);
}

bool talk_tell(struct talk *t, const char *fmt, ...)
{
	va_list args;
	bool fits;

	t->told = true;
	va_start(args, fmt);
	fits = queue_text(t, &t->to_app, fmt, args);
	va_end(args);
	return fits;
}

bool talk_hold(struct talk *t, struct span bytes)
{
	return queue(t, &t->greeting, bytes);
}

bool talk_greet(struct talk *t, const char *text)
{
	buf_free(&t->greeting);
	return talk_hold(t, span_text(text));
}

bool talk_release_greeting(struct talk *t)
{
	bool fits = move_all(&t->to_app, &t->greeting);

	t->overflowed |= !fits;
	return fits;
}

struct span talk_said(const struct talk *t)
{
	return buf_span(&t->held);
}

struct talk *talk_new(const struct talk_setup *setup)
{
	const char *self = setup->self ? setup->self : "[127.0.0.1]"; /* RFC 5321 section 4.1.3 */
	size_t self_size = strlen(self) + 1, host_size = setup->host ? strlen(setup->host) + 1 : 0;
	struct talk *t = calloc(1, sizeof(*t) + self_size + host_size);

	if (!t)
		return NULL;
	t->proto = setup->proto;
	t->tls_required = setup->tls_required;
	t->phase = setup->proto->implicit ? TALK_HANDSHAKE : TALK_DIALOGUE;
	t->own.self = memcpy(t->names, self, self_size);
	if (host_size)
		t->own.host = memcpy(t->names + self_size, setup->host, host_size);
	t->part.max = TALK_UNIT_MAX;
	t->held.max = TALK_HELD_MAX;
	t->greeting.max = TALK_TELL_MAX;
	t->to_peer.max = TALK_SAY_MAX;
	t->to_app.max = TALK_TELL_MAX;
	memcpy(t->own.nonce, setup->nonce, sizeof(t->own.nonce));
	if (t->proto->start)
		t->proto->start(t);
	return t;
}

void talk_free(struct talk *t)
{
	if (!t)
		return;
	forget(t);
	buf_free(&t->to_app);
	free(t);
}
