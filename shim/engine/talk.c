/* SPDX-License-Identifier: MIT
 * talk: the plaintext dialogue before TLS. Contract: talk.h; what a protocol may say: proto.h.
 *
 *   DIALOGUE ──MOVE_TLS──► HANDSHAKE ──talk_tls_up──► OPEN     both queues move, inside TLS
 *      │ │ │                    └► INSIDE ─MOVE_DONE──► OPEN     talk_inside.c
 *      │ │ └──MOVE_NOTLS, and the policy allows it───► CLEAR    the same, in plaintext (or REDIAL)
 *      │ └────MOVE_OWN, and it is a ClientHello──────► OWN      the same, in the app's own TLS
 *      └──anything else──────────────────────────────► REFUSED  both are forgotten
 *
 *   GUARD (`by app`) ──a ClientHello──► OWN      ──not harmless──► REFUSED, or CLEAR by the policy
 *
 *   held      what the app said  ─► to_peer              greeting  of the peer  ─► to_app
 *
 * Surprising: this is the only file that decides over plaintext, and it does so four times, in
 * app_may_be_heard(), talk_no_tls(), talk_step_aside() and guard(). Before TLS MOVE_PASS and
 * MOVE_DONE refuse. Under `by app` the peer is not listened to at all: whatever it answers, the
 * app's next word is TLS or it is not. */
#include "talk_local.h"
#include <stdlib.h>

/* Bytes that a refusal adds to to_app, whatever waits there. */
enum { LAST_WORDS_MAX = 4096 };

/* THE SAFETY RULE: may what the app said go to the peer? */
static bool app_may_be_heard(const struct talk *t)
{
	return t->phase == TALK_INSIDE || t->phase == TALK_OPEN || t->phase == TALK_OWN ||
	       (t->phase == TALK_CLEAR && !t->tls_required);
}

/* One printable line, whatever it is made of: certificates and resolvers have their say in it. */
static void set_why(struct talk *t, const char *sentence)
{
	size_t n = sizeof(TALK_PREFIX) - 1;

	memcpy(t->why, TALK_PREFIX, n);
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

/* Whose words they are: with TLS from the first byte, those inside. */
static const struct proto *spoken_in(const struct talk *t)
{
	const struct proto *inner = t->proto->inner ? proto_named(t->proto->inner) : NULL;

	return inner ? inner : t->proto;
}

ssize_t talk_frame(struct talk *t, enum side side, struct span in, size_t before)
{
	const struct proto *words = spoken_in(t);
	ssize_t n;

	t->own.why = NULL;
	n = words->frame ? words->frame(t, side, in) : -1;
	/* A protocol that miscounts shall not make us do so. */
	return n > 0 && ((size_t)n <= before || (size_t)n > in.n) ? -1 : n;
}

size_t talk_held_unit(struct talk *t)
{
	struct span said = buf_span(&t->held);
	ssize_t n = said.n ? talk_frame(t, SIDE_APP, said, 0) : 0;

	if (n < 0)
		talk_fail_with(t, talk_not_apps);
	else if (n == 0 && said.n == TALK_HELD_MAX)
		talk_fail(t, CAUSE_OTHER, "app sent a message without end");
	return n > 0 ? (size_t)n : 0;
}

/* The end of every branch that is not TLS or the policy's leave. */
void talk_fail(struct talk *t, enum cause cause, const char *why)
{
	const struct proto *words = spoken_in(t);

	if (t->phase == TALK_REFUSED)
		return;
	t->phase = TALK_REFUSED;
	set_why(t, why);
	t->to_app.max += LAST_WORDS_MAX;
	if (words->refuse)
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
		talk_fail(t, CAUSE_OTHER, "out of memory");
}

/* The policy's one question. */
void talk_no_tls(struct talk *t, enum cause cause, const char *why)
{
	if (t->tls_required) {
		talk_fail(t, cause, why);
		return;
	}
	set_why(t, why);
	t->phase = t->own.spent ? TALK_REDIAL : TALK_CLEAR;
	release(t);
}

/* The app does TLS itself. That it said so is not enough: it must do it, or an attacker's "no"
 * would make it go on in plaintext. What it says from here on begins with a handshake record (RFC
 * 8446 section 5.1). */
void talk_step_aside(struct talk *t)
{
	struct span said = buf_span(&t->held);

	if (!said.n || *said.at != 22) {
		talk_fail(t, CAUSE_OTHER, "app asked for TLS and went on without it");
		return;
	}
	t->phase = TALK_OWN;
	release(t);
}

const char talk_not_peers[] = "peer does not speak this protocol";
const char talk_not_apps[] = "app does not speak this protocol";

void talk_fail_with(struct talk *t, const char *otherwise)
{
	talk_fail(t, CAUSE_OTHER, t->own.why ? t->own.why : otherwise);
}

bool talk_overflowed(struct talk *t)
{
	if (t->overflowed)
		talk_fail(t, CAUSE_OTHER,
			  t->phase == TALK_INSIDE ? "dialogue inside TLS grew too large"
						  : "dialogue before TLS grew too large");
	return t->overflowed;
}

void talk_act(struct talk *t, enum move move, const char *if_bad)
{
	if (talk_overflowed(t))
		return;
	switch (move) {
	case MOVE_KEEP:
	case MOVE_HOLD:
		return;
	case MOVE_TLS:
		t->phase = TALK_HANDSHAKE;
		return;
	case MOVE_NOTLS:
		talk_no_tls(t, CAUSE_NOT_OFFERED,
			    t->own.why ? t->own.why : "peer did not offer TLS");
		return;
	case MOVE_PASS:
	case MOVE_DONE:
	case MOVE_OWN:
	case MOVE_BAD:
		break;
	}
	talk_fail_with(t, if_bad);
}

/* Does a ClientHello begin here (RFC 8446 sections 4 and 5.1)? 1: yes, 0: more is needed, -1: no.
 * None of our protocols has a unit that begins so. */
static int is_client_hello(struct span s)
{
	static const struct {
		uint8_t least, most;
	} bytes[] = {{22, 22}, {3, 3}, {1, 4}, {0, 0x40}, {0, 0xff}, {1, 1}};

	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		if (i == s.n)
			return 0;
		if (s.at[i] < bytes[i].least || s.at[i] > bytes[i].most)
			return -1;
	}
	return 1;
}

/* Length of the unit at the front of `said` that may be heard in plaintext; 0: it is not whole yet;
 * -1: it may not. */
static ssize_t harmless(struct talk *t, struct span said)
{
	ssize_t n = talk_frame(t, SIDE_APP, said, 0);

	if (n == 0)
		return said.n < TALK_UNIT_MAX ? 0 : -1; /* nothing harmless is that long */
	return n > 0 && t->proto->harmless && t->proto->harmless(t, span_first(said, (size_t)n))
		       ? n
		       : -1;
}

/* `by app`. THE SAFETY RULE: until the app's own ClientHello the peer hears what the protocol names
 * as harmless, and nothing else. */
static void guard(struct talk *t)
{
	while (t->phase == TALK_GUARD && buf_len(&t->held)) {
		struct span said = buf_span(&t->held);
		int hello = is_client_hello(said);
		ssize_t n = hello < 0 ? harmless(t, said) : 0;

		if (hello > 0)
			talk_step_aside(t);
		else if (n < 0)
			talk_no_tls(
				t, CAUSE_POLICY,
				"the program went on in plaintext where it should have brought TLS "
				"up itself (`by app`)");
		else if (n == 0)
			return;
		else if (buf_add(&t->to_peer, span_first(said, (size_t)n)))
			buf_drop(&t->held, (size_t)n);
		else
			talk_fail(t, CAUSE_OTHER, "out of memory");
	}
}

/* What the app has said may have its moment now: in the dialogue, inside TLS, or at its end. */
static void go_on(struct talk *t)
{
	guard(t);
	talk_before_from_app(t);
	talk_inside_from_app(t);
	release(t);
}

size_t talk_from_peer(struct talk *t, struct span bytes)
{
	size_t taken = talk_inside_from_peer(t, bytes);

	taken += talk_before_from_peer(t, span_after(bytes, taken));
	go_on(t);
	return taken;
}

size_t talk_from_app(struct talk *t, struct span bytes)
{
	size_t waiting = buf_len(&t->held);
	struct span taken;

	if (t->phase == TALK_REFUSED)
		return bytes.n;
	if (app_may_be_heard(t) || t->phase == TALK_GUARD)
		waiting += buf_len(&t->to_peer);
	taken = span_first(bytes, waiting < TALK_HELD_MAX ? TALK_HELD_MAX - waiting : 0);
	if (!buf_add(&t->held, taken))
		talk_fail(t, CAUSE_OTHER, "out of memory");
	go_on(t);
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
	if (t->phase == TALK_INSIDE)
		talk_inside_begin(t);
	release(t);
}

void talk_refuse(struct talk *t, enum cause cause, const char *why)
{
	if (talk_is_before(t))
		talk_fail(t, cause, why);
}

void talk_too_late(struct talk *t, const char *why)
{
	if (t->phase == TALK_REDIAL || (t->phase == TALK_INSIDE && t->own.waiting)) {
		talk_fail(t, CAUSE_OTHER, why);
		return;
	}
	if (t->phase != TALK_DIALOGUE || !t->proto->silence_s || buf_len(&t->to_peer)) {
		talk_refuse(t, CAUSE_OTHER, why);
		return;
	}
	if (move_all(&t->greeting, &t->part)) /* in plaintext the app wants half a line too */
		talk_no_tls(t, CAUSE_NOT_OFFERED, why);
	else
		talk_fail(t, CAUSE_OTHER, "out of memory");
}

void talk_redialled(struct talk *t, const char *why)
{
	if (!talk_is_before(t) && t->phase != TALK_REDIAL)
		return;
	if (t->proto->no_redial) {
		talk_fail(t, CAUSE_TLS, why);
		return;
	}
	t->own.spent = false;
	buf_free(&t->part);
	buf_free(&t->greeting); /* the peer greets again */
	buf_free(&t->to_peer);
	buf_free(&t->to_app);
	talk_no_tls(t, CAUSE_TLS, why);
}

bool talk_may_redial(const struct talk *t)
{
	return !t->tls_required && !t->proto->no_redial;
}

bool talk_waits_for_app(const struct talk *t)
{
	return t->phase == TALK_DIALOGUE && talk_wants_app(t) && !buf_len(&t->to_peer) &&
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
	return *t->why ? t->why + sizeof(TALK_PREFIX) - 1 : NULL;
}

struct buf *talk_to_peer(struct talk *t)
{
	return &t->to_peer;
}

struct buf *talk_to_app(struct talk *t)
{
	return &t->to_app;
}

const char *talk_name(const struct talk *t)
{
	return *t->name ? t->name : NULL;
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
	t->phase = setup->by_app            ? TALK_GUARD
		   : setup->proto->implicit ? TALK_HANDSHAKE
					    : TALK_DIALOGUE;
	t->own.self = memcpy(t->names, self, self_size);
	if (host_size)
		t->own.host = memcpy(t->names + self_size, setup->host, host_size);
	t->part.max = TALK_UNIT_MAX;
	t->held.max = TALK_HELD_MAX;
	t->greeting.max = TALK_TELL_MAX;
	t->to_peer.max = TALK_SAY_MAX + (setup->by_app ? TALK_HELD_MAX : 0);
	t->to_app.max = TALK_TELL_MAX;
	memcpy(t->own.nonce, setup->nonce, sizeof(t->own.nonce));
	if (t->proto->start && !setup->by_app)
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
