/* SPDX-License-Identifier: MIT
 * nut: Network UPS Tools, upgraded before USERNAME and PASSWORD (the NUT network protocol, RFC
 * 9271; lines end in LF).
 *
 *   p STARTTLS                at once: the peer never greets
 *   A USERNAME upsmon         held
 *   P OK STARTTLS             handshake; then what the app said, inside TLS
 *
 * Surprising: NUT's own clients ask for STARTTLS themselves. That goes inside TLS too, is answered
 * ERR ALREADY-SSL-MODE, and they go on without. */
#include "../proto.h"

static void start(struct talk *t)
{
	talk_say(t, "STARTTLS\n"); /* and nothing behind it: CVE-2011-0411 */
}

/* ERR FEATURE-NOT-SUPPORTED, ERR FEATURE-NOT-CONFIGURED, ERR UNKNOWN-COMMAND, … are all a no. */
static enum move peer(struct talk *t, struct span unit)
{
	struct span rest = line_text(unit), line = rest;

	if (span_is(line, "OK STARTTLS"))
		return MOVE_TLS;
	if (line_is_text(line) && span_is(line_word(&rest), "ERR"))
		return move_notls(t, "server refused STARTTLS");
	return move_bad(t, "server sent what is no answer to STARTTLS");
}

static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"STARTTLS", "VER", "NETVER", "HELP", "LOGOUT", NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* An error begins with a known word, and more may follow it. NUT knows no temporary one; its
 * clients try again after each. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "ERR FEATURE-NOT-CONFIGURED %s\n", why);
}

const struct proto proto_nut = {
	.name = "nut",
	.spec = "RFC 9271",
	.ports = {3493},
	.start = start,
	.frame = frame_lines,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
