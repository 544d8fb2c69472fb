/* SPDX-License-Identifier: MIT
 * talk_words: what a protocol may say, tell, hold and look at. Contracts: proto.h.
 *
 *   talk_say  ─► to_peer      talk_hold ─► greeting ─ talk_release_greeting ─► to_app ◄─ talk_tell
 *
 * Surprising: there is no way from here to what the app has said (`held`) but to look at it. */
#include "talk_local.h"
#include <stdarg.h>
#include <stdio.h>

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
	bool fits = queue(t, &t->to_app, buf_span(&t->greeting));

	buf_free(&t->greeting);
	return fits;
}

struct span talk_said(const struct talk *t)
{
	return buf_span(&t->held);
}
