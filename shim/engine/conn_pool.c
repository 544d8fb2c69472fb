/* SPDX-License-Identifier: MIT
 * conn_pool: the life of a struct conn, and fork().
 *
 * Conns are never given back to malloc, only used again, so that the table may look at the reference count of one that is just being
 * closed (engine.h).
 *
 * fork(): both processes then hold the same keys and sequence numbers. They share a page per connection that says whose each
 * direction is (record.h); before the fork every direction that is ours is put up for whoever uses it first. */
#include "conn.h"
#include "sys.h"
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

static void share_leave(struct conn *c)
{
	struct share *share = c->rec.share;

	c->rec.share = NULL;
	if (!share)
		return;
	atomic_fetch_sub(&share->refs, 1);
	munmap(share, sizeof *share);
}

static void wipe(struct conn *c)
{
	size_t own = offsetof(struct conn, phase);

	talk_free(c->talk);
	record_free(&c->rec);
	share_leave(c);
	free(c->name);
	memset((char *)c + own, 0, sizeof *c - own);
	c->phase = CONN_CLOSED;
}

void conn_put(struct conn *c)
{
	if (atomic_fetch_sub(&c->ref.refs, 1) != 1)
		return;
	conn_lock(c); /* nobody else can have it: for fork() only */
	wipe(c);
	conn_unlock(c);
	pthread_mutex_lock(&pool_lock);
	c->next_free = idle;
	idle = c;
	pthread_mutex_unlock(&pool_lock);
}

void conn_lock(struct conn *c)
{
	pthread_mutex_lock(&c->lock);
}

void conn_unlock(struct conn *c)
{
	pthread_mutex_unlock(&c->lock);
}

static void direction_offer(_Atomic pid_t *owner)
{
	pid_t me = record_self();

	atomic_compare_exchange_strong(owner, &me, 0);
}

static void share_join(struct conn *c)
{
	struct share *share = c->rec.share;

	if (share) {
		direction_offer(&share->writer);
		direction_offer(&share->reader);
	} else {
		share = mmap(NULL, sizeof *share, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (share == MAP_FAILED)
			return; /* then neither knows of the other: the peer's TLS rejects the second one's records */
		atomic_store(&share->refs, 1);
		c->rec.share = share;
	}
	atomic_fetch_add(&share->refs, 1);
}

static bool in_use(const struct conn *c)
{
	return atomic_load(&c->ref.refs) &&
	       (c->phase == CONN_TALK || c->phase == CONN_SHAKE || c->phase == CONN_OPEN);
}

static _Thread_local struct conn *only; /* a vfork() child shares it with the thread it came from */

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
		conn_lock(c);
		if (in_use(c) && (!only || only == c))
			share_join(c);
	}
	tls_fork_prepare();
	window_fork_prepare();
}

void conn_fork_parent(void)
{
	struct conn *c;

	window_fork_done();
	tls_fork_done();
	for (c = all; c; c = c->next)
		conn_unlock(c);
	pthread_mutex_unlock(&pool_lock);
}

void conn_fork_child(void)
{
	record_own();
	conn_fork_parent();
}

static bool is_live(struct conn *c, uint64_t cookie)
{
	bool live;

	if (!atomic_load(&c->ref.slots) || c->cookie != cookie)
		return false;
	conn_lock(c);
	live = c->phase != CONN_CLOSED && c->phase != CONN_GONE;
	conn_unlock(c);
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
		conn_lock(c);
		if (atomic_load(&c->ref.slots) && c->rec.share)
			atomic_fetch_add(&c->rec.share->refs, leaving ? -1 : 1);
		conn_unlock(c);
	}
	pthread_mutex_unlock(&pool_lock);
}

void conn_leave(struct conn *c)
{
	if (record_self() != getpid())
		return;
	conn_lock(c);
	c->phase = CONN_CLOSED;
	record_free(&c->rec);
	share_leave(c);
	conn_unlock(c);
}
