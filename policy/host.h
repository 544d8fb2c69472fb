/* SPDX-License-Identifier: MIT
 * host: whom a rule is about. A name is what the app asked the resolver for; an address or network
 * is where it connects to. */
#ifndef STARTTLS_HOST_H
#define STARTTLS_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct parser;
struct word;

/* An address, an IPv4 one in its four bytes, however it was written or dialled (::ffff:192.0.2.1 is
 * 192.0.2.1). */
struct address {
	bool v4;
	uint8_t bytes[16];
};

struct host {
	enum host_kind {
		HOST_ANY,
		HOST_LOCALHOST,  /* loopback addresses, never the name: DNS could send that anywhere
				  */
		HOST_NAME,       /* the name itself */
		HOST_SUBDOMAINS, /* "*.name": every name below it at any depth, not the name itself
				  */
		HOST_NETWORK,    /* the first `bits` bits of an address; all of them for one host */
	} kind;
	const char *name; /* without the trailing dot; owned by the policy */
	size_t name_n;
	struct address address;
	unsigned bits;
};

/* The far end of one connection, taken apart once. */
struct peer {
	struct address address;
	uint16_t port;
	const char *name; /* NULL when unknown */
	size_t name_n;    /* without the trailing dot */
};

/* Read one host of a rule. On false it has complained. */
bool host_parse(struct parser *p, const struct word *word, struct host *host);

/* Is this a host name that may stand in a certificate: letters, digits, hyphens, underscores, dots?
 * On false it has complained. *n becomes its length without a trailing dot. */
bool host_name_check(struct parser *p, const struct word *word, size_t *n);

/* False for families other than AF_INET and AF_INET6. name may be NULL. */
bool peer_from(const struct sockaddr *addr, const char *name, struct peer *peer);

bool host_matches(const struct host *host, const struct peer *peer);

/* Does every connection that b matches match a too? (May say no where the answer is yes.) */
bool host_covers(const struct host *a, const struct host *b);

/* Does it name somebody? Not so: any, a network of zero bits, localhost. */
bool host_specific(const struct host *host);

#endif
