/* SPDX-License-Identifier: MIT
 * pop3: upgrade before the app has seen anything (RFC 2595 section 4, RFC 2449, RFC 1939).
 *
 *   P +OK mx <1896.697@mx>      held, and given to the app as it came: APOP needs the timestamp
 *   p CAPA
 *   P +OK, STLS, "."            the list is dropped; -ERR: older than CAPA, STLS is tried anyway
 *   p STLS
 *   P +OK                       handshake; then the greeting to the app
 *
 * Surprising: a timestamp from before TLS may be an attacker's (CVE-2007-1558). It does no harm:
 * the app's APOP goes to the true peer inside TLS, which refuses a digest of somebody else's
 * timestamp. */
#include "../proto.h"

enum { WAIT_GREETING, WAIT_CAPA, WAIT_LIST, WAIT_GO }; /* talk_proto.step */
enum { OFFERED = 1 };                                  /* talk_proto.seen */

enum status { STATUS_OK, STATUS_ERR, STATUS_NONE };

/* In any case, and nothing glued to it: "+OKAY" is no +OK (RFC 2449 section 3, status
 * indicators). */
static enum status status_of(struct span line)
{
	struct span word = line_word(&line);

	return span_is_word(word, "+OK")    ? STATUS_OK
	       : span_is_word(word, "-ERR") ? STATUS_ERR
					    : STATUS_NONE;
}

static enum move try_tls(struct talk *t)
{
	talk_proto(t)->step = WAIT_GO;
	talk_say(t, "STLS\r\n"); /* and nothing behind it: CVE-2011-0411 */
	return MOVE_KEEP;
}

static enum move greeted(struct talk *t, enum status status, struct span unit)
{
	if (status == STATUS_ERR) {
		talk_hold(t, unit);
		return move_notls(t, "server refused service before TLS");
	}
	talk_proto(t)->step = WAIT_CAPA;
	talk_say(t, "CAPA\r\n");
	return MOVE_HOLD;
}

/* One line of the list, or the dot behind it (RFC 2449 section 5). */
static enum move listed(struct talk *t, struct span line)
{
	struct talk_proto *p = talk_proto(t);

	if (!line_counts(t))
		return MOVE_BAD;
	if (span_is(line, "."))
		return p->seen & OFFERED ? try_tls(t) : move_notls(t, "server did not offer TLS");
	if (span_is_word(line_word(&line), "STLS"))
		p->seen |= OFFERED;
	return MOVE_KEEP;
}

static enum move replied(struct talk *t, enum status status, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	switch (p->step) {
	case WAIT_GREETING:
		return greeted(t, status, unit);
	case WAIT_CAPA:
		if (status == STATUS_ERR)
			return try_tls(t); /* and not in plaintext: CVE-2021-22946 */
		p->step = WAIT_LIST;
		return MOVE_KEEP;
	case WAIT_GO:
		return status == STATUS_OK ? MOVE_TLS : move_notls(t, "server refused STLS");
	}
	return MOVE_BAD;
}

static enum move peer(struct talk *t, struct span unit)
{
	static const char strange[] = "server sent what is no POP3 reply";
	struct span line = line_text(unit);
	enum status status = status_of(line);

	if (!line_is_text(line))
		return move_bad(t, strange);
	if (talk_proto(t)->step == WAIT_LIST)
		return listed(t, line);
	return status == STATUS_NONE ? move_bad(t, strange) : replied(t, status, unit);
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"CAPA", "STLS", "NOOP", "QUIT", NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* SYS/TEMP: no fault of the user's password, and worth another try (RFC 3206 section 4). */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "-ERR [SYS/TEMP] %s\r\n", why);
}

const struct proto proto_pop3 = {
	.name = "pop3",
	.spec = "RFC 2595 section 4",
	.ports = {110},
	.peer_first = true,
	.frame = frame_lines,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
