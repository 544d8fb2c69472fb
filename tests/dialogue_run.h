/* SPDX-License-Identifier: MIT
 * dialogue_run.h: a dialogue is played against a talk, step by step, as conn.c would do it, without I/O.
 *
 *   step "P", "A" ─ in pieces of `cut` bytes ─► talk ─► to_app, to_peer ─ compared ◄─ step "a", "p"
 *
 * What we say leaves only where the script reaches a `p`: so a peer that answers before it was asked can be written down. After
 * every piece it is seen to that no SECRET has left in the clear. */
#ifndef STARTTLS_TEST_DIALOGUE_RUN_H
#define STARTTLS_TEST_DIALOGUE_RUN_H

#include "dialogue.h"
#include "talk.h"

struct run {
	struct dialogue *d;
	struct talk *t;
	struct buf to_app, to_peer; /* what came out */
	struct buf waiting;         /* what the app is still trying to say */
	bool tls_up;
	int line;
	char data_why[256];
};

static const char *shown(struct span s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n + 5 < size && i < 100; i++)
		n += (size_t)snprintf(out + n, size - n,
				      s.at[i] < ' ' || s.at[i] > '~' ? "\\x%02x" : "%c", s.at[i]);
	out[n] = '\0';
	return out;
}

static const char *phase_word(enum talk_phase phase)
{
	static const char *const words[] = {
		[TALK_GUARD] = "guard",
		[TALK_DIALOGUE] = "dialogue",
		[TALK_HANDSHAKE] = "handshake",
		[TALK_INSIDE] = "inside",
		[TALK_OPEN] = "open",
		[TALK_CLEAR] = "clear",
		[TALK_OWN] = "own",
		[TALK_REDIAL] = "redial",
		[TALK_REFUSED] = "refused",
	};

	return words[phase];
}

/* After TLS, in allowed plaintext or in the app's own TLS bytes go past the talk. */
static bool is_through(const struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	return phase == TALK_OPEN || phase == TALK_CLEAR || phase == TALK_OWN;
}

static void take(struct buf *to, struct buf *from)
{
	buf_add(to, buf_span(from));
	buf_drop(from, buf_len(from));
}

/* The rule, seen from outside; holds after every single event. */
static bool is_safe(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);
	struct span said = buf_span(talk_to_peer(r->t));

	if (phase == TALK_CLEAR && r->d->tls_required)
		return fail(r->d, r->line, "plaintext where TLS is required");
	if ((phase == TALK_OPEN || phase == TALK_INSIDE) && !r->tls_up)
		return fail(r->d, r->line, "open without TLS");
	if (phase == TALK_HANDSHAKE && said.n)
		return fail(r->d, r->line, "handshake, and something still to say");
	if (!r->tls_up && phase != TALK_CLEAR && phase != TALK_OWN && said.n &&
	    memmem(said.at, said.n, "SECRET", 6))
		return fail(r->d, r->line, "the app is heard before TLS");
	return true;
}

static void push_app(struct run *r)
{
	while (buf_len(&r->waiting)) {
		size_t n;

		if (is_through(r) && !buf_len(talk_to_peer(r->t))) {
			take(&r->to_peer, &r->waiting);
			return;
		}
		n = talk_from_app(r->t, buf_span(&r->waiting));
		buf_drop(&r->waiting, n);
		if (!n)
			return;
	}
}

static bool push_peer(struct run *r, struct span s)
{
	size_t n = talk_from_peer(r->t, s);

	if (n > s.n ||
	    (n < s.n && (talk_phase(r->t) == TALK_DIALOGUE || talk_phase(r->t) == TALK_INSIDE)))
		return fail(r->d, r->line, "took %zu of %zu bytes", n, s.n);
	if (is_through(r) || talk_phase(r->t) == TALK_GUARD) {
		take(&r->to_app, talk_to_app(r->t));
		buf_add(&r->to_app, span_after(s, n));
	}
	return true;
}

static bool come_in(struct run *r, char op, struct span s, size_t cut)
{
	while (s.n) {
		struct span piece = span_first(s, cut);

		if (op == 'A') {
			buf_add(&r->waiting, piece);
			push_app(r);
		} else if (!push_peer(r, piece)) {
			return false;
		}
		if (!is_safe(r))
			return false;
		s = span_after(s, piece.n);
	}
	return true;
}

static void drain(struct run *r)
{
	take(&r->to_app, talk_to_app(r->t));
	take(&r->to_peer, talk_to_peer(r->t));
	push_app(r);
	take(&r->to_peer, talk_to_peer(r->t));
}

static bool come_out(struct run *r, struct buf *got, struct span want, const char *whom)
{
	struct span head = span_first(buf_span(got), want.n);
	char a[512], b[512];

	if (head.n == want.n && (!want.n || memcmp(head.at, want.at, want.n) == 0)) {
		buf_drop(got, want.n);
		return true;
	}
	return fail(r->d, r->line, "to the %s: expected \"%s\", got \"%s\"", whom,
		    shown(want, a, sizeof(a)), shown(buf_span(got), b, sizeof(b)));
}

static bool is_reason(struct run *r, struct span want)
{
	const char *why = talk_why(r->t);

	if (why && memmem(why, strlen(why), want.at, want.n))
		return true;
	return fail(r->d, r->line, "the reason is \"%s\"", why ? why : "");
}

static bool is_phase(struct run *r, struct span want)
{
	if (span_is(want, phase_word(talk_phase(r->t))))
		return true;
	return fail(r->d, r->line, "phase is %s, because \"%s\"", phase_word(talk_phase(r->t)),
		    talk_why(r->t) ? talk_why(r->t) : "");
}

/* "app 50000": and it is taken, as the engine does. */
static bool is_announced(struct run *r, struct span want)
{
	struct talk_data *data = &talk_proto(r->t)->data;
	char is[32];

	snprintf(is, sizeof(is), "%s %u", data->dialled_by == SIDE_APP ? "app" : "peer",
		 (unsigned)data->port);
	data->port = 0;
	return span_is(want, is) || fail(r->d, r->line, "announced: %s", is);
}

static bool handshake(struct run *r)
{
	if (!is_phase(r, span_text("handshake")))
		return false;
	r->tls_up = true;
	talk_tls_up(r->t);
	return true;
}

static bool do_step(struct run *r, const struct step *step, size_t cut)
{
	struct span s = buf_span(&step->bytes);
	char why[1024];

	r->line = step->line;
	switch (step->op) {
	case 'P':
	case 'A':
		return come_in(r, step->op, s, cut);
	case 'p':
		drain(r);
		return come_out(r, &r->to_peer, s, "peer");
	case 'a':
		take(&r->to_app, talk_to_app(r->t));
		return come_out(r, &r->to_app, s, "app");
	case 'T':
		return handshake(r);
	case 'F':
		snprintf(why, sizeof(why), "%.*s", (int)s.n, (const char *)s.at);
		talk_refuse(r->t, CAUSE_TLS, why);
		return true;
	case 'R':
		snprintf(why, sizeof(why), "%.*s", (int)s.n, (const char *)s.at);
		talk_redialled(r->t, why);
		return true;
	case 'X':
		talk_peer_gone(r->t);
		return true;
	case 'D':
		talk_too_late(r->t, "peer did not answer in time");
		return true;
	case 'E':
		return is_announced(r, s);
	case 'B':
		snprintf(r->data_why, sizeof(r->data_why), "%.*s", (int)s.n, (const char *)s.at);
		talk_proto(r->t)->data.why = r->data_why;
		return true;
	case 'w':
		return is_reason(r, s);
	default:
		return is_phase(r, s);
	}
}

static struct run run_new(struct dialogue *d)
{
	static const uint8_t peer[] = {192, 0, 2, 7};
	struct talk_setup setup = {.proto = d->proto,
				   .tls_required = d->tls_required,
				   .by_app = d->by_app,
				   .self = "[192.0.2.1]",
				   .host = "mx.example"};
	struct run r = {.d = d};

	for (size_t i = 0; i < sizeof(setup.nonce); i++)
		setup.nonce[i] = (uint8_t)i; /* so an IMAP tag is 000102… */
	r.t = talk_new(&setup);
	talk_proto(r.t)->peer_v4 = peer;
	r.to_app.max = r.to_peer.max = r.waiting.max = GOT_MAX;
	return r;
}

static void run_free(struct run *r)
{
	buf_free(&r->to_app);
	buf_free(&r->to_peer);
	buf_free(&r->waiting);
	talk_free(r->t);
}

#endif
