/* SPDX-License-Identifier: MIT
 * probe_manner: the probe plays the program where the program speaks first, because the talk waits
 * for its first unit. That is held, as every program's is, and then thrown away: none of these
 * leaves us but MySQL's first 32 bytes, which are its SSLRequest, and the domain of XMPP's. */
#include "probe_manner.h"

#define BYTES(text) \
	{ \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

/* RFC 4511 section 4.3: unbind. It ends a session that binds nobody, so it is the first unit and
 * the last. */
#define UNBIND "\x30\x05\x02\x01\x01\x42\x00"

/* Protocol 3.0, and no parameters: not even a user. */
#define STARTUP "\0\0\0\x09\0\x03\0\0\0"

/* HandshakeResponse number 1: CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, packets of 16 MiB,
 * utf8, 23 zeroes, and an empty name that is never sent. */
#define RESPONSE \
	"\x21\0\0\x01" \
	"\0\x82\0\0\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct manner manners[] = {
	{"smtp", .text = true, .bye = BYTES("QUIT\r\n")},
	{"lmtp", .text = true, .bye = BYTES("QUIT\r\n")},
	{"imap", .text = true, .bye = BYTES("bye LOGOUT\r\n")},
	{"pop3", .text = true, .bye = BYTES("QUIT\r\n")},
	{"sieve", .text = true, .bye = BYTES("LOGOUT\r\n")},
	{"nntp", .text = true, .bye = BYTES("QUIT\r\n")},
	{"ftp", .text = true, .bye = BYTES("QUIT\r\n")},
	{"irc", .text = true, .bye = BYTES("QUIT\r\n")},
	{"nut", .text = true, .bye = BYTES("LOGOUT\n")},
	{"xmpp", .text = true, .first = BYTES("<stream:stream to='%s'>")},
	{"xmpp-server", .text = true, .first = BYTES("<stream:stream to='%s'>")},
	{"http", .text = true, .first = BYTES("OPTIONS * HTTP/1.1\r\n\r\n")},
	{"ldap", .first = BYTES(UNBIND), .bye = BYTES(UNBIND)},
	{"pgsql", .first = BYTES(STARTUP)},
	{"mysql", .first = BYTES(RESPONSE)},
	{"tls", .text = true}, /* anything: behind it is no other */
};

const struct manner *manner_of(const struct proto *proto)
{
	const char *name = proto->inner ? proto->inner : proto->name;
	const struct manner *m = manners;

	while (strcmp(m->proto, "tls") != 0 && strcmp(m->proto, name) != 0)
		m++;
	return m;
}
