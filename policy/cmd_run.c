/* SPDX-License-Identifier: MIT
 * starttls run: check the policy, inspect the program, put libstarttls.so into LD_PRELOAD, see that
 * the loader heeds it, become the program.
 *
 *   check ─► inspect (its file) ─► rehearse (its loader) ─► exec: same process, signals, terminal
 *                                                            └─ STARTTLS_RUN: the library looks after
 *                                                               programs that this one executes
 *
 * Every doubt ends here with 125: once the program runs without the library, nothing stands between
 * it and plaintext. */
#include "command.h"
#include "policy.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2))) static int refuse(const char *format, ...)
{
	va_list args;

	fputs("starttls run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return RUN_REFUSED;
}

/* --- the library */

static bool listed(const char *list, const char *item)
{
	size_t n = strlen(item);

	for (const char *at = list; (at = strstr(at, item)); at += n)
		if ((at == list || strchr(": ", at[-1])) && (!at[n] || strchr(": ", at[n])))
			return true;
	return false;
}

/* Appended: whoever preloads something else first meant it to come first. */
static int preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *all;
	int result;

	if (strpbrk(library, ": "))
		return refuse(
			"the loader cannot preload '%s': move it to a path without blanks and "
			"colons",
			library);
	if (before && listed(before, library))
		return 0;
	if (asprintf(&all, "%s%s%s", before ? before : "", before && *before ? ":" : "", library) <
	    0)
		return refuse("out of memory");
	result = setenv("LD_PRELOAD", all, 1);
	free(all);
	return result == 0 ? 0 : refuse("out of memory");
}

/* By this the library knows in whose name it is there (shim/front/guard.h). */
static int leave_mark(const char *library)
{
	char mark[2 * PATH_MAX + 2], self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		*self = '\0';
	snprintf(mark, sizeof mark, "%s:%s", library, self);
	return setenv("STARTTLS_RUN", mark, 1) == 0 ? 0 : refuse("out of memory");
}

/* --- the policy */

/* --policy FILE: absolute, because the program and its children may change their directory. */
static int name_policy(const char *file)
{
	char path[PATH_MAX];

	if (!realpath(file, path))
		return refuse("cannot read the policy '%s': %s", file, strerror(errno));
	return setenv("STARTTLS_POLICY", path, 1) == 0 ? 0 : refuse("out of memory");
}

static void show_layers(const struct policy *p, const struct policy_files *files)
{
	const char *paths[LAYERS] = {[LAYER_SYSTEM] = files->system, [LAYER_USER] = files->user};
	size_t rules;

	for (int i = 0; i < LAYERS; i++) {
		if (!paths[i])
			continue;
		if (policy_layer(p, i, &rules))
			fprintf(stderr, "starttls run: policy %s: %zu rule%s\n", paths[i], rules,
				rules == 1 ? "" : "s");
		else
			fprintf(stderr, "starttls run: policy %s: not there\n", paths[i]);
	}
}

static int check_policy(bool verbose)
{
	struct policy_files files = policy_files();
	struct policy *p = policy_load(&files, stderr);
	bool broken = policy_broken(p);

	if (verbose && p)
		show_layers(p, &files);
	policy_free(p);
	return broken ? refuse("the policy is broken, the command was not started") : 0;
}

/* --- observing */

static const char head[] =
	"# What 'starttls run --observe' saw: for each destination the rule that would have held.\n"
	"# Look it through, above all what says PLAINTEXT; then: starttls run --policy THIS-FILE\n";

/* FILE must be there before the program is, and is named absolutely, for programs change their
 * directory. The library writes the rules. Nobody else may write to it, or it would be no policy to
 * be believed. */
static int name_observed(const char *file, char path[PATH_MAX])
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;
	bool good = fd >= 0 && fstat(fd, &st) == 0 &&
		    (st.st_size > 0 || write(fd, head, sizeof head - 1) > 0) &&
		    realpath(file, path);

	if (!good)
		refuse("cannot write what is observed to '%s': %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!good)
		return RUN_REFUSED;
	return setenv("STARTTLS_OBSERVE", path, 1) == 0 ? 0 : refuse("out of memory");
}

/* Nothing is refused while this lasts, so nobody shall do it unawares. */
static int observe(const char *file)
{
	char path[PATH_MAX];
	int code = name_observed(file, path);

	if (!code)
		fprintf(stderr,
			"starttls run: observing: whatever your own policy requires is only tried; "
			"the system's policy holds. Rules go to %s\n",
			path);
	return code;
}

/* --- options */

struct options {
	bool verbose;
	const char *policy, *observe;
	char **command;
};

static int parse_options(int argc, char **argv, struct options *o)
{
	enum { POLICY = OPTION_LONG, OBSERVE };
	static const struct option names[] = {
		{"policy", required_argument, NULL, POLICY},
		{"verbose", no_argument, NULL, 'v'},
		{"observe", optional_argument, NULL, OBSERVE},
		{NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:v", names, NULL)) != -1)
		switch (c) {
		case 'v':
			o->verbose = true;
			break;
		case POLICY:
			o->policy = optarg;
			break;
		case OBSERVE:
			o->observe = optarg ? optarg : "observed.policy";
			break;
		default:
			wrong_option("run", c, argv,
				     "-v, --policy FILE, --observe[=FILE]; the COMMAND's own stand "
				     "behind it");
			return RUN_REFUSED;
		}
	o->command = argv + optind;
	if (*o->command && **o->command)
		return 0;
	return refuse("which command? %susage: starttls run [-v] [--policy FILE] "
		      "[--observe[=FILE]] [--] COMMAND [ARG …]",
		      *o->command ? "'' is none; " : "");
}

/* What is not there is left to execvp(), which knows why. */
static int inspect(const char *command, const char *library, bool verbose)
{
	char path[PATH_MAX];

	if (!program_find(command, path) ||
	    program_inspect(path, library, stderr, "starttls run: ", verbose) != INSPECTED_LOOSE)
		return 0;
	return refuse("'%s' was not started: it would speak plaintext", command);
}

static int become(char **command)
{
	int error;

	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "starttls run: cannot start '%s': %s\n", command[0], strerror(error));
	return error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

int cmd_run(int argc, char **argv)
{
	struct options o = {0};
	char library[PATH_MAX];
	int code = parse_options(argc, argv, &o);

	if (!code && o.policy)
		code = name_policy(o.policy);
	if (!code)
		code = check_policy(o.verbose);
	if (!code && !library_find(library))
		code = refuse("there is no libstarttls.so "
			      "beside this command, in ../lib or in " STARTTLS_LIBDIR);
	if (!code)
		code = inspect(*o.command, library, o.verbose);
	if (!code)
		code = preload(library);
	if (!code && o.verbose && setenv("STARTTLS_LOG", "stderr", 1) < 0)
		code = refuse("out of memory");
	if (!code)
		code = leave_mark(library);
	if (!code && !program_rehearse(o.command, library, stderr))
		code = refuse("'%s' was not started: it would speak plaintext", *o.command);
	if (!code && o.observe)
		code = observe(o.observe);
	if (!code && o.verbose)
		fprintf(stderr, "starttls run: the loader puts %s into it\n", library);
	return code ? code : become(o.command);
}
