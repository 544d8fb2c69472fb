/* SPDX-License-Identifier: MIT
 * conn_pool: the life of a struct conn, and fork().
 *
 * Conns are never given back to malloc, only used again, so that the table may look at the
 * reference count of one that is just being closed (engine.h).
 *
 * fork(): both processes then have the same session; record_share.c keeps them in step. Nobody is
 * inside while the process is copied. */
#include "calm.h"
#include "conn.h"
#include "sys.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct calm pool_lock = CALM_INITIALIZER;
static struct conn *all, *idle;

static struct conn *idle_take(void)
{
	struct conn *c;

	calm_take(&pool_lock);
	c = idle;
	if (c)
		idle = c->next_free;
	calm_give(&pool_lock);
	return c;
}

static struct conn *make(void)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	calm_take(&pool_lock);
	c->next = all;
	all = c;
	calm_give(&pool_lock);
	return c;
}

struct conn *conn_take(void)
{
	struct conn *c = idle_take();

	if (!c)
		c = make();
	if (c) {
		c->phase = CONN_TALK;
		atomic_store(&c->ref.slots, 0);
		atomic_store(&c->ref.refs, 1);
	}
	return c;
}

struct conn *conn_first(void)
{
	struct conn *first;

	calm_take(&pool_lock);
	first = all;
	calm_give(&pool_lock);
	return first;
}

static void wipe(struct conn *c)
{
	size_t own = offsetof(struct conn, phase);

	conn_data_wipe(c);
	talk_free(c->talk);
	record_free(&c->rec);
	share_leave(&c->rec);
	free(c->name);
	memset((char *)c + own, 0, sizeof *c - own);
	c->phase = CONN_CLOSED;
}

/* Kept out of conn_put(), which is part of every call. */
static __attribute__((noinline, cold)) void retire(struct conn *c)
{
	uint64_t signals = quiet_begin();

	lock_take(&c->lock); /* nobody else can have it: for fork() only */
	wipe(c);
	lock_give(&c->lock);
	calm_take(&pool_lock);
	c->next_free = idle;
	idle = c;
	calm_give(&pool_lock);
	quiet_end(signals);
}

void conn_put(struct conn *c)
{
	if (atomic_fetch_sub(&c->ref.refs, 1) == 1)
		retire(c);
}

static _Thread_local struct conn *only; /* a vfork() child shares it with the thread it came from */

static bool is_forked(const struct conn *c)
{
	return atomic_load(&c->ref.refs) && (!only || only == c) &&
	       (c->phase == CONN_TALK || c->phase == CONN_GUARD || c->phase == CONN_SHAKE ||
		c->phase == CONN_REDIAL || c->phase == CONN_OPEN);
}

void conn_fork_for(struct conn *c)
{
	only = c;
}

/* Whether fork() has failed nothing tells its handlers but errno. Where it does not, the child is
 * expected for some seconds (holders.h). */
static int errno_before;

/* Nobody is inside a connection, OpenSSL or a pool while the process is copied; but for a call that
 * this very thread has been interrupted in, which goes on in both. */
void conn_fork_prepare(void)
{
	struct conn *c;
	int saved = errno;

	(void)conn_nested(); /* gives up what this thread has left locked */
	calm_take(&pool_lock);
	for (c = all; c; c = c->next) {
		c->interrupted = lock_mine(&c->lock);
		if (!c->interrupted)
			lock_take(&c->lock);
		if (is_forked(c))
			share_fork(&c->rec);
	}
	data_fork_prepare();
	tls_fork_prepare();
	window_fork_prepare();
	errno_before = saved;
	errno = 0;
}

void conn_fork_parent(void)
{
	bool failed = errno == EAGAIN || errno == ENOMEM;
	struct conn *c;
	int before = errno_before;

	window_fork_parent();
	tls_fork_done();
	data_fork_done();
	for (c = all; c; c = c->next) {
		if (failed && is_forked(c))
			share_unfork(&c->rec);
		if (!c->interrupted)
			lock_give(&c->lock);
	}
	calm_give(&pool_lock);
	errno = before; /* fork() itself puts that of its failure back */
}

void conn_fork_child(void)
{
	struct conn *c;

	record_own();
	window_fork_child();
	tls_fork_done();
	data_fork_done();
	for (c = all; c; c = c->next) {
		if (is_forked(c))
			share_enlist(&c->rec);
		if (!c->interrupted)
			lock_reset(&c->lock);
	}
	calm_give(&pool_lock);
	errno = errno_before;
}

static bool is_live(struct conn *c, uint64_t cookie)
{
	bool live;

	if (!atomic_load(&c->ref.slots) || c->cookie != cookie)
		return false;
	if (lock_mine(&c->lock)) /* in a handler that interrupted it */
		return true;
	lock_take(&c->lock);
	live = c->phase != CONN_CLOSED && c->phase != CONN_GONE;
	lock_give(&c->lock);
	return live;
}

struct conn *conn_owner(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof cookie;
	struct conn *c;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0 || !cookie)
		return NULL;
	calm_take(&pool_lock);
	for (c = all; c && !is_live(c, cookie); c = c->next)
		;
	if (c)
		atomic_fetch_add(&c->ref.refs, 1);
	calm_give(&pool_lock);
	return c;
}

void conn_exec(bool leaving)
{
	struct conn *c;
	bool interrupted;

	(void)conn_nested();
	calm_take(&pool_lock);
	for (c = all; c; c = c->next) {
		interrupted = lock_mine(&c->lock);
		if (!interrupted)
			lock_take(&c->lock);
		if (atomic_load(&c->ref.slots))
			share_resign(&c->rec, leaving);
		if (!interrupted)
			lock_give(&c->lock);
	}
	calm_give(&pool_lock);
}

void conn_leave(struct conn *c)
{
	if (record_self() != getpid())
		return;
	lock_take(&c->lock);
	c->phase = CONN_MOVED;
	record_free(&c->rec);
	share_leave(&c->rec);
	lock_give(&c->lock);
}
