/* SPDX-License-Identifier: MIT
 * cmd_probe_rule: what does the policy make of it, and which line would allow it?
 *
 * The strongest line that the peer fulfils: verify as it stands; with the `ca` or `name` of the
 * rule in force; with a name that the certificate holds; and where nobody trusted has signed it,
 * the pin of its key. Without TLS there is only `may`. */
#include "cmd_probe.h"
#include <string.h>

enum { CHECKED = NEED_CHAIN | NEED_NAME };

/* --- the questions */

/* The first layer's that says one. */
static const char *rule_ca(const struct verdict *v)
{
	return v->options[0].ca ? v->options[0].ca : v->n_options > 1 ? v->options[1].ca : NULL;
}

static const char *rule_name(const struct verdict *v)
{
	return v->options[0].name ? v->options[0].name
	       : v->n_options > 1 ? v->options[1].name
				  : NULL;
}

static void ask(struct probe_question *q, struct verdict *v, unsigned checks, const char *name,
		const char *ca)
{
	*v = (struct verdict){
		.watched = true, .needs = NEED_TRY | NEED_TLS | checks, .n_options = 1};
	v->options[0] = (struct rule_options){.needs = v->needs, .name = name, .ca = ca};
	*q = (struct probe_question){.verdict = v};
}

size_t rule_questions(const struct probing *p, struct probe_question q[PROBE_QUESTIONS],
		      struct verdict room[PROBE_QUESTIONS])
{
	const char *name = rule_name(&p->verdict), *ca = rule_ca(&p->verdict);
	size_t n = 1;

	q[0] = (struct probe_question){.verdict = &p->verdict};
	for (int named = 0; named <= (name ? 1 : 0); named++)
		for (int with = 0; with <= (ca ? 1 : 0); with++, n++)
			ask(&q[n], &room[n], CHECKED, named ? name : NULL, with ? ca : NULL);
	for (int with = 0; with <= (ca ? 1 : 0); with++, n++)
		ask(&q[n], &room[n], NEED_CHAIN, NULL, with ? ca : NULL);
	return n;
}

/* --- the line */

/* Whom a rule means: a name as it was given; an address, that may be written in many ways, as
 * policies are. */
static const char *host(const struct probing *p)
{
	return p->name ? p->name : p->address;
}

/* LEVEL to HOST port N proto P; the protocol only where the port does not stand for it. */
static size_t begin_rule(char *text, size_t room, const struct probing *p, const char *level)
{
	const char *usual = port_proto((uint16_t)p->port);
	bool known = usual && strcmp(usual, p->proto) == 0;
	int n = snprintf(text, room, "%s to %s port %u%s%s", level, host(p), p->port,
			 known ? "" : " proto ", known ? "" : p->proto);

	return n < 0 ? 0 : (size_t)n;
}

static void suggest(const struct probing *p, const char *level, const char *name, const char *ca,
		    const char *pin)
{
	char text[2 * PATH_MAX];
	size_t n = begin_rule(text, sizeof text, p, level);

	if (n < sizeof text)
		snprintf(text + n, sizeof text - n, "%s%s%s%s%s%s", name ? " name " : "",
			 name ? name : "", ca ? " ca " : "", ca ? ca : "",
			 pin ? " pin sha256:" : "", pin ? pin : "");
	line("suggest", "%s", text);
}

/* The first that the peer fulfils, of those that could be. NULL: none. */
static const struct probe_question *best(const struct probe_result *r,
					 const struct probe_question *q, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (q[i].believed && (q[i].verdict->needs & NEED_NAME || *r->other))
			return &q[i];
	return NULL;
}

/* First match wins, and a user's line does not undo the system's: so it must stand there. */
static void say_place(const struct probing *p)
{
	if (strcmp(p->verdict.rule, "built-in") != 0)
		line("hint", "put it in front of %s", p->verdict.rule);
	else
		line("hint", "put it into %s", p->files.user ? p->files.user : POLICY_SYSTEM_FILE);
}

/* refusal: why `verify` would not have it; it knows whether a CA could help. */
static void suggest_pin(const struct probing *p, const struct probe_result *r, const char *refusal)
{
	char rule[600];

	suggest(p, "fingerprint", NULL, NULL, r->pin);
	line("hint",
	     "whoever sits between you and the server would show a key of his own: compare the pin "
	     "with the server's before you trust it");
	if (!strstr(refusal, "`ca FILE`"))
		return;
	begin_rule(rule, sizeof rule, p, "verify");
	line("hint", "or name who signed it: %s ca FILE, with %s in FILE", rule,
	     r->self_signed ? "the server's certificate" : "the certificate of its CA");
}

static void suggest_tls(const struct probing *p, const struct probe_result *r,
			const struct probe_question *q, size_t n)
{
	const struct probe_question *b = best(r, q, n);
	const struct rule_options *o = b ? &b->verdict->options[0] : NULL;

	if (o && o->needs & NEED_NAME) {
		suggest(p, "verify", o->name, o->ca, NULL);
	} else if (o) {
		suggest(p, "verify", r->other, o->ca, NULL);
		line("hint", "the certificate is for %s: only if that is whom you mean by %s",
		     r->other, host(p));
	} else if (*r->pin) {
		suggest_pin(p, r, p->verdict.needs & NEED_CHAIN ? q[0].why : q[1].why);
	} else {
		suggest(p, "encrypt", NULL, NULL, NULL);
	}
}

/* --- the verdict */

/* As the log has it. */
static const char *open_verdict(const struct verdict *v)
{
	return v->by_app               ? "own"
	       : v->needs & NEED_CHAIN ? "verified"
	       : v->needs & NEED_PIN   ? "pinned"
				       : "encrypted";
}

static void say_checked(const struct probing *p, const struct probe_result *r)
{
	const struct verdict *v = &p->verdict;
	const char *name = rule_name(v);

	if (!(v->needs & NEED_NAME))
		line("checked", "no name at this level; 'verify' would check %s", r->checked);
	for (size_t i = 0; i < v->n_options; i++)
		if (v->options[i].needs & NEED_NAME)
			line("checked", "%s%s", v->options[i].name ? name : r->checked,
			     v->options[i].name ? " (the rule's name)" : "");
}

static void say_rule(const struct probing *p)
{
	line("rule", "%s (%s%s)", p->verdict.rule, level_name(p->verdict.needs),
	     p->verdict.by_app ? ", by app" : "");
}

/* TLS is up. Returns the exit code. */
static int verdict_open(const struct probing *p, const struct probe_result *r,
			const struct probe_question *q)
{
	const struct verdict *v = &p->verdict;

	say_checked(p, r);
	if (!v->needs) {
		line_verdict("plaintext", "the rule leaves it alone, though the server offers TLS");
	} else if (v->needs & NEED_DANE) {
		line_verdict("refused", "dane-only is not built in yet");
		return EXIT_DENIED;
	} else if (!v->by_app && !q[0].believed) {
		line_verdict("refused", q[0].why);
		return EXIT_DENIED;
	} else {
		line_verdict(
			open_verdict(v),
			v->by_app ? "programs are expected to do this by themselves"
			: v->needs & (NEED_CHAIN | NEED_PIN)
				? NULL
				: "the peer is NOT authenticated: whoever gets between can pose "
				  "as it");
	}
	if (!(v->needs & (NEED_CHAIN | NEED_PIN)) && !q[1].believed)
		line("note", "'verify' would refuse it: %s", q[1].why);
	return EXIT_OK;
}

/* It has no TLS, or none that works. Returns the exit code. */
static int verdict_clear(const struct probing *p, const struct probe_result *r)
{
	bool denied = p->verdict.needs & NEED_TLS;
	char rule[600];

	line_verdict(denied ? "refused" : "plaintext", r->why);
	begin_rule(rule, sizeof rule, p, "may");
	if (r->offered)
		line("hint",
		     "no rule makes TLS work with this server; '%s' would go on in plaintext",
		     rule);
	else
		line("suggest", "%s", rule);
	line("hint",
	     "in plaintext whoever is between reads and changes everything; have TLS switched "
	     "on at the server");
	if (denied && !r->offered)
		say_place(p);
	return denied ? EXIT_DENIED : EXIT_OK;
}

/* Tampering, or another protocol. Returns the exit code. */
static int verdict_refused(const struct probing *p, const struct probe_result *r)
{
	line_verdict(p->verdict.needs ? "refused" : "plaintext", r->why);
	if (r->offered)
		line("hint", "no rule makes TLS work with this server");
	else
		line("hint",
		     "no level but 'none' allows this; is it %s that the server speaks on port %u?",
		     p->proto, p->port);
	return p->verdict.needs ? EXIT_DENIED : EXIT_OK;
}

int rule_verdict(const struct probing *p, const struct probe_result *r,
		 const struct probe_question *q, size_t n)
{
	int code;

	say_rule(p);
	if (r->end == PROBE_CLEAR)
		return verdict_clear(p, r);
	if (r->end == PROBE_REFUSED)
		return verdict_refused(p, r);
	code = verdict_open(p, r, q);
	suggest_tls(p, r, q, n);
	if (code == EXIT_DENIED)
		say_place(p);
	return code;
}

bool rule_permits(const struct probing *p, int *code)
{
	const struct verdict *v = &p->verdict;
	const char *why = v->broken;

	*code = EXIT_DENIED;
	if (!why && v->needs & NEED_REFUSE)
		why = "the rule says never to connect, so it was not probed";
	if (!why) {
		*code = EXIT_BROKEN;
		if (p->engine->ready(v, &why))
			return true;
	}
	say_rule(p);
	line_verdict("refused", why);
	return false;
}
