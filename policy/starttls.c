/* SPDX-License-Identifier: MIT
 * starttls: the command. Finds the verb and calls it. */
#include "command.h"
#include <stdio.h>
#include <string.h>

#ifndef STARTTLS_VERSION
#define STARTTLS_VERSION "0.1.0"
#endif

static const struct verb {
	const char *word, *usage, *purpose;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"run", "[-v] [--policy FILE] [--observe[=FILE]] [--] COMMAND [ARG …]",
	 "start COMMAND with its STARTTLS-able connections upgraded", cmd_run},
	{"check", "[FILE …]", "is the policy sound? (no file: what this user would get)",
	 cmd_check},
	{"explain", "[--program P] [--user U] [--addr A] HOST[:PORT] [PROTO]",
	 "which rule is about this connection, why, and what it asks for", cmd_explain},
	{"probe", "[--proto P] [--timeout S] [--domain D] HOST[:PORT]",
	 "do it once, show everything, suggest a rule", cmd_probe},
	{"inspect", "COMMAND", "can the shim hold this program?", cmd_inspect},
	{"report", "[--json|--prometheus] [FILE|-]…",
	 "what a log says of each destination, and what plaintext is left", cmd_report},
	{"env", "[--sh|--systemd|--docker]", "what to paste elsewhere", cmd_env},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

static void usage(FILE *out)
{
	fputs("usage:\n", out);
	for (int i = 0; i < VERBS; i++)
		fprintf(out, "  starttls %s %s\n      %s\n", verbs[i].word, verbs[i].usage,
			verbs[i].purpose);
	fputs("see starttls(1) and starttls-policy(5)\n", out);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(word, "--version")) {
		puts("starttls " STARTTLS_VERSION);
		return EXIT_OK;
	}
	for (int i = 0; i < VERBS; i++)
		if (!strcmp(word, verbs[i].word))
			return verbs[i].run(argc - 1, argv + 1);
	if (*word)
		fprintf(stderr, "starttls: unknown verb '%s'\n", word);
	usage(stderr);
	return EXIT_WRONG_USE;
}
