/* SPDX-License-Identifier: MIT
 * hold: what the loader goes by, see hold.h. Sources: ld.so(8), "Secure-execution mode"; execve(2),
 * "Interpreter scripts".
 *
 * Set-user-ID programs are refused for root too, for whom the loader would listen: such programs
 * change their user and start themselves again. */
#include "hold.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS = 5 }; /* a script of a script of …: the kernel ends there too */

static const char remedy[] =
	"run a copy without it (cp, which drops it), or put the TLS behind the program";

__attribute__((format(printf, 2, 3))) static bool no(const struct hold *h, const char *format, ...)
{
	char why[HOLD_WHY];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	h->say(h->of, why);
	return false;
}

/* --- rights */

bool hold_rights(const struct hold *h, const char *path, const struct stat *st)
{
	bool held = true;

	if (st->st_mode & S_ISUID)
		held = no(h, "it is set-user-ID, so the loader ignores LD_PRELOAD; %s", remedy);
	/* Without the right to execute, the bit means something else: locking. */
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		held = no(h, "it is set-group-ID, so the loader ignores LD_PRELOAD; %s", remedy);
	if (getxattr(path, "security.capability", NULL, 0) > 0)
		held = no(h, "it has file capabilities, so the loader ignores LD_PRELOAD; %s",
			  remedy);
	return held;
}

/* --- the loader */

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

bool hold_loader(const struct hold *h, const struct elf *e)
{
	const char *loader = e->interpreter ? base(e->interpreter) : elf_soname(e);

	if (e->bits != h->bits || e->machine != h->machine)
		return no(
			h,
			"it is of another class (%u bits, machine %u) than libstarttls.so (%u "
			"bits, machine %u), which cannot be loaded into it; build and install the "
			"library for it too",
			e->bits, e->machine, h->bits, h->machine);
	/* The loader may itself be the command; a static program has no name of that kind. */
	if (!e->interpreter && !(loader && is_glibc(loader)))
		return no(h,
			  "it is static%s: there is no loader that could load libstarttls.so; take "
			  "its dynamic package, or put the TLS behind the program",
			  e->go ? ", built with Go" : "");
	if (starts(loader, "ld-musl"))
		return no(
			h,
			"it is for musl (%s), and libstarttls.so is for glibc; take a glibc build "
			"of it",
			e->interpreter);
	if (!is_glibc(loader))
		return no(h,
			  "it is started by %s, which is not glibc's loader; take a glibc build of "
			  "it",
			  e->interpreter);
	if (h->loader && (!e->interpreter || strcmp(e->interpreter, h->loader) != 0))
		return no(h,
			  "its environment lacks LD_PRELOAD, and /etc/ld.so.preload is known to be "
			  "heeded by %s only; leave LD_PRELOAD in it",
			  h->loader);
	if (e->go)
		return no(h, "it is built with Go, which makes its system calls without libc: the "
			     "shim does not see them; put the TLS behind the program");
	return true;
}

/* --- files */

const uint8_t *hold_map(const char *path, struct stat *st)
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

bool hold_script(struct hold_script *s, const uint8_t *bytes, size_t size)
{
	size_t n = size < sizeof s->text + 1 ? size - 2 : sizeof s->text - 1;

	if (size <= 2 || memcmp(bytes, "#!", 2) != 0)
		return false;
	memcpy(s->text, bytes + 2, n);
	s->text[n] = '\0';
	s->text[strcspn(s->text, "\n")] = '\0'; /* a carriage return is part of the name */
	s->reader = s->text + strspn(s->text, " \t");
	if (!*s->reader)
		return false;
	s->argument = s->reader + strcspn(s->reader, " \t");
	if (*s->argument)
		*s->argument++ = '\0';
	s->argument += strspn(s->argument, " \t");
	if (!*s->argument)
		s->argument = NULL;
	return true;
}

/* One file. *reader is its reader when it is a script, else empty. */
static bool look_at(const struct hold *h, const char *path, char reader[PATH_MAX])
{
	struct hold_script script;
	const uint8_t *bytes;
	struct stat st;
	struct elf e;
	const char *why;
	bool held = true;

	*reader = '\0';
	bytes = hold_map(path, &st);
	if (!bytes && errno && errno != ENOENT)
		return no(h,
			  "it cannot be read (%s), so nobody can tell whether the shim would hold "
			  "it; make it readable: chmod a+r",
			  strerrordesc_np(errno));
	if (!bytes)
		return true;
	why = elf_open(&e, bytes, (size_t)st.st_size);
	if (!why) {
		held = hold_rights(h, path, &st);
		held = hold_loader(h, &e) && held;
	} else if (hold_script(&script, bytes, (size_t)st.st_size)) {
		strcpy(reader, script.reader); /* whose argument, if it is env, asks again */
	} else if ((size_t)st.st_size >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG)) {
		held = no(h, "%s", why);
	} /* else the shell reads it, and who asks is not asked in vain: it is executed, too */
	munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return held;
}

bool hold_file(const struct hold *h, const char *path)
{
	char readers[2][PATH_MAX];
	bool held = true;

	for (int n = 0; held && *path && n < SCRIPTS; n++) {
		held = look_at(h, path, readers[n % 2]);
		path = readers[n % 2];
	}
	return held;
}
