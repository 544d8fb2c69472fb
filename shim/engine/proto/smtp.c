/* SPDX-License-Identifier: MIT
 * smtp: upgrade before the app has seen anything (RFC 3207, RFC 5321); lmtp is the same with LHLO
 * (RFC 2033 section 4.1).
 *
 *   P 220 mx ESMTP           held for the app; what the app says is held too, whenever it says it
 *   p EHLO [192.0.2.1]       our own
 *   P 250-mx, 250 STARTTLS   never shown: all of it is discarded (RFC 3207 section 4.2)
 *   p STARTTLS
 *   P 220 go                 handshake; then the greeting to the app, its EHLO or HELO inside TLS
 *
 * Surprising: a greeting that refuses service (421, 554) is not passed on but put to the policy.
 * Where TLS is required the app is told our own 421: an attacker's 554 must not bounce its mail. */
#include "../proto.h"

enum { WAIT_GREETING, WAIT_OFFER, WAIT_GO }; /* talk_proto.step */
enum { OFFERED = 1 };                        /* talk_proto.seen */

/* How SMTP and LMTP differ. */
struct hello {
	const char *verb, *refused;
};

struct line {
	int code;
	bool last;        /* of its reply */
	struct span text; /* behind the separator, without the line's end */
};

/* RFC 5321 section 4.2: three digits, the first of them 2 to 5, and then SP, "-" or the end of the
 * line; no control characters in the text (textstring). */
static bool parse(struct span unit, struct line *line)
{
	struct span s = line_text(unit);

	line->code = line_code(s);
	if (line->code < 200)
		return false;
	line->last = s.n == 3 || s.at[3] == ' ';
	line->text = span_after(s, s.n > 3 ? 4 : 3);
	return line_is_text(line->text);
}

/* The lines of one reply carry one code (RFC 5321 section 4.2.1) and have an end. */
static bool goes_on(struct talk *t, const struct line *line)
{
	struct talk_proto *p = talk_proto(t);

	if (p->units && p->code != line->code) {
		p->why = "server changed the code within one reply";
		return false;
	}
	p->code = line->code;
	if (!line_counts(t))
		return false;
	if (line->last)
		p->units = 0;
	return true;
}

/* The keyword is the whole first word, in any case (RFC 5321 section 4.1.1.1): neither "X-STARTTLS"
 * nor "STARTTLSX". Looked for in the first line too, where strictly only a domain stands: to try
 * TLS once too often does no harm. */
static bool offers_tls(const struct line *line)
{
	struct span text = line->text;

	return span_is_word(line_word(&text), "STARTTLS");
}

static enum move greeted(struct talk *t, const struct line *line, struct span unit,
			 const struct hello *hello)
{
	struct talk_proto *p = talk_proto(t);

	if (!line->last)
		return MOVE_HOLD;
	if (line->code != 220) {
		talk_hold(t, unit);
		return move_notls(t, "server refused service before TLS");
	}
	p->step = WAIT_OFFER;
	talk_say(t, "%s %s\r\n", hello->verb, p->self);
	return MOVE_HOLD;
}

static enum move offered(struct talk *t, const struct line *line, const struct hello *hello)
{
	struct talk_proto *p = talk_proto(t);

	if (offers_tls(line))
		p->seen |= OFFERED;
	if (!line->last)
		return MOVE_KEEP;
	if (line->code != 250)
		return move_notls(t, hello->refused);
	if (!(p->seen & OFFERED))
		return move_notls(t, "server did not offer TLS");
	p->step = WAIT_GO;
	talk_say(t, "STARTTLS\r\n"); /* and nothing behind it: CVE-2011-0411 */
	return MOVE_KEEP;
}

/* Only 220 starts TLS (RFC 3207 section 4, CVE-2016-0772): no other 2xx, and no 354. */
static enum move agreed(struct talk *t, const struct line *line)
{
	if (!line->last)
		return MOVE_KEEP;
	return line->code == 220 ? MOVE_TLS : move_notls(t, "server refused STARTTLS");
}

static enum move peer(struct talk *t, struct span unit, const struct hello *hello)
{
	struct talk_proto *p = talk_proto(t);
	struct line line;

	if (!parse(unit, &line)) {
		p->why = "server sent what is no SMTP reply"; /* CVE-2020-28896: believed, and login
							       * went on */
		return MOVE_BAD;
	}
	if (!goes_on(t, &line))
		return MOVE_BAD;
	switch (p->step) {
	case WAIT_GREETING:
		return greeted(t, &line, unit, hello);
	case WAIT_OFFER:
		return offered(t, &line, hello);
	case WAIT_GO:
		return agreed(t, &line);
	}
	return MOVE_BAD;
}

static enum move smtp_peer(struct talk *t, struct span unit)
{
	return peer(t, unit, &(struct hello){"EHLO", "server refused EHLO"});
}

static enum move lmtp_peer(struct talk *t, struct span unit)
{
	return peer(t, unit, &(struct hello){"LHLO", "server refused LHLO"});
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"EHLO ?", "HELO ?", "LHLO ?", "STARTTLS", "NOOP",
					    "RSET",   "HELP",   "QUIT",   NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* 421 answers anything at any time and defers the mail (RFC 5321 sections 3.8 and 4.2.2); a 5yz
 * would bounce it. The status codes of RFC 3463 are those Postfix uses: 4.7.4 security features not
 * supported, 4.7.5 cryptographic failure. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	static const char *const status[] = {
		[CAUSE_OTHER] = "4.7.0",
		[CAUSE_NOT_OFFERED] = "4.7.4",
		[CAUSE_TLS] = "4.7.5",
		[CAUSE_POLICY] = "4.7.0",
	};

	talk_tell(t, "421 %s %s\r\n", status[cause], why);
}

const struct proto proto_smtp = {
	.name = "smtp",
	.spec = "RFC 3207 section 4",
	.ports = {25, 587},
	.peer_first = true,
	.frame = frame_lines,
	.peer = smtp_peer,
	.harmless = harmless,
	.refuse = refuse,
};

const struct proto proto_lmtp = {
	.name = "lmtp",
	.spec = "RFC 2033 section 4.1, RFC 3207 section 4",
	.ports = {24},
	.peer_first = true,
	.frame = frame_lines,
	.peer = lmtp_peer,
	.harmless = harmless,
	.refuse = refuse,
};
