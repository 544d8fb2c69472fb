/* SPDX-License-Identifier: MIT
 * names_test: which name belongs to an address after a history of lookups. */
#include "check.h"
#include "names.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse(const char *text, struct in6_addr *address)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	inet_pton(family, text, address);
	return family;
}

static void learn(const char *address, const char *asked)
{
	struct in6_addr a;
	int family = parse(address, &a);

	names_learn(family, &a, asked);
}

/* Is this the name of the address? NULL: it has none. */
static bool is(const char *address, const char *name)
{
	char found[NAME_ROOM];
	struct in6_addr a;
	int family = parse(address, &a);

	return names_find(family, &a, found) ? name && strcmp(found, name) == 0 : !name;
}

static void test_lookups(void)
{
	check(is("192.0.2.1", NULL), "an address nobody looked up has no name");
	learn("192.0.2.1", "mx.example");
	check(is("192.0.2.1", "mx.example"), "the name that was asked for is found");
	check(is("192.0.2.2", NULL), "other addresses stay nameless");
	learn("192.0.2.1", "www.example");
	check(is("192.0.2.1", "www.example"), "the most recent lookup wins");
	learn("2001:db8::1", "mx.example");
	check(is("2001:db8::1", "mx.example"), "IPv6 addresses have names, too");
	check(is("::ffff:192.0.2.1", "www.example"), "an IPv4-mapped address is the IPv4 address");
	names_learn(AF_UNIX, "1234567890123456", "mx.example");
	check(is("192.0.2.1", "www.example"), "other families are ignored");
}

static void test_forms(void)
{
	static const char *const literals[] = {
		"192.0.2.3", "127.1", "0x7f000001", "2001:db8::3", "fe80::1%lo", "3221225987", ""};
	static const char *const odd[] = {"mx example", "mx\nexample",         "a..example",
					  ".example",   "m\xc3\xa4il.example", "-\"x"};
	char name[NAME_ROOM + 8];

	learn("192.0.2.3", "MX.Example.");
	check(is("192.0.2.3", "mx.example"), "case and the trailing dot do not matter");
	for (size_t i = 0; i < sizeof(literals) / sizeof(*literals); i++) {
		learn("192.0.2.3", "mx.example");
		learn("192.0.2.3", literals[i]);
		check(is("192.0.2.3", NULL), "a literal address looked up makes it nameless");
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		learn("192.0.2.3", "mx.example");
		learn("192.0.2.3", odd[i]);
		check(is("192.0.2.3", NULL), "what no host is called is no name");
	}
	memset(name, 'a', sizeof(name));
	name[NAME_ROOM - 1] = 0;
	learn("192.0.2.3", name);
	check(is("192.0.2.3", name), "a name of 255 characters fits");
	name[NAME_ROOM - 1] = 'a';
	name[NAME_ROOM] = 0;
	learn("192.0.2.3", name);
	check(is("192.0.2.3", NULL), "a longer one is no name");
}

static void numbered(unsigned i, const char *name)
{
	struct in_addr a = {htonl(0x0a000000 + i)};

	names_learn(AF_INET, &a, name);
}

static bool numbered_is(unsigned i, const char *name)
{
	struct in_addr a = {htonl(0x0a000000 + i)};
	char found[NAME_ROOM];

	return names_find(AF_INET, &a, found) ? name && strcmp(found, name) == 0 : !name;
}

/* The ring against a model: an address is known while at most NAMES_KEPT lookups came after its own. */
static void test_ring(void)
{
	enum { MANY = 5 * NAMES_KEPT };
	char name[32];
	bool good = true;

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		numbered(i, name);
		numbered(0, "always.example"); /* looked up again and again, so it must not age */
		good &= numbered_is(0, "always.example") && (!i || numbered_is(i, name));
	}
	check(good, "a name just looked up is always known");
	for (unsigned i = MANY - NAMES_KEPT / 2; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		good &= numbered_is(i, name);
	}
	check(good, "so are the last few hundred");
	check(numbered_is(1, NULL) && numbered_is(NAMES_KEPT, NULL), "the oldest are forgotten");
}

static void *ask_for_b(void *arg)
{
	learn("192.0.2.20", "b.example");
	return is("192.0.2.20", "b.example") ? arg : NULL;
}

static void *ask_for_nothing(void *arg)
{
	return is("192.0.2.20", arg) ? arg : NULL;
}

static void *ask_for_literal(void *arg)
{
	learn("192.0.2.20", "192.0.2.20");
	return is("192.0.2.20", NULL) ? arg : NULL;
}

static void *ask_for_c(void *arg)
{
	learn("192.0.2.31", arg);
	return arg;
}

/* Does the thread say yes? */
static bool ask_thread(void *(*ask)(void *), char *arg)
{
	pthread_t t;
	void *answer;

	return pthread_create(&t, NULL, ask, arg) == 0 && pthread_join(t, &answer) == 0 && answer;
}

/* A host that is its own server: its programs ask for its own name, too. */
static void test_own_name(void)
{
	char own[NAME_ROOM], *c;

	check(gethostname(own, sizeof(own)) == 0, "this host has a name");
	for (c = own; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	learn("192.0.2.30", own);
	check(is("192.0.2.30", own), "the host's own name is a name");
	learn("192.0.2.30", "mx.example");
	learn("192.0.2.30", own);
	check(is("192.0.2.30", "mx.example"), "but does not take the place of another");
	learn("192.0.2.30", "192.0.2.30");
	check(is("192.0.2.30", NULL), "nor that of a literal");
	learn("192.0.2.31", own);
	check(ask_thread(ask_for_c, "c.example") && is("192.0.2.31", "c.example"),
	      "of a thread that asks for an event loop, either");
}

static void test_threads(void)
{
	learn("192.0.2.20", "a.example");
	check(ask_thread(ask_for_nothing, "a.example"),
	      "a thread that never asked has the last name asked for");
	check(ask_thread(ask_for_b, "") && is("192.0.2.20", "a.example"),
	      "two names of one address: each thread has its own");
	check(ask_thread(ask_for_nothing, "b.example"), "and others the last one");
	check(ask_thread(ask_for_literal, "") && is("192.0.2.20", "a.example"),
	      "a thread that asked for the address itself has no name");
	learn("192.0.2.20", "c.example");
	check(is("192.0.2.20", "c.example") && ask_thread(ask_for_nothing, "c.example"),
	      "the latest of one's own");
}

static void *churn(void *arg)
{
	char name[32];

	for (unsigned i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "n%u.example", i % 3000);
		numbered(i % 3000, name);
	}
	return arg;
}

static void test_fork(void)
{
	unsigned good = 0;
	pthread_t t;
	int status;
	pid_t child;

	pthread_create(&t, NULL, churn, NULL);
	for (int i = 0; i < 100; i++) {
		child = fork();
		if (child == 0) {
			alarm(10);
			learn("192.0.2.9", "child.example");
			_exit(is("192.0.2.9", "child.example") ? 0 : 1);
		}
		good += waitpid(child, &status, 0) == child && status == 0;
	}
	pthread_join(t, NULL);
	check(good == 100, "children of a process that looks up names can look up names");
}

int main(void)
{
	test_lookups();
	test_forms();
	test_ring();
	test_threads();
	test_own_name();
	test_fork();
	return check_result();
}
