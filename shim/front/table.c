/* SPDX-License-Identifier: MIT
 * table: which descriptors are ours. Readers are lock-free; writers (put, remove, forget) are rare
 * and share one mutex, because a state byte cleared by one of them must never hide the conn that
 * another has just put. */
#include "table.h"
#include "../quiet.h"
#include "inherit.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { CHUNK = 1024, CHUNKS = TABLE_FDS / CHUNK };

/* COMING: the kernel is making it a copy of one of ours. LEAVING: the connection is being ended,
 * calls still find it. GOING: the kernel is closing or replacing the descriptor. */
enum { STATE_FREE, STATE_OURS, STATE_COMING, STATE_LEAVING, STATE_GOING };

typedef struct conn *_Atomic slot;

_Atomic unsigned char table_state[TABLE_FDS];
void (*table_last)(struct conn *);

static slot *_Atomic chunks[CHUNKS];
static _Atomic int end; /* one more than the largest descriptor that was ever ours */
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static uint64_t signals; /* of who has it: quiet.h */

static struct conn_ref *ref(struct conn *c)
{
	return (struct conn_ref *)c;
}

/* The slot of fd, or NULL when no descriptor of its neighbourhood was ever ours. */
static slot *find(int fd)
{
	unsigned number = (unsigned)fd; /* a signed division is three times as long */
	slot *chunk = atomic_load_explicit(&chunks[number / CHUNK], memory_order_acquire);

	return chunk ? chunk + number % CHUNK : NULL;
}

/* One more reference, unless there are none left. */
static bool hold(struct conn *c)
{
	uint32_t n = atomic_load_explicit(&ref(c)->refs, memory_order_relaxed);

	while (n)
		if (atomic_compare_exchange_weak(&ref(c)->refs, &n, n + 1))
			return true;
	return false;
}

/* Somebody is just closing or replacing fd: its number may be a new file's at any moment, and whose
 * a call is meant for cannot be told before that is over. Bounded, for the caller may be a signal
 * handler that interrupted the one who closes. */
static void wait_while_going(int fd)
{
	unsigned char state = atomic_load(&table_state[fd]);

	for (int i = 0; i < 100000 && (state == STATE_GOING || state == STATE_COMING); i++) {
		sched_yield();
		state = atomic_load(&table_state[fd]);
	}
}

struct conn *table_take(int fd)
{
	slot *s = find(fd);
	struct conn *c;

	wait_while_going(fd);
	/* A conn that we could not hold, or that left the slot meanwhile, says nothing about who is
	 * in the slot now. */
	while (s && (c = atomic_load(s))) {
		if (!hold(c))
			continue;
		if (atomic_load(s) == c)
			return c;
		table_drop(c);
	}
	return NULL;
}

struct conn *table_peek(int fd)
{
	slot *s = find(fd);

	return s ? atomic_load_explicit(s, memory_order_acquire) : NULL;
}

bool table_holds(struct conn *c, int fd)
{
	slot *s = find(fd);

	return s && atomic_load(s) == c && atomic_load(&table_state[fd]) == STATE_OURS;
}

struct conn *table_more(struct conn *c)
{
	atomic_fetch_add(&ref(c)->refs, 1);
	return c;
}

void table_drop(struct conn *c)
{
	uint32_t n = atomic_load(&ref(c)->refs);

	while (n > 1 || !table_last)
		if (atomic_compare_exchange_weak(&ref(c)->refs, &n, n - 1))
			return;
	table_last(c);
}

/* As find, with the chunk made when there is none. Writers only. */
static slot *find_or_make(int fd)
{
	slot *s = find(fd);

	if (s || !(s = calloc(CHUNK, sizeof(*s))))
		return s;
	atomic_store_explicit(&chunks[fd / CHUNK], s, memory_order_release);
	return s + fd % CHUNK;
}

static void fill(int fd, slot *s, struct conn *c)
{
	atomic_fetch_add(&ref(c)->slots, 1);
	atomic_store(s, c);
	if (fd >= atomic_load(&end))
		atomic_store(&end, fd + 1);
}

bool table_put(int fd, struct conn *c)
{
	slot *s = NULL;

	if ((unsigned)fd >= TABLE_FDS)
		return false;
	table_lock();
	if ((s = find_or_make(fd)) && !atomic_load(s)) {
		fill(fd, s, c);
		atomic_store(&table_state[fd], STATE_OURS);
	} else {
		s = NULL;
	}
	table_unlock();
	return s;
}

bool table_reserve(int fd, struct conn *c)
{
	struct conn *was = NULL;
	slot *s = NULL;

	if ((unsigned)fd >= TABLE_FDS)
		return false;
	table_lock();
	if ((s = find_or_make(fd)) &&
	    (!(was = atomic_load(s)) || atomic_load(&table_state[fd]) >= STATE_LEAVING)) {
		atomic_store(&table_state[fd],
			     STATE_COMING); /* first: nobody shall find c before */
		fill(fd, s, c);
	} else {
		s = NULL;
	}
	table_unlock();
	if (s && was)
		table_drop(was);
	return s;
}

/* Is fd's slot reserved for c? Writers only. */
static bool is_coming(int fd, struct conn *c)
{
	return atomic_load(&table_state[fd]) == STATE_COMING && atomic_load(find(fd)) == c;
}

void table_settle(int fd, struct conn *c)
{
	table_lock();
	if (is_coming(fd, c))
		atomic_store(&table_state[fd], STATE_OURS);
	table_unlock();
}

void table_unreserve(int fd, struct conn *c)
{
	table_lock();
	if (is_coming(fd, c)) {
		atomic_store(&table_state[fd], STATE_FREE);
		atomic_store(find(fd), NULL);
		atomic_fetch_sub(&ref(c)->slots, 1);
	}
	table_unlock();
}

/* Empty the slot if c is in it, or, with c NULL, whoever is. */
static struct conn *clear(int fd, struct conn *c)
{
	struct conn *was = NULL;
	slot *s;

	table_lock();
	if ((s = find(fd)) && (was = atomic_load(s)) && (!c || was == c) &&
	    atomic_load(&table_state[fd]) == STATE_OURS) {
		atomic_store(&table_state[fd], STATE_FREE);
		atomic_store(s, NULL);
		atomic_fetch_sub(&ref(was)->slots, 1);
	} else {
		was = NULL;
	}
	table_unlock();
	return was;
}

struct conn *table_remove(int fd)
{
	return table_has(fd) ? clear(fd, NULL) : NULL;
}

struct conn *table_leave(int fd)
{
	struct conn *c = NULL;

	if (!table_has(fd))
		return NULL;
	table_lock();
	if (atomic_load(&table_state[fd]) == STATE_OURS) {
		c = table_more(atomic_load(find(fd)));
		atomic_store(&table_state[fd], STATE_LEAVING);
		atomic_fetch_sub(&ref(c)->slots, 1);
	}
	table_unlock();
	return c;
}

void table_going(int fd)
{
	unsigned char leaving = STATE_LEAVING;

	atomic_compare_exchange_strong(&table_state[fd], &leaving, STATE_GOING);
}

void table_vacate(int fd, struct conn *c)
{
	struct conn *was = NULL;

	table_lock();
	if (atomic_load(&table_state[fd]) >= STATE_LEAVING && (!c || atomic_load(find(fd)) == c)) {
		was = atomic_exchange(find(fd), NULL);
		atomic_store(&table_state[fd], STATE_FREE);
	}
	table_unlock();
	if (was)
		table_drop(was);
}

void table_forget(struct conn *c)
{
	for (int fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if (clear(fd, c)) {
			inherit_show(fd);
			table_drop(c);
		}
}

int table_next(int from)
{
	int last = atomic_load(&end);

	for (int fd = from < 0 ? 0 : from; fd < last; fd++) {
		if (!find(fd))
			fd |= CHUNK - 1; /* on to the next chunk */
		else if (table_has(fd))
			return fd;
	}
	return -1;
}

void table_lock(void)
{
	uint64_t was = quiet_begin();

	pthread_mutex_lock(&writers);
	signals = was;
}

void table_unlock(void)
{
	uint64_t was = signals;

	pthread_mutex_unlock(&writers);
	quiet_end(was);
}
