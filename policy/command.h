/* SPDX-License-Identifier: MIT
 * command: the verbs of starttls(1). A new one is one file cmd_NAME.c, one line here and one in the
 * table of starttls.c. */
#ifndef STARTTLS_COMMAND_H
#define STARTTLS_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#ifndef STARTTLS_LIBDIR
#define STARTTLS_LIBDIR "/usr/local/lib"
#endif

/* Exit codes of all verbs but `run` (sysexits.h where it has the notion). */
enum {
	EXIT_OK = 0,
	EXIT_WRONG_USE = 64,
	EXIT_UNREACHABLE = 69, /* the host, or the shim cannot hold the program */
	EXIT_NOT_WRITTEN = 74, /* standard output did not take the answer */
	EXIT_DENIED = 77,      /* by the policy */
	EXIT_BROKEN = 78,      /* the policy is broken */
};

/* Exit codes of `run`, as env(1) and timeout(1) have them, because mailers use sysexits
 * themselves. */
enum {
	RUN_REFUSED = 125, /* by us, before the program was started */
	RUN_NOT_EXECUTABLE = 126,
	RUN_NOT_FOUND = 127,
};

/* Each takes its own arguments, argv[0] being the verb, and returns the exit code of the
 * command. */
int cmd_check(int argc, char **argv);
int cmd_env(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* --- cmd_output.c */

/* Before anything is opened: where a standard descriptor is closed, the next file would get its
 * number, or the connection of `probe`, and the peer what is for the reader. What stands there
 * instead can be neither read nor written, and is gone again in what `run` becomes. */
void output_begin(void);

/* What came from a server or a file, on one line: with \xNN in place of what a terminal should not
 * see. */
void output_clean(FILE *out, const char *text, size_t n);

/* Write what was said so far: more may take a while. */
void output_flush(void);

/* The last of a verb ("": none), which would exit with code. Says so where standard output did not
 * take all of the answer. Returns the exit code: EXIT_NOT_WRITTEN (of `run`: RUN_REFUSED) then,
 * where it was EXIT_OK. */
int output_end(const char *verb, int code);

/* --- cmd_host.c: words of the command line */

/* Say on stderr, for the verb, what is wrong and what would be right. Returns EXIT_WRONG_USE; so do
 * the two below, else 0. */
__attribute__((format(printf, 2, 3))) int wrong_words(const char *verb, const char *format, ...);

/* getopt_long() has answered c, '?' or ':', and this is what it did not like. known: which options
 * there are. Options without a letter have values from OPTION_LONG on. */
enum { OPTION_LONG = 256 };
int wrong_option(const char *verb, int c, char **argv, const char *known);

/* HOST, HOST:PORT, [ADDRESS]:PORT, and an IPv6 address by itself. Cuts the word; port stays as it
 * is where none is said. */
int host_parse_word(const char *verb, char *word, const char **host, unsigned *port);

/* Where a word behind HOST should have stood, with a semicolon in front. Static. */
const char *too_much(const char *word);

/* Is it a protocol? */
int proto_parse_word(const char *verb, const char *proto);

/* The first port that a protocol stands for; 0: `tls` may be anywhere. */
unsigned proto_first_port(const char *proto);

/* --- cmd_colour.c */

/* What makes a terminal write in that colour from here on. Empty where out is no terminal, or
 * NO_COLOR is set. */
enum colour { COLOUR_OFF, COLOUR_GOOD, COLOUR_DOUBT, COLOUR_BAD };
const char *colour(FILE *out, enum colour which);

/* --- cmd_inspect.c */

/* Can the shim hold the program in this file? Writes the reason why not, and what to do, to `out`;
 * with all, everything else worth knowing too. library: ours, or NULL: as this command itself.
 * Blocks on no FIFO. Prefix begins each line. */
enum inspected {
	INSPECTED_HELD,
	INSPECTED_LOOSE,
	INSPECTED_ABSENT, /* a script, and what would read it cannot be started: exec(), or env(1),
			   * will fail */
};
enum inspected program_inspect(const char *path, const char *library, FILE *out, const char *prefix,
			       bool all);

/* --- cmd_rehearse.c */

/* A pipe with both ends close-on-exec and above the standard descriptors, some of which may be
 * closed. False, with errno. */
bool pipe_above(int ends[2]);

/* Start the command as far as its loader, with this process's environment, and look whether the
 * library gets into it. The command itself never begins. False: it does not, and out says why. A
 * command that cannot be started is nobody's business here: true. */
bool program_rehearse(char **command, const char *library, FILE *out);

/* --- cmd_find.c */

/* The file that execvp(word) would start. False, with errno, when there is none that may be
 * executed. */
bool program_find(const char *word, char path[PATH_MAX]);

/* libstarttls.so: beside this executable (a build directory), in the lib beside its bin (any
 * prefix), where it was to be installed. Absolute. False when it is nowhere. */
bool library_find(char path[PATH_MAX]);

#endif
