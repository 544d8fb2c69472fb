/* SPDX-License-Identifier: MIT
 * starttls probe: do one upgrade, show everything that is seen on the way, say what the policy
 * makes of it, suggest a rule.
 *
 *   host: mail.example.org
 *   address: 192.0.2.7 port 25
 *   greeting: 220 mail.example.org ESMTP
 *   …
 *   verdict: refused
 *   why: the server's certificate is self-signed; …
 *   suggest: fingerprint to mail.example.org port 25 pin sha256:…
 *
 * All that needs OpenSSL is in libstarttls-tls.so (../shim/probe.h), which is opened here: the
 * other verbs work without. */
#include "cmd_probe.h"
#include "level.h"
#include <dlfcn.h>
#include <getopt.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define ENGINE "libstarttls-tls.so"

enum { TIMEOUT_MAX_S = 86400 };

static const char verb[] = "probe";

/* --- the arguments */

static int parse_timeout(const char *text, int *seconds)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > TIMEOUT_MAX_S)
		return wrong_words(verb, "'%s' is not a timeout: seconds, from 1 to %d", text,
				   TIMEOUT_MAX_S);
	*seconds = (int)n;
	return 0;
}

static int parse_options(int argc, char **argv, struct probing *p)
{
	enum { PROTO = OPTION_LONG, TIMEOUT, DOMAIN };
	static const struct option names[] = {
		{"proto", required_argument, NULL, PROTO},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"domain", required_argument, NULL, DOMAIN},
		{NULL, 0, NULL, 0},
	};
	int c, code = 0;

	opterr = 0;
	while (!code && (c = getopt_long(argc, argv, ":", names, NULL)) != -1)
		switch (c) {
		case PROTO:
			p->proto = optarg;
			code = proto_parse_word(verb, optarg);
			break;
		case TIMEOUT:
			code = parse_timeout(optarg, &p->timeout_s);
			break;
		case DOMAIN:
			p->domain = optarg;
			if (!*optarg)
				code = wrong_words(verb, "'' is not a domain, as in example.com");
			break;
		default:
			return wrong_option(verb, c, argv, "--proto, --timeout, --domain");
		}
	return code;
}

static int parse_arguments(int argc, char **argv, struct probing *p)
{
	int code = parse_options(argc, argv, p);

	if (code)
		return code;
	if (optind == argc)
		return wrong_words(verb, "which host? HOST[:PORT], as in mx.example.com:25");
	if (argc - optind > 1)
		return wrong_words(verb, "one host at a time: '%s' is too much%s", argv[optind + 1],
				   too_much(argv[optind + 1]));
	code = host_parse_word(verb, argv[optind], &p->host, &p->port);
	if (code || p->port)
		return code;
	if (!p->proto)
		return wrong_words(verb, "which port? %s:25 or --proto smtp, for example", p->host);
	p->port = proto_first_port(p->proto);
	return p->port ? 0
		       : wrong_words(verb,
				     "which port? 'tls' stands for none: %s:6379, for example",
				     p->host);
}

/* --- the engine */

static int open_engine(struct probing *p)
{
	char path[PATH_MAX];
	starttls_probe_fn *door;
	void *object;

	if (!library_find(path))
		strcpy(path, STARTTLS_LIBDIR "/libstarttls.so");
	strrchr(path, '/')[1] = '\0'; /* it lies beside */
	if (strlen(path) + sizeof ENGINE > sizeof path)
		return wrong_words(verb, "the path to " ENGINE " is too long");
	strcat(path, ENGINE);
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		fprintf(stderr, "starttls probe: %s; is OpenSSL 3 there (libssl3)?\n", dlerror());
		return EXIT_UNREACHABLE;
	}
	*(void **)&door = dlsym(object, "starttls_probe");
	p->engine = door ? door(PROBE_ABI) : NULL;
	if (p->engine)
		return 0;
	fprintf(stderr,
		"starttls probe: %s is of another version than this command: install both "
		"again\n",
		path);
	return EXIT_UNREACHABLE;
}

/* --- the protocol */

/* Of a port that no program is watched on by itself, as 993: to look does no harm. */
static const char *wrapping_proto(unsigned port)
{
	for (size_t i = 0; proto_word(i); i++)
		if (!proto_on_port((int)i, 1) && proto_on_port((int)i, (uint16_t)port))
			return proto_word(i);
	return NULL;
}

/* False: nobody knows what it speaks there. */
static bool find_proto(struct probing *p, const struct sockaddr *addr)
{
	struct verdict v = probe_decide(p, addr, NULL);

	if (!p->proto)
		p->proto = v.watched ? v.proto : wrapping_proto(p->port);
	return p->proto;
}

static int unknown_proto(const struct probing *p)
{
	return wrong_words(
		verb,
		"port %u stands for no protocol, and no rule says one: --proto smtp, for "
		"example, or --proto tls for TLS from the first byte",
		p->port);
}

static int check_domain(const struct probing *p)
{
	if (!p->domain || !strncmp(p->proto, "xmpp", 4))
		return 0;
	return wrong_words(verb, "--domain is for xmpp and xmpp-server; here '%s' is spoken",
			   p->proto);
}

/* --- all of it */

int cmd_probe(int argc, char **argv)
{
	struct probing p = {.host = NULL};
	struct addrinfo *list = NULL;
	int code = parse_arguments(argc, argv, &p);
	const char *spec;

	if (code)
		return code;
	p.files = policy_files();
	p.policy = policy_load(&p.files, stderr);
	if (policy_broken(p.policy)) {
		fputs("starttls probe: the policy is broken, so everything is refused; nothing was "
		      "probed\n",
		      stderr);
		code = EXIT_BROKEN;
	} else if (!(list = probe_resolve(&p))) {
		code = EXIT_UNREACHABLE;
	} else if (!find_proto(&p, list->ai_addr)) {
		code = unknown_proto(&p);
	} else if (!(code = check_domain(&p)) && !(code = open_engine(&p))) {
		spec = p.engine->spec(p.proto);
		line("host", "%s", p.host);
		line("proto", "%s%s%s%s", p.proto, spec ? " (" : "", spec ? spec : "",
		     spec ? ")" : "");
		code = probe_all(&p, list);
	}
	if (list)
		freeaddrinfo(list);
	policy_free(p.policy);
	return code;
}
