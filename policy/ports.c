/* SPDX-License-Identifier: MIT
 * ports: protocol words and the ports they stand for (IANA service names, 2525 by custom). */
#include "level.h"
#include <string.h>

enum {
	WRAPS = 1,    /* TLS from the first byte: never chosen by its port alone */
	ANY_PORT = 2, /* stands for every port */
	ROAMS = 4,    /* opens data connections on other ports */
};

/* `tls` is last: where a rule lists several words, one that knows the port goes first. */
static const struct {
	const char *word;
	uint16_t ports[3];
	unsigned flags;
} protocols[] = {
	{"smtp", {25, 587, 2525}, 0},
	{"lmtp", {24}, 0},
	{"imap", {143}, 0},
	{"pop3", {110}, 0},
	{"sieve", {4190}, 0},
	{"nntp", {119}, 0},
	{"ftp", {21}, ROAMS},
	{"ldap", {389}, 0},
	{"pgsql", {5432}, 0},
	{"mysql", {3306}, 0},
	{"xmpp", {5222}, 0},
	{"xmpp-server", {5269}, 0},
	{"http", {631}, 0},
	{"irc", {6667}, 0},
	{"nut", {3493}, 0},
	{"smtps", {465}, WRAPS},
	{"imaps", {993}, WRAPS},
	{"pop3s", {995}, WRAPS},
	{"nntps", {563}, WRAPS},
	{"ldaps", {636}, WRAPS},
	{"ftps", {990}, WRAPS | ROAMS},
	{"tls", {0}, WRAPS | ANY_PORT},
};

enum { N_PROTOCOLS = sizeof protocols / sizeof *protocols, N_PORTS = 3 };
_Static_assert(N_PROTOCOLS <= 32, "a set of protocols is a uint32_t");

/* Ports that carry something else: a rule that names a host and a protocol does not claim these.
 * The port of each of our own words belongs here too (port_foreign asks the table above). */
static const uint16_t foreign[] = {
	20,   22,   23,   53,   80,   88,   111,  123,  135,  139,  443,   445,   464,
	514,  853,  873,  989,  1080, 1433, 2049, 3128, 3268, 3269, 3389,  5060,  5061,
	5223, 5671, 5672, 5900, 6379, 6697, 8080, 8443, 8883, 9418, 11211, 27017,
};

enum { N_FOREIGN = sizeof foreign / sizeof *foreign };

const char *proto_word(size_t i)
{
	return i < N_PROTOCOLS ? protocols[i].word : NULL;
}

int proto_find(const char *word, size_t n)
{
	for (int i = 0; i < N_PROTOCOLS; i++)
		if (strlen(protocols[i].word) == n && !memcmp(protocols[i].word, word, n))
			return i;
	return PROTO_NONE;
}

static bool listed(int proto, uint16_t port)
{
	const uint16_t *ports = protocols[proto].ports;

	return port && (port == ports[0] || port == ports[1] || port == ports[2]);
}

int proto_of_port(uint16_t port)
{
	for (int i = 0; i < N_PROTOCOLS; i++)
		if (listed(i, port) && !(protocols[i].flags & WRAPS))
			return i;
	return PROTO_NONE;
}

bool proto_on_port(int proto, uint16_t port)
{
	return (protocols[proto].flags & ANY_PORT) || listed(proto, port);
}

bool proto_roams(int proto)
{
	return protocols[proto].flags & ROAMS;
}

bool port_foreign(uint16_t port)
{
	for (int i = 0; i < N_PROTOCOLS; i++)
		if (listed(i, port))
			return true;
	for (int i = 0; i < N_FOREIGN; i++)
		if (foreign[i] == port)
			return true;
	return false;
}

uint16_t port_edge(size_t i)
{
	/* Each port of the tables, and the one behind it. */
	size_t k = i / 2, past = i % 2;

	for (size_t j = 0; j < N_PROTOCOLS * N_PORTS; j++)
		if (protocols[j / N_PORTS].ports[j % N_PORTS] && !k--)
			return (uint16_t)(protocols[j / N_PORTS].ports[j % N_PORTS] + past);
	return k < N_FOREIGN ? (uint16_t)(foreign[k] + past) : 0;
}

const char *port_proto(uint16_t port)
{
	int proto = proto_of_port(port);

	return proto == PROTO_NONE ? NULL : protocols[proto].word;
}
