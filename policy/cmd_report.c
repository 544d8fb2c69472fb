/* SPDX-License-Identifier: MIT
 * starttls report: what the log says of each destination: how many connections, how they ended,
 * with which TLS, how long the certificate lasts, and what plaintext is left. */
#include "cmd_report.h"
#include "command.h"
#include <errno.h>
#include <string.h>

enum { LINE_MAX_READ = 8192 }; /* ours are shorter; what is longer is somebody else's */

/* One line without its newline; false at the end. A longer one, or one with a NUL in it, is read
 * over: what is given then is "". */
static bool read_line(FILE *in, char line[static LINE_MAX_READ])
{
	bool ours = true;
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(in)) != EOF && c != '\n') {
		if (!c || n == LINE_MAX_READ - 1)
			ours = false;
		if (ours)
			line[n++] = (char)c;
	}
	line[ours ? n : 0] = 0;
	return c != EOF || n;
}

static int complain_of(const char *name)
{
	fprintf(stderr, "starttls report: '%s' cannot be read: %s\n", name, strerror(errno));
	return EXIT_UNREACHABLE;
}

static int read_log(FILE *in, const char *name, struct tally *tally)
{
	char line[LINE_MAX_READ];
	struct log_line parts;

	while (read_line(in, line))
		if (log_line_parse(line, &parts) && !tally_add(tally, &parts)) {
			fputs("starttls report: out of memory; give it fewer lines at once\n",
			      stderr);
			return EXIT_UNREACHABLE;
		}
	return ferror(in) ? complain_of(name) : EXIT_OK;
}

static int read_file(const char *name, struct tally *tally)
{
	FILE *in;
	int code;

	if (!strcmp(name, "-"))
		return read_log(stdin, "standard input", tally);
	in = fopen(name, "re");
	if (!in)
		return complain_of(name);
	code = read_log(in, name, tally);
	fclose(in);
	return code;
}

typedef void print_fn(const struct tally *, time_t now, FILE *out);

static print_fn *find_form(const char *option)
{
	return !strcmp(option, "--json")         ? print_json
	       : !strcmp(option, "--prometheus") ? print_prometheus
						 : NULL;
}

/* Take the options out of argv, wherever they are in front of "--". How many files are left in it,
 * from 1 on; -1: something is wrong, and said. */
static int take_options(int argc, char **argv, print_fn **print)
{
	bool over = false;
	int files = 0;

	for (int i = 1; i < argc; i++) {
		if (!argv[i][0]) {
			wrong_words("report", "which file? '' is none; - is standard input");
			return -1;
		}
		if (over || argv[i][0] != '-' || !argv[i][1]) {
			argv[++files] = argv[i];
			continue;
		}
		over = !strcmp(argv[i], "--");
		if (over)
			continue;
		if (*print != print_table) {
			fprintf(stderr, "starttls report: '%s' is too much: one form at a time\n",
				argv[i]);
			return -1;
		}
		*print = find_form(argv[i]);
		if (!*print) {
			fprintf(stderr,
				"starttls report: unknown option '%s'; there are --json and "
				"--prometheus, and log files, or - for standard input\n",
				argv[i]);
			return -1;
		}
	}
	return files;
}

int cmd_report(int argc, char **argv)
{
	struct tally tally = {0};
	print_fn *print = print_table;
	int code = EXIT_OK, files = take_options(argc, argv, &print);

	if (files < 0)
		return EXIT_WRONG_USE;
	if (!files)
		code = read_file("-", &tally);
	for (int i = 1; i <= files && !code; i++)
		code = read_file(argv[i], &tally);
	if (!code)
		print(&tally, time(NULL), stdout);
	tally_free(&tally);
	return code;
}
