/* SPDX-License-Identifier: MIT
 * starttls explain: which rule of which layer speaks about a connection, why, and what is needed, in sentences.
 *
 *   smtp to mx.example.com, 192.0.2.1 port 25: encrypt
 *     The system's policy, /etc/starttls/policy, is not there.
 *     The user's policy speaks: /home/joe/.config/starttls/policy:3 is its first rule that matches:
 *         encrypt to *.example.com
 *     TLS 1.2 or newer is required; without it the connection is refused.
 *     The peer is NOT authenticated: …
 *
 * A name may stand for several addresses, and rules may tell them apart: those that get the same answer share it. */
#include "command.h"
#include "policy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESSES = 32 }; /* more of one name are not looked at */

struct question {
	const char *program, *user, *addr; /* as given */
	const char *host;                  /* without port and brackets */
	const char *name;                  /* the host, unless it is an address itself */
	const char *proto;
	unsigned port;
	struct policy_files files;
	struct policy *all,
		*layers[LAYERS]; /* both together, and each by itself; NULL: that layer is not there */
};

static const char verb[] = "explain";

/* --- the arguments */

/* Where the port is not said, the first that the protocol stands for. */
static int choose_port(struct question *q)
{
	if (q->port)
		return 0;
	if (!q->proto)
		return wrong_words(verb, "which port? %s:25 or '%s smtp', for example", q->host,
				   q->host);
	q->port = proto_first_port(q->proto);
	return q->port ? 0
		       : wrong_words(verb,
				     "which port? '%s' stands for none: %s:6379 %s, for example",
				     q->proto, q->host, q->proto);
}

/* As the shim will see it: absolute, with no symbolic link. A program that is not there may still be asked about. */
static int resolve_program(struct question *q)
{
	static char path[PATH_MAX], real[PATH_MAX];

	if (!q->program)
		return 0;
	if (program_find(q->program, path) && realpath(path, real))
		q->program = real;
	else if (*q->program != '/')
		return wrong_words(verb,
				   "there is no program '%s': give its path, as in /usr/bin/msmtp",
				   q->program);
	return 0;
}

/* Become that user, whose home and rights decide what is read. */
static int become_user(const char *user)
{
	char *end;
	unsigned long n = strtoul(user, &end, 10);
	const struct passwd *pw = getpwnam(user);

	if (!pw && *user && !*end)
		pw = getpwuid((uid_t)n);
	if (!pw)
		return wrong_words(verb, "there is no user '%s'", user);
	if (pw->pw_uid == geteuid())
		return 0;
	if (geteuid() != 0)
		return wrong_words(
			verb, "only root can see what another user gets: sudo starttls explain …");
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 || setegid(pw->pw_gid) < 0 ||
	    setenv("HOME", pw->pw_dir, 1) < 0 || unsetenv("STARTTLS_POLICY") < 0 ||
	    unsetenv("XDG_CONFIG_HOME") < 0 || seteuid(pw->pw_uid) < 0)
		return wrong_words(verb, "cannot become '%s': %s", user, strerror(errno));
	return 0;
}

static int parse_arguments(int argc, char **argv, struct question *q)
{
	static const struct option names[] = {
		{"program", required_argument, NULL, 'p'},
		{"user", required_argument, NULL, 'u'},
		{"addr", required_argument, NULL, 'a'},
		{NULL, 0, NULL, 0},
	};
	int c, code;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", names, NULL)) != -1)
		switch (c) {
		case 'p':
			q->program = optarg;
			break;
		case 'u':
			q->user = optarg;
			break;
		case 'a':
			q->addr = optarg;
			break;
		case ':':
			return wrong_words(verb, "option '%s' needs a value", argv[optind - 1]);
		default:
			return wrong_words(
				verb, "unknown option '%s'; there are --program, --user, --addr",
				argv[optind - 1]);
		}
	if (optind == argc)
		return wrong_words(verb, "which host? HOST[:PORT], as in mx.example.com:25");
	if (argc - optind > 2)
		return wrong_words(verb, "one connection at a time: '%s' is too much",
				   argv[optind + 2]);
	q->proto = argv[optind + 1];
	code = host_parse_word(verb, argv[optind], &q->host, &q->port);
	if (!code && q->proto)
		code = proto_parse_word(verb, q->proto);
	if (!code)
		code = choose_port(q);
	if (!code)
		code = resolve_program(q);
	return !code && q->user ? become_user(q->user) : code;
}

/* --- the addresses */

/* NULL when there are none, having said so; *code is the exit code then. */
static struct addrinfo *resolve(struct question *q, int *code)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
	char port[8];
	int error;

	snprintf(port, sizeof port, "%u", q->port);
	hints.ai_flags |= AI_NUMERICHOST;
	q->name = q->host;
	if (getaddrinfo(q->host, port, &hints, &list) == 0) {
		if (!q->addr) {
			q->name = NULL;
			return list;
		}
		*code = wrong_words(verb, "'%s' is an address already: --addr is for a name",
				    q->host);
		freeaddrinfo(list);
		return NULL;
	}
	if (!q->addr)
		hints.ai_flags &= ~AI_NUMERICHOST;
	error = getaddrinfo(q->addr ? q->addr : q->host, port, &hints, &list);
	if (!error)
		return list;
	if (q->addr) {
		*code = wrong_words(
			verb, "'%s' is not an address, such as 192.0.2.1 or 2001:db8::1", q->addr);
		return NULL;
	}
	fprintf(stderr,
		"starttls explain: '%s' does not resolve: %s; --addr ADDRESS asks without the "
		"resolver\n",
		q->host, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
	*code = EXIT_UNREACHABLE;
	return NULL;
}

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
	if (!spoke(&v)) /* as match.c: once the protocol is known, rules for all protocols have a say */
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
	if (v->by_app)
		fputs("  The program is expected to use TLS by itself ('by app'); libstarttls only "
		      "watches.\n",
		      out);
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

/* --- all of it */

/* PROTO was asked for as if a rule had said it. Where none does, the shim goes by the port, and the reader must know. */
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

static char *answer(const struct question *q, const struct sockaddr *addr, int *code)
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

/* One paragraph for each answer, with all addresses that get it. */
static int explain_all(const struct question *q, const struct addrinfo *list)
{
	char *texts[ADDRESSES] = {NULL};
	char names[ADDRESSES][INET6_ADDRSTRLEN];
	int worst = policy_broken(q->all) ? EXIT_BROKEN : EXIT_OK, n = 0;

	for (; list && n < ADDRESSES; list = list->ai_next, n++) {
		int code = EXIT_OK;

		getnameinfo(list->ai_addr, list->ai_addrlen, names[n], sizeof names[n], NULL, 0,
			    NI_NUMERICHOST);
		texts[n] = answer(q, list->ai_addr, &code);
		worst = code > worst ? code : worst;
	}
	for (int i = 0; i < n; i++) {
		if (!texts[i])
			continue;
		if (q->name)
			printf("%s, ", q->name);
		fputs(names[i], stdout);
		for (int j = i + 1; j < n; j++)
			if (texts[j] && !strcmp(texts[i], texts[j])) {
				printf(" %s", names[j]);
				free(texts[j]);
				texts[j] = NULL;
			}
		printf(", %s", texts[i]);
		free(texts[i]);
	}
	return worst;
}

/* False when memory is out. A layer that is not there stays NULL. */
static bool load(struct question *q)
{
	size_t rules;

	q->files = policy_files();
	q->all = policy_load(&q->files, stderr);
	for (int i = 0; q->all && !policy_broken(q->all) && i < LAYERS; i++) {
		struct policy_files one = q->files;

		if (!policy_layer(q->all, i, &rules))
			continue;
		if (i == LAYER_SYSTEM)
			one.user = NULL;
		else
			one.system = NULL;
		q->layers[i] = policy_load(&one, NULL);
		if (!q->layers[i])
			return false;
	}
	return q->all != NULL;
}

int cmd_explain(int argc, char **argv)
{
	struct question q = {.host = NULL};
	int code = parse_arguments(argc, argv, &q);
	struct addrinfo *list = code ? NULL : resolve(&q, &code);

	if (!list)
		return code;
	if (load(&q)) {
		code = explain_all(&q, list);
	} else {
		fputs("starttls explain: out of memory\n", stderr);
		code = EXIT_BROKEN;
	}
	policy_free(q.all);
	for (int i = 0; i < LAYERS; i++)
		policy_free(q.layers[i]);
	freeaddrinfo(list);
	return code;
}
