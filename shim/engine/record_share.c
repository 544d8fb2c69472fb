/* SPDX-License-Identifier: MIT
 * record_share: which processes have a session, and how one after the other gets at it
 * (record_share.h). */
#include "record_share_local.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pid_t self; /* whose memory this is; a vfork() child is its parent here */

void record_own(void)
{
	self = getpid();
}

pid_t record_self(void)
{
	return self;
}

bool record_shared(const struct record *rec)
{
	if (!rec->share)
		return false;
	return atomic_load(&rec->share->retired) || holders_others(&rec->share->holders, self) > 0;
}

/* --- the beginning and the end */

static struct share *make(void)
{
	struct share *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutexattr_t how;

	if (s == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&how);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->lock, &how);
	pthread_mutexattr_destroy(&how);
	return s;
}

void share_begin(struct record *rec)
{
	struct share *s = rec->share;

	if (!s)
		return;
	rec->opened = 0;
	rec->generation = 0;
	rec->sealed = 0;
	s->logged = 0;
	share_publish(rec);
	rec->version = ++s->version;
}

/* There is a share, and this process is on its list. False: out of memory. */
static bool have(struct record *rec)
{
	bool fresh = !rec->share;

	if (fresh && !(rec->share = make()))
		return false;
	holders_add(&rec->share->holders, self);
	if (fresh)
		share_begin(rec);
	return true;
}

bool share_fork(struct record *rec)
{
	if (!have(rec))
		return false;
	holders_expect(&rec->share->holders);
	return true;
}

void share_unfork(struct record *rec)
{
	if (rec->share)
		holders_unborn(&rec->share->holders);
}

void share_enlist(struct record *rec)
{
	if (rec->share)
		holders_born(&rec->share->holders, self);
	else /* memory was out: it cannot know what its parent does */
		rec->deaf = rec->dumb = true;
}

void share_resign(struct record *rec, bool resign)
{
	if (rec->share && resign)
		holders_strike(&rec->share->holders, self);
	else if (rec->share)
		holders_add(&rec->share->holders, self);
}

void share_leave(struct record *rec)
{
	struct share *s = rec->share;

	rec->share = NULL;
	if (!s)
		return;
	holders_strike(&s->holders, self);
	if (meet_is_open(&s->meet) && !rec->hosted)
		meet_knock(&s->meet);
	munmap(s, sizeof *s);
}

void share_retire(struct record *rec)
{
	if (rec->share)
		atomic_store(&rec->share->retired, true);
}

bool share_early(const struct record *rec)
{
	pid_t nobody = 0;

	if (!rec->share)
		return !rec->dumb;
	return atomic_load(&rec->share->early) == self ||
	       atomic_compare_exchange_strong(&rec->share->early, &nobody, self);
}

/* --- a relay */

bool share_elsewhere(const struct record *rec)
{
	return rec->share && !rec->hosted && !rec->inside && meet_is_open(&rec->share->meet);
}

struct meet *share_meet(struct record *rec)
{
	return rec->share || have(rec) ? &rec->share->meet : NULL;
}

void share_bury(struct record *rec)
{
	if (rec->share)
		holders_bury(&rec->share->holders);
}

void share_take_over(struct record *rec)
{
	struct share *s = rec->share;

	if (s && rec->early && s->version == rec->version)
		atomic_store(&s->early, self);
}

/* --- around each call */

/* A relay opens before it uses the session for the first time: who finds it closed, holding the
 * lock, is in time. */
static bool enter(struct record *rec)
{
	struct share *s = rec->share;

	if (!s)
		return false;
	if (pthread_mutex_lock(&s->lock) == EOWNERDEAD) {
		pthread_mutex_consistent(&s->lock);
		s->broken = true;
	}
	if (share_elsewhere(rec)) {
		rec->deaf = rec->dumb = true;
		pthread_mutex_unlock(&s->lock);
		return false;
	}
	rec->inside = true;
	if (s->broken)
		rec->deaf = rec->dumb = true;
	return true;
}

void share_enter(struct record *rec)
{
	int saved = errno;

	rec->early = false;
	if (enter(rec) && rec->tls && rec->share->version != rec->version &&
	    !(rec->deaf && rec->dumb))
		share_catch_up(rec);
	errno = saved;
}

void share_enter_early(struct record *rec)
{
	int saved = errno;

	rec->early = true;
	enter(rec);
	errno = saved;
}

void share_exit(struct record *rec)
{
	struct share *s = rec->share;

	if (!s || !rec->inside)
		return;
	rec->inside = false;
	if (!(rec->deaf && rec->dumb) && (!rec->early || atomic_load(&s->early) == self)) {
		if (rec->tls)
			share_publish(rec);
		rec->version = ++s->version;
	}
	pthread_mutex_unlock(&s->lock);
}

void share_abandon(struct record *rec)
{
	if (!rec->share || !rec->inside)
		return;
	rec->share->broken = true;
	rec->inside = false;
	pthread_mutex_unlock(&rec->share->lock);
}
