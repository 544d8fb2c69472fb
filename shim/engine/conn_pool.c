/* SPDX-License-Identifier: MIT
 * conn_pool: the life of a struct conn, and fork().
 *
 * Conns are never given back to malloc, only used again, so that the table may look at the reference count of one that is just being
 * closed (engine.h).
 *
 * fork(): both processes then have the same session; record_share.c keeps them in step. Nobody is inside while the process is copied. */
#include "conn.h"
#include "sys.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static struct conn *all, *idle;

static struct conn *idle_take(void)
{
	struct conn *c;

	pthread_mutex_lock(&pool_lock);
	c = idle;
	if (c)
		idle = c->next_free;
	pthread_mutex_unlock(&pool_lock);
	return c;
}

static struct conn *make(void)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_lock(&pool_lock);
	c->next = all;
	all = c;
	pthread_mutex_unlock(&pool_lock);
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

void conn_put(struct conn *c)
{
	if (atomic_fetch_sub(&c->ref.refs, 1) != 1)
		return;
	pthread_mutex_lock(&c->lock); /* nobody else can have it: for fork() only */
	wipe(c);
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_lock(&pool_lock);
	c->next_free = idle;
	idle = c;
	pthread_mutex_unlock(&pool_lock);
}

_Thread_local volatile sig_atomic_t conn_depth;

static void enter(struct conn *c)
{
	if (c->rec.share && c->phase == CONN_OPEN && !c->talk)
		share_enter(&c->rec);
}

void conn_lock(struct conn *c)
{
	conn_depth++;
	pthread_mutex_lock(&c->lock);
	enter(c);
}

bool conn_lock_unless_left(struct conn *c, int fd)
{
	conn_depth++;
	pthread_mutex_lock(&c->lock);
	if (front->holds(c, fd)) {
		enter(c);
		return true;
	}
	pthread_mutex_unlock(&c->lock);
	conn_depth--;
	return false;
}

void conn_unlock(struct conn *c)
{
	if (c->rec.share)
		share_exit(&c->rec);
	pthread_mutex_unlock(&c->lock);
	conn_depth--;
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

/* Nobody is inside a connection, OpenSSL or a pool while the process is copied. */
void conn_fork_prepare(void)
{
	struct conn *c;

	pthread_mutex_lock(&pool_lock);
	for (c = all; c; c = c->next) {
		pthread_mutex_lock(&c->lock);
		if (is_forked(c))
			share_fork(&c->rec);
	}
	data_fork_prepare();
	tls_fork_prepare();
	window_fork_prepare();
}

void conn_fork_parent(void)
{
	struct conn *c;

	window_fork_done();
	tls_fork_done();
	data_fork_done();
	for (c = all; c; c = c->next)
		pthread_mutex_unlock(&c->lock);
	pthread_mutex_unlock(&pool_lock);
}

void conn_fork_child(void)
{
	struct conn *c;

	record_own();
	for (c = all; c; c = c->next)
		if (is_forked(c))
			share_enlist(&c->rec);
	conn_fork_parent();
}

static bool is_live(struct conn *c, uint64_t cookie)
{
	bool live;

	if (!atomic_load(&c->ref.slots) || c->cookie != cookie)
		return false;
	pthread_mutex_lock(&c->lock);
	live = c->phase != CONN_CLOSED && c->phase != CONN_GONE;
	pthread_mutex_unlock(&c->lock);
	return live;
}

struct conn *conn_owner(int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof cookie;
	struct conn *c;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0 || !cookie)
		return NULL;
	pthread_mutex_lock(&pool_lock);
	for (c = all; c && !is_live(c, cookie); c = c->next)
		;
	if (c)
		atomic_fetch_add(&c->ref.refs, 1);
	pthread_mutex_unlock(&pool_lock);
	return c;
}

void conn_exec(bool leaving)
{
	struct conn *c;

	pthread_mutex_lock(&pool_lock);
	for (c = all; c; c = c->next) {
		pthread_mutex_lock(&c->lock);
		if (atomic_load(&c->ref.slots))
			share_resign(&c->rec, leaving);
		pthread_mutex_unlock(&c->lock);
	}
	pthread_mutex_unlock(&pool_lock);
}

void conn_leave(struct conn *c)
{
	if (record_self() != getpid())
		return;
	pthread_mutex_lock(&c->lock);
	c->phase = CONN_MOVED;
	record_free(&c->rec);
	share_leave(&c->rec);
	pthread_mutex_unlock(&c->lock);
}
