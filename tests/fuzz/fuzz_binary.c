/* SPDX-License-Identifier: MIT
 * fuzz_binary: as fuzz_talk (play.h), for the protocols whose units are counted: hostile lengths, numbers
 * and elements from both sides, before TLS and inside it.
 *
 * Before TLS the peer may hear one thing, and it is known to the byte: our request. That is checked by
 * building it a second time, here. Under `by app` it is the app's own request, any number of times, and
 * goodbye. */
#include "play.h"

#define BYTES(text) \
	{ \
		sizeof(text) - 1, text \
	}

/* Units that mean well, or nearly: to get deep without guessing. By protocol, the peer's and the app's in turn. */
static const struct {
	size_t n;
	const char *at;
} units[][16] = {
	{
		BYTES("\x30\x0f\2\4\x7f\xff\xff\xf0\x78\7\x0a\1\0\4\0\4\0"), /* success */
		BYTES("\x30\x14\2\1\1\x60\x0f\2\1\3\4\2cn\x80\6SECRET"),     /* bind */
		BYTES("\x30\x0f\2\4\x7f\xff\xff\xf0\x78\7\x0a\1\2\4\0\4\0"), /* refused */
		BYTES("\x30\x1d\2\1\1\x77\x18\x80\x16"
		      "1.3.6.1.4.1.1466.20037"),
		BYTES("\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0"), /* to the app's own StartTLS */
		BYTES("\x16\3\1\0\5\1"),
		BYTES("\x30\x84\0\0\0\x1b\2\4\x7f\xff\xff\xf0\x78\x84\0\0\0\x0f\x0a\1\0\4\0\4\0\x8a"
		      "\0\x8b\0\4\0"),
		BYTES("\x30\5\2\1\1\x42\0"),
	},
	{
		BYTES("S"),
		BYTES("\0\0\0\x0e\0\3\0\0SECRET"),
		BYTES("N"),
		BYTES("\0\0\0\x08\x04\xd2\x16\x2f"),
		BYTES("E"),
		BYTES("\0\0\0\x08\x04\xd2\x16\x30"),
		BYTES("R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
		BYTES("\x16\3\1\0\5\1"),
		BYTES("v\0\0\0\x0c\0\3\0\0\0\0\0\0"),
		BYTES("\0\0\0\x10\x04\xd2\x16\x2eSECRET12"),
		BYTES("R\0\0\0\x08\0\0\0\0"),
		BYTES("p\0\0\0\x0aSECRET"),
	},
	{
		BYTES("\x16\0\0\0\x0a"
		      "5.5\0\1\0\0\0saltsalt\0\xff\xff"),
		BYTES("\x21\0\0\1\x85\xa6\x3f\x20SECRETSECRETSECRETSECRETSECRE"),
		BYTES("\x16\0\0\0\x0a"
		      "5.5\0\1\0\0\0saltsalt\0\xff\xf7"),
		BYTES("\7\0\0\3SECRET1"),
		BYTES("\7\0\0\3\0\0\0\2\0\0\0"),
		BYTES("\0\0\0\5"),
		BYTES("\4\0\0\3\xfe"
		      "a\0b"),
		BYTES("\7\0\0\0\3SECRET"),
		BYTES("\2\0\0\5\1\4"),
		BYTES("\x20\0\0\1\x85\xae\x3f\x20\0\0\0\1\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		      "\0\0\0\0"),
		BYTES("\7\0\0\0\xff\x15\4#2800"),
		BYTES("\1\0\0\0\1"),
		BYTES("\x01\0\0\0\xff"),
		BYTES("\x16\3\1\0\5\1"),
	},
};

static bool is_before(const struct run *r)
{
	return talk_phase(r->t) == TALK_DIALOGUE || talk_phase(r->t) == TALK_HANDSHAKE;
}

static bool begins(struct span s, const void *with, size_t n)
{
	return memcmp(s.at, with, n < s.n ? n : s.n) == 0;
}

/* Is `s` the beginning of our request, and no more than it? */
static bool is_request(const struct run *r, struct span s)
{
	static const char start_tls[] = "\x77\x18\x80\x16"
					"1.3.6.1.4.1.1466.20037";
	uint8_t bytes[64] = {32, 0, 0, 1};

	if (!s.n)
		return true;
	if (strcmp(r->proto->name, "pgsql") == 0)
		return s.n <= 8 && begins(s, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
	if (strcmp(r->proto->name, "mysql") == 0) {
		REQUIRE(r->said.n >= 36);
		memcpy(bytes + 4, r->said.at + 4, 32);
		REQUIRE(!(bytes[5] & 8));
		bytes[5] |= 8;
		return s.n <= 36 && begins(s, bytes, 36);
	}
	/* ldap: with an id of one to five bytes */
	if (s.n < 4 || s.at[0] != 0x30 || s.at[2] != 2 || s.at[3] < 1 || s.at[3] > 5)
		return false;
	s = span_after(s, 4);
	return s.n >= 1 && s.n == (size_t)s.at[-1] + 26 &&
	       begins(span_after(s, s.at[-1]), start_tls, 26);
}

/* One element of BER off the front of s. */
static bool element(struct span *s, uint8_t tag, struct span *value)
{
	size_t n = s->n > 1 ? s->at[1] : 0, head = 2;

	if (s->n < 2 || s->at[0] != tag)
		return false;
	if (n & 0x80) {
		head += n & 0x7f;
		if (s->n < head)
			return false;
		n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | s->at[i];
	}
	if (n > s->n - head)
		return false;
	*value = span_first(span_after(*s, head), n);
	*s = span_after(*s, head + n);
	return true;
}

/* Length of the StartTLS or unbind at the front of s, with nothing in it that could say more; or 0. */
static size_t harmless_ldap(struct span s)
{
	struct span all = s, message, value, name;

	if (!element(&s, 0x30, &message) || !element(&message, 2, &value))
		return 0;
	if (element(&message, 0x42, &value))
		return !value.n && !message.n ? all.n - s.n : 0;
	if (!element(&message, 0x77, &value) || message.n || !element(&value, 0x80, &name) ||
	    value.n)
		return 0;
	return span_is(name, "1.3.6.1.4.1.1466.20037") ? all.n - s.n : 0;
}

/* Length of what `by app` lets through and is at the front of s; 0: nothing is. */
static size_t harmless_length(const struct run *r, struct span s)
{
	static const char ssl[] = "\0\0\0\x08\x04\xd2\x16\x2f",
			  gss[] = "\0\0\0\x08\x04\xd2\x16\x30";

	if (strcmp(r->proto->name, "pgsql") == 0)
		return s.n >= 8 && (!memcmp(s.at, ssl, 8) || !memcmp(s.at, gss, 8)) ? 8 : 0;
	if (strcmp(r->proto->name, "ldap") == 0)
		return harmless_ldap(s);
	if (strcmp(r->proto->name, "mysql") != 0)
		return 0;
	if (s.n >= 5 && !memcmp(s.at, "\1\0\0\0\1", 5))
		return 5;
	return s.n >= 36 && !memcmp(s.at, "\x20\0\0\1", 4) && s.at[5] & 8 ? 36 : 0;
}

/* `by app`: before its ClientHello the app says what is harmless. */
static void check_guarded(struct run *r)
{
	struct span all = run_guarded(r);

	while (talk_phase(r->t) != TALK_CLEAR && all.n && !begins(all, "\x16\3", 2)) {
		size_t n = harmless_length(r, all);

		REQUIRE(n);
		all = span_after(all, n);
	}
}

/* What leaves while TLS is not up is kept apart, for it must be our request and nothing else. */
static void drain_to_peer(struct run *r)
{
	drain(is_before(r) ? &r->clear : &r->to_peer, talk_to_peer(r->t));
	REQUIRE(is_request(r, span_of(r->clear.at, r->clear.n)));
}

static void check(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	run_check(r);
	if (r->by_app)
		check_guarded(r);
	REQUIRE(phase != TALK_OWN || memchr(r->said.at, 22, r->said.n));
	if (is_before(r))
		REQUIRE(is_request(r, buf_span(talk_to_peer(r->t))));
	if (phase == TALK_REFUSED)
		REQUIRE(r->to_app.n || memmem(buf_span(talk_to_app(r->t)).at,
					      buf_len(talk_to_app(r->t)), "libstarttls: ", 13));
}

/* The talk is over, and what comes goes past it. */
static bool is_through(const struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	return phase == TALK_OPEN || phase == TALK_CLEAR || phase == TALK_OWN;
}

/* To the talk as long as it wants it, in pieces. What it does not want any more is the app's. */
static void from(struct run *r, enum side side, struct span s)
{
	size_t step = r->single ? 1 : s.n;

	while (s.n) {
		size_t n = side == SIDE_PEER ? talk_from_peer(r->t, span_first(s, step))
					     : talk_from_app(r->t, span_first(s, step));

		REQUIRE(n <= step);
		if (!n) {
			if (side == SIDE_PEER && is_through(r)) {
				drain(&r->to_app, talk_to_app(r->t));
				append(&r->to_app, s);
			}
			return;
		}
		if (side == SIDE_APP)
			append(&r->said, span_first(s, n));
		s = span_after(s, n);
	}
}

static void unit(struct run *r, enum side side, size_t which)
{
	size_t row = strcmp(r->proto->name, "pgsql") == 0   ? 1
		     : strcmp(r->proto->name, "mysql") == 0 ? 2
							    : 0;
	size_t i = (which * 2 + (side == SIDE_APP)) % 16;

	from(r, side, span_of(units[row][i].at, units[row][i].n));
}

static void event(struct run *r, uint8_t what, struct span s)
{
	switch (what % 16) {
	case 0:
	case 1:
		from(r, SIDE_PEER, s);
		break;
	case 2:
	case 3:
		from(r, SIDE_APP, s);
		break;
	case 4:
		r->tls_up |= talk_phase(r->t) == TALK_HANDSHAKE;
		talk_tls_up(r->t);
		break;
	case 5:
		talk_peer_gone(r->t);
		break;
	case 6:
		talk_refuse(r->t, CAUSE_TLS, "a reason");
		break;
	case 7:
		talk_redialled(r->t, "handshake failed");
		break;
	case 8:
		drain(&r->to_app, talk_to_app(r->t));
		break;
	case 9:
	case 10:
		drain_to_peer(r);
		break;
	case 11:
	case 12:
		unit(r, SIDE_APP, s.n);
		break;
	default:
		unit(r, SIDE_PEER, s.n);
		break;
	}
	check(r);
	if (what & 0x80)
		drain_to_peer(r);
}

/* Whole and in order, but for what was asked by the app and answered by us. MySQL's numbers are changed, no lengths. */
static void check_order(const struct run *r)
{
	struct span said = span_of(r->said.at, r->said.n),
		    heard = span_of(r->to_peer.at, r->to_peer.n);

	if (talk_phase(r->t) != TALK_OPEN && talk_phase(r->t) != TALK_INSIDE)
		return;
	if (strcmp(r->proto->name, "mysql") == 0) {
		REQUIRE(heard.n <= said.n &&
			(talk_phase(r->t) == TALK_INSIDE || heard.n == said.n));
		return;
	}
	if (strcmp(r->proto->name, "pgsql") == 0 && said.n >= 8 &&
	    !memcmp(said.at, "\0\0\0\x08\x04\xd2\x16\x30", 8))
		said = span_after(said, 8);
	REQUIRE(heard.n == said.n && (!said.n || memcmp(heard.at, said.at, said.n) == 0));
}

static void play(struct run *r, uint8_t setup, struct span in)
{
	static const char *const names[] = {"ldap", "pgsql", "mysql", "ldaps"};

	r->proto = proto_named(names[(setup >> 1) % 4]);
	run_begin(r, setup);
	run_events(r, in, event);
	drain_to_peer(r);
	drain(&r->to_app, talk_to_app(r->t));
	check_order(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	if (n)
		play_twice(at, n, play);
	return 0;
}
