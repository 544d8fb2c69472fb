/* SPDX-License-Identifier: MIT
 * starttls inspect: can the shim hold this program? A sentence for each thing found, and a verdict.
 *
 *   msmtp: /usr/bin/msmtp
 *     64-bit, started by /lib64/ld-linux-x86-64.so.2
 *     calls of its own: connect getaddrinfo …
 *     brings its own TLS (libgnutls.so.30) …
 *   verdict: the shim holds it
 *
 * The loader ignores LD_PRELOAD in silence where it does, so that the program would go out in plaintext: what is doubtful is
 * refused. Set-user-ID programs are refused for root too, for whom the loader would listen: such programs change their user and
 * start themselves again. */
#include "command.h"
#include "elf.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	SCRIPTS = 5,      /* a script of a script of …: the kernel ends there too */
	LIBRARIES = 1000, /* more are an attempt to keep us busy */
};

struct inspection {
	FILE *out;
	const char *prefix, *path;
	bool all; /* not only what is wrong */
	bool held;
	const uint8_t *bytes;
	size_t size;
	struct stat st;
	const struct elf *ours;
};

static void say(struct inspection *i, const char *format, va_list args)
{
	fprintf(i->out, "%s%s: ", i->prefix, i->path);
	vfprintf(i->out, format, args);
	fputc('\n', i->out);
}

__attribute__((format(printf, 2, 3))) static void note(struct inspection *i, const char *format,
						       ...)
{
	va_list args;

	va_start(args, format);
	if (i->all)
		say(i, format, args);
	va_end(args);
}

/* The shim cannot hold it. */
__attribute__((format(printf, 2, 3))) static void wrong(struct inspection *i, const char *format,
							...)
{
	va_list args;

	i->held = false;
	va_start(args, format);
	say(i, format, args);
	va_end(args);
}

/* --- files */

/* Map a regular file. NULL, and errno; an empty one is NULL and 0. */
static const uint8_t *map(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *bytes = MAP_FAILED;
	int error;

	if (fd < 0)
		return NULL;
	if (fstat(fd, st) < 0)
		error = errno;
	else if (!S_ISREG(st->st_mode) || st->st_size == 0)
		error = S_ISREG(st->st_mode) ? 0 : EACCES;
	else {
		bytes = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		error = bytes == MAP_FAILED ? errno : 0;
	}
	close(fd);
	errno = error;
	return bytes == MAP_FAILED ? NULL : bytes;
}

/* --- what the loader goes by */

/* AT_SECURE: for these the loader forgets LD_PRELOAD. */
static void look_at_rights(struct inspection *i)
{
	const char *remedy =
		"run a copy without it (cp, which drops it), or put the TLS behind the program";

	if (i->st.st_mode & S_ISUID)
		wrong(i, "it is set-user-ID, so the loader ignores LD_PRELOAD; %s", remedy);
	/* Without the right to execute, the bit means something else: locking. */
	if ((i->st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		wrong(i, "it is set-group-ID, so the loader ignores LD_PRELOAD; %s", remedy);
	if (getxattr(i->path, "security.capability", NULL, 0) > 0)
		wrong(i, "it has file capabilities, so the loader ignores LD_PRELOAD; %s", remedy);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ld-linux-x86-64.so.2, ld-linux.so.2, ld64.so.2, ld.so.1, ld-2.31.so */
static bool is_glibc(const char *loader)
{
	return starts(loader, "ld-linux") || starts(loader, "ld64.so") || starts(loader, "ld.so") ||
	       starts(loader, "ld-2.");
}

static void look_at_loader(struct inspection *i, const struct elf *e)
{
	const char *loader = e->interpreter ? base(e->interpreter) : elf_soname(e);

	if (e->bits != i->ours->bits || e->machine != i->ours->machine) {
		wrong(i,
		      "it is of another class (%u bits, machine %u) than libstarttls.so (%u bits, "
		      "machine "
		      "%u), which cannot be loaded into it; build and install the library for it "
		      "too",
		      e->bits, e->machine, i->ours->bits, i->ours->machine);
		return;
	}
	/* The loader may itself be the command; a static program has no name of that kind. */
	if (!e->interpreter && !(loader && is_glibc(loader)))
		wrong(i,
		      "it is static%s: there is no loader that could load libstarttls.so; take its "
		      "dynamic package, or put the TLS behind the program",
		      e->go ? ", built with Go" : "");
	else if (starts(loader, "ld-musl"))
		wrong(i,
		      "it is for musl (%s), and libstarttls.so is for glibc; take a glibc build of "
		      "it",
		      e->interpreter);
	else if (!is_glibc(loader))
		wrong(i,
		      "it is started by %s, which is not glibc's loader; take a glibc build of it",
		      e->interpreter);
	else if (e->go)
		wrong(i, "it is built with Go, which makes its system calls without libc: the shim "
			 "does "
			 "not see them; put the TLS behind the program");
	else
		note(i, "%u bits like libstarttls.so, started by glibc's loader %s", e->bits,
		     e->interpreter ? e->interpreter : "(it is the loader)");
}

/* --- what it takes from others */

struct imports {
	char sockets[512]; /* the calls, a blank in front of each */
	bool raw, uring;
};

static void visit_import(void *context, const char *name)
{
	static const char *const calls[] = {
		"socket",         "connect",          "send",          "sendto",
		"sendmsg",        "sendmmsg",         "recv",          "recvfrom",
		"recvmsg",        "recvmmsg",         "__recv_chk",    "__recvfrom_chk",
		"shutdown",       "getaddrinfo",      "gethostbyname", "gethostbyname_r",
		"gethostbyname2", "gethostbyname2_r",
	};
	struct imports *all = context;
	size_t n = strlen(all->sockets);

	if (!strcmp(name, "syscall"))
		all->raw = true;
	if (starts(name, "io_uring_"))
		all->uring = true;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(name, calls[i]))
			snprintf(all->sockets + n, sizeof all->sockets - n, " %s", name);
}

static void look_at_libraries(struct inspection *i, const struct elf *e, struct imports *imports)
{
	static const char *const tls[] = {
		"libssl.so",  "libssl3.so",    "libgnutls.so", "libgnutls-openssl.so",
		"libnss3.so", "libmbedtls.so", "libwolfssl.so"};
	const char *library;

	for (size_t n = 0; n < LIBRARIES && (library = elf_needed(e, n)); n++) {
		if (starts(library, "liburing.so"))
			imports->uring = true;
		for (size_t k = 0; k < sizeof tls / sizeof *tls; k++)
			if (starts(library, tls[k]))
				note(i,
				     "it has its own TLS (%s): where it is set to use that, say "
				     "'by app' "
				     "in the policy, else turn it off",
				     library);
	}
}

static void look_at_imports(struct inspection *i, const struct elf *e)
{
	struct imports imports = {.raw = false};

	elf_imports(e, visit_import, &imports);
	look_at_libraries(i, e, &imports);
	if (*imports.sockets)
		note(i, "socket calls of its own:%s", imports.sockets);
	else
		note(i, "it makes no socket calls of its own; libraries that it loads may");
	if (imports.raw)
		note(i, "it uses syscall(): what it sends by that is not seen by the shim; try it "
			"with "
			"starttls run -v and look for its connections");
	if (imports.uring)
		note(i, "it uses io_uring: what it sends by that is not seen by the shim; turn "
			"io_uring "
			"off in its configuration");
}

/* --- scripts */

/* Cut the next word of a #! line; NULL at its end. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");

	*line = word + strcspn(word, " \t");
	if (**line)
		*(*line)++ = '\0';
	return *word ? word : NULL;
}

/* The program that reads the script: what #! says, behind env what it is to find, and where there is no #! the shell, as execvp() has it.
 * False when it is not there. */
static bool script_reader(struct inspection *i, char reader[PATH_MAX])
{
	char text[256] = "/bin/sh", alone[] = "env", *line = text, *word;
	size_t n = i->size < sizeof text + 1 ? i->size - 2 : sizeof text - 1;

	if (i->size > 2 && !memcmp(i->bytes, "#!", 2)) {
		memcpy(text, i->bytes + 2, n);
		text[n] = '\0';
		text[strcspn(text, "\r\n")] = '\0';
	}
	word = next_word(&line);
	if (word && !strcmp(base(word), "env")) {
		do
			word = next_word(&line);
		while (word && (*word == '-' || strchr(word, '=')));
		if (!word)
			word = alone;
	}
	if (word && program_find(word, reader)) {
		note(i, "it is a script, read by %s", reader);
		return true;
	}
	wrong(i, "it is a script for '%s', which is not there", word ? word : "");
	return false;
}

/* --- all of it */

/* One file. True when it is a script, and next is to be looked at. */
static bool look_at_file(struct inspection *i, char next[PATH_MAX])
{
	const char *why;
	struct elf e;
	bool script = false;

	i->bytes = map(i->path, &i->st);
	i->size = i->bytes ? (size_t)i->st.st_size : 0;
	if (!i->bytes && errno) {
		wrong(i,
		      "it cannot be read (%s), so nobody can tell whether the shim would hold it; "
		      "make it readable: chmod a+r",
		      strerror(errno));
		return false;
	}
	why = elf_open(&e, i->bytes, i->size);
	if (!why) {
		look_at_rights(i);
		look_at_loader(i, &e);
		if (i->held)
			look_at_imports(i, &e);
	} else if (i->size >= SELFMAG && !memcmp(i->bytes, ELFMAG, SELFMAG)) {
		wrong(i, "%s", why);
	} else {
		script = script_reader(i, next); /* whose own set-user-ID bit means nothing */
	}
	if (i->bytes)
		munmap((void *)(uintptr_t)i->bytes, i->size);
	return script;
}

bool program_inspect(const char *path, const char *library, FILE *out, const char *prefix, bool all)
{
	struct inspection i = {.out = out, .prefix = prefix, .all = all, .held = true};
	char paths[2][PATH_MAX];
	struct elf ours;
	struct stat st;
	const uint8_t *bytes = map(library ? library : "/proc/self/exe", &st);
	bool script = true;

	i.path = path;
	if (elf_open(&ours, bytes, bytes ? (size_t)st.st_size : 0)) {
		wrong(&i, "%s is not a library that could be loaded into it; install it again",
		      library ? library : "libstarttls.so");
		script = false;
	}
	i.ours = &ours;
	for (int n = 0; script && n < SCRIPTS; n++) {
		script = look_at_file(&i, paths[n % 2]);
		i.path = paths[n % 2];
	}
	if (script)
		wrong(&i, "there are too many scripts that read scripts");
	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return i.held;
}

static int wrong_use(const char *sentence, const char *word)
{
	fprintf(stderr, "starttls inspect: ");
	fprintf(stderr, sentence, word);
	fputs("\nusage: starttls inspect COMMAND\n", stderr);
	return EXIT_WRONG_USE;
}

int cmd_inspect(int argc, char **argv)
{
	char path[PATH_MAX], library[PATH_MAX];
	bool installed, held;

	if (argc > 1 && argv[1][0] == '-' && strcmp(argv[1], "--") != 0)
		return wrong_use("unknown option '%s'; it has none", argv[1]);
	if (argc > 1 && !strcmp(argv[1], "--")) {
		argc--;
		argv++;
	}
	if (argc == 1)
		return wrong_use("which program?%s", "");
	if (argc > 2)
		return wrong_use("one program at a time, without its arguments: '%s' is too much",
				 argv[2]);
	if (!program_find(argv[1], path)) {
		fprintf(stderr, "starttls inspect: '%s' cannot be started: %s\n", argv[1],
			strerror(errno));
		return EXIT_UNREACHABLE;
	}
	installed = library_find(library);
	held = program_inspect(path, installed ? library : NULL, stdout, "", true);
	if (held && !installed) {
		puts("libstarttls.so is not installed: make install");
		held = false;
	}
	printf("verdict: the shim %s %s\n", held ? "can hold" : "CANNOT hold", argv[1]);
	return held ? EXIT_OK : EXIT_UNREACHABLE;
}
