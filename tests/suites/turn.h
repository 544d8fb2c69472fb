/* SPDX-License-Identifier: MIT
 * turn: how a foreign suite's own client connections are turned over the forwarder, although neither end is to notice.
 *
 *   suite's client ─ connect(127.0.0.1:P) ─► libstarttls.so ─► turn.so ─ connect(127.1.P:F) ─► forward ─ from 127.2.C ─► suite's server
 *        port C                              TLS from here ···································► to here        at 127.0.0.1:P
 *
 * The whole of 127.0.0.0/8 is local, so what each end must know of the other is in the addresses and nobody has to remember
 * anything: the server's port P in the address the client dials, the client's port C in the address the server is dialled from.
 * For ::1 the same is done in fd53::/16, which tests/suites/namespace makes local. */
#ifndef STARTTLS_TESTS_TURN_H
#define STARTTLS_TESTS_TURN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum turn { TURN_TO = 1, TURN_FROM = 2 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Make `a` the address that says `port`; the family stays. */
static inline void turn_write(union address *a, enum turn which, unsigned port)
{
	if (a->sa.sa_family == AF_INET) {
		a->in.sin_addr.s_addr = htonl(127U << 24 | (unsigned)which << 16 | port);
		return;
	}
	memset(&a->in6.sin6_addr, 0, sizeof a->in6.sin6_addr);
	a->in6.sin6_addr.s6_addr[0] = 0xfd;
	a->in6.sin6_addr.s6_addr[1] = 0x53;
	a->in6.sin6_addr.s6_addr[13] = (unsigned char)which;
	a->in6.sin6_addr.s6_addr[14] = (unsigned char)(port >> 8);
	a->in6.sin6_addr.s6_addr[15] = (unsigned char)port;
}

/* The last four bytes of an IPv4 or IPv6 address. */
static inline const unsigned char *turn_tail(const union address *a)
{
	return a->sa.sa_family == AF_INET ? (const unsigned char *)&a->in.sin_addr
					  : a->in6.sin6_addr.s6_addr + 12;
}

/* The port that an address says; 0: it is not one of ours. IPv4 in IPv6 is understood too. */
static inline unsigned turn_read(const union address *a, enum turn which)
{
	const unsigned char *tail;
	bool ours;

	if (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6)
		return 0;
	tail = turn_tail(a);
	ours = a->sa.sa_family == AF_INET || IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)
		       ? tail[0] == 127
		       : a->in6.sin6_addr.s6_addr[0] == 0xfd && a->in6.sin6_addr.s6_addr[1] == 0x53;
	return ours && tail[1] == which ? (unsigned)tail[2] << 8 | tail[3] : 0;
}

#endif
