/* SPDX-License-Identifier: MIT
 * irc: upgrade before registration (the IRCv3 `tls` extension; RFC 2812). The extension is
 * deprecated in favour of TLS from the first byte (`proto tls`), but it is what old servers have.
 *
 *   p STARTTLS                    at once: some apps wait for the peer, most peers wait for the app
 *   A PASS, NICK, USER            held
 *   P :irc NOTICE * :Looking up…  may come at any time, before STARTTLS has left even
 *   P :irc 670 * :go              handshake; then what the app said, inside TLS
 *
 * Surprising: a server that knows no STARTTLS may say so (421, 451), or nothing. Nobody else waits
 * longer than SILENCE for an answer to a word; then the policy decides: under `may` the app goes on
 * in plaintext, with the notices so far. */
#include "../proto.h"

enum { SILENCE = 15 }; /* seconds; servers drop who has not registered after 30 or 60 */

static void start(struct talk *t)
{
	talk_say(t, "STARTTLS\r\n"); /* and nothing behind it: CVE-2011-0411 */
}

static bool is_any(struct span word, const char *const *of)
{
	for (; *of; of++)
		if (span_is_word(word, *of))
			return true;
	return false;
}

/* What a server says to whoever connects: held for the app, forgotten when TLS is up. 020 is
 * IRCnet's "please wait". */
static bool is_chatter(struct span word)
{
	static const char *const words[] = {"NOTICE", "020", "PING", NULL};

	return is_any(word, words);
}

/* 691: TLS failed. 421, 451: what is STARTTLS? Other errors (4xx, 5xx) mean the same for us. */
static bool is_no(struct span word)
{
	return span_is(word, "691") || (word.n == 3 && line_code(word) >= 400);
}

static enum move peer(struct talk *t, struct span unit)
{
	struct span rest = line_text(unit), word;

	if (!line_counts(t))
		return MOVE_BAD;
	if (rest.n && *rest.at == ':')
		line_word(&rest); /* who says it (RFC 2812 section 2.3.1) */
	word = line_word(&rest);
	if (is_chatter(word))
		return MOVE_HOLD;
	if (!talk_proto(t)->asked)
		return move_bad(t, "server answered before it was asked"); /* CVE-2026-42246 */
	if (span_is(word, "670")) {
		talk_greet(t, "");
		return MOVE_TLS;
	}
	if (is_no(word))
		return move_notls(t, "server refused STARTTLS");
	if (!span_is_word(word, "ERROR"))
		return MOVE_BAD;
	talk_hold(t, unit);
	return move_notls(t, "server refused service before TLS");
}

/* Not NICK: whoever has registered cannot begin TLS any more. */
static bool harmless(struct talk *t, struct span unit)
{
	static const char *const forms[] = {"CAP LS",       "CAP LS ?", "CAP LIST", "CAP REQ tls",
					    "CAP REQ :tls", "CAP END",  "STARTTLS", "PING ?",
					    "PONG ?",       "QUIT",     NULL};

	(void)t;
	return line_is_one_of(unit, forms);
}

/* RFC 2812 section 3.7.4. Clients reconnect on it. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	(void)cause;
	talk_tell(t, "ERROR :%s\r\n", why);
}

const struct proto proto_irc = {
	.name = "irc",
	.spec = "IRCv3 tls extension",
	.ports = {6667},
	.unasked = true,
	.silence_s = SILENCE,
	.start = start,
	.frame = frame_lines,
	.peer = peer,
	.harmless = harmless,
	.refuse = refuse,
};
