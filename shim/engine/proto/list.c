/* SPDX-License-Identifier: MIT
 * list: the protocols by name. A new one is a new file beside this one and a line here.
 *
 *   policy "proto smtp" ─► proto_named("smtp") ─► &proto_smtp, at the end of smtp.c */
#include "../proto.h"

#define PROTOCOLS(X) \
	X(smtp) \
	X(lmtp) \
	X(xmpp) \
	X(xmpp_server) \
	X(imap) \
	X(pop3) \
	X(sieve) \
	X(nntp) \
	X(irc) \
	X(nut) \
	X(ldap) \
	X(pgsql) \
	X(mysql) \
	X(http) \
	X(ftp) \
	X(ftp_data) \
	X(tls) \
	X(smtps) \
	X(imaps) \
	X(pop3s) \
	X(nntps) \
	X(ldaps) \
	X(ftps)

#define DECLARE(name) extern const struct proto proto_##name;
PROTOCOLS(DECLARE)

#define ADDRESS(name) &proto_##name,
static const struct proto *const protocols[] = {PROTOCOLS(ADDRESS)};

const struct proto *proto_named(const char *name)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (strcmp(protocols[i]->name, name) == 0)
			return protocols[i];
	return NULL;
}
