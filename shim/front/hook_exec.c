/* SPDX-License-Identifier: MIT
 * hook_exec: programs that are executed, and inherit descriptors of ours (heir.h), and under
 * `starttls run` the library (guard.h). popen, system and posix_spawn make their child within libc;
 * what it gets must be right beforehand. */
#include "guard.h"
#include "heir.h"
#include "hook.h"
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* exec() that returns has failed. The array of a longer environment lies in the frame of the hook:
 * a child of vfork() must not allocate. */
#define EXECUTE(path, envp, call) \
	do { \
		size_t room = guard_room(envp); \
\
		guard_exec(path, envp); \
		if (room) \
			envp = guard_environment(envp, alloca(room)); \
		heir_exec(); \
		(void)(call); \
		heir_stay(); \
		return -1; \
	} while (0)

HOOK int execve(const char *path, char *const argv[], char *const envp[])
{
	EXECUTE(path, envp, real.execve(path, argv, envp));
}

HOOK int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

HOOK int execvpe(const char *file, char *const argv[], char *const envp[])
{
	char path[PATH_MAX];

	EXECUTE(guard_find(file, path), envp, real.execvpe(file, argv, envp));
}

HOOK int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* The file that execveat() means, by a name that stat() understands too. */
static const char *name_at(int dir, const char *path, char name[PATH_MAX])
{
	if (*path == '/' || (*path && dir == AT_FDCWD))
		return path;
	snprintf(name, PATH_MAX, "/proc/self/fd/%d%s%s", dir, *path ? "/" : "", path);
	return name;
}

HOOK int fexecve(int fd, char *const argv[], char *const envp[])
{
	char path[PATH_MAX];

	EXECUTE(name_at(fd, "", path), envp, real.fexecve(fd, argv, envp));
}

HOOK int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	char name[PATH_MAX];

	EXECUTE(name_at(dir, path, name), envp, real.execveat(dir, path, argv, envp, flags));
}

/* The words behind `first`, up to and with the NULL, in the caller's frame: a child of vfork() must
 * not allocate. */
#define GATHER(argv, first, args) \
	do { \
		va_list counting; \
		size_t n = 1, i; \
\
		va_start(args, first); \
		va_copy(counting, args); \
		while (va_arg(counting, char *)) \
			n++; \
		va_end(counting); \
		argv = alloca((n + 1) * sizeof(char *)); \
		argv[0] = (char *)(first); \
		for (i = 1; i <= n; i++) \
			argv[i] = va_arg(args, char *); \
	} while (0)

HOOK int execl(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv;

	GATHER(argv, arg, args);
	va_end(args);
	return execv(path, argv);
}

HOOK int execlp(const char *file, const char *arg, ...)
{
	va_list args;
	char **argv;

	GATHER(argv, arg, args);
	va_end(args);
	return execvp(file, argv);
}

HOOK int execle(const char *path, const char *arg, ...)
{
	char **argv, *const *envp;
	va_list args;

	GATHER(argv, arg, args);
	envp = va_arg(args, char *const *);
	va_end(args);
	return execve(path, argv, envp);
}

/* File actions are opaque, so what goes into them is noticed: descriptors that some child is to get
 * by a dup2(). A superset, for no object's end is noticed. */
enum { NOTED = 1024 };
static _Atomic bool noted[NOTED];
static _Atomic bool noted_above;

static bool is_noted(int fd)
{
	return fd < NOTED ? noted[fd] : noted_above;
}

HOOK int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
	if (fd >= 0 && fd < NOTED)
		noted[fd] = true;
	else
		noted_above = true;
	return real.posix_spawn_file_actions_adddup2(actions, fd, to);
}

#define SPAWN(path, envp, call) \
	do { \
		size_t room = guard_room(envp); \
\
		if (guard_forbids(path, envp)) \
			return EACCES; \
		if (room) \
			envp = guard_environment(envp, alloca(room)); \
		heir_spawn(actions ? is_noted : NULL); \
		return (call); \
	} while (0)

HOOK int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	SPAWN(path, envp, real.posix_spawn(pid, path, actions, attributes, argv, envp));
}

HOOK int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
		      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char path[PATH_MAX];

	SPAWN(guard_find(file, path), envp,
	      real.posix_spawnp(pid, file, actions, attributes, argv, envp));
}

static const char shell[] = "/bin/sh";

HOOK int system(const char *command)
{
	if (command && guard_forbids(shell, environ))
		return W_EXITCODE(GUARD_STATUS, 0);
	heir_spawn(NULL);
	return real.system(command);
}

HOOK FILE *popen(const char *command, const char *mode)
{
	if (guard_forbids(shell, environ)) {
		errno = EACCES;
		return NULL;
	}
	heir_spawn(NULL);
	return real.popen(command, mode);
}
