/* SPDX-License-Identifier: MIT
 * starttls explain: the answer for one address, in sentences: which rule of each layer speaks, and
 * what they need together. */
#include "cmd_explain.h"
#include "command.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- which rule */

static struct verdict decide(const struct policy *p, const struct question *q,
			     const struct sockaddr *addr, const char *proto)
{
	struct target t = {.addr = addr,
			   .name = q->name,
			   .program = q->program,
			   .uid = geteuid(),
			   .proto = proto};
	struct verdict v;

	policy_decide(p, &t, &v);
	return v;
}

static bool spoke(const struct verdict *v)
{
	return v->watched && strcmp(v->rule, "built-in") != 0;
}

/* The lines of a rule: its own, and those that continue it. where: "file:line". */
static void show_rule(FILE *out, const char *where)
{
	const char *colon = strrchr(where, ':');
	unsigned long first = strtoul(colon + 1, NULL, 10);
	char file[PATH_MAX], *line = NULL;
	size_t size = 0;
	FILE *in = NULL;

	if ((size_t)(colon - where) < sizeof file) {
		memcpy(file, where, (size_t)(colon - where));
		file[colon - where] = '\0';
		in = fopen(file, "re");
	}
	for (unsigned long n = 1; in && getline(&line, &size, in) >= 0; n++) {
		if (*line == '#')
			continue; /* a comment ends no rule */
		if (n > first && *line != ' ' && *line != '\t')
			break;
		line[strcspn(line, "\r\n")] = '\0';
		if (n >= first && line[strspn(line, " \t")])
			fprintf(out, "      %s\n", line);
	}
	free(line);
	if (in)
		fclose(in);
}

/* What one layer has to say. True when it has. */
static bool explain_layer(FILE *out, const struct question *q, int layer,
			  const struct sockaddr *addr, const char *proto)
{
	const char *file = layer == LAYER_SYSTEM ? q->files.system : q->files.user;
	const char *whose = layer == LAYER_SYSTEM ? "system" : "user";
	struct verdict v = {.watched = false};

	if (!file)
		return false;
	if (!q->layers[layer]) {
		fprintf(out, "  The %s's policy, %s, is not there.\n", whose, file);
		return false;
	}
	v = decide(q->layers[layer], q, addr, q->proto);
	if (!spoke(&v)) /* as match.c: once the protocol is known, rules for all protocols have a
			 * say */
		v = decide(q->layers[layer], q, addr, proto);
	if (!spoke(&v)) {
		fprintf(out, "  The %s's policy, %s, is silent: none of its rules matches.\n",
			whose, file);
		return false;
	}
	fprintf(out, "  The %s's policy speaks: %s is its first rule that matches:\n", whose,
		v.rule);
	show_rule(out, v.rule);
	return true;
}

/* --- what is needed */

static void explain_certificate(FILE *out, const struct verdict *v, const struct question *q)
{
	for (size_t i = 0; i < v->n_options; i++) {
		const struct rule_options *o = &v->options[i];

		if (o->needs & NEED_CHAIN)
			fprintf(out, "  Its certificate must chain to %s%s and be for %s%s.\n",
				o->ca ? "a CA in " : "a CA that this system trusts",
				o->ca ? o->ca : "",
				o->name   ? o->name
				: q->name ? q->name
					  : "that address",
				o->name   ? ", as the rule says"
				: q->name ? ", the name that was asked for"
					  : "");
		if (o->needs & NEED_PIN)
			fprintf(out, "  Its public key must be %s pinned in the rule.\n",
				o->n_pins == 1 ? "the one" : "one of those");
		if (o->cert)
			fprintf(out, "  The program's side shows the certificate %s.\n", o->cert);
		if (o->ciphers)
			fprintf(out, "  The ciphers allowed are %s.\n", o->ciphers);
	}
	if (!(v->needs & (NEED_CHAIN | NEED_NAME | NEED_PIN)))
		fputs("  The peer is NOT authenticated: whoever gets between can pose as it and "
		      "read "
		      "everything; 'verify' would check.\n",
		      out);
}

static void explain_by_app(FILE *out, const struct verdict *v)
{
	fputs("  The program is expected to bring TLS up by itself ('by app'); libstarttls only "
	      "watches.\n",
	      out);
	if (v->needs & NEED_TLS)
		fputs("  Until then nothing of it leaves but hello, questions about capabilities "
		      "and the request for\n"
		      "  TLS; anything else is refused. Once TLS begins the connection is left "
		      "alone.\n",
		      out);
	else
		fputs("  If it does not, it goes on in PLAINTEXT, and the log says so.\n", out);
	fputs("  Whether it checks the certificate, and which TLS it takes, cannot be seen from "
	      "here: the peer may\n"
	      "  be NOT authenticated.\n",
	      out);
}

/* The last word; returns the exit code. */
static int explain_needs(FILE *out, const struct verdict *v, const struct question *q)
{
	const char *tls = v->min == 0x0304 ? "TLS 1.3" : "TLS 1.2 or newer";

	if (v->broken) {
		fprintf(out, "  It is refused: %s.\n", v->broken);
		return policy_broken(q->all) ? EXIT_BROKEN : EXIT_DENIED;
	}
	if (v->needs & NEED_REFUSE) {
		fputs("  It is refused: the program's connect() fails with EACCES.\n", out);
		return EXIT_DENIED;
	}
	if (v->needs & NEED_DANE) {
		fputs("  It is refused: dane-only is not built in yet.\n", out);
		return EXIT_DENIED;
	}
	if (!v->needs) {
		fputs("  It is left alone: plaintext, as the program speaks it. The peer is NOT "
		      "authenticated.\n",
		      out);
		return EXIT_OK;
	}
	if (v->by_app) {
		explain_by_app(out, v);
		return EXIT_OK;
	}
	if (v->needs & NEED_TLS)
		fprintf(out, "  %s is required; without it the connection is refused.\n", tls);
	else
		fprintf(out, "  %s is tried; without it the program goes on in PLAINTEXT.\n", tls);
	explain_certificate(out, v, q);
	if (v->timeout_s)
		fprintf(out, "  The peer has %d s to get there.\n", v->timeout_s);
	return EXIT_OK;
}

/* All but the first line, which names the address. */
static int explain_address(FILE *out, const struct question *q, const struct sockaddr *addr,
			   const struct verdict *v)
{
	bool any = false;

	if (!v->watched) {
		fprintf(out,
			"  libstarttls does not touch it: port %u stands for no protocol that can "
			"be "
			"upgraded, and no rule says 'proto' for it.\n",
			q->port);
		return EXIT_OK;
	}
	for (int i = 0; i < LAYERS; i++)
		if (!policy_broken(q->all) && explain_layer(out, q, i, addr, v->proto))
			any = true;
	if (!any && !policy_broken(q->all))
		fprintf(out, "  So the built-in rule speaks, %s (others: %s).\n",
			v->needs & NEED_TLS ? "verify to any" : "may to localhost",
			v->needs & NEED_TLS ? "may to localhost" : "verify to any");
	return explain_needs(out, v, q);
}

/* --- the answer */

/* PROTO was asked for as if a rule had said it. Where none does, the shim goes by the port, and the
 * reader must know. */
static void explain_hypothesis(FILE *out, const struct question *q, const struct sockaddr *addr,
			       const struct verdict *v)
{
	struct verdict real = decide(q->all, q, addr, NULL);

	if (!q->proto || !v->watched)
		return;
	if (!real.watched)
		fprintf(out,
			"  But that is only so once a rule says 'proto %s' for it: as it stands, "
			"libstarttls does not touch port %u.\n",
			q->proto, q->port);
	else if (strcmp(real.proto, v->proto) != 0)
		fprintf(out,
			"  But that is only so once a rule says 'proto %s' for it: as it stands, "
			"libstarttls takes it for %s.\n",
			q->proto, real.proto);
}

char *explain_answer(const struct question *q, const struct sockaddr *addr, int *code)
{
	struct verdict v = decide(q->all, q, addr, q->proto);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "port %u%s%s: %s\n", q->port, v.watched ? ", " : "", v.watched ? v.proto : "",
		v.watched ? level_name(v.needs) : "not watched");
	*code = explain_address(out, q, addr, &v);
	explain_hypothesis(out, q, addr, &v);
	return fclose(out) == 0 ? text : NULL;
}
