/* SPDX-License-Identifier: MIT
 * starttls run, the rehearsal: does the loader really put the library into this program?
 *
 *   run ── fork ──► exec(COMMAND), held there until it is known not to be AT_SECURE
 *    │                 └─ the loader maps everything, lists it (LD_TRACE_LOADED_OBJECTS, ld.so(8))
 *    │                    and ends before the program begins
 *    └─ reads the list: "	/usr/local/lib/libstarttls.so (0x…)" is the receipt
 *       then becomes COMMAND itself
 *
 * What the file's headers do not tell shows only here: a security module that forbids the mapping
 * or clears the environment, a mount with noexec, a libc that is too old. A receipt that the
 * program itself gave would come too late, or need a parent in between that handles its signals and
 * its terminal: the real start is then a plain exec(), and nothing of `run` is left. */
#include "command.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* dup2() of a descriptor to itself would leave it close-on-exec. */
static int above(int fd)
{
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		close(fd);
	return copy;
}

bool pipe_above(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	ends[0] = above(ends[0]);
	ends[1] = above(ends[1]);
	return ends[0] >= 0 && ends[1] >= 0;
}

/* How one ended. */
enum end {
	LISTED,    /* the library is in */
	NOT_BEGUN, /* exec() failed */
	SECURE,    /* AT_SECURE */
	ABSENT,    /* the library is not in */
	FAILED,    /* there was no rehearsal */
};

static void rehearse_as_child(char **command, int list, bool traced)
{
	int null = above(open("/dev/null", O_RDONLY | O_CLOEXEC));

	if (null >= 0 && dup2(null, 0) == 0 && dup2(list, 1) == 1 && dup2(list, 2) == 2 &&
	    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1) == 0 &&
	    (!traced || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0))
		execvp(command[0], command);
	_exit(RUN_NOT_FOUND);
}

/* The pid, and where the list will come from; -1 when that cannot be. */
static pid_t start(char **command, bool traced, FILE **list)
{
	int ends[2];
	pid_t pid = -1;

	*list = pipe_above(ends) ? fdopen(ends[0], "r") : NULL;
	if (!*list)
		return -1;
	pid = fork();
	if (pid == 0)
		rehearse_as_child(command, ends[1], traced);
	close(ends[1]);
	if (pid < 0)
		fclose(*list);
	return pid;
}

/* False: it has ended before that. */
static bool wait_for_exec(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == SIGTRAP)
			return true;
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status));
	}
	return false;
}

/* Newer loaders heed LD_TRACE_LOADED_OBJECTS as little as LD_PRELOAD then, and the program would
 * begin. What cannot be read may be so. */
static bool is_secure(pid_t pid)
{
	ElfW(auxv_t) entry;
	char name[64];
	bool secure = true;
	FILE *in;

	snprintf(name, sizeof name, "/proc/%d/auxv", (int)pid);
	in = fopen(name, "re");
	if (!in && errno == ENOENT)
		return false; /* there is no /proc here */
	while (in && fread(&entry, sizeof entry, 1, in) == 1)
		if (entry.a_type == AT_SECURE)
			secure = entry.a_un.a_val != 0;
	if (in)
		fclose(in);
	return secure;
}

/* Is the library in the list? Else *complaint is what the loader says about it, if anything. */
static bool is_listed(FILE *list, const char *library, char **complaint)
{
	size_t n = strlen(library), size = 0;
	bool found = false;
	char *line = NULL;

	while (getline(&line, &size, list) > 0) {
		if (*line == '\t' && !strncmp(line + 1, library, n) && line[n + 1] == ' ')
			found = true;
		else if (strstr(line, "LD_PRELOAD") && strstr(line, library)) {
			line[strcspn(line, "\n")] = '\0';
			free(*complaint);
			*complaint = strdup(line);
		}
	}
	free(line);
	return found;
}

/* From the loader's start to its end. */
static enum end hear(pid_t pid, FILE *list, const char *library, char **complaint)
{
	bool listed = is_listed(list, library, complaint);
	int status = 0;

	waitpid(pid, &status, 0);
	if (listed)
		return LISTED;
	if (!*complaint && WIFEXITED(status) && WEXITSTATUS(status) == RUN_NOT_FOUND)
		return NOT_BEGUN;
	return ABSENT;
}

static enum end rehearse(char **command, bool traced, const char *library, char **complaint)
{
	enum end end = NOT_BEGUN;
	FILE *list;
	pid_t pid = start(command, traced, &list);

	if (pid < 0)
		return FAILED;
	if (!traced) {
		end = hear(pid, list, library, complaint);
	} else if (wait_for_exec(pid)) {
		if (is_secure(pid)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			end = SECURE;
		} else {
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
			end = hear(pid, list, library, complaint);
		}
	}
	fclose(list);
	return end;
}

bool program_rehearse(char **command, const char *library, FILE *out)
{
	static const char *const sentences[] = {
		[SECURE] = "it gets rights that its caller has not, so the loader ignores "
			   "LD_PRELOAD",
		[ABSENT] = "the loader does not load libstarttls.so into it, and does not say why; "
			   "ask 'starttls inspect'",
		[FAILED] = "its start cannot be rehearsed: there is no process, or no descriptor, "
			   "to be had",
	};
	void (*ignored)(int) = signal(SIGCHLD, SIG_DFL);
	char *complaint = NULL;
	enum end end = rehearse(command, true, library, &complaint);
	bool good;

	/* Nobody may trace here, or the kernel does not let a traced process change its rights:
	 * without, then. */
	if (end == NOT_BEGUN)
		end = rehearse(command, false, library, &complaint);
	signal(SIGCHLD, ignored);
	good = end == LISTED || end == NOT_BEGUN;
	if (!good)
		fprintf(out, "starttls run: %s: %s\n", command[0],
			end == ABSENT && complaint ? complaint : sentences[end]);
	free(complaint);
	return good;
}
