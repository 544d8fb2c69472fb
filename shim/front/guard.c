/* SPDX-License-Identifier: MIT
 * guard: what the loader will do to a program that is about to be executed, foretold from its
 * environment and its file. Contract: guard.h.
 *
 * Strings of the environment are compared by hand: it may be anybody's, not this process's. */
#include "guard.h"
#include "../../policy/hold.h"
#include "everywhere.h"
#include "log.h"
#include "start.h"
#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Our own header, by the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* --- environments */

/* name ends in '='. NULL: it is not set. */
static const char *value_of(char *const envp[], const char *name)
{
	size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, n) == 0)
			return *envp + n;
	return NULL;
}

/* Is the library, the first word of STARTTLS_RUN, in the list that the loader will read? */
static bool preloads(char *const envp[], const char *run)
{
	const char *list = value_of(envp, "LD_PRELOAD=");
	size_t n = strcspn(run, ":"), word;

	for (; list && *list; list += word + (list[word] != '\0')) {
		word = strcspn(list, ": ");
		if (word == n && strncmp(list, run, n) == 0)
			return true;
	}
	return false;
}

static bool is_missing(char *const envp[], const char *setting)
{
	for (; envp && *envp; envp++)
		if (strncmp(*envp, setting, strcspn(setting, "=") + 1) == 0)
			return false;
	return true;
}

size_t guard_room(char *const envp[])
{
	char *const *kept = start_kept();
	size_t n = 1;

	if (!start_run() || value_of(envp, "STARTTLS_RUN="))
		return 0;
	for (; envp && *envp; envp++)
		n++;
	for (; *kept; kept++)
		n++;
	return n * sizeof(char *);
}

char *const *guard_environment(char *const envp[], void *room)
{
	char *const *old = envp;
	char **all = room;
	size_t n = 0;

	for (; old && *old; old++)
		all[n++] = *old;
	for (char *const *kept = start_kept(); *kept; kept++)
		if (is_missing(envp, *kept))
			all[n++] = *kept;
	all[n] = NULL;
	return all;
}

/* --- programs */

/* As exec() sees it: by the effective user. */
static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

const char *guard_find(const char *file, char path[PATH_MAX])
{
	const char *list = value_of(environ, "PATH=");

	if (!list)
		list = "/bin:/usr/bin"; /* confstr(_CS_PATH), as in execvp(3) */
	for (size_t n; *file && !strchr(file, '/'); list += n + 1) {
		n = strcspn(list, ":");
		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, list, n ? "/" : "", file) <
			    PATH_MAX &&
		    is_executable(path))
			return path;
		if (!list[n])
			break;
	}
	return file;
}

/* `starttls` brings the library itself: the second word of STARTTLS_RUN, up to its end. */
static bool is_starttls(const char *path, const char *run)
{
	const char *command = run + strcspn(run, ":");
	struct stat a, b;

	return *command && stat(command + 1, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* It may lie outside of a new root directory, or where a new user may not go; the loader then says
 * a word on stderr, and goes on. */
static bool library_is_there(const char *run)
{
	char library[PATH_MAX];
	int n = snprintf(library, sizeof(library), "%.*s", (int)strcspn(run, ":"), run);

	return n < PATH_MAX && faccessat(AT_FDCWD, library, R_OK, AT_EACCESS) == 0;
}

/* For people at the terminal, and for those who read the log. */
static void tell(void *path, const char *why)
{
	char line[PATH_MAX + HOLD_WHY + 64];
	struct event e = {.verdict = EVENT_REFUSED, .why = line, .ms = -1};
	int n = snprintf(line, sizeof(line), "'%s' was not started: %s", (const char *)path, why);

	if (!start_log() || strcmp(start_log(), "stderr") != 0)
		log_event(&e);
	n = snprintf(line, sizeof(line), "starttls run: '%s' was not started: %s\n",
		     (const char *)path, why);
	if (n > 0 && !table_has(STDERR_FILENO))
		syscall(SYS_write, STDERR_FILENO, line, n);
}

/* Why the loader will not put the library into whatever this process executes; NULL: it will, where
 * the program's file lets it. *loader: the only one that will; NULL: any. */
static const char *obstacle(char *const envp[], const char *run, const char **loader)
{
	*loader = NULL;
	/* What the kernel goes by for AT_SECURE besides the file: execve(2). */
	if (getuid() != geteuid() || getgid() != getegid())
		return "its real and effective user or group differ, so the loader ignores "
		       "LD_PRELOAD; let the program give up its rights before it starts others";
	if (!preloads(envp, run) && !(*loader = everywhere_loader()))
		return "its environment lacks LD_PRELOAD, so it would speak plaintext; leave "
		       "LD_PRELOAD in it (env -i LD_PRELOAD=\"$LD_PRELOAD\" …), or put 'starttls "
		       "run' in front of this program instead";
	if (!library_is_there(run))
		return "this process cannot read libstarttls.so, because of its user or its root "
		       "directory; install the library where it can";
	return NULL;
}

static bool forbids(const char *path, char *const envp[], const char *run)
{
	struct hold h = {
		.bits = __ehdr_start.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
		.machine = __ehdr_start.e_machine,
		.say = tell,
		.of = (void *)path,
	};
	const char *why;

	if (!is_executable(path))
		return false;
	why = obstacle(envp, run, &h.loader);
	if (!why)
		return !hold_file(&h, path);
	if (is_starttls(path, run))
		return false;
	tell((void *)path, why);
	return true;
}

bool guard_forbids(const char *path, char *const envp[])
{
	const char *run = start_run();
	int error = errno;
	bool answer = run && forbids(path, envp, run);

	errno = error;
	return answer;
}

void guard_exec(const char *path, char *const envp[])
{
	if (guard_forbids(path, envp))
		_exit(GUARD_STATUS);
}
