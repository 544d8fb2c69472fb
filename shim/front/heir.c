/* SPDX-License-Identifier: MIT
 * heir: see the header. Directories are read by the system call, for opendir() allocates, which a
 * vfork() child must not. */
#include "heir.h"
#include "engine_open.h"
#include "inherit.h"
#include "process.h"
#include "slot.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WITHOUT_PROC = 4096 }; /* how far to look when there is no /proc */

struct entry { /* of getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);

	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &n);
	return cookie;
}

/* Call what() for every open descriptor; it may close and replace some. */
static void each_open(void (*what)(int fd, void *arg), void *arg)
{
	_Alignas(struct entry) char entries[2048];
	long n, at;
	int dir = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd",
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    fd;

	for (fd = 0; dir < 0 && fd < WITHOUT_PROC; fd++)
		what(fd, arg);
	while (dir >= 0 && (n = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0)
		for (at = 0; at < n; at += ((struct entry *)(void *)(entries + at))->length) {
			fd = atoi(((struct entry *)(void *)(entries + at))->name);
			if (fd != dir && ((struct entry *)(void *)(entries + at))->name[0] != '.')
				what(fd, arg);
		}
	if (dir >= 0)
		process_close(dir);
}

/* Would an executed program find fd open? */
static bool is_left(int fd)
{
	long flags = syscall(SYS_fcntl, fd, F_GETFD);

	return flags >= 0 && (!(flags & FD_CLOEXEC) || (table_has(fd) && inherit_wish(fd)));
}

/* All descriptors of one connection, looked through twice. */
struct estate {
	uint64_t cookie;
	bool (*given)(int fd); /* besides the standard ones; NULL for exec */
	bool spawning;
	bool standard; /* one of them is where the program expects it */
	int end;       /* the relay's; -1: none to be had */
};

/* Will the new program get it by this descriptor? */
static bool is_willed(const struct estate *e, int fd)
{
	return (is_left(fd) && (!e->spawning || fd <= STDERR_FILENO)) ||
	       (e->given && table_has(fd) && e->given(fd));
}

static void look(int fd, void *arg)
{
	struct estate *e = arg;

	if (inherit_expected(fd) && cookie_of(fd) == e->cookie)
		e->standard |= is_left(fd);
}

static void replace(int fd, void *arg)
{
	const struct estate *e = arg;
	struct conn *ending = NULL;
	bool left, ours = table_has(fd) && !process_borrowed();

	if (cookie_of(fd) != e->cookie)
		return;
	if (e->end < 0) {
		syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
		return;
	}
	left = is_left(fd);
	if (ours)
		ending = slot_release(fd);
	if (syscall(SYS_dup3, e->end, fd, left ? 0 : O_CLOEXEC) < 0)
		process_close(
			fd); /* above a limit that was lowered since: it must not stay the bare
			      * socket */
	slot_released(fd, ending);
}

void engine_replace(struct conn *c, int end)
{
	struct estate e = {.end = end};
	int fd;

	for (fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if (table_holds(c, fd)) {
			e.cookie = cookie_of(fd);
			replace(fd, &e);
		}
	process_close(end);
}

/* Consumes c. */
static void hand_on(struct conn *c, int fd, struct estate *e)
{
	/* A connection that the new program gets by the way, as most that a program forks and
	 * executes do, is left to whoever uses it. Else all who share it come to the relay, each
	 * with its next call (relay_guests.c), so that they and their programs have one socket, as
	 * natively. */
	e->end = engine->relay(c, fd, !e->standard);
	each_open(replace, e);
	if (e->end >= 0)
		process_close(e->end);
}

static void visit(int fd, void *arg)
{
	struct estate e = *(const struct estate *)arg;
	struct conn *c = is_willed(&e, fd) ? engine->owner(fd) : NULL;

	if (!c)
		return;
	e.cookie = cookie_of(fd);
	e.standard = e.given && table_has(fd) && e.given(fd);
	each_open(look, &e);
	hand_on(c, fd, &e);
}

void heir_exec(void)
{
	struct estate e = {0};
	int error = errno;

	if (table_next(0) >= 0) {
		each_open(visit, &e);
		if (!process_borrowed())
			engine->exec(true);
	}
	errno = error;
}

void heir_stay(void)
{
	if (table_next(0) >= 0 && !process_borrowed())
		engine->exec(false);
}

void heir_spawn(bool (*given)(int fd))
{
	struct estate e = {.given = given, .spawning = true};
	int error = errno;

	if (table_next(0) >= 0)
		each_open(visit, &e);
	errno = error;
}
