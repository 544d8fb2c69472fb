/* SPDX-License-Identifier: MIT
 * holders: the list, and who of it is alive. Picture and contract: holders.h. */
#include "holders.h"
#include "sys.h"
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

enum { BIRTH_S = 10, ANY_EXPECTED = -1 };

static pid_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (pid_t)t.tv_sec + 1; /* 0 would be a free place */
}

void holders_strike(struct holders *h, pid_t who)
{
	int i;

	for (i = 0; i < HOLDERS_MAX; i++)
		atomic_compare_exchange_strong(&h->pids[i], &(pid_t){who}, 0);
}

/* A zombie holds nothing any more. */
static bool is_alive(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	if (pid < 0)
		return now_s() + pid < BIRTH_S;
	if (sys_kill(pid, 0) < 0 && errno == ESRCH)
		return false;
	return sys_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ||
	       info.si_pid != pid;
}

void holders_bury(struct holders *h)
{
	int i, saved = errno;
	pid_t pid;

	for (i = 0; i < HOLDERS_MAX; i++) {
		pid = atomic_load(&h->pids[i]);
		if (pid > 0 && sys_has_ended(pid))
			holders_strike(h, pid);
	}
	errno = saved;
}

int holders_others(struct holders *h, pid_t who)
{
	int i, living = 0, saved = errno;
	pid_t pid;

	for (i = 0; i < HOLDERS_MAX; i++) {
		pid = atomic_load(&h->pids[i]);
		if (pid && pid != who && !is_alive(pid))
			holders_strike(h, pid);
		else
			living += pid && pid != who;
	}
	errno = saved;
	return living + atomic_load(&h->unlisted);
}

/* False: there is none. */
static bool turn(struct holders *h, pid_t from, pid_t to)
{
	pid_t seen;
	int i;

	for (i = 0; i < HOLDERS_MAX; i++) {
		seen = atomic_load(&h->pids[i]);
		while (from < 0 ? seen < 0 : seen == from)
			if (atomic_compare_exchange_weak(&h->pids[i], &seen, to))
				return true;
	}
	return false;
}

/* False: there is no room. */
static bool list(struct holders *h, pid_t who)
{
	if (turn(h, 0, who))
		return true;
	holders_others(h, who); /* the dead make room */
	return turn(h, 0, who);
}

static void unlist(struct holders *h)
{
	int n = atomic_load(&h->unlisted);

	while (n > 0 && !atomic_compare_exchange_weak(&h->unlisted, &n, n - 1))
		;
}

void holders_add(struct holders *h, pid_t who)
{
	if (!turn(h, who, who) && !list(h, who))
		atomic_fetch_add(&h->unlisted, 1);
}

void holders_expect(struct holders *h)
{
	if (!list(h, -now_s()))
		atomic_fetch_add(&h->unlisted, 1);
}

/* Which of those expected it is does not matter. None: there was no room, or it took long. */
void holders_born(struct holders *h, pid_t who)
{
	if (!turn(h, ANY_EXPECTED, who) && list(h, who))
		unlist(h);
}

void holders_unborn(struct holders *h)
{
	if (!turn(h, ANY_EXPECTED, 0))
		unlist(h);
}
