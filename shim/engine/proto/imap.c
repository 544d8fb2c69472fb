/* SPDX-License-Identifier: MIT
 * imap: upgrade before the app has seen anything (RFC 9051 sections 6.2.1 and 11.1, RFC 3501
 * section 6.2.1).
 *
 *   P * OK [CAPABILITY …] mx    held; what the app says is held too
 *   p 3f… CAPABILITY            asked even when the greeting listed it: one way is enough
 *   P * CAPABILITY … STARTTLS   and everything else untagged: dropped
 *   P 3f… OK
 *   p a9… STARTTLS
 *   P a9… OK                    handshake; then "* OK ready" of our own to the app
 *
 * Surprising: the app never sees the peer's greeting when TLS is up, because it may carry
 * capabilities, alerts and referrals that an attacker wrote (RFC 9051 section 6.2.1: discard). Both
 * tags are random: with a predictable one the agreement can be sent before the question
 * (CVE-2026-42246). Only in plaintext by leave of the policy is the greeting the peer's own. */
#include "../proto.h"

enum { WAIT_GREETING, WAIT_OFFER, WAIT_GO }; /* talk_proto.step */
enum { OFFERED = 1 };                        /* talk_proto.seen */
/* Random bytes and hex digits of a tag. */
enum { TAG_BYTES = TALK_NONCE / 2, TAG_MAX = TAG_BYTES * 2 };

static const char strange[] = "server sent what is no IMAP response";
static const char no_service[] = "server refused service before TLS";

/* Each command has its own half of the nonce. */
static struct span tag(struct talk *t, char text[TAG_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *half =
		talk_proto(t)->nonce + (talk_proto(t)->step == WAIT_GO ? TAG_BYTES : 0);

	for (size_t i = 0; i < TAG_BYTES; i++) {
		text[2 * i] = digits[half[i] >> 4];
		text[2 * i + 1] = digits[half[i] & 15];
	}
	return span_of(text, TAG_MAX);
}

static void ask(struct talk *t, int step, const char *command)
{
	char text[TAG_MAX];

	talk_proto(t)->step = step;
	talk_proto(t)->units = 0;
	tag(t, text);
	talk_say(t, "%.*s %s\r\n", TAG_MAX, text,
		 command); /* and nothing behind it: CVE-2011-0411 */
}

static enum move greeted(struct talk *t, struct span line)
{
	struct span mark = line_word(&line), status = line_word(&line);

	if (!span_is(mark, "*"))
		return move_bad(t, strange); /* CVE-2020-28896: believed, and login went on */
	if (span_is_word(status, "OK")) {
		ask(t, WAIT_OFFER, "CAPABILITY");
		return MOVE_HOLD;
	}
	/* STARTTLS is for the state before authentication only, so this session can never be
	 * protected: CVE-2014-2567, CVE-2020-12398, CVE-2020-14093. */
	if (span_is_word(status, "PREAUTH"))
		return move_notls(t, "server says that we are logged in already (PREAUTH), which "
				     "rules STARTTLS out");
	if (span_is_word(status, "BYE"))
		return move_notls(t, no_service);
	return move_bad(t, strange);
}

/* The keyword is a whole word, in any case. */
static void note_offer(struct talk *t, struct span words)
{
	while (words.n)
		if (span_is_word(line_word(&words), "STARTTLS"))
			talk_proto(t)->seen |= OFFERED;
}

static enum move untagged(struct talk *t, struct span line)
{
	struct span word = line_word(&line);

	if (!line_counts(t))
		return MOVE_BAD;
	if (span_is_word(word, "BYE"))
		return move_notls(t, no_service);
	if (span_is_word(word, "CAPABILITY") && talk_proto(t)->step == WAIT_OFFER)
		note_offer(t, line);
	return MOVE_KEEP; /* CVE-2020-14954 and kin: believed after TLS */
}

static enum move offered(struct talk *t, bool ok)
{
	if (!ok)
		return move_notls(t, "server refused CAPABILITY");
	if (!(talk_proto(t)->seen & OFFERED))
		return move_notls(t, "server did not offer TLS");
	ask(t, WAIT_GO, "STARTTLS");
	return MOVE_KEEP;
}

static enum move agreed(struct talk *t, bool ok)
{
	if (!ok)
		return move_notls(t, "server refused STARTTLS");
	talk_greet(t, "* OK ready\r\n");
	return MOVE_TLS;
}

/* Tags are compared exactly, status words in any case; only OK is an agreement (CVE-2021-32066). */
static enum move tagged(struct talk *t, struct span mark, struct span line)
{
	char text[TAG_MAX];
	struct span own = tag(t, text), status = line_word(&line);
	bool ok = span_is_word(status, "OK");

	if (mark.n != own.n || memcmp(mark.at, own.at, own.n) != 0)
		return move_bad(t, "server answered a command that we did not send");
	if (!ok && !span_is_word(status, "NO") && !span_is_word(status, "BAD"))
		return move_bad(t, strange);
	return talk_proto(t)->step == WAIT_GO ? agreed(t, ok) : offered(t, ok);
}

static enum move answered(struct talk *t, struct span line)
{
	struct span mark = line_word(&line);

	return span_is(mark, "*") ? untagged(t, line) : tagged(t, mark, line);
}

static enum move peer(struct talk *t, struct span unit)
{
	struct span line = line_text(unit);
	enum move move;

	if (!line_is_text(line))
		return move_bad(t, strange);
	if (line_has_literal(line))
		return move_bad(t, "server sent a literal before TLS");
	move = talk_proto(t)->step == WAIT_GREETING ? greeted(t, line) : answered(t, line);
	if (move == MOVE_NOTLS && *line.at == '*')
		talk_hold(t, unit); /* in plaintext the app reads PREAUTH and BYE itself */
	return move;
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"? CAPABILITY", "? STARTTLS", "? NOOP", "? LOGOUT",
					    NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* BYE instead of a greeting, or at any time; an ALERT must be shown to the user (RFC 9051 sections
 * 7.1 and 7.1.5). */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "* BYE [ALERT] %s\r\n", why);
}

const struct proto proto_imap = {
	.name = "imap",
	.spec = "RFC 9051 section 6.2.1",
	.ports = {143},
	.peer_first = true,
	.frame = frame_lines,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
