/* SPDX-License-Identifier: MIT
 * starttls check: is the policy sound? Errors and warnings go to stderr, one line for each file to
 * stdout. */
#include "command.h"
#include "policy.h"
#include <stdio.h>
#include <string.h>

/* The last line on a policy: what it will do to connections. */
static int conclude(const struct policy *p, const char *name, size_t rules)
{
	if (policy_broken(p)) {
		printf("%s: %sbroken%s: every connection that libstarttls watches will be "
		       "refused\n",
		       name, colour(stdout, COLOUR_BAD), colour(stdout, COLOUR_OFF));
		return EXIT_BROKEN;
	}
	printf("%s: %ssound%s, %zu rule%s\n", name, colour(stdout, COLOUR_GOOD),
	       colour(stdout, COLOUR_OFF), rules, rules == 1 ? "" : "s");
	return EXIT_OK;
}

static int check_file(const char *name)
{
	struct policy_files files = {.user = name, .user_required = true};
	int layer = LAYER_USER, code;
	struct policy *p;
	size_t rules = 0;

	if (!strcmp(name, POLICY_SYSTEM_FILE)) { /* of which more is asked */
		files = (struct policy_files){.system = name};
		layer = LAYER_SYSTEM;
	}
	p = policy_load(&files, stderr);
	if (p)
		policy_layer(p, layer, &rules);
	if (p && !policy_broken(p))
		policy_lint(p, stderr);
	code = conclude(p, name, rules);
	policy_free(p);
	return code;
}

/* What this user would get: both layers, together. */
static int check_layers(void)
{
	struct policy_files files = policy_files();
	const char *paths[LAYERS] = {[LAYER_SYSTEM] = files.system, [LAYER_USER] = files.user};
	struct policy *p = policy_load(&files, stderr);
	size_t rules = 0, all = 0;
	int code;

	for (int i = 0; p && i < LAYERS; i++) {
		if (!paths[i])
			continue;
		if (policy_layer(p, i, &rules))
			printf("%s: %zu rule%s\n", paths[i], rules, rules == 1 ? "" : "s");
		else
			printf("%s: not there\n", paths[i]);
		all += rules;
	}
	output_flush();
	if (p && !policy_broken(p))
		policy_lint(p, stderr);
	code = conclude(p, "this user's policy", all);
	if (code == EXIT_OK && !policy_has_floor(p))
		puts("where no rule matches: may to localhost, verify to any");
	policy_free(p);
	return code;
}

static int check_words(char **words, bool options)
{
	for (; *words; words++) {
		if (**words == '-' && options)
			return wrong_words("check",
					   "unknown option '%s'; it has none, and a file of that "
					   "name is ./%s",
					   *words, *words);
		if (!**words)
			return wrong_words("check", "which file? '' is none; without a FILE, what "
						    "this user would get is read");
	}
	return 0;
}

int cmd_check(int argc, char **argv)
{
	bool over = argc > 1 && !strcmp(argv[1], "--"); /* with options: files from here on */
	int worst = EXIT_OK;

	argc -= over;
	argv += over;
	if (argc == 1)
		return check_layers();
	if (check_words(argv + 1, !over))
		return EXIT_WRONG_USE;
	for (int i = 1; i < argc; i++) {
		int code = check_file(argv[i]);

		output_flush();
		worst = code > worst ? code : worst;
	}
	return worst;
}
