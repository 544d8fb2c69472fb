/* SPDX-License-Identifier: MIT
 * ask: the policy is read once, by whoever asks first, with signals and cancellation kept out; ever
 * after an answer is a look at a pointer. Contract: ask.h. */
#include "ask.h"
#include "../quiet.h"
#include "start.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static struct policy *_Atomic policy; /* NULL: not read yet, or memory was out */
static char program[PATH_MAX];

_Thread_local bool ask_busy;

/* An upgraded program runs from a deleted file, and is still the same to its policy. */
static void find_program(void)
{
	static const char deleted[] = " (deleted)";
	const size_t extra = sizeof(deleted) - 1;
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (n > (ssize_t)extra && strcmp(program + n - extra, deleted) == 0)
		program[(size_t)n - extra] = 0;
}

static void load(void)
{
	struct policy_files files = policy_files();
	const char *named = start_policy();
	struct policy *loaded;
	int cancel;

	if (named && *named) { /* holds, even if the program has emptied its environment since */
		files.user = named;
		files.user_required = true;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ask_busy = true;
	loaded = policy_load(&files, NULL);
	if (policy_asks_program(loaded)) /* apt's sandbox, for one, ends it for readlink() */
		find_program();
	policy = loaded;
	ask_busy = false;
	pthread_setcancelstate(cancel, NULL);
}

static void loading_lock(void)
{
	pthread_mutex_lock(&loading);
}

static void loading_unlock(void)
{
	pthread_mutex_unlock(&loading);
}

void ask_survive_fork(void)
{
	pthread_atfork(loading_lock, loading_unlock, loading_unlock);
}

/* The policy of this process. NULL: memory is out. It is tried again then, for the next connection
 * shall not suffer. */
static const struct policy *get_policy(void)
{
	const struct policy *p = atomic_load(&policy);
	uint64_t signals;

	if (p)
		return p;
	signals = quiet_begin();
	loading_lock();
	if (!policy)
		load();
	loading_unlock();
	quiet_end(signals);
	return policy;
}

void ask_policy(const struct order *o, struct verdict *v)
{
	const struct policy *p = get_policy();
	struct target target = {
		.addr = (const struct sockaddr *)&o->addr,
		.name = o->name,
		.uid = policy_asks_user(p) ? geteuid() : 0,
		.observing = start_observe() != NULL,
	};

	target.program = *program ? program : NULL;
	policy_decide(p, &target, v);
	if (p)
		return;
	v->watched = true; /* any connection may be one that matters */
	v->broken = policy_broken(NULL);
}

void ask_prepare(void)
{
	int error = errno;

	if (!ask_busy)
		(void)get_policy();
	errno = error;
}

bool ask_readable(void)
{
	return policy;
}
