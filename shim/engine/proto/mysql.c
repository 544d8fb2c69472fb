/* SPDX-License-Identifier: MIT
 * mysql: CLIENT_SSL between greeting and answer (MySQL internals manual, "Connection Phase";
 * MariaDB knowledge base, "Connection").
 *
 *   P #0 greeting, with CLIENT_SSL      a #0 the same without it: the app shall not try itself
 *   A #1 HandshakeResponse   held       p #1 SSLRequest: its first 32 bytes, with CLIENT_SSL; handshake
 *   inside TLS:                         p #2 HandshakeResponse, with CLIENT_SSL
 *   P #3 AuthSwitch, AuthMoreData …     a #2     every number is one apart
 *   A #3 answer                         p #4
 *   P #5 OK or ERR                      a #4     and from then on nothing is touched
 *
 * A packet is  length (3 bytes, low first)  number  payload. All after the first 8 bytes of
 * capabilities is copied unread, so MariaDB's own capabilities in bytes 28 to 31 come along.
 *
 * Surprising: the peer agrees by its greeting alone; it says nothing to SSLRequest. And since the
 * app's answer is made of this greeting's salt, no second connection can take it: no redial, even
 * under `may`. */
#include "../proto.h"

/* talk_proto.step; talk_proto.code: the number that the app expects next. */
enum { WAIT_GREETING, WAIT_RESPONSE };

enum {
	HEAD = 4,
	/* In the connection phase; a certificate for a plugin may be long. */
	PACKET_MAX = 64 * 1024,
	SSL_REQUEST = 32, /* payload */
	CLIENT_PROTOCOL_41 = 0x0200,
	CLIENT_SSL_HIGH = 0x08, /* CLIENT_SSL, 0x0800, in the second byte */
	OK = 0x00,
	ERR = 0xff,
};

static ssize_t frame(struct talk *t, enum side from, struct span in)
{
	size_t n;

	if (in.n < HEAD)
		return 0;
	n = (size_t)in.at[0] | (size_t)in.at[1] << 8 | (size_t)in.at[2] << 16;
	if (n == 0 && from == SIDE_PEER) {
		talk_proto(t)->why = "server sent an empty packet";
		return -1;
	}
	if (n > PACKET_MAX) {
		talk_proto(t)->why = "packet is longer than any in MySQL's connection phase";
		return -1;
	}
	return in.n - HEAD >= n ? (ssize_t)(HEAD + n) : 0;
}

static enum move bad(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_BAD;
}

/* The peer has no TLS to give; where the policy lets it be so, the app gets the packet as it
 * came. */
static enum move no_tls(struct talk *t, struct span unit, const char *why)
{
	talk_proto(t)->why = why;
	talk_hold(t, unit);
	return MOVE_NOTLS;
}

/* protocol 1, version up to its NUL, thread 4, salt 8, zero 1, low capabilities 2. Returns where
 * the latter are in the packet; 0 when they are not. */
static size_t capabilities_at(struct span unit)
{
	const uint8_t *nul = memchr(unit.at + HEAD + 1, '\0', unit.n - HEAD - 1);
	size_t at = nul ? (size_t)(nul - unit.at) + 1 + 4 + 8 + 1 : unit.n;

	return at + 2 <= unit.n ? at : 0;
}

static enum move greeted(struct talk *t, struct span unit)
{
	uint8_t protocol = unit.at[HEAD];
	size_t at;

	if (unit.at[3] != 0)
		return bad(t, "server's first packet is not numbered 0");
	if (protocol == ERR)
		return no_tls(t, unit, "server refused service before TLS");
	if (protocol == 9)
		return no_tls(t, unit, "server speaks a protocol older than TLS");
	at = protocol == 10 ? capabilities_at(unit) : 0;
	if (!at)
		return bad(t, "server sent what is no MySQL greeting");
	/* Before anything of the app's is sent: CVE-2015-3152, CVE-2017-3305. */
	if (!(unit.at[at + 1] & CLIENT_SSL_HIGH))
		return no_tls(t, unit, "server did not offer TLS");
	talk_tell_bytes(t, span_first(unit, at + 1));
	talk_tell_bytes(t, span_of(&(uint8_t){unit.at[at + 1] & (uint8_t)~CLIENT_SSL_HIGH}, 1));
	talk_tell_bytes(t, span_after(unit, at + 2));
	talk_proto(t)->step = WAIT_RESPONSE;
	talk_proto(t)->code = 2; /* behind its answer, which it will give first */
	return MOVE_KEEP;
}

/* An OK before TLS, an ERR, anything: nobody has been asked. */
static enum move peer(struct talk *t, struct span unit)
{
	if (talk_proto(t)->step != WAIT_GREETING)
		return bad(t, "server spoke again before the app answered its greeting");
	return greeted(t, unit);
}

static enum move app(struct talk *t, struct span unit)
{
	struct talk_proto *p = talk_proto(t);
	const uint8_t *payload = unit.at + HEAD;

	if (p->step == WAIT_GREETING)
		return bad(t, "app spoke before the server greeted it");
	if (unit.at[3] != 1 || unit.n < HEAD + 2)
		return bad(t, "app does not answer the server's greeting");
	if (payload[1] & CLIENT_SSL_HIGH)
		return bad(t, "app begins TLS that it was not offered");
	if (!(payload[1] & CLIENT_PROTOCOL_41 >> 8) || unit.n <= HEAD + SSL_REQUEST)
		return bad(t, "app speaks the protocol of MySQL 4.0, which cannot be upgraded");
	talk_say_bytes(t, span_of((uint8_t[]){SSL_REQUEST, 0, 0, 1}, HEAD));
	talk_say_bytes(t, span_of((uint8_t[]){payload[0], payload[1] | CLIENT_SSL_HIGH}, 2));
	talk_say_bytes(t, span_of(payload + 2, SSL_REQUEST - 2));
	return MOVE_TLS;
}

/* 0xfe (AuthSwitch), 0x01 (AuthMoreData), 0x02 (the next factor) and what a plugin makes up go
 * on. */
static enum move inside(struct talk *t, enum side from, uint8_t *unit, size_t n)
{
	if (from == SIDE_PEER) {
		talk_proto(t)->code = unit[3]--;
		return unit[HEAD] == OK || unit[HEAD] == ERR ? MOVE_DONE : MOVE_PASS;
	}
	if (unit[3] == 1 && n > HEAD + SSL_REQUEST)
		unit[HEAD + 1] |= CLIENT_SSL_HIGH;
	talk_proto(t)->code = ++unit[3];
	return MOVE_PASS;
}

/* SSLRequest, which is HandshakeResponse without a name and all that follows it; COM_QUIT. */
static bool harmless(struct talk *t, struct span unit)
{
	static const uint8_t quit[] = {1, 0, 0, 0, 1};

	talk_proto(t)->code = unit.at[3] + 1;
	if (unit.n == sizeof(quit) && memcmp(unit.at, quit, sizeof(quit)) == 0)
		return true;
	return unit.n == HEAD + SSL_REQUEST && unit.at[3] == 1 &&
	       unit.at[HEAD + 1] & CLIENT_SSL_HIGH;
}

/* ERR_Packet: 1043 is ER_HANDSHAKE_ERROR, class 08 connection exceptions. */
static void refuse(struct talk *t, enum cause cause, const char *why)
{
	static const char fields[] = "\xff\x13\x04#08S01";
	size_t n = sizeof(fields) - 1 + strlen(why);
	uint8_t number = (uint8_t)talk_proto(t)->code;

	(void)cause;
	talk_tell_bytes(t, span_of((uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), 0, number}, HEAD));
	talk_tell_bytes(t, span_of(fields, sizeof(fields) - 1));
	talk_tell_bytes(t, span_text(why));
}

const struct proto proto_mysql = {
	.name = "mysql",
	.spec = "MySQL client/server protocol, Connection Phase",
	.ports = {3306},
	.peer_first = true,
	.no_redial = true,
	.frame = frame,
	.app = app,
	.peer = peer,
	.inside = inside,
	.harmless = harmless,
	.refuse = refuse,
};
