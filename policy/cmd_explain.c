/* SPDX-License-Identifier: MIT
 * starttls explain: which rule of which layer speaks about a connection, why, and what is needed,
 * in sentences.
 *
 *   smtp to mx.example.com, 192.0.2.1 port 25: encrypt
 *     The system's policy, /etc/starttls/policy, is not there.
 *     The user's policy speaks: /home/joe/.config/starttls/policy:3 is its first rule that matches:
 *         encrypt to *.example.com
 *     TLS 1.2 or newer is required; without it the connection is refused.
 *     The peer is NOT authenticated: …
 *
 * A name may stand for several addresses, and rules may tell them apart: those that get the same
 * answer share it. */
#include "cmd_explain.h"
#include "command.h"
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

/* As the shim will see it: absolute, with no symbolic link. A program that is not there may still
 * be asked about. */
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
	enum { PROGRAM = OPTION_LONG, USER, ADDR };
	static const struct option names[] = {
		{"program", required_argument, NULL, PROGRAM},
		{"user", required_argument, NULL, USER},
		{"addr", required_argument, NULL, ADDR},
		{NULL, 0, NULL, 0},
	};
	int c, code;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", names, NULL)) != -1)
		switch (c) {
		case PROGRAM:
			q->program = optarg;
			break;
		case USER:
			q->user = optarg;
			break;
		case ADDR:
			q->addr = optarg;
			break;
		default:
			return wrong_option(verb, c, argv, "--program, --user, --addr");
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

/* --- all of it */

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
		texts[n] = explain_answer(q, list->ai_addr, &code);
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
