/* SPDX-License-Identifier: MIT
 * pgsql: PostgreSQL's SSLRequest in front of the app's first message (PostgreSQL documentation,
 * "Message Flow", SSL Session Encryption, and "Message Formats").
 *
 *   A StartupMessage         held: it names user and database
 *   p SSLRequest             00 00 00 08 04 d2 16 2f, our own
 *   P S                      handshake; then what is held, inside TLS
 *
 * The app may ask first. GSSENCRequest is answered N by us; our SSLRequest goes out with it, so
 * that the peer's answer makes the descriptor readable and the app comes for its N. An SSLRequest
 * of the app's is ours: if the answer is S it gets that, and we step aside for its ClientHello.
 *
 * Inside TLS one thing is edited: SCRAM-SHA-256-PLUS binds to a TLS that the app knows nothing of,
 * and libpq, offered it "over a non-SSL connection", suspects that TLS was stripped. It is taken
 * out of the list of AuthenticationSASL; from then on nothing is looked at.
 *
 * Surprising: CancelRequest has a secret in it and is answered by nothing but end of stream; it
 * goes inside TLS too, as libpq itself does only since version 17. */
#include "../proto.h"

enum { BEFORE, INSIDE, EDITED };                          /* talk_proto.step */
enum { ASKED = 1, REFUSED_GSS = 2, OWN = 4, AGREED = 8 }; /* talk_proto.seen */

enum {
	MESSAGE_MIN = 8,
	MESSAGE_MAX = 10000, /* MAX_STARTUP_PACKET_LENGTH of the server */
	VERSION_2 = 2 << 16,
	VERSION_3 = 3 << 16,
	CANCEL_REQUEST = 80877102,
	SSL_REQUEST = 80877103,
	GSSENC_REQUEST = 80877104,
	AUTHENTICATION_SASL = 10,
};

static const char not_a_message[] = "server sent what is no message of PostgreSQL's";

static uint32_t number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Inside TLS a message of the peer is  type  length (4 bytes, itself included)  content. What is
 * not about authentication need not be whole. */
static ssize_t frame_inside(struct talk *t, enum side from, struct span in)
{
	uint32_t n;

	if (from == SIDE_APP || (in.n && *in.at != 'R' && *in.at != 'v'))
		return (ssize_t)in.n;
	if (in.n < 5)
		return 0;
	n = number(in.at + 1);
	if (n < 4 || n > MESSAGE_MAX) {
		talk_proto(t)->why = not_a_message;
		return -1;
	}
	return in.n - 1 >= n ? (ssize_t)n + 1 : 0;
}

/* Before TLS the peer's answer is one byte, whatever comes with it (CVE-2021-23222). So is the
 * record type of the app's own ClientHello. */
static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	uint32_t n;

	if (talk_proto(t)->step != BEFORE)
		return frame_inside(t, from, in);
	if (from == SIDE_PEER || talk_proto(t)->seen & AGREED)
		return in.n ? 1 : 0;
	if (in.n < 4)
		return 0;
	n = number(in.at);
	if (n < MESSAGE_MIN || n > MESSAGE_MAX) {
		talk_proto(t)->why = "app's first message is none of PostgreSQL's";
		return -1;
	}
	return in.n >= n ? (ssize_t)n : 0;
}

static void ask(struct talk *t)
{
	static const uint8_t request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};

	if (!(talk_proto(t)->seen & ASKED))
		talk_say_bytes(t, span_of(request, sizeof(request)));
	talk_proto(t)->seen |= ASKED;
}

static enum move bad(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_BAD;
}

static enum move app(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	if (p->seen & OWN)
		return p->seen & AGREED
			       ? MOVE_OWN
			       : bad(t, "app did not wait for the answer to its SSLRequest");
	switch (number(unit.at + 4)) {
	case GSSENC_REQUEST:
		if (p->seen)
			break;
		p->seen |= REFUSED_GSS;
		talk_tell(t, "N");
		ask(t);
		return MOVE_KEEP;
	case SSL_REQUEST:
		p->seen |= OWN;
		ask(t);
		return MOVE_KEEP;
	case CANCEL_REQUEST:
	case VERSION_2:
	case VERSION_3:
		ask(t);
		return MOVE_HOLD;
	default:
		/* A later minor version: the server negotiates. */
		if (number(unit.at + 4) >> 16 != 3)
			break;
		ask(t);
		return MOVE_HOLD;
	}
	return bad(t, "app's first message is none of PostgreSQL's");
}

/* `E` is of a server that knows no SSLRequest, or of someone who wants his text shown to a user
 * (CVE-2024-10977). */
static enum move peer(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);

	if (p->seen & AGREED)
		return bad(t, "peer sent plaintext after agreeing to TLS");
	if (*unit.at == 'S' && p->seen & OWN) {
		p->seen |= AGREED;
		talk_tell_bytes(t, unit);
		return MOVE_KEEP;
	}
	if (*unit.at == 'S')
		return MOVE_TLS;
	if (*unit.at == 'N' && p->seen & OWN)
		talk_hold(t, unit);
	if (*unit.at != 'N' && *unit.at != 'E')
		return MOVE_BAD;
	p->why = *unit.at == 'N' ? "server did not offer TLS"
				 : "server answered SSLRequest with an error";
	return MOVE_NOTLS;
}

static void inside_begin(struct talk *t)
{
	talk_proto(t)->step = INSIDE;
}

/* The name at the front of a list of names that end in NUL, NUL included; empty: there is none. */
static struct span first_name(struct span list)
{
	const uint8_t *nul = list.n ? memchr(list.at, '\0', list.n) : NULL;

	return span_first(list, nul ? (size_t)(nul - list.at) + 1 : 0);
}

/* Tell the app the names in the list but for the one that binds to TLS; or only count their
 * bytes. */
static size_t tell_names(struct talk *t, struct span list, bool tell)
{
	static const char plus[] = "SCRAM-SHA-256-PLUS";
	size_t n = 0;

	for (struct span name; (name = first_name(list)).n; list = span_after(list, name.n)) {
		if (name.n == sizeof(plus) && memcmp(name.at, plus, sizeof(plus)) == 0)
			continue;
		n += name.n;
		if (tell)
			talk_tell_bytes(t, name);
	}
	return n;
}

static enum move inside(struct talk *t, enum side from, uint8_t *unit, size_t n)
{
	struct talk_proto *p = talk_proto(t);
	struct span list;

	if (p->step == EDITED)
		return MOVE_DONE;
	if (from == SIDE_APP || *unit == 'v') /* NegotiateProtocolVersion */
		return MOVE_PASS;
	if (*unit != 'R' || n < 9 || number(unit + 5) != AUTHENTICATION_SASL)
		return MOVE_DONE;
	list = span_after(span_of(unit, n), 9);
	if (!list.n || list.at[list.n - 1] != '\0')
		return bad(t, not_a_message);
	p->step = EDITED;
	n = 8 + tell_names(t, list, false);
	talk_tell_bytes(t, span_of((uint8_t[]){'R', 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0,
					       AUTHENTICATION_SASL},
				   9));
	tell_names(t, list, true);
	return MOVE_KEEP;
}

/* Not CancelRequest: it has a secret in it. */
static bool harmless(struct talk *t, struct span unit)
{
	uint32_t request = unit.n == MESSAGE_MIN ? number(unit.at + 4) : 0;

	(void)t;
	return request == SSL_REQUEST || request == GSSENC_REQUEST;
}

/* ErrorResponse. Class 08 is connection exceptions, which drivers retry; 08001: the client cannot
 * establish it. V is severity again, never translated. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	static const char fields[] = "SFATAL\0VFATAL\0C08001\0M";
	size_t n = 4 + sizeof(fields) - 1 + strlen(why) + 2;
	uint8_t head[5] = {'E', 0, 0, (uint8_t)(n >> 8), (uint8_t)n};

	(void)cause;
	talk_tell_bytes(t, span_of(head, sizeof(head)));
	talk_tell_bytes(t, span_of(fields, sizeof(fields) - 1));
	talk_tell_bytes(t, span_text(why));
	talk_tell_bytes(t, span_of("\0", 2));
}

const struct proto proto_pgsql = {
	.name = "pgsql",
	.spec = "PostgreSQL protocol 3.0, SSL Session Encryption",
	.ports = {5432},
	.frame = frame,
	.app = app,
	.peer = peer,
	.inside_begin = inside_begin,
	.inside = inside,
	.harmless = harmless,
	.refuse = refuse,
};
