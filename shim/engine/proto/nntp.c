/* SPDX-License-Identifier: MIT
 * nntp: upgrade before the app has seen anything (RFC 4642 section 2.2, RFC 8143, RFC 3977).
 *
 *   P 200 news                 held for the app (201: no posting)
 *   p CAPABILITIES
 *   P 101, STARTTLS, "."       dropped; an error: older than RFC 3977, STARTTLS is tried anyway
 *   p STARTTLS
 *   P 382                      handshake; then the greeting to the app
 *
 * Surprising: a server that only passes news on (INN's innd) hands readers over to another program
 * that may know TLS. So when STARTTLS is missing and MODE-READER is listed, MODE READER is sent and
 * the question put again (RFC 3977 section 5.3). That mode outlives STARTTLS, and an app that sends
 * MODE READER once more is answered as before. */
#include "../proto.h"

enum { WAIT_GREETING, WAIT_CAPABILITIES, WAIT_LIST, WAIT_READER, WAIT_GO }; /* talk_proto.step */
enum { OFFERED = 1, HAS_READER = 2, ASKED_READER = 4 };                     /* talk_proto.seen */

static enum move say(struct talk *t, int step, const char *command)
{
	talk_proto(t)->step = step;
	talk_say(t, "%s\r\n", command); /* and nothing behind it: CVE-2011-0411 */
	return MOVE_KEEP;
}

static bool is_welcome(int code)
{
	return code == 200 || code == 201;
}

static enum move greeted(struct talk *t, int code, struct span unit)
{
	talk_hold(t, unit);
	if (is_welcome(code))
		return say(t, WAIT_CAPABILITIES, "CAPABILITIES");
	return move_notls(t, "server refused service before TLS");
}

static enum move list_ends(struct talk *t)
{
	struct talk_proto *p = talk_proto(t);

	if (p->seen & OFFERED)
		return say(t, WAIT_GO, "STARTTLS");
	if ((p->seen & (HAS_READER | ASKED_READER)) != HAS_READER)
		return move_notls(t, "server did not offer TLS");
	p->seen |= ASKED_READER;
	return say(t, WAIT_READER, "MODE READER");
}

/* One line of the list, or the dot behind it (RFC 3977 section 5.2). */
static enum move listed(struct talk *t, struct span line)
{
	struct span word = line_word(&line);

	if (!line_counts(t))
		return MOVE_BAD;
	if (span_is(word, ".") && !line.n)
		return list_ends(t);
	if (span_is_word(word, "STARTTLS"))
		talk_proto(t)->seen |= OFFERED;
	if (span_is_word(word, "MODE-READER"))
		talk_proto(t)->seen |= HAS_READER;
	return MOVE_KEEP;
}

static enum move replied(struct talk *t, int code, struct span unit)
{
	switch (talk_proto(t)->step) {
	case WAIT_GREETING:
		return greeted(t, code, unit);
	case WAIT_CAPABILITIES:
		if (code != 101)
			return say(t, WAIT_GO, "STARTTLS");
		talk_proto(t)->step = WAIT_LIST;
		return MOVE_KEEP;
	case WAIT_READER:
		return is_welcome(code)
			       ? say(t, WAIT_CAPABILITIES, "CAPABILITIES")
			       : move_notls(t, "server refused MODE READER, and did not offer TLS");
	case WAIT_GO: /* 502, 580: no (RFC 4642 section 2.2.1) */
		return code == 382 ? MOVE_TLS : move_notls(t, "server refused STARTTLS");
	}
	return MOVE_BAD;
}

static enum move peer(struct talk *t, struct span unit)
{
	static const char strange[] = "server sent what is no NNTP response";
	struct span line = line_text(unit);
	int code = line_code(line);

	if (!line_is_text(line))
		return move_bad(t, strange);
	if (talk_proto(t)->step == WAIT_LIST)
		return listed(t, line);
	return code < 0 ? move_bad(t, strange) : replied(t, code, unit);
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {
		"CAPABILITIES", "CAPABILITIES ?", "MODE READER", "STARTTLS",
		"DATE",         "HELP",           "QUIT",        NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* 400 answers anything, the connection included, and is temporary (RFC 3977 sections 3.2.1 and
 * 5.1.1). */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "400 %s\r\n", why);
}

const struct proto proto_nntp = {
	.name = "nntp",
	.spec = "RFC 4642 section 2.2",
	.ports = {119},
	.peer_first = true,
	.frame = frame_lines,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
