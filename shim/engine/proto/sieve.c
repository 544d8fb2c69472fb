/* SPDX-License-Identifier: MIT
 * sieve: ManageSieve, upgraded before the app has seen anything (RFC 5804 sections 1.7 and 2.2).
 *
 *   P "SASL" "", "STARTTLS", OK     the greeting is a capability list: held
 *   p STARTTLS
 *   P OK                            handshake, and the held list is forgotten
 *   P "SASL" "PLAIN", OK            inside TLS, unasked: this is the greeting the app sees
 *
 * Surprising: nothing is given to the app when TLS comes up. The peer must send its capabilities once more,
 * and they differ ("SASL" is empty before TLS). A Cyrus timsieved of before 2009 does not: with it an app that waits
 * for the greeting waits in vain. */
#include "../proto.h"

enum { WAIT_LIST, WAIT_GO }; /* talk_proto.step */
enum { OFFERED = 1 };        /* talk_proto.seen */

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

static enum move peer(struct talk *t, struct span unit)
{
	struct span line = line_text(unit), rest = line, word = line_word(&rest);

	if (!line_is_text(line))
		return move_bad(t, strange);
	if (line_has_literal(line))
		return move_bad(t, "server sent a literal before TLS");
	return talk_proto(t)->step == WAIT_GO ? agreed(t, word, unit) : listed(t, word, unit);
}

/* The reason is a quoted string: '"' and '\' are escaped (RFC 5804 section 4). TRYLATER: the same command
 * may succeed later (section 1.3). */
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
	.frame = frame_lines,
	.peer = peer,
	.refuse = refuse,
};
