/* SPDX-License-Identifier: MIT
 * lint: rules that are sound, but may not do what their writer thinks. */
#include "level.h"
#include "rule.h"
#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* Rules compared with those before them: quadratic, and nobody reads more. */
enum { COMPARED = 500 };

struct lint {
	const struct layer *layer;
	FILE *out;
	size_t warnings;
};

__attribute__((format(printf, 3, 4))) static void warn_rule(struct lint *l, const struct rule *r,
							    const char *format, ...)
{
	va_list args;

	fprintf(l->out, "%s: warning: ", r->where);
	va_start(args, format);
	vfprintf(l->out, format, args);
	va_end(args);
	fputc('\n', l->out);
	l->warnings++;
}

/* --- rules that are never reached */

static bool covers_hosts(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < b->n_hosts; i++) {
		bool covered = false;

		for (size_t k = 0; k < a->n_hosts && !covered; k++)
			covered = host_covers(&a->hosts[k], &b->hosts[i]);
		if (!covered)
			return false;
	}
	return true;
}

static bool covers_programs(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < b->n_programs; i++) {
		bool covered = false;

		for (size_t k = 0; k < a->n_programs && !covered; k++)
			covered = !strcmp(a->programs[k], b->programs[i]);
		if (!covered && a->n_programs)
			return false;
	}
	return !a->n_programs || b->n_programs;
}

static bool covers_users(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; i < b->n_users; i++)
		if (!rule_for_user(a, b->users[i]))
			return false;
	return !a->n_users || b->n_users;
}

static bool named(const struct rule *r, bool all)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_hosts; i++)
		n += host_specific(&r->hosts[i]);
	return all ? n == r->n_hosts : n > 0;
}

static bool covers_port(const struct rule *a, const struct rule *b, uint16_t port)
{
	return rule_proto(b, port, named(b, false)) == PROTO_NONE ||
	       rule_proto(a, port, named(a, true)) != PROTO_NONE;
}

static bool covers_edges(const struct rule *a, const struct rule *b, const struct rule *of)
{
	for (size_t i = 0; i < of->n_ports; i++)
		if (!covers_port(a, b, of->ports[i].first) ||
		    !covers_port(a, b, (uint16_t)(of->ports[i].last + 1)))
			return false;
	return true;
}

/* What a rule says of a port changes only at the edges of its ranges and of the tables, so one port
 * of each piece will do. */
static bool covers_ports(const struct rule *a, const struct rule *b)
{
	for (size_t i = 0; port_edge(i); i++)
		if (!covers_port(a, b, port_edge(i)))
			return false;
	return covers_port(a, b, 1) && covers_edges(a, b, a) && covers_edges(a, b, b);
}

static void lint_reach(struct lint *l, const struct rule *b)
{
	size_t n = 0;

	for (const struct rule *a = l->layer->first; a != b && n < COMPARED; a = a->next, n++)
		if (covers_hosts(a, b) && covers_programs(a, b) && covers_users(a, b) &&
		    covers_ports(a, b)) {
			warn_rule(l, b, "this rule is never reached: %s matches all that it does",
				  a->where);
			return;
		}
}

/* A rule for ports on which no protocol is known watches nothing. */
static void lint_watches(struct lint *l, const struct rule *r)
{
	if (r->protos || !r->n_ports)
		return;
	for (size_t i = 0; port_edge(i); i++)
		if (rule_proto(r, port_edge(i), false) != PROTO_NONE)
			return;
	warn_rule(l, r,
		  "this rule matches nothing: no protocol is known on its ports, add 'proto'");
}

/* --- rules that are weaker, or wider, than they look */

static bool only_localhost(const struct rule *r)
{
	for (size_t i = 0; i < r->n_hosts; i++)
		if (r->hosts[i].kind != HOST_LOCALHOST)
			return false;
	return true;
}

static void lint_level(struct lint *l, const struct rule *r)
{
	const unsigned checks = NEED_CHAIN | NEED_PIN | NEED_DANE | NEED_REFUSE;

	if (r->needs & checks || only_localhost(r))
		return;
	if (r->needs & NEED_TLS)
		warn_rule(l, r,
			  "'encrypt': the peer is NOT authenticated, anybody in between can read");
	else if (r->needs & NEED_TRY)
		warn_rule(l, r, "'may': anybody in between can have the connection in plaintext");
	else
		warn_rule(l, r, "'none': this rule lets these connections go out in plaintext");
}

static void lint_pins(struct lint *l, const struct rule *r)
{
	for (size_t i = 0; r->needs & NEED_PIN && i < r->n_hosts; i++)
		if (r->hosts[i].kind != HOST_NETWORK) {
			warn_rule(l, r,
				  "a pin on a name: whatever host the name leads to must have this "
				  "very "
				  "key, also after its next change");
			return;
		}
}

/* Does a line of the file begin as a certificate in PEM does (RFC 7468)? What is not a plain file
 * is not read. */
static bool has_certificate(const char *path)
{
	static const char *const heads[] = {"-----BEGIN CERTIFICATE-----",
					    "-----BEGIN TRUSTED CERTIFICATE-----",
					    "-----BEGIN X509 CERTIFICATE-----"};
	FILE *file = fopen(path, "re");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
			found = found || !strncmp(line, heads[i], strlen(heads[i]));
	if (file)
		fclose(file);
	return found;
}

/* A directory is asked by the hash of a name: "1a2b3c4d.0" (openssl-rehash(1)). */
static bool has_hashed(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory)))
		found = strspn(entry->d_name, "0123456789abcdef") == 8 && entry->d_name[8] == '.';
	if (directory)
		closedir(directory);
	return found;
}

/* The engine will refuse what it cannot use; better said now. */
static void lint_files(struct lint *l, const struct rule *r)
{
	const char *ca = r->options.ca, *cert = r->options.cert;
	struct stat st;

	if (ca && stat(ca, &st) == 0 && S_ISREG(st.st_mode) && !has_certificate(ca))
		warn_rule(l, r,
			  "'ca' holds no certificate (PEM): all these connections will be refused");
	if (ca && stat(ca, &st) == 0 && S_ISDIR(st.st_mode) && !has_hashed(ca))
		warn_rule(l, r,
			  "'ca' is a directory without certificates by their hash (openssl rehash "
			  "makes them): all these connections will be refused");
	if (cert && stat(cert, &st) == 0 && S_ISREG(st.st_mode) && !has_certificate(cert))
		warn_rule(
			l, r,
			"'cert' holds no certificate (PEM): all these connections will be refused");
}

static bool for_any_host(const struct rule *r)
{
	for (size_t i = 0; i < r->n_hosts; i++)
		if (r->hosts[i].kind == HOST_ANY)
			return true;
	return false;
}

static void lint_tls(struct lint *l, const struct rule *r)
{
	if (for_any_host(r) && !r->n_ports && r->protos >> proto_find("tls", 3) & 1)
		warn_rule(l, r, "'proto tls' without 'port' takes every connection to any host");
}

/* Of the TLS that a program does itself nothing can be seen but that it begins. */
static void lint_by_app(struct lint *l, const struct rule *r)
{
	static const struct {
		enum rule_word word;
		const char *text;
	} idle[] = {{WORD_NAME, "name"}, {WORD_CA, "ca"},          {WORD_CERT, "cert"},
		    {WORD_KEY, "key"},   {WORD_MIN, "min"},        {WORD_CIPHERS, "ciphers"},
		    {WORD_PIN, "pin"},   {WORD_TIMEOUT, "timeout"}};

	if (!r->options.by_app)
		return;
	if (r->needs & (NEED_CHAIN | NEED_PIN))
		warn_rule(l, r,
			  "'by app': that the program does TLS can be seen, whether it checks the "
			  "certificate cannot");
	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		if (rule_says(r, idle[i].word) &&
		    !(r->needs & NEED_PIN && idle[i].word == WORD_PIN))
			warn_rule(l, r, "'%s' does nothing with 'by app': the TLS is the program's",
				  idle[i].text);
}

bool policy_has_floor(const struct policy *p)
{
	for (int i = 0; i < LAYERS; i++)
		for (const struct rule *r = p->layers[i].first; r; r = r->next)
			if (for_any_host(r) && !r->n_ports && !r->protos && !r->n_programs &&
			    !r->n_users)
				return true;
	return false;
}

size_t policy_lint(const struct policy *p, FILE *out)
{
	struct lint l = {.out = out};

	for (int i = 0; i < LAYERS; i++) {
		l.layer = &p->layers[i];
		for (const struct rule *r = l.layer->first; r; r = r->next) {
			lint_reach(&l, r);
			lint_watches(&l, r);
			lint_level(&l, r);
			lint_pins(&l, r);
			lint_files(&l, r);
			lint_tls(&l, r);
			lint_by_app(&l, r);
		}
	}
	return l.warnings;
}
