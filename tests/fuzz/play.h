/* SPDX-License-Identifier: MIT
 * play.h: what the fuzzers of the talk share: one input is a script, played twice.
 *
 *   input   [ setup ] [ event | length | bytes ] [ event | length | bytes ] …
 *   twice   as it is, and cut into single bytes: all that comes out must be the same
 *
 * setup: bit 0, TLS is required; bit 7, `by app`; the bits between say which protocol plays. Each fuzzer
 * has its own events and its own way to see a byte that was said too early. */
#ifndef STARTTLS_FUZZ_PLAY_H
#define STARTTLS_FUZZ_PLAY_H

#include "talk.h"
#include <sanitizer/allocator_interface.h>
#include <stdlib.h>

enum { EVENTS_MAX = 64, OUT_MAX = 1 << 22, MEMORY_MAX = 1 << 21 }; /* the last two in bytes */

#define REQUIRE(truth) \
	do { \
		if (!(truth)) \
			abort(); \
	} while (0)

struct stream {
	size_t n;
	uint8_t at[OUT_MAX];
};

struct run {
	struct talk *t;
	const struct proto *proto;
	bool required, single, tls_up, by_app;
	const char *refusal; /* how it begins; NULL: anything */
	size_t memory;       /* in use before the talk */
	size_t heard;        /* bytes that the talk took of the peer */
	struct stream clear; /* what the peer heard before TLS, where that is kept apart; else in */
	struct stream to_peer, to_app, said;
};

/* The input as it is, and in single bytes. */
static struct run runs[2] = {{.single = false}, {.single = true}};

static void append(struct stream *s, struct span bytes)
{
	REQUIRE(bytes.n <= OUT_MAX - s->n);
	if (bytes.n)
		memcpy(s->at + s->n, bytes.at, bytes.n);
	s->n += bytes.n;
}

static void drain(struct stream *s, struct buf *b)
{
	append(s, buf_span(b));
	buf_drop(b, buf_len(b));
}

/* A talk of r->proto begins. */
static void run_begin(struct run *r, uint8_t setup)
{
	r->required = setup & 1;
	r->by_app = setup & 0x80;
	r->tls_up = false;
	r->clear.n = r->to_peer.n = r->to_app.n = r->said.n = r->heard = 0;
	r->memory = __sanitizer_get_current_allocated_bytes();
	r->t = talk_new(&(struct talk_setup){.proto = r->proto,
					     .tls_required = r->required,
					     .by_app = r->by_app,
					     .self = "[192.0.2.1]"});
	REQUIRE(r->t);
}

static void run_events(struct run *r, struct span in,
		       void (*event)(struct run *r, uint8_t what, struct span bytes))
{
	for (int i = 0; i < EVENTS_MAX && in.n >= 2; i++) {
		struct span s = span_first(span_after(in, 2), in.at[1]);

		event(r, in.at[0], s);
		in = span_after(in, 2 + s.n);
	}
}

/* What holds after every event, whatever the protocol. */
static void run_check(const struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	REQUIRE((phase != TALK_OPEN && phase != TALK_INSIDE) || r->tls_up);
	REQUIRE((phase != TALK_CLEAR && phase != TALK_REDIAL) || !r->required);
	REQUIRE(phase != TALK_HANDSHAKE || buf_len(talk_to_peer(r->t)) == 0);
	REQUIRE(phase != TALK_REFUSED || buf_len(talk_to_peer(r->t)) == 0);
	REQUIRE(phase != TALK_REFUSED || (talk_why(r->t) && *talk_why(r->t)));
	REQUIRE(buf_len(talk_to_peer(r->t)) <= TALK_SAY_MAX + TALK_HELD_MAX);
	REQUIRE(buf_len(talk_to_app(r->t)) <= TALK_TELL_MAX + 4096);
	REQUIRE(__sanitizer_get_current_allocated_bytes() < r->memory + MEMORY_MAX);
}

/* `by app`: the peer hears what the app says, in order, and nothing else. Returns what it has heard or is
 * about to. */
static struct span run_guarded(const struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);
	struct span more = buf_span(talk_to_peer(r->t));
	size_t n = r->to_peer.n + more.n;

	REQUIRE(phase == TALK_GUARD || phase == TALK_OWN || phase == TALK_CLEAR ||
		phase == TALK_REFUSED);
	REQUIRE(n <= r->said.n && (n == r->said.n || phase == TALK_GUARD || phase == TALK_REFUSED));
	REQUIRE(!memcmp(r->said.at, r->to_peer.at, r->to_peer.n));
	REQUIRE(!more.n || !memcmp(r->said.at + r->to_peer.n, more.at, more.n));
	return span_of(r->said.at, n);
}

static bool same(const struct stream *a, const struct stream *b)
{
	return a->n == b->n && memcmp(a->at, b->at, a->n) == 0;
}

/* Play an input (n > 0) both ways. What a refused run had already said and heard depends on the cut; nothing
 * else may. */
static void play_twice(const uint8_t *at, size_t n,
		       void (*play)(struct run *r, uint8_t setup, struct span script))
{
	struct run *whole = &runs[0], *single = &runs[1];
	const char *why[2];
	bool refused;

	play(whole, at[0], span_of(at + 1, n - 1));
	play(single, at[0], span_of(at + 1, n - 1));

	why[0] = talk_why(whole->t);
	why[1] = talk_why(single->t);
	refused = talk_phase(whole->t) == TALK_REFUSED;
	REQUIRE(talk_phase(whole->t) == talk_phase(single->t));
	REQUIRE(!why[0] == !why[1] && (!why[0] || strcmp(why[0], why[1]) == 0));
	REQUIRE(same(&whole->to_app, &single->to_app));
	REQUIRE(refused || same(&whole->to_peer, &single->to_peer));
	REQUIRE(refused || same(&whole->clear, &single->clear));
	REQUIRE(refused || same(&whole->said, &single->said));
	talk_free(whole->t);
	talk_free(single->t);
}

#endif
