/* SPDX-License-Identifier: MIT
 * toy: a client-first protocol that exists only in tests, to prove what no shipped protocol
 * exercises yet and to be the newcomer who does everything wrong.
 *
 *   A PING            a PONG      answered by us, as PostgreSQL's GSSENCRequest will be
 *   A anything        p TLS?      the first real unit is held
 *   P YES             handshake; then the held unit inside TLS
 *
 * Units are lines, or {...} of any length.
 *
 * toy-inside goes on inside TLS: it says READY? first, holds the app back until the peer says READY,
 * keeps QUIET to itself, shouts the first letter of all else, and ends at BYE. */
#ifndef STARTTLS_TEST_TOY_H
#define STARTTLS_TEST_TOY_H

#include "proto.h"

static ssize_t toy_frame(struct talk *t, enum side from, struct span in)
{
	const uint8_t *end;

	(void)from;
	if (in.n && *in.at == '!')
		return (ssize_t)in.n + 1; /* miscounts */
	if (!in.n || *in.at != '{')
		return frame_line(t, in);
	end = memchr(in.at, '}', in.n);
	return end ? end - in.at + 1 : 0;
}

static enum move toy_app(struct talk *t, struct span unit)
{
	if (span_starts(unit, "PING")) {
		talk_tell(t, "PONG\r\n");
		return MOVE_KEEP;
	}
	if (talk_proto(t)->code)
		return MOVE_OWN;
	if (span_starts(unit, "OWN")) {
		talk_proto(t)->code = 1;
		talk_tell(t, "GO\r\n");
		return MOVE_KEEP;
	}
	if (span_starts(unit, "PLAIN"))
		return MOVE_NOTLS;
	if (span_starts(unit, "BAD"))
		return MOVE_BAD;
	if (span_starts(unit, "NOW")) { /* TLS without an answer from the peer, as MySQL has it */
		talk_say(t, "TLS!\r\n");
		return MOVE_TLS;
	}
	talk_say(t, "TLS?\r\n");
	return MOVE_HOLD;
}

/* Says, tells or holds more than any queue takes, and reads its unit afterwards: it must still be
 * there. */
static enum move toy_flood(struct talk *t, struct span unit)
{
	bool (*queue)(struct talk *, struct span) = unit.at[5] == 'P'   ? talk_say_bytes
						    : unit.at[5] == 'A' ? talk_tell_bytes
									: talk_hold;

	while (queue(t, unit))
		;
	return unit.at[0] == 'F' ? MOVE_KEEP : MOVE_BAD;
}

static enum move toy_peer(struct talk *t, struct span unit)
{
	static const struct {
		const char *word;
		enum move move;
	} words[] = {
		{"YES", MOVE_TLS},   {"NO", MOVE_NOTLS}, {"WAIT", MOVE_KEEP}, {"HELLO", MOVE_HOLD},
		{"PASS", MOVE_PASS}, {"OWN", MOVE_OWN},  {"DONE", MOVE_DONE},
	};

	if (span_starts(unit, "FLOOD"))
		return toy_flood(t, unit);
	if (span_starts(unit, "GREET")) {
		talk_greet(t, "HELLO from us\r\n");
		return MOVE_KEEP;
	}
	if (span_starts(unit, "LONG")) {
		talk_say(t, "%05000d\r\n", 0);
		return MOVE_KEEP;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (span_starts(unit, words[i].word))
			return words[i].move;
	return MOVE_BAD;
}

static void toy_refuse(struct talk *t, enum cause cause, const char *why)
{
	talk_tell(t, "ERROR %d %s\r\n", (int)cause, why);
}

static const struct proto toy = {
	.name = "toy",
	.spec = "this file",
	.frame = toy_frame,
	.app = toy_app,
	.peer = toy_peer,
	.refuse = toy_refuse,
};

static void toy_begin(struct talk *t)
{
	talk_say(t, "READY?\r\n");
}

static enum move toy_inside(struct talk *t, enum side from, uint8_t *unit, size_t n)
{
	struct talk_proto *p = talk_proto(t);
	struct span s = span_of(unit, n);

	if (span_starts(s, "BAD"))
		return MOVE_BAD;
	if (span_starts(s, "TLS"))
		return MOVE_TLS;
	if (span_starts(s, "FLOOD")) {
		while (talk_say_bytes(t, s))
			;
		return MOVE_KEEP;
	}
	if (from == SIDE_APP && !p->seen)
		return MOVE_HOLD;
	if (span_starts(s, "READY")) {
		p->seen = 1;
		talk_release_greeting(t);
		return MOVE_KEEP;
	}
	if (span_starts(s, "QUIET"))
		return MOVE_KEEP;
	if (*unit >= 'a' && *unit <= 'z')
		*unit = (uint8_t)(*unit - 'a' + 'A');
	return span_starts(s, "BYE") ? MOVE_DONE : MOVE_PASS;
}

static const struct proto toy_that_stays = {
	.name = "toy-inside",
	.spec = "this file",
	.frame = toy_frame,
	.app = toy_app,
	.peer = toy_peer,
	.refuse = toy_refuse,
	.inside_begin = toy_begin,
	.inside = toy_inside,
};

#endif
