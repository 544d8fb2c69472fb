/* SPDX-License-Identifier: MIT
 * fuzz_policy: any bytes as the policy of one or of both layers. The first 0x01 byte parts them.
 *
 * What must hold, besides that nothing crashes: a broken policy never permits plaintext on a port we know, and two layers together
 * never ask for less than each of them. */
#include "policy.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *addr, *name;
	uint16_t port;
} peers[] = {
	{"192.0.2.7", "mail.example.com", 25},
	{"127.0.0.1", NULL, 143},
	{"::ffff:10.0.0.1", "a.corp.example", 5432},
	{"2001:db8::7", "ldap.corp.example", 10143},
	{"198.51.100.1", NULL, 993},
	{"::1", "localhost", 443},
};

static struct verdict decide(const struct policy *p, size_t i)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(peers[i].port)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(peers[i].port)};
	struct target t = {.name = peers[i].name, .program = "/usr/bin/mailer", .uid = 1000};
	struct verdict v;

	t.addr = (struct sockaddr *)&in;
	if (inet_pton(AF_INET6, peers[i].addr, &in6.sin6_addr) == 1)
		t.addr = (struct sockaddr *)&in6;
	else
		inet_pton(AF_INET, peers[i].addr, &in.sin_addr);
	policy_decide(p, &t, &v);
	return v;
}

static struct policy *load(const struct policy_text *system, const struct policy_text *user,
			   FILE *out)
{
	struct policy_text texts[LAYERS] = {0};
	struct policy *p;

	if (system)
		texts[LAYER_SYSTEM] = *system;
	if (user)
		texts[LAYER_USER] = *user;
	p = policy_from_text(texts, out);
	if (!p)
		abort();
	return p;
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_broken(const struct policy *p)
{
	for (size_t i = 0; policy_broken(p) && i < sizeof peers / sizeof *peers; i++) {
		struct verdict v = decide(p, i);

		must(v.watched || !port_proto(peers[i].port));
		must(!v.watched || (v.broken && v.needs & NEED_REFUSE));
	}
}

/* A layer that speaks alone asks for no more than both. (A silent one leaves the floor to the built-in rule, which goes once
 * the other layer speaks.) */
static void check_union(const struct policy *one, const struct policy *both)
{
	if (policy_broken(both))
		return;
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
		struct verdict a = decide(one, i), b = decide(both, i);
		bool spoke = a.watched && strcmp(a.rule, "built-in") != 0;

		must(!spoke || (b.watched && (a.needs & b.needs) == a.needs));
		must(!spoke || b.min >= a.min);
		must(!b.by_app || !spoke || a.by_app);
		must(!b.watched || b.proto);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *out;
	const uint8_t *cut = memchr(data, 1, size);
	size_t first = cut ? (size_t)(cut - data) : size;
	struct policy_text a = {"a", (const char *)data, first};
	struct policy_text b = {"b", cut ? (const char *)cut + 1 : "", cut ? size - first - 1 : 0};
	struct policy *pa = NULL, *pb = NULL, *both = NULL;

	if (!out)
		out = fopen("/dev/null", "w");
	if (!data)
		return 0;
	pa = load(&a, NULL, out);
	pb = load(NULL, &b, out);
	both = load(&a, &b, out);
	must(!policy_broken(both) == (!policy_broken(pa) && !policy_broken(pb)));
	check_broken(pa);
	check_broken(both);
	check_union(pa, both);
	check_union(pb, both);
	if (!policy_broken(both))
		policy_lint(both, out);
	policy_free(pa);
	policy_free(pb);
	policy_free(both);
	return 0;
}
