/* SPDX-License-Identifier: MIT
 * holders: the list, and who of it is alive. Picture and contract: holders.h. */
#include "holders.h"
#include "sys.h"
#include <errno.h>
#include <stdatomic.h>

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
		if (pid && sys_has_ended(pid))
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

/* False: there is no room. */
static bool list(struct holders *h, pid_t who)
{
	pid_t nobody;
	int i;

	for (i = 0; i < HOLDERS_MAX; i++) {
		nobody = 0;
		if (atomic_load(&h->pids[i]) == who ||
		    atomic_compare_exchange_strong(&h->pids[i], &nobody, who))
			return true;
	}
	return false;
}

void holders_add(struct holders *h, pid_t who)
{
	if (list(h, who))
		return;
	holders_others(h, who); /* the dead make room */
	if (!list(h, who))
		atomic_fetch_add(&h->unlisted, 1);
}

void holders_expect(struct holders *h)
{
	atomic_fetch_add(&h->unlisted, 1);
}

void holders_born(struct holders *h, pid_t who)
{
	holders_add(h, who);
	atomic_fetch_sub(&h->unlisted, 1);
}
