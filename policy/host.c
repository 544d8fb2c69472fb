/* SPDX-License-Identifier: MIT
 * host: names by the rules of RFC 952 and 1123, addresses by those of inet_pton(3), networks as RFC
 * 4632 writes them. */
#include "parse.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* ::ffff:0:0/96, where IPv4 lives inside IPv6 (RFC 4291 section 2.5.5.2). */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

enum { NAME_MAX_LENGTH = 253, LABEL_MAX_LENGTH = 63 }; /* RFC 1035 section 2.3.4, as text */

/* --- reading */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' ||
	       c == '_';
}

static bool label_check(struct parser *p, const struct word *whole, const char *at, size_t n)
{
	if (!n) {
		complain(p, at, "'%s' has an empty label", quote(whole).text);
		hint(p, at == whole->at ? "no dot in front: '*.example.com' is every name below"
					: "one dot between two labels");
		return false;
	}
	if (n > LABEL_MAX_LENGTH) {
		complain(p, at, "a label of '%s' is longer than 63 characters", quote(whole).text);
		return false;
	}
	if (at[0] == '-' || at[n - 1] == '-') {
		complain(p, at, "a label of '%s' begins or ends with a hyphen", quote(whole).text);
		return false;
	}
	return true;
}

/* The first character that cannot stand in a name, explained. */
static void bad_char(struct parser *p, const struct word *word, const char *at)
{
	if ((unsigned char)*at >= 0x80) {
		complain(p, at, "'%s' is not written in ASCII", quote(word).text);
		hint(p, "write the A-label, the form that begins with 'xn--' (idn2 NAME shows it)");
		return;
	}
	complain(p, at, "'%c' cannot stand in a host name", *at);
	if (*at == '*')
		hint(p, "only '*.NAME' is understood: every name below NAME; all hosts are 'any'");
	else if (*at == '[' || *at == ']')
		hint(p, "write the address without brackets, and the port as 'port 25'");
	else if (*at == '/')
		hint(p, "a host here is a name, an address or a network, not a URL");
	else
		hint(p, "letters, digits, hyphens and dots make a name");
}

bool host_name_check(struct parser *p, const struct word *word, size_t *n)
{
	const char *at = word->at, *end = at + word->n, *label = at;
	bool numeric = true;

	if (word->n > 1 && end[-1] == '.')
		end--;
	*n = (size_t)(end - at);
	for (; at <= end; at++) {
		if (at == end || *at == '.') {
			if (!label_check(p, word, label, (size_t)(at - label)))
				return false;
			label = at + 1;
			if (at < end)
				numeric = true;
			continue;
		}
		if (!name_char(*at)) {
			bad_char(p, word, at);
			return false;
		}
		numeric = numeric && is_digit(*at);
	}
	if (numeric) { /* no top level domain is a number: somebody's address with a slip */
		complain(p, word->at, "'%s' is not an IPv4 address", quote(word).text);
		hint(p, "four numbers of 0 to 255, without leading zeros");
		return false;
	}
	if (*n > NAME_MAX_LENGTH) {
		complain(p, word->at, "'%s' is longer than 253 characters", quote(word).text);
		return false;
	}
	return true;
}

static bool name_parse(struct parser *p, const struct word *word, struct host *host)
{
	struct word name = *word;

	host->kind = HOST_NAME;
	if (name.n >= 2 && name.at[0] == '*' && name.at[1] == '.') {
		host->kind = HOST_SUBDOMAINS;
		name.at += 2;
		name.n -= 2;
	}
	if (!host_name_check(p, &name, &host->name_n))
		return false;
	host->name = pool_copy(parser_pool(p), name.at, host->name_n);
	return host->name;
}

/* Leave v4-mapped behind: what remains is the address in 4 bytes. */
static void unmap(struct address *a)
{
	if (a->v4 || memcmp(a->bytes, mapped, sizeof mapped) != 0)
		return;
	a->v4 = true;
	memmove(a->bytes, a->bytes + sizeof mapped, 4);
}

static bool address_parse(const char *at, size_t n, struct address *a)
{
	char text[INET6_ADDRSTRLEN];

	if (n >= sizeof text)
		return false;
	memcpy(text, at, n);
	text[n] = '\0';
	a->v4 = inet_pton(AF_INET, text, a->bytes) == 1;
	return a->v4 || inet_pton(AF_INET6, text, a->bytes) == 1;
}

static bool host_bits(const struct address *a, unsigned bits)
{
	for (unsigned i = bits; i < (a->v4 ? 32u : 128u); i++)
		if (a->bytes[i / 8] & (0x80u >> i % 8))
			return true;
	return false;
}

static void bad_address(struct parser *p, const struct word *word)
{
	const char *colon = memchr(word->at, ':', word->n);
	size_t after = colon ? (size_t)(word->at + word->n - colon - 1) : 0;
	struct word port = {.at = colon ? colon + 1 : NULL, .n = after};
	unsigned number;

	if (colon && number_parse(&port, 65535, &number)) {
		complain(p, colon, "'%s' carries a port", quote(word).text);
		hint(p, "write the port apart: port %u", number);
	} else if (word->at[0] == '[') {
		bad_char(p, word, word->at);
	} else if (memmem(word->at, word->n, "://", 3)) {
		complain(p, word->at, "'%s' is a URL, a host is expected", quote(word).text);
		hint(p, "write only the host, as in: to mail.example.com");
	} else {
		complain(p, word->at, "'%s' is not an address", quote(word).text);
		hint(p, "an address is written like 192.0.2.7 or 2001:db8::7, a network like "
			"192.0.2.0/24");
	}
}

static bool network_parse(struct parser *p, const struct word *word, struct host *host)
{
	const char *slash = memchr(word->at, '/', word->n);
	size_t n = slash ? (size_t)(slash - word->at) : word->n;
	struct address *a = &host->address;
	unsigned max;

	host->kind = HOST_NETWORK;
	if (!address_parse(word->at, n, a)) {
		bad_address(p, word);
		return false;
	}
	host->bits = max = a->v4 ? 32 : 128;
	if (slash) {
		struct word bits = {.at = slash + 1, .n = word->n - n - 1};

		if (!number_parse(&bits, max, &host->bits)) {
			complain(p, slash + 1, "'%s' has no prefix length of 0 to %u",
				 quote(word).text, max);
			return false;
		}
	}
	if (host_bits(a, host->bits)) {
		complain(p, word->at, "host bits are set in '%s'", quote(word).text);
		hint(p, "write the network address, or drop the prefix for one host");
		return false;
	}
	if (!a->v4 && host->bits >= 96) {
		unmap(a);
		host->bits -= a->v4 ? 96 : 0;
	}
	return true;
}

bool host_parse(struct parser *p, const struct word *word, struct host *host)
{
	bool dotted = true;

	*host = (struct host){.kind = HOST_ANY};
	if (word_is(word, "any"))
		return true;
	if (word_is(word, "localhost")) {
		host->kind = HOST_LOCALHOST;
		return true;
	}
	for (size_t i = 0; i < word->n; i++)
		dotted = dotted && (is_digit(word->at[i]) || word->at[i] == '.');
	if (memchr(word->at, ':', word->n) || memchr(word->at, '/', word->n))
		return network_parse(p, word, host);
	if (dotted && address_parse(word->at, word->n, &host->address))
		return network_parse(p, word, host);
	return name_parse(p, word, host);
}

/* --- matching */

bool peer_from(const struct sockaddr *addr, const char *name, struct peer *peer)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;

	*peer = (struct peer){.name = name, .name_n = name ? strlen(name) : 0};
	if (peer->name_n && name[peer->name_n - 1] == '.')
		peer->name_n--;
	if (addr && addr->sa_family == AF_INET) {
		peer->address.v4 = true;
		memcpy(peer->address.bytes, &in->sin_addr, 4);
		peer->port = ntohs(in->sin_port);
	} else if (addr && addr->sa_family == AF_INET6) {
		memcpy(peer->address.bytes, &in6->sin6_addr, 16);
		unmap(&peer->address);
		peer->port = ntohs(in6->sin6_port);
	} else {
		return false;
	}
	return true;
}

static bool is_loopback(const struct address *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->v4 ? a->bytes[0] == 127 : !memcmp(a->bytes, one, sizeof one);
}

/* 0.0.0.0 and ::, which connect(2) takes to this host. */
static bool is_unspecified(const struct address *a)
{
	static const uint8_t zero[16];

	return !memcmp(a->bytes, zero, a->v4 ? 4 : sizeof zero);
}

static bool within(const struct address *a, const struct address *network, unsigned bits)
{
	unsigned rest = bits % 8, mask = 0xff00u >> rest & 0xff;

	if (a->v4 != network->v4 || memcmp(a->bytes, network->bytes, bits / 8) != 0)
		return false;
	return !rest || ((a->bytes[bits / 8] ^ network->bytes[bits / 8]) & mask) == 0;
}

/* Not strncasecmp(3): the app's locale decides there what a capital I is. */
static bool same_name(const char *a, size_t an, const char *b, size_t bn)
{
	if (an != bn)
		return false;
	for (size_t i = 0; i < an; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

static bool below(const char *name, size_t n, const struct host *domain)
{
	size_t tail = domain->name_n;

	return n > tail + 1 && name[n - tail - 1] == '.' &&
	       same_name(name + n - tail, tail, domain->name, tail);
}

bool host_matches(const struct host *host, const struct peer *peer)
{
	switch (host->kind) {
	case HOST_ANY:
		return true;
	case HOST_LOCALHOST:
		return is_loopback(&peer->address) || is_unspecified(&peer->address);
	case HOST_NAME:
		return peer->name && same_name(peer->name, peer->name_n, host->name, host->name_n);
	case HOST_SUBDOMAINS:
		return peer->name && below(peer->name, peer->name_n, host);
	case HOST_NETWORK:
		return within(&peer->address, &host->address, host->bits);
	}
	return false;
}

bool host_specific(const struct host *host)
{
	return host->kind == HOST_NAME || host->kind == HOST_SUBDOMAINS ||
	       (host->kind == HOST_NETWORK && host->bits > 0);
}

static bool covers_network(const struct host *a, const struct host *b)
{
	const unsigned all = b->address.v4 ? 32 : 128;

	if (a->kind == HOST_LOCALHOST && is_unspecified(&b->address))
		return b->bits == all;
	if (a->kind == HOST_LOCALHOST)
		return is_loopback(&b->address) && b->bits >= (b->address.v4 ? 8u : all);
	return a->kind == HOST_NETWORK && a->bits <= b->bits &&
	       within(&b->address, &a->address, a->bits);
}

bool host_covers(const struct host *a, const struct host *b)
{
	if (a->kind == HOST_ANY)
		return true;
	switch (b->kind) {
	case HOST_ANY:
		return false;
	case HOST_LOCALHOST:
		return a->kind == HOST_LOCALHOST;
	case HOST_NETWORK:
		return covers_network(a, b);
	case HOST_NAME:
		return (a->kind == HOST_NAME &&
			same_name(a->name, a->name_n, b->name, b->name_n)) ||
		       (a->kind == HOST_SUBDOMAINS && below(b->name, b->name_n, a));
	case HOST_SUBDOMAINS:
		return a->kind == HOST_SUBDOMAINS &&
		       (same_name(a->name, a->name_n, b->name, b->name_n) ||
			below(b->name, b->name_n, a));
	}
	return false;
}
