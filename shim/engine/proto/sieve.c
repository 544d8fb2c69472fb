/* SPDX-License-Identifier: MIT
 * sieve: ManageSieve, upgraded before the app has seen anything (RFC 5804 sections 1.7 and 2.2).
 *
 *   P "SASL" "", "STARTTLS", OK     the greeting is a capability list: held
 *   p STARTTLS
 *   P OK                            handshake, and the held list is forgotten
 *   P "SASL" "PLAIN", OK            inside TLS, unasked: this is the greeting the app sees
 *
 * Surprising: nothing is given to the app when TLS comes up. The peer must send its capabilities
 * once more, and they differ ("SASL" is empty before TLS). Servers of before the RFC may not (Cyrus
 * timsieved until 2009), and an app that waits for its greeting would wait in vain. They are known
 * by the missing "VERSION" (section 1.7), so there we ask, and let an answer that is no list say
 * where the answers to us end, however many lists there are:
 *
 *   p CAPABILITY, NOOP
 *   P "SASL" "PLAIN", OK            once, or twice: the app gets the first
 *   P NO                            or OK: to the NOOP, which such servers need not know */
#include "../proto.h"

enum { WAIT_LIST, WAIT_GO, WAIT_SYNC, READY }; /* talk_proto.step */
/* talk_proto.seen; the last two: inside TLS. */
enum { OFFERED = 1, HAS_VERSION = 2, LISTING = 4, LISTED = 8 };

static const char strange[] = "server sent what is no ManageSieve response";

static enum move no_service(struct talk *t, struct span unit)
{
	talk_hold(t, unit);
	return move_notls(t, "server refused service before TLS");
}

static enum move listed(struct talk *t, struct span word, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	if (!line_counts(t))
		return MOVE_BAD;
	if (word.n && *word.at == '"') {
		if (span_is_word(word, "\"STARTTLS\""))
			p->seen |= OFFERED;
		if (span_is_word(word, "\"VERSION\""))
			p->seen |= HAS_VERSION;
		return MOVE_HOLD;
	}
	if (span_is_word(word, "NO") || span_is_word(word, "BYE"))
		return no_service(t, unit);
	if (!span_is_word(word, "OK"))
		return move_bad(t, strange);
	if (!(p->seen & OFFERED)) {
		talk_hold(t, unit);
		return move_notls(t, "server did not offer TLS");
	}
	p->step = WAIT_GO;
	talk_say(t, "STARTTLS\r\n"); /* and nothing behind it: CVE-2011-0411 */
	return MOVE_HOLD;
}

static enum move agreed(struct talk *t, struct span word, struct span unit)
{
	if (span_is_word(word, "OK")) {
		talk_greet(t, ""); /* RFC 5804 section 2.2: discard what was learnt before */
		return MOVE_TLS;
	}
	if (span_is_word(word, "BYE"))
		return no_service(t, unit);
	if (span_is_word(word, "NO"))
		return move_notls(t, "server refused STARTTLS");
	return move_bad(t, strange);
}

/* What we asked for inside TLS, up to the answer to NOOP. */
static enum move synchronised(struct talk *t, struct span word, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	bool first = !(p->seen & LISTED);

	if (!line_counts(t))
		return MOVE_BAD;
	if (word.n && *word.at == '"') {
		p->seen |= LISTING;
	} else if (span_is_word(word, "OK") && p->seen & LISTING) {
		p->seen = (p->seen & ~(unsigned)LISTING) | LISTED;
	} else if (span_is_word(word, "OK") || span_is_word(word, "NO")) {
		if (first || p->seen & LISTING)
			return move_bad(t, "server did not list its capabilities inside TLS");
		p->step = READY;
		p->waiting = false;
		talk_release_greeting(t);
		return MOVE_KEEP;
	} else {
		return move_bad(t, span_is_word(word, "BYE") ? "server refused service inside TLS"
							     : strange);
	}
	if (first)
		talk_hold(t, unit);
	return MOVE_KEEP;
}

static enum move peer(struct talk *t, struct span unit)
{
	struct span line = line_text(unit), rest = line, word = line_word(&rest);

	if (!line_is_text(line))
		return move_bad(t, strange);
	if (line_has_literal(line))
		return move_bad(t, "server sent a literal where none is needed");
	switch (talk_proto(t)->step) {
	case WAIT_LIST:
		return listed(t, word, unit);
	case WAIT_GO:
		return agreed(t, word, unit);
	}
	return synchronised(t, word, unit);
}

/* Once there is nothing to ask for, all that is said is one unit, whatever it is. */
static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	int step = talk_proto(t)->step;

	if (step == READY || (step == WAIT_SYNC && from == SIDE_APP))
		return (ssize_t)in.n;
	return frame_line(t, in);
}

static void inside_begin(struct talk *t)
{
	struct talk_proto *p = talk_proto(t);

	p->step = READY;
	if (p->seen & HAS_VERSION)
		return;
	p->step = WAIT_SYNC;
	p->units = 0;
	p->waiting = true;
	talk_say(t, "CAPABILITY\r\nNOOP\r\n");
}

static enum move inside(struct talk *t, enum side from, uint8_t *at, size_t n)
{
	if (talk_proto(t)->step == READY)
		return MOVE_DONE;
	return from == SIDE_APP ? MOVE_HOLD : peer(t, span_of(at, n));
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"CAPABILITY", "STARTTLS", "NOOP", "LOGOUT", NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* The reason is a quoted string: '"' and '\' are escaped (RFC 5804 section 4). TRYLATER: the same
 * command may succeed later (section 1.3). */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "BYE (TRYLATER) \"");
	for (; *why; why++)
		talk_tell(t, *why == '"' || *why == '\\' ? "\\%c" : "%c", *why);
	talk_tell(t, "\"\r\n");
}

const struct proto proto_sieve = {
	.name = "sieve",
	.spec = "RFC 5804 section 2.2",
	.ports = {4190},
	.peer_first = true,
	.frame = frame,
	.peer = peer,
	.inside = inside,
	.inside_begin = inside_begin,
	.harmless = harmless,
	.refuse = refuse,
};
