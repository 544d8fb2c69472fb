/* SPDX-License-Identifier: MIT
 * talk: the plaintext dialogue before TLS. Contract: talk.h; what a protocol may say: proto.h.
 *
 *   DIALOGUE ──MOVE_TLS──► HANDSHAKE ──talk_tls_up──► OPEN     both queues move, inside TLS
 *      │ └──MOVE_NOTLS, and the policy allows it────► CLEAR    the same, in plaintext (spent: REDIAL first)
 *      └──anything else─────────────────────────────► REFUSED  both are forgotten
 *
 *   held      what the app said  ─► to_peer              greeting  of the peer  ─► to_app
 *
 * Surprising: this is the only file that decides over plaintext, and it does so twice, in
 * app_may_be_heard() and in no_tls(). `by app` is not built yet: MOVE_PASS, MOVE_DONE and MOVE_OWN
 * refuse. */
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
	return t->phase == TALK_OPEN || (t->phase == TALK_CLEAR && !t->tls_required);
}

static bool is_over(const struct talk *t)
{
	return t->phase != TALK_DIALOGUE && t->phase != TALK_HANDSHAKE;
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
	forget(t);
	t->to_app.max += LAST_WORDS_MAX;
	if (words && words->refuse)
		words->refuse(t, cause, t->why);
}

static bool move_all(struct buf *to, struct buf *from)
{
	bool moved = buf_add(to, buf_span(from));

	buf_free(from);
	return moved;
}

/* What waited for the end of the talk goes its ways. The only function that takes from `held`. */
static void release(struct talk *t)
{
	if (!app_may_be_heard(t))
		return;
	t->to_peer.max = TALK_SAY_MAX + TALK_HELD_MAX;
	if (!move_all(&t->to_peer, &t->held) || !move_all(&t->to_app, &t->greeting))
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

static const char not_peers[] = "peer does not speak this protocol";
static const char not_apps[] = "app does not speak this protocol";

static void refuse_with(struct talk *t, const char *otherwise)
{
	refuse(t, CAUSE_OTHER, t->own.why ? t->own.why : otherwise);
}

/* The moves that mean the same whoever's unit it was. */
static void act(struct talk *t, enum move move, const char *if_bad)
{
	if (t->overflowed) {
		refuse(t, CAUSE_OTHER, "dialogue before TLS grew too large");
		return;
	}
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
	t->peer_bytes += taken;

	if (n < 0) {
		refuse_with(t, not_peers);
	} else if (n > 0) {
		show_peer_unit(t, span_first(unit, (size_t)n));
		buf_drop(&t->part, buf_len(&t->part));
	} else if (taken == room) {
		refuse(t, CAUSE_OTHER, "peer said too much before TLS");
	} else if (!before && !buf_add(&t->part, unit)) {
		refuse(t, CAUSE_OTHER, "out of memory");
	}
	return taken;
}

size_t talk_from_peer(struct talk *t, struct span bytes)
{
	size_t taken = 0;

	while (taken < bytes.n && !is_over(t)) {
		const char *why = out_of_turn(t);

		if (why)
			refuse(t, CAUSE_OTHER, why);
		else
			taken += hear(t, span_after(bytes, taken));
	}
	return taken;
}

/* Show the protocol what the app said, a unit at a time, until it knows enough. The unit is always
 * the front of the hold. */
static void show_app(struct talk *t)
{
	while (t->phase == TALK_DIALOGUE && t->proto->app && !t->app_known && buf_len(&t->held)) {
		struct span all = buf_span(&t->held);
		enum move move;
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
		move = t->proto->app(t, span_first(all, (size_t)n));
		if (move == MOVE_KEEP)
			buf_drop(&t->held, (size_t)n);
		else
			t->app_known = true;
		act(t, move, not_apps);
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
	t->phase = TALK_OPEN;
	release(t);
}

void talk_refuse(struct talk *t, enum cause cause, const char *why)
{
	if (!is_over(t))
		refuse(t, cause, why);
}

void talk_too_late(struct talk *t, const char *why)
{
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
	if (is_over(t) && t->phase != TALK_REDIAL)
		return;
	t->own.spent = false;
	buf_free(&t->part);
	buf_free(&t->greeting); /* the peer greets again */
	buf_free(&t->to_peer);
	buf_free(&t->to_app);
	no_tls(t, CAUSE_TLS, why);
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
	return queue(t, &t->to_app, bytes);
}

bool talk_tell(struct talk *t, const char *fmt, ...)
{
	va_list args;
	bool fits;

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
