/* SPDX-License-Identifier: MIT
 * policy_test: what policy_decide answers, one line for each situation: two layers, one connection, the verdict. */
#include "policy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIN  "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define PIN2 "sha256:0000000000000000000000000000000000000000000000000000000000000001"

enum {
	MAY = NEED_TRY,
	ENCRYPT = NEED_TRY | NEED_TLS,
	VERIFY = NEED_TRY | NEED_TLS | NEED_CHAIN | NEED_NAME,
	FINGERPRINT = NEED_TRY | NEED_TLS | NEED_PIN,
	REFUSE = NEED_REFUSE,
	NOT_OURS = -1, /* not watched */
	BROKEN = -2,   /* watched, and refused because the policy is broken */
};

/* What a situation does not say is zero: a table with every field spelt out would hide what matters. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct situation {
	const char *what;
	const char *system, *user; /* NULL: no such layer */
	const char *addr, *name;
	uint16_t port;
	int needs;
	const char *proto, *rule; /* NULL: any */
	const char *program;
	uid_t uid;
	const char *asked;
} situations[] = {
	/* --- built in, and what is watched */
	{"nothing said: verify", NULL, NULL, "192.0.2.1", NULL, 25, VERIFY, "smtp", "built-in"},
	{"nothing said, inside the host: may", NULL, NULL, "127.0.0.1", NULL, 25, MAY, "smtp",
	 "built-in"},
	{"all of 127.0.0.0/8 is inside", NULL, NULL, "127.8.8.8", NULL, 143, MAY},
	{"::1 is inside", NULL, NULL, "::1", NULL, 5432, MAY, "pgsql"},
	{"mapped loopback is inside", NULL, NULL, "::ffff:127.0.0.1", NULL, 25, MAY},
	{"0.0.0.0, which reaches this host, is inside", NULL, NULL, "0.0.0.0", NULL, 25, MAY},
	{"a rule for localhost holds for 0.0.0.0", "refuse to localhost", NULL, "0.0.0.0", NULL, 25,
	 REFUSE},
	{":: is inside", NULL, NULL, "::", NULL, 25, MAY},
	{"mapped 0.0.0.0 is inside", NULL, NULL, "::ffff:0.0.0.0", NULL, 25, MAY},
	{"0.0.0.1 is not inside", NULL, NULL, "0.0.0.1", NULL, 25, VERIFY},
	{"::2 is not inside", NULL, NULL, "::2", NULL, 25, VERIFY},
	{"the name localhost is not inside", NULL, NULL, "192.0.2.1", "localhost", 25, VERIFY},
	{"a silent layer leaves the built-in rule", "verify to a.example", "may to b.example",
	 "192.0.2.1", "c.example", 25, VERIFY, "smtp", "built-in"},
	{"a port of no protocol is not ours", NULL, NULL, "192.0.2.1", NULL, 12345, NOT_OURS},
	{"443 is not ours", "verify to any", NULL, "192.0.2.1", NULL, 443, NOT_OURS},
	{"993 is not ours by its port alone", "verify to any", NULL, "192.0.2.1", NULL, 993,
	 NOT_OURS},
	{"refuse without proto leaves other ports alone", "refuse to any", NULL, "192.0.2.1", NULL,
	 80, NOT_OURS},
	{"lmtp", NULL, NULL, "192.0.2.1", NULL, 24, VERIFY, "lmtp"},
	{"submission", NULL, NULL, "192.0.2.1", NULL, 587, VERIFY, "smtp"},
	{"2525", NULL, NULL, "192.0.2.1", NULL, 2525, VERIFY, "smtp"},
	{"pop3", NULL, NULL, "192.0.2.1", NULL, 110, VERIFY, "pop3"},
	{"sieve", NULL, NULL, "192.0.2.1", NULL, 4190, VERIFY, "sieve"},
	{"nntp", NULL, NULL, "192.0.2.1", NULL, 119, VERIFY, "nntp"},
	{"ftp", NULL, NULL, "192.0.2.1", NULL, 21, VERIFY, "ftp"},
	{"ldap", NULL, NULL, "192.0.2.1", NULL, 389, VERIFY, "ldap"},
	{"mysql", NULL, NULL, "192.0.2.1", NULL, 3306, VERIFY, "mysql"},
	{"xmpp", NULL, NULL, "192.0.2.1", NULL, 5222, VERIFY, "xmpp"},
	{"xmpp-server", NULL, NULL, "192.0.2.1", NULL, 5269, VERIFY, "xmpp-server"},
	{"http upgrade", NULL, NULL, "192.0.2.1", NULL, 631, VERIFY, "http"},
	{"irc", NULL, NULL, "192.0.2.1", NULL, 6667, VERIFY, "irc"},
	{"nut", NULL, NULL, "192.0.2.1", NULL, 3493, VERIFY, "nut"},

	/* --- hosts */
	{"a name is what the app asked for", "may to mx.example", NULL, "192.0.2.1", "mx.example",
	 25, MAY},
	{"names have no case and no last dot", "may to MX.example.", NULL, "192.0.2.1",
	 "mx.EXAMPLE.", 25, MAY},
	{"a name unknown is no match", "may to mx.example", NULL, "192.0.2.1", NULL, 25, VERIFY},
	{"a name is not its subdomains", "may to mx.example", NULL, "192.0.2.1", "a.mx.example", 25,
	 VERIFY},
	{"*.name is below it", "may to *.example", NULL, "192.0.2.1", "mx.example", 25, MAY},
	{"*.name is below it at any depth", "may to *.example", NULL, "192.0.2.1", "a.b.example",
	 25, MAY},
	{"*.name is not the name", "may to *.mx.example", NULL, "192.0.2.1", "mx.example", 25,
	 VERIFY},
	{"*.name needs the dot", "may to *.example.org", NULL, "192.0.2.1", "badexample.org", 25,
	 VERIFY},
	{"an address", "may to 192.0.2.1", NULL, "192.0.2.1", "x.example", 25, MAY},
	{"another address", "may to 192.0.2.1", NULL, "192.0.2.2", NULL, 25, VERIFY},
	{"a mapped address is the IPv4 one", "may to 192.0.2.1", NULL, "::ffff:192.0.2.1", NULL, 25,
	 MAY},
	{"and when the rule has it mapped", "may to ::ffff:192.0.2.1", NULL, "192.0.2.1", NULL, 25,
	 MAY},
	{"a network", "may to 192.0.2.0/25", NULL, "192.0.2.127", NULL, 25, MAY},
	{"outside the network", "may to 192.0.2.0/25", NULL, "192.0.2.128", NULL, 25, VERIFY},
	{"a mapped network", "may to ::ffff:192.0.2.0/120", NULL, "192.0.2.9", NULL, 25, MAY},
	{"an IPv6 network", "may to 2001:db8::/33", NULL, "2001:db8:7fff::1", NULL, 25, MAY},
	{"outside the IPv6 network", "may to 2001:db8::/33", NULL, "2001:db8:8000::1", NULL, 25,
	 VERIFY},
	{"::/0 is not IPv4", "may to ::/0", NULL, "::ffff:192.0.2.1", NULL, 25, VERIFY},
	{"0.0.0.0/0 is not IPv6", "may to 0.0.0.0/0", NULL, "2001:db8::1", NULL, 25, VERIFY},
	{"any of a list", "may to a.example,192.0.2.1,b.example", NULL, "192.0.2.1", NULL, 25, MAY},
	{"localhost is loopback", "none to localhost", NULL, "127.0.0.1", "mx.example", 25, 0},
	{"localhost is never a name", "none to localhost", NULL, "192.0.2.1", "localhost", 25,
	 VERIFY},

	/* --- ports and protocols */
	{"the first rule wins", "may to any port 25\nrefuse to any", NULL, "192.0.2.1", NULL, 25,
	 MAY, "smtp", "system:1"},
	{"and the next where it does not match", "may to any port 25\nrefuse to any", NULL,
	 "192.0.2.1", NULL, 143, REFUSE, "imap", "system:2"},
	{"ranges", "may to any port 1-24,26-586", NULL, "192.0.2.1", NULL, 143, MAY},
	{"between ranges", "may to any port 1-24,26-586", NULL, "192.0.2.1", NULL, 25, VERIFY},
	{"proto by the table", "refuse to any proto smtp", NULL, "192.0.2.1", NULL, 587, REFUSE},
	{"proto is not another", "refuse to any proto smtp", NULL, "192.0.2.1", NULL, 143, VERIFY},
	{"proto with any host claims no odd port", "refuse to any proto smtp", NULL, "192.0.2.1",
	 NULL, 10025, NOT_OURS},
	{"nor with all addresses", "refuse to 0.0.0.0/0 proto smtp", NULL, "192.0.2.1", NULL, 10025,
	 NOT_OURS},
	{"nor on localhost", "may to localhost proto smtp", NULL, "127.0.0.1", NULL, 10025,
	 NOT_OURS},
	{"proto with a host claims its odd ports", "encrypt to mx.example proto smtp", NULL,
	 "192.0.2.1", "mx.example", 10025, ENCRYPT, "smtp", "system:1"},
	{"proto with a network too", "encrypt to 192.0.2.0/24 proto smtp", NULL, "192.0.2.1", NULL,
	 10025, ENCRYPT, "smtp"},
	{"but not ports that are something else", "encrypt to mx.example proto smtp", NULL,
	 "192.0.2.1", "mx.example", 22, NOT_OURS},
	{"such as 443", "encrypt to mx.example proto smtp", NULL, "192.0.2.1", "mx.example", 443,
	 NOT_OURS},
	{"such as 993", "encrypt to mx.example proto smtp", NULL, "192.0.2.1", "mx.example", 993,
	 NOT_OURS},
	{"nor those of another word", "encrypt to mx.example proto smtp", NULL, "192.0.2.1",
	 "mx.example", 143, VERIFY, "imap", "built-in"},
	{"nor with two words", "encrypt to mx.example proto smtp,imap", NULL, "192.0.2.1",
	 "mx.example", 10025, NOT_OURS},
	{"two words by the table", "encrypt to any proto smtp,imap", NULL, "192.0.2.1", NULL, 143,
	 ENCRYPT, "imap"},
	{"nor ftp, whose data goes to odd ports", "encrypt to mx.example proto ftp", NULL,
	 "192.0.2.1", "mx.example", 50123, NOT_OURS},
	{"port and proto assert the protocol", "encrypt to any port 10143 proto imap", NULL,
	 "192.0.2.1", NULL, 10143, ENCRYPT, "imap"},
	{"even against the table", "encrypt to any port 25 proto imap", NULL, "192.0.2.1", NULL, 25,
	 ENCRYPT, "imap"},
	{"even where it is something else", "encrypt to any port 443 proto smtp", NULL, "192.0.2.1",
	 NULL, 443, ENCRYPT, "smtp"},
	{"port without proto needs the table", "encrypt to any port 10143", NULL, "192.0.2.1", NULL,
	 10143, NOT_OURS},
	{"several words, ports of the table", "encrypt to any port 25,143 proto smtp,imap", NULL,
	 "192.0.2.1", NULL, 143, ENCRYPT, "imap"},
	{"tls from the first byte on a port", "verify to any port 6379 proto tls", NULL,
	 "192.0.2.1", NULL, 6379, VERIFY, "tls"},
	{"tls without port is every port", "verify to redis.example proto tls", NULL, "192.0.2.1",
	 "redis.example", 22, VERIFY, "tls"},
	{"smtps stands for 465", "verify to any proto smtps", NULL, "192.0.2.1", NULL, 465, VERIFY,
	 "smtps"},
	{"imaps stands for 993", "verify to any proto imaps", NULL, "192.0.2.1", NULL, 993, VERIFY,
	 "imaps"},
	{"pop3s stands for 995", "verify to any proto pop3s", NULL, "192.0.2.1", NULL, 995, VERIFY,
	 "pop3s"},
	{"nntps stands for 563", "verify to any proto nntps", NULL, "192.0.2.1", NULL, 563, VERIFY,
	 "nntps"},
	{"ldaps stands for 636", "verify to any proto ldaps", NULL, "192.0.2.1", NULL, 636, VERIFY,
	 "ldaps"},
	{"ftps stands for 990", "verify to any proto ftps", NULL, "192.0.2.1", NULL, 990, VERIFY,
	 "ftps"},
	{"a word that knows the port goes before tls", "verify to any proto tls,smtps", NULL,
	 "192.0.2.1", NULL, 465, VERIFY, "smtps"},
	{"fingerprint", "fingerprint to 192.0.2.1 pin " PIN, NULL, "192.0.2.1", NULL, 25,
	 FINGERPRINT},

	/* --- programs and users */
	{"a program", "may to any program /usr/bin/msmtp", NULL, "192.0.2.1", NULL, 25, MAY, NULL,
	 NULL, "/usr/bin/msmtp"},
	{"another program", "may to any program /usr/bin/msmtp", NULL, "192.0.2.1", NULL, 25,
	 VERIFY, NULL, NULL, "/usr/bin/msmtp2"},
	{"a program unknown is no match", "may to any program /usr/bin/*", NULL, "192.0.2.1", NULL,
	 25, VERIFY},
	{"a pattern", "may to any program /a,/opt/*/bin/m?", NULL, "192.0.2.1", NULL, 25, MAY, NULL,
	 NULL, "/opt/erp/bin/mx"},
	{"a pattern does not cross a slash", "may to any program /opt/*", NULL, "192.0.2.1", NULL,
	 25, VERIFY, NULL, NULL, "/opt/erp/mx"},
	{"a user by name", "may to any user root", NULL, "192.0.2.1", NULL, 25, MAY},
	{"a user by number", "may to any user 7,1000", NULL, "192.0.2.1", NULL, 25, MAY, NULL, NULL,
	 NULL, 1000},
	{"another user", "may to any user 7,1000", NULL, "192.0.2.1", NULL, 25, VERIFY, NULL, NULL,
	 NULL, 8},
	{"selectors are AND", "may to any port 25 user 7", NULL, "192.0.2.1", NULL, 143, VERIFY,
	 NULL, NULL, NULL, 7},

	/* --- layers */
	{"a user tightens", "may to any", "verify to any", "192.0.2.1", NULL, 25, VERIFY, "smtp",
	 "user:1"},
	{"a user does not loosen", "verify to any", "none to any", "192.0.2.1", NULL, 25, VERIFY,
	 "smtp", "system:1"},
	{"nor inside the host", "verify to any", "none to localhost", "127.0.0.1", NULL, 25,
	 VERIFY},
	{"of equal rules the system's is named", "verify to any", "verify to any", "192.0.2.1",
	 NULL, 25, VERIFY, "smtp", "system:1"},
	{"a user alone may loosen the built-in rule", NULL, "may to any", "192.0.2.1", NULL, 25,
	 MAY, "smtp", "user:1"},
	{"none in both layers", "none to any", "none to any", "192.0.2.1", NULL, 25, 0},
	{"pin and certificate together", "verify to any", "fingerprint to 192.0.2.1 pin " PIN,
	 "192.0.2.1", NULL, 25, VERIFY | FINGERPRINT, "smtp", "user:1"},
	{"refuse is the strictest", "refuse to any port 25", "verify to any", "192.0.2.1", NULL, 25,
	 REFUSE | VERIFY, "smtp", "system:1"},
	{"a floor holds for a port that only the user watches", "verify to any",
	 "may to any port 10143 proto imap", "192.0.2.1", NULL, 10143, VERIFY, "imap", "system:1"},
	{"a user's proto goes before the table", "verify to any", "may to any port 25 proto tls",
	 "192.0.2.1", NULL, 25, VERIFY, "tls", "system:1"},
	{"layers that name different protocols are refused", "may to any port 99 proto imap",
	 "may to any port 99 proto smtp", "192.0.2.1", NULL, 99, BROKEN},

	/* --- asked with a protocol (explain, probe) */
	{"a protocol that was asked for", "encrypt to any proto imap", NULL, "192.0.2.1", NULL,
	 12345, ENCRYPT, "imap", NULL, NULL, 0, "imap"},
	{"and built in", NULL, NULL, "192.0.2.1", NULL, 12345, VERIFY, "imap", "built-in", NULL, 0,
	 "imap"},
	{"an unknown one is not ours", NULL, NULL, "192.0.2.1", NULL, 25, NOT_OURS, NULL, NULL,
	 NULL, 0, "gopher"},

	/* --- broken */
	{"broken: watched ports are refused", "verfy to any", NULL, "192.0.2.1", NULL, 25, BROKEN,
	 "smtp", "system:1"},
	{"broken: inside the host too", "verfy to any", NULL, "127.0.0.1", NULL, 25, BROKEN},
	{"broken: the rest is left alone", "verfy to any", NULL, "192.0.2.1", NULL, 443, NOT_OURS},
	{"broken: by the user too", "may to any", "verfy to any", "192.0.2.1", NULL, 25, BROKEN,
	 "smtp", "user:1"},
	{"broken: what a sound rule claims is refused", "may to any port 10143 proto imap\nverfy",
	 NULL, "192.0.2.1", NULL, 10143, BROKEN, "imap", "system:2"},
	{"broken: the rule with the error still says what it is about",
	 "verify to any port 10143 proto imap mim 1.3", NULL, "192.0.2.1", NULL, 10143, BROKEN,
	 "imap"},
	{"broken: an error before the port", "verfy to any port 10143 proto imap", NULL,
	 "192.0.2.1", NULL, 10143, BROKEN},
	{"broken: an error in the host", "verify to a..b port 10143 proto imap", NULL, "192.0.2.1",
	 NULL, 10143, BROKEN},
	{"broken: a slip in the word port", "verify to any prot imap pord 10143", NULL, "192.0.2.1",
	 NULL, 10143, BROKEN},
	{"broken: a slip in the protocol", "verify to any port 10143 proto iamp", NULL, "192.0.2.1",
	 NULL, 10143, BROKEN},
	{"broken: without to", "verify mx.example port 10143 proto imap", NULL, "192.0.2.1", NULL,
	 10143, BROKEN},
	{"broken: an item of the ports", "verify to any port 10143,x proto imap", NULL, "192.0.2.1",
	 NULL, 143, BROKEN},
	{"broken: an include without a file", "include x\nmay to any", NULL, "192.0.2.1", NULL, 25,
	 BROKEN},
};

static int passed, failed;

static void check(bool good, const char *what)
{
	if (good) {
		passed++;
		return;
	}
	failed++;
	printf("not ok: %s\n", what);
}

static struct policy *load(const char *system, const char *user)
{
	struct policy_text texts[LAYERS] = {
		[LAYER_SYSTEM] = {"system", system, system ? strlen(system) : 0},
		[LAYER_USER] = {"user", user, user ? strlen(user) : 0},
	};

	return policy_from_text(texts, NULL);
}

static void set_addr(struct sockaddr_storage *ss, const char *addr, uint16_t port)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof *ss);
	if (inet_pton(AF_INET, addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
	} else {
		abort();
	}
}

static struct verdict decide(const struct policy *p, const char *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	struct target t = {.addr = (struct sockaddr *)&ss};
	struct verdict v;

	set_addr(&ss, addr, port);
	policy_decide(p, &t, &v);
	return v;
}

static bool same(const char *want, const char *got)
{
	return !want || (got && !strcmp(want, got));
}

static void check_situation(const struct situation *s)
{
	struct policy *p = load(s->system, s->user);
	struct sockaddr_storage ss;
	struct target t = {(struct sockaddr *)&ss, s->name, s->program, s->uid, s->asked};
	struct verdict v;
	bool good;

	set_addr(&ss, s->addr, s->port);
	policy_decide(p, &t, &v);
	good = v.watched == (s->needs != NOT_OURS) && !v.broken == (s->needs != BROKEN);
	if (s->needs == BROKEN)
		good = good && v.needs & NEED_REFUSE;
	else if (s->needs != NOT_OURS)
		good = good && v.needs == (unsigned)s->needs;
	good = good && same(s->proto, v.proto) && same(s->rule, v.rule);
	check(good, s->what);
	if (!good)
		printf("  watched %d needs %u proto %s rule %s broken %s (policy: %s)\n", v.watched,
		       v.needs, v.proto ? v.proto : "-", v.rule ? v.rule : "-",
		       v.broken ? v.broken : "-", policy_broken(p) ? policy_broken(p) : "sound");
	policy_free(p);
}

/* --- what a verdict carries */

static void check_options(void)
{
	struct policy *p =
		load("verify to any min 1.2 timeout 30 by app ca /etc cert /etc/passwd "
		     "ciphers ECDHE+AESGCM name mx.example.",
		     "fingerprint to any pin " PIN "," PIN2 " min 1.3 timeout 40 by app");
	struct verdict v = decide(p, "192.0.2.1", 25);
	const struct rule_options *s = &v.options[0], *u = &v.options[1];

	check(!v.broken && v.n_options == 2, "options of both layers are there");
	check(s->needs == VERIFY && u->needs == FINGERPRINT, "each with what it needs by itself");
	check(v.min == 0x0304, "the larger min holds");
	check(v.timeout_s == 30, "the smaller timeout holds");
	check(v.by_app, "by app, when both layers say so");
	check(same("/etc", s->ca) && same("/etc/passwd", s->cert),
	      "the files of the system's rule");
	check(same("/etc/passwd", s->key), "a cert without key is its own key file");
	check(same("mx.example", s->name), "the name has lost its last dot");
	check(same("ECDHE+AESGCM", s->ciphers), "the ciphers as written");
	check(u->n_pins == 2 && u->pins[0][0] == 0x9f && u->pins[0][31] == 0x08, "the first pin");
	check(u->pins && u->pins[1][0] == 0 && u->pins[1][31] == 1, "the second pin");
	check(!u->ca && !u->name && s->n_pins == 0, "what a rule does not say is NULL");
	policy_free(p);
}

static void check_by_app(void)
{
	struct policy *p = load("verify to any", "verify to any by app");

	check(!decide(p, "192.0.2.1", 25).by_app,
	      "by app of the user does not loosen the system's");
	policy_free(p);
	p = load(NULL, "verify to any by app");
	check(decide(p, "192.0.2.1", 25).by_app, "by app, when only one layer speaks");
	policy_free(p);
}

/* An observer asks for nothing himself, and takes nothing back that the system asks for. */
static void check_observing(void)
{
	static const struct {
		const char *what, *system, *user;
		unsigned needs;
		const char *rule;
	} cases[] = {
		{"observe: in place of the built-in rule", NULL, NULL, MAY, "observe"},
		{"observe: the user's rule is tried", NULL, "verify to any", MAY, "user:1"},
		{"observe: his refusal too", NULL, "refuse to any", MAY, "user:1"},
		{"observe: what he leaves alone stays so", NULL, "none to any", 0, "user:1"},
		{"observe: the system's rule holds", "verify to any", NULL, VERIFY, "system:1"},
		{"observe: against the user's", "encrypt to any", "verify to any", ENCRYPT,
		 "system:1"},
		{"observe: the system's refusal holds", "refuse to any", "may to any", MAY | REFUSE,
		 "system:1"},
		{"observe: what the system leaves alone stays so", "none to any", NULL, 0,
		 "system:1"},
	};
	struct sockaddr_storage ss;
	struct target t = {.addr = (struct sockaddr *)&ss, .observing = true};
	struct verdict v;

	set_addr(&ss, "192.0.2.1", 25);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct policy *p = load(cases[i].system, cases[i].user);

		policy_decide(p, &t, &v);
		check(v.watched && v.observing && v.needs == cases[i].needs &&
			      same(cases[i].rule, v.rule),
		      cases[i].what);
		check(v.n_options && !(v.options[v.n_options - 1].needs & ~(unsigned)NEED_TRY),
		      "observe: the last options are the user's");
		policy_free(p);
	}
}

static void check_families(void)
{
	struct sockaddr other = {.sa_family = AF_UNIX};
	struct target t = {.addr = &other};
	struct verdict v;
	struct policy *p = load("refuse to any proto tls", NULL);

	policy_decide(p, &t, &v);
	check(!v.watched, "a local socket is not ours");
	t.addr = NULL;
	policy_decide(p, &t, &v);
	check(!v.watched, "no address is not ours");
	policy_free(p);
}

static void check_words(void)
{
	check(same("none", level_name(0)), "level_name: nothing needed is none");
	check(same("may", level_name(MAY)), "level_name: may");
	check(same("encrypt", level_name(ENCRYPT)), "level_name: encrypt");
	check(same("verify", level_name(VERIFY)), "level_name: verify");
	check(same("fingerprint", level_name(VERIFY | FINGERPRINT)), "level_name: the strongest");
	check(same("refuse", level_name(VERIFY | REFUSE)), "level_name: refuse");
	check(same("smtp", port_proto(587)), "port_proto: 587");
	check(!port_proto(465) && !port_proto(0),
	      "port_proto: nothing for TLS from the first byte");
}

static void check_broken(void)
{
	struct policy *p = load("verify to 10.0.0.1/8\nverfy to any", NULL);

	check(same("system:1:11: host bits are set in '10.0.0.1/8'", policy_broken(p)),
	      "policy_broken: the first error with its place");
	check(same(policy_broken(p), decide(p, "192.0.2.1", 25).broken),
	      "the verdict says the same");
	policy_free(p);
	check(policy_broken(NULL), "no memory for a policy is broken");
	check(decide(NULL, "192.0.2.1", 25).needs & NEED_REFUSE, "and refuses");
	check(!decide(NULL, "192.0.2.1", 443).watched, "what is ours");
	policy_free(NULL);
}

/* --- files */

static void check_files(void)
{
	char path[] = "/tmp/policy_testXXXXXX";
	int fd = mkstemp(path);
	struct policy_files files = {.system = path};
	struct policy *p;

	check(fd >= 0 && write(fd, "verify to any\n", 14) == 14, "a file for the test");
	errno = E2BIG;
	p = policy_load(&files, NULL);
	check(errno == E2BIG, "policy_load keeps errno");
	check(!policy_broken(p) == (getuid() == 0), "the system's file must be root's");
	policy_free(p);
	check(fchmod(fd, 0660) == 0, "chmod");
	p = policy_load(&files, NULL);
	check(policy_broken(p), "and written by nobody else");
	policy_free(p);
	files = (struct policy_files){.system = "/nonexistent/policy", .user = "/nonexistent/x"};
	p = policy_load(&files, NULL);
	check(p && !policy_broken(p), "files that are not there are silent");
	policy_free(p);
	files.user_required = true;
	p = policy_load(&files, NULL);
	check(policy_broken(p), "unless they were named");
	policy_free(p);
	close(fd);
	unlink(path);
}

int main(void)
{
	for (size_t i = 0; i < sizeof situations / sizeof *situations; i++)
		check_situation(&situations[i]);
	check_options();
	check_by_app();
	check_observing();
	check_families();
	check_words();
	check_broken();
	check_files();
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
