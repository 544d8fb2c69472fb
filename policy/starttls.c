/* SPDX-License-Identifier: MIT
 * starttls: the command. Finds the verb and calls it. */
#include "command.h"
#include "parse.h"
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

static void usage_of(FILE *out, const struct verb *v)
{
	fprintf(out, "  starttls %s %s\n      %s\n", v->word, v->usage, v->purpose);
}

static void usage(FILE *out)
{
	fputs("usage:\n", out);
	for (int i = 0; i < VERBS; i++)
		usage_of(out, &verbs[i]);
	fputs("see starttls(1) and starttls-policy(5)\n", out);
}

static bool is_help(const char *word)
{
	return word && (!strcmp(word, "--help") || !strcmp(word, "-h"));
}

static const char *verb_word(size_t i)
{
	return i < VERBS ? verbs[i].word : NULL;
}

/* No verb, or none that there is. */
static int wrong_verb(const char *word)
{
	const struct word said = {.at = word, .n = strlen(word)};
	const char *meant = *word ? did_you_mean(&said, verb_word) : NULL;

	if (meant)
		return wrong_words(word, "there is no such verb; did you mean '%s'?", meant);
	if (*word)
		wrong_words(word, "there is no such verb");
	usage(stderr);
	return EXIT_WRONG_USE;
}

static int run_verb(const struct verb *v, int argc, char **argv)
{
	if (!is_help(argv[1]))
		return v->run(argc, argv);
	usage_of(stdout, v);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	output_begin();
	if (is_help(word) || !strcmp(word, "help")) {
		usage(stdout);
		return output_end("", EXIT_OK);
	}
	if (!strcmp(word, "--version")) {
		puts("starttls " STARTTLS_VERSION);
		return output_end("", EXIT_OK);
	}
	for (int i = 0; i < VERBS; i++)
		if (!strcmp(word, verbs[i].word))
			return output_end(word, run_verb(&verbs[i], argc - 1, argv + 1));
	return wrong_verb(word);
}
