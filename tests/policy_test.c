/* SPDX-License-Identifier: MIT
 * policy_test: what policy_decide answers in each situation (policy_situations.h), and what a verdict carries. */
#include "policy_situations.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
