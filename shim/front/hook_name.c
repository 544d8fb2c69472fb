/* SPDX-License-Identifier: MIT
 * hook_name: listening to the app asking the resolver. Answers, errno and h_errno are libc's,
 * untouched. */
#include "hook.h"
#include "names.h"
#include <errno.h>
#include <netdb.h>

static void learn_list(const struct addrinfo *found, const char *asked)
{
	int error = errno;
	const void *address;

	for (; found; found = found->ai_next)
		if (found->ai_addr && (address = names_address(found->ai_addr)))
			names_learn(found->ai_family, address, asked);
	errno = error;
}

HOOK int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		     struct addrinfo **found)
{
	int e = real.getaddrinfo(node, service, hints, found);

	if (!e && node)
		learn_list(*found, node);
	return e;
}

static struct hostent *learn_host(struct hostent *host, const char *asked)
{
	int error = errno;

	if (host)
		for (char **address = host->h_addr_list; *address; address++)
			names_learn(host->h_addrtype, *address, asked);
	errno = error;
	return host;
}

HOOK struct hostent *gethostbyname(const char *name)
{
	return learn_host(real.gethostbyname(name), name);
}

HOOK struct hostent *gethostbyname2(const char *name, int family)
{
	return learn_host(real.gethostbyname2(name, family), name);
}

HOOK int gethostbyname_r(const char *name, struct hostent *host, char *room, size_t n,
			 struct hostent **found, int *why)
{
	int e = real.gethostbyname_r(name, host, room, n, found, why);

	if (!e)
		learn_host(*found, name);
	return e;
}

HOOK int gethostbyname2_r(const char *name, int family, struct hostent *host, char *room, size_t n,
			  struct hostent **found, int *why)
{
	int e = real.gethostbyname2_r(name, family, host, room, n, found, why);

	if (!e)
		learn_host(*found, name);
	return e;
}
