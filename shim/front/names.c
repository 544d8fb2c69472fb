/* SPDX-License-Identifier: MIT
 * names: a hash table whose entries are a ring: a new one takes the place of the oldest. */
#include "names.h"
#include "../quiet.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* IPv4 addresses are kept as IPv4-mapped ones, which apps with one AF_INET6 socket for all connect
 * to. */
struct entry {
	struct in6_addr address;
	uint16_t next; /* in the chain, newest first; index + 1, 0 ends it */
	unsigned thread;
	bool used;
	char name[NAME_ROOM];
};

enum {
	ANYBODY = 0,
	OWN_HOST = ~0U
}; /* besides threads: any of them; and the entries of is_own() */

static struct entry ring[NAMES_KEPT];
static uint16_t heads[NAMES_KEPT]; /* index + 1 of the first entry with this hash, or 0 */
static unsigned oldest;
static atomic_bool any; /* spares those who never resolved anything the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_names(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_names(void)
{
	pthread_mutex_unlock(&lock);
}

void names_survive_fork(void)
{
	pthread_atfork(lock_names, unlock_names, unlock_names);
}

const void *names_address(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return &((const struct sockaddr_in *)addr)->sin_addr;
	if (addr->sa_family == AF_INET6)
		return &((const struct sockaddr_in6 *)addr)->sin6_addr;
	return NULL;
}

static bool key_of(int family, const void *address, struct in6_addr *key)
{
	if (family == AF_INET6) {
		memcpy(key, address, sizeof(*key));
		return true;
	}
	if (family != AF_INET)
		return false;
	memset(key, 0, 10);
	memset(key->s6_addr + 10, 0xff, 2);
	memcpy(key->s6_addr + 12, address, 4);
	return true;
}

static uint16_t *chain_of(const struct in6_addr *key)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*key); i++)
		h = (h ^ key->s6_addr[i]) * 16777619u;
	return &heads[(h ^ h >> 16) % NAMES_KEPT];
}

/* Threads are numbered as they come here, from 1. */
static unsigned this_thread(void)
{
	static _Atomic unsigned last;
	static _Thread_local unsigned mine;

	if (!mine)
		mine = ++last;
	return mine;
}

/* The link that points to the newest entry for key that is of this thread, or to the end of its
 * chain. */
static uint16_t *link_to(const struct in6_addr *key, unsigned thread)
{
	uint16_t *link = chain_of(key);
	const struct entry *e;

	while (*link) {
		e = &ring[*link - 1];
		if (memcmp(&e->address, key, sizeof(*key)) == 0 &&
		    (e->thread == thread || (thread == ANYBODY && e->thread != OWN_HOST)))
			break;
		link = &ring[*link - 1].next;
	}
	return link;
}

static void forget(const struct in6_addr *key, unsigned thread)
{
	uint16_t *link = link_to(key, thread);
	struct entry *e;

	if (!*link)
		return;
	e = &ring[*link - 1];
	e->used = false;
	*link = e->next;
}

static void remember(const struct in6_addr *key, unsigned thread, const char *name)
{
	struct entry *e = &ring[oldest];
	uint16_t *chain = chain_of(key);

	if (e->used)
		forget(&e->address, e->thread);
	e->address = *key;
	e->thread = thread;
	e->used = true;
	strcpy(e->name, name);
	e->next = *chain;
	*chain = (uint16_t)(oldest + 1);
	oldest = (oldest + 1) % NAMES_KEPT;
}

/* Lower case, no trailing dot, letters, digits, '-', '_' and '.'. False for anything else and for
 * literal addresses, also in the old forms that inet_aton(3) and so getaddrinfo take ("127.1",
 * "0x7f000001"): no name with a certificate ends in a number. */
static bool host_name(const char *asked, char name[static NAME_ROOM])
{
	size_t n = strlen(asked);
	struct in_addr literal;

	if (n && asked[n - 1] == '.')
		n--;
	if (!n || n >= NAME_ROOM)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = asked[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			   c == '_' || (c == '.' && i && asked[i - 1] != '.')))
			return false;
		name[i] = c;
	}
	name[n] = 0;
	return !inet_aton(name, &literal);
}

/* Programs look up their own host by the way, for HELO or a log; where it is its own server, that
 * is the server's address. */
static bool is_own(const char *name)
{
	char own[NAME_ROOM], lower[NAME_ROOM];

	return gethostname(own, sizeof(own)) == 0 && host_name(own, lower) &&
	       strcmp(name, lower) == 0;
}

void names_learn(int family, const void *address, const char *asked)
{
	char name[NAME_ROOM];
	struct in6_addr key;
	bool named = asked && host_name(asked, name);
	unsigned me = named && is_own(name) ? OWN_HOST : this_thread();
	uint64_t signals;

	if (!named)
		*name = 0;
	if (!key_of(family, address, &key) || (!named && !any))
		return;
	signals = quiet_begin();
	lock_names();
	forget(&key, me);
	/* What others have asked for must not be taken for this thread's. */
	if (named || *link_to(&key, ANYBODY) || *link_to(&key, OWN_HOST))
		remember(&key, me, name);
	any = true;
	unlock_names();
	quiet_end(signals);
}

bool names_find(int family, const void *address, char name[static NAME_ROOM])
{
	struct in6_addr key;
	uint64_t signals;
	uint16_t found;

	if (!any || !key_of(family, address, &key))
		return false;
	signals = quiet_begin();
	lock_names();
	found = *link_to(&key, this_thread());
	if (!found)
		found = *link_to(&key, ANYBODY);
	if (!found)
		found = *link_to(&key, OWN_HOST);
	if (found)
		strcpy(name, ring[found - 1].name);
	unlock_names();
	quiet_end(signals);
	return found && *name;
}
