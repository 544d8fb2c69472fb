/* SPDX-License-Identifier: MIT
 * starttls inspect: can the shim hold this program? A sentence for each thing found, and a verdict.
 *
 *   msmtp: /usr/bin/msmtp
 *     64-bit, started by /lib64/ld-linux-x86-64.so.2
 *     calls of its own: connect getaddrinfo …
 *     brings its own TLS (libgnutls.so.30) …
 *   verdict: the shim holds it
 *
 * The loader ignores LD_PRELOAD in silence where it does (hold.h), so that the program would go out
 * in plaintext: what is doubtful is refused. */
#include "cmd_inspect.h"
#include "command.h"
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { SCRIPTS = 5 }; /* a script of a script of …: the kernel ends there too */

static void say(struct inspection *i, const char *format, va_list args)
{
	char text[2 * PATH_MAX];

	vsnprintf(text, sizeof text, format, args);
	fputs(i->prefix, i->out);
	output_clean(i->out, i->path, strlen(i->path));
	fputs(": ", i->out);
	output_clean(i->out, text, strlen(text));
	fputc('\n', i->out);
}

void inspect_note(struct inspection *i, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (i->all)
		say(i, format, args);
	va_end(args);
}

void inspect_wrong(struct inspection *i, const char *format, ...)
{
	va_list args;

	i->held = false;
	va_start(args, format);
	say(i, format, args);
	va_end(args);
}

/* --- what the loader goes by */

static void say_why(void *of, const char *why)
{
	inspect_wrong(of, "%s", why);
}

/* Does the loader's own file name it by a path, as it has to for programs with rights of their
 * own? */
static bool is_everywhere(void)
{
	static const char name[] = "/libstarttls.so";
	struct stat st;
	const uint8_t *bytes = hold_map("/etc/ld.so.preload", &st);
	bool found = bytes && memmem(bytes, (size_t)st.st_size, name, sizeof name - 1);

	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return found;
}

static void look_at_loader(struct inspection *i, const struct elf *e)
{
	const struct hold h = {
		.bits = i->ours->bits, .machine = i->ours->machine, .say = say_why, .of = i};

	if (!hold_rights(&h, i->path, &i->st) && is_everywhere())
		inspect_note(i, "/etc/ld.so.preload names libstarttls.so, which is in it by that, "
				"and obeys the system's policy alone there");
	if (hold_loader(&h, e))
		inspect_note(i, "%u bits like libstarttls.so, started by glibc's loader %s",
			     e->bits, e->interpreter ? e->interpreter : "(it is the loader)");
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- scripts */

/* What env(1) is to find: the first word that is no option, nor the value of one, and sets no
 * variable. Cuts them. */
static const char *word_of_env(char *words)
{
	bool value = false;

	for (char *rest, *word = words ? strtok_r(words, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (!value && *word != '-' && !strchr(word, '='))
			return word;
		value = !strcmp(word, "-u") || !strcmp(word, "-C");
	}
	return "env";
}

/* The file of a script's reader: env(1) seeks it in PATH, the kernel in the current directory. */
static bool reader_find(const char *word, bool by_env, char reader[PATH_MAX])
{
	char here[PATH_MAX];

	if (by_env || strchr(word, '/'))
		return program_find(word, reader);
	snprintf(here, sizeof here, "./%s", word);
	return program_find(here, reader);
}

/* What env does not find it will tell by itself, and knows better. */
static void tell_absent(struct inspection *i, const char *word, bool by_env, int error)
{
	i->absent = true;
	if (by_env && !i->all)
		return;
	if (strchr(word, '\r'))
		inspect_wrong(i,
			      "it is a script for '%s', which is not there: its lines end as those "
			      "of Windows do; sed -i 's/\\r$//' makes them end as others do",
			      word);
	else if (error == ENOENT)
		inspect_wrong(i, "it is a script for '%s', which is not there", word);
	else
		inspect_wrong(i, "it is a script for '%s', which cannot be started: %s", word,
			      strerror(error));
}

/* The program that reads the script: what #! says, behind env what it is to find, and where there
 * is no #! the shell, as execvp() has it. False when it is not there. */
static bool script_reader(struct inspection *i, char reader[PATH_MAX])
{
	struct hold_script script;
	const char *word = "/bin/sh";
	bool by_env = false;

	if (hold_script(&script, i->bytes, i->size)) {
		word = script.reader;
		by_env = !strcmp(base(word), "env");
		if (by_env)
			word = word_of_env(script.argument);
	}
	if (reader_find(word, by_env, reader)) {
		inspect_note(i, "it is a script, read by %s", reader);
		return true;
	}
	tell_absent(i, word, by_env, errno);
	return false;
}

/* --- all of it */

/* One file. True when it is a script, and next is to be looked at. */
static bool look_at_file(struct inspection *i, char next[PATH_MAX])
{
	const char *why;
	struct elf e;
	bool script = false;

	i->bytes = hold_map(i->path, &i->st);
	i->size = i->bytes ? (size_t)i->st.st_size : 0;
	if (!i->bytes && errno) {
		inspect_wrong(i,
			      "it cannot be read (%s), so nobody can tell whether the shim would "
			      "hold it; "
			      "make it readable: chmod a+r",
			      strerror(errno));
		return false;
	}
	why = elf_open(&e, i->bytes, i->size);
	if (!why) {
		look_at_loader(i, &e);
		if (i->held)
			inspect_imports(i, &e);
		inspect_confinement(i);
	} else if (i->size >= SELFMAG && !memcmp(i->bytes, ELFMAG, SELFMAG)) {
		inspect_wrong(i, "%s", why);
	} else {
		script = script_reader(i, next); /* whose own set-user-ID bit means nothing */
	}
	if (i->bytes)
		munmap((void *)(uintptr_t)i->bytes, i->size);
	return script;
}

enum inspected program_inspect(const char *path, const char *library, FILE *out, const char *prefix,
			       bool all)
{
	struct inspection i = {
		.out = out, .prefix = prefix, .library = library, .all = all, .held = true};
	char paths[2][PATH_MAX];
	struct elf ours;
	struct stat st;
	const uint8_t *bytes = hold_map(library ? library : "/proc/self/exe", &st);
	bool script = true;

	i.path = path;
	if (elf_open(&ours, bytes, bytes ? (size_t)st.st_size : 0)) {
		inspect_wrong(&i,
			      "%s is not a library that could be loaded into it; install it again",
			      library ? library : "libstarttls.so");
		script = false;
	}
	i.ours = &ours;
	for (int n = 0; script && n < SCRIPTS; n++) {
		script = look_at_file(&i, paths[n % 2]);
		i.path = paths[n % 2];
	}
	if (script)
		inspect_wrong(&i, "there are too many scripts that read scripts");
	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return i.absent ? INSPECTED_ABSENT : i.held ? INSPECTED_HELD : INSPECTED_LOOSE;
}

static int wrong_use(const char *sentence, const char *word)
{
	fprintf(stderr, "starttls inspect: ");
	fprintf(stderr, sentence, word);
	fputs("\nusage: starttls inspect COMMAND\n", stderr);
	return EXIT_WRONG_USE;
}

static int conclude(enum inspected found, const char *word)
{
	static const char *const verdicts[] = {
		[INSPECTED_HELD] = "the shim can hold %s",
		[INSPECTED_LOOSE] = "the shim CANNOT hold %s",
		[INSPECTED_ABSENT] = "%s CANNOT be started",
	};
	bool held = found == INSPECTED_HELD;

	printf("verdict: %s", colour(stdout, held ? COLOUR_GOOD : COLOUR_BAD));
	printf(verdicts[found], word);
	printf("%s\n", colour(stdout, COLOUR_OFF));
	return held ? EXIT_OK : EXIT_UNREACHABLE;
}

int cmd_inspect(int argc, char **argv)
{
	char path[PATH_MAX], library[PATH_MAX];
	enum inspected found;
	bool installed;

	if (argc > 1 && argv[1][0] == '-' && strcmp(argv[1], "--") != 0)
		return wrong_use("unknown option '%s'; it has none", argv[1]);
	if (argc > 1 && !strcmp(argv[1], "--")) {
		argc--;
		argv++;
	}
	if (argc == 1)
		return wrong_use("which program?%s", "");
	if (!*argv[1])
		return wrong_use("which program? '%s' is none", argv[1]);
	if (argc > 2)
		return wrong_use("one program at a time, without its arguments: '%s' is too much",
				 argv[2]);
	if (!program_find(argv[1], path)) {
		fprintf(stderr, "starttls inspect: '%s' cannot be started: %s\n", argv[1],
			strerror(errno));
		return EXIT_UNREACHABLE;
	}
	installed = library_find(library);
	found = program_inspect(path, installed ? library : NULL, stdout, "", true);
	if (found == INSPECTED_HELD && !installed) {
		puts("libstarttls.so is not installed: make install");
		found = INSPECTED_LOOSE;
	}
	return conclude(found, argv[1]);
}
