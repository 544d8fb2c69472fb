/* SPDX-License-Identifier: MIT
 * starttls inspect: what a program takes from others. Of its libraries the loader itself gives the
 * list, as to ldd(1), so RUNPATH, the cache and LD_LIBRARY_PATH count as they do at its start:
 *
 * 	libldap-2.5.so.0 => /lib/x86_64-linux-gnu/libldap-2.5.so.0 (0x…)        looked at in turn
 * 	libmine.so => not found
 * 	/usr/local/lib/libstarttls.so (0x…)                                     ours, preloaded
 *
 * It is this command's loader that lists: the one that a stranger's program names is not
 * started. */
#include "cmd_inspect.h"
#include "command.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIBRARIES = 1000 }; /* more are an attempt to keep us busy */

struct imports {
	char sockets[512]; /* the calls, a blank in front of each */
	bool raw, uring;
};

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

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

static bool is_tls(const char *library)
{
	static const char *const names[] = {
		"libssl.so",  "libssl3.so",    "libgnutls.so", "libgnutls-openssl.so",
		"libnss3.so", "libmbedtls.so", "libwolfssl.so"};

	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		if (starts(library, names[k]))
			return true;
	return false;
}

static bool needs(const struct elf *e, const char *library)
{
	const char *name;

	for (size_t n = 0; n < LIBRARIES && (name = elf_needed(e, n)); n++)
		if (!strcmp(name, library))
			return true;
	return false;
}

/* --- the libraries */

/* What was found out about all of them. */
struct libraries {
	struct inspection *i;
	const struct elf *program;
	char sockets[512], uring[256]; /* their names, a blank in front of each */
	bool listed;                   /* ours was among them */
};

static void add(char *names, size_t room, const char *name)
{
	size_t n = strlen(names);

	snprintf(names + n, room - n, " %s", name);
}

/* One that the program does not name itself may bring TLS by the way. */
static void look_at_library(struct libraries *all, const char *name, const char *path)
{
	struct imports imports = {.raw = false};
	const char *needed;
	struct stat st;
	struct elf e;
	const uint8_t *bytes = hold_map(path, &st);

	if (!bytes)
		return;
	if (!elf_open(&e, bytes, (size_t)st.st_size)) {
		elf_imports(&e, visit_import, &imports);
		for (size_t n = 0; n < LIBRARIES && (needed = elf_needed(&e, n)); n++) {
			imports.uring |= starts(needed, "liburing.so");
			if (is_tls(needed) && !is_tls(name) && !needs(all->program, needed))
				inspect_note(
					all->i,
					"it has its own TLS through %s (%s): where it is set "
					"to use that, say 'by app' in the policy, else turn it "
					"off",
					name, needed);
		}
		if (*imports.sockets && !is_tls(name) && !starts(name, "libcrypto.so"))
			add(all->sockets, sizeof all->sockets, name);
		if (imports.uring && !starts(name, "liburing.so"))
			add(all->uring, sizeof all->uring, name);
	}
	munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
}

/* One line of the loader's. */
static void read_line(struct libraries *all, char *line)
{
	char *arrow = strstr(line, " => "), *address = strstr(line, " (0x");

	line[strcspn(line, "\n")] = '\0';
	if (all->i->library && strstr(line, all->i->library)) {
		if (strstr(line, "cannot be preloaded"))
			inspect_wrong(all->i, "%s", line);
		else
			all->listed = true;
		return;
	}
	if (*line != '\t' || !arrow)
		return;
	*arrow = '\0';
	if (address > arrow) {
		*address = '\0';
		if (!starts(line + 1, "libc.so."))
			look_at_library(all, line + 1, arrow + 4);
	} else {
		inspect_note(all->i, "it needs %s, which is not there: it would not start",
			     line + 1);
	}
}

static pid_t list(const struct inspection *i, const char *loader, int ends[2])
{
	pid_t pid = pipe_above(ends) ? fork() : -1;

	if (pid != 0)
		return pid;
	if (dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2 &&
	    (i->library ? setenv("LD_PRELOAD", i->library, 1) : unsetenv("LD_PRELOAD")) == 0 &&
	    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1) == 0)
		execl(loader, loader, i->path, (char *)NULL);
	_exit(RUN_NOT_FOUND);
}

/* The loader that this command was itself started by, for a program of the same kind. */
static const char *own_loader(char path[PATH_MAX])
{
	struct stat st;
	const uint8_t *bytes = hold_map("/proc/self/exe", &st);
	struct elf e;

	*path = '\0';
	if (bytes && !elf_open(&e, bytes, (size_t)st.st_size) && e.interpreter)
		strcpy(path, e.interpreter);
	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)st.st_size);
	return *path ? path : NULL;
}

static void look_at_libraries(struct libraries *all)
{
	char loader[PATH_MAX], *line = NULL;
	size_t size = 0;
	int ends[2];
	FILE *in;
	pid_t pid = own_loader(loader) ? list(all->i, loader, ends) : -1;

	if (pid < 0)
		return;
	close(ends[1]);
	in = fdopen(ends[0], "r");
	while (in && getline(&line, &size, in) > 0)
		read_line(all, line);
	free(line);
	if (in)
		fclose(in);
	waitpid(pid, NULL, 0);
}

/* --- all of it */

static void tell_own(struct inspection *i, const struct elf *e, const struct imports *imports)
{
	const char *library;

	for (size_t n = 0; n < LIBRARIES && (library = elf_needed(e, n)); n++)
		if (is_tls(library))
			inspect_note(
				i,
				"it has its own TLS (%s): where it is set to use that, say 'by "
				"app' in the policy, else turn it off",
				library);
	if (*imports->sockets)
		inspect_note(i, "socket calls of its own:%s", imports->sockets);
	else
		inspect_note(i, "it makes no socket calls of its own");
	if (imports->raw)
		inspect_note(i, "it uses syscall(): what it sends by that is not seen by the shim; "
				"try it with starttls run -v and look for its connections");
}

void inspect_imports(struct inspection *i, const struct elf *e)
{
	static const char remedy[] = "what is sent by that is not seen by the shim; turn io_uring "
				     "off in its configuration";
	struct libraries all = {.i = i, .program = e};
	struct imports imports = {.raw = false};
	const char *library;

	if (!i->all)
		return;
	elf_imports(e, visit_import, &imports);
	for (size_t n = 0; n < LIBRARIES && (library = elf_needed(e, n)); n++)
		imports.uring |= starts(library, "liburing.so");
	tell_own(i, e, &imports);
	look_at_libraries(&all);
	if (*all.sockets)
		inspect_note(i, "socket calls in libraries that it loads:%s", all.sockets);
	if (imports.uring)
		inspect_note(i, "it uses io_uring: %s", remedy);
	if (*all.uring)
		inspect_note(i, "it uses io_uring through%s: %s", all.uring, remedy);
}
