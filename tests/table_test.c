/* SPDX-License-Identifier: MIT
 * table_test: the table of descriptors, alone and with threads that look up while others close and open again.
 *
 *   2 openers    put conn A, remove it, put conn B, …       ─┐  every reference is accounted for, nobody gets a conn
 *   2 readers    take, look at it, drop                      ─┤  that has none left, and a lookup between put and
 *   1 forgetter  forget A, forget B, …                      ─┘  remove never comes back empty-handed */
#include "check.h"
#include "table.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RACED = 7, CONNS = 4, ROUNDS = 100000 };

struct conn {
	struct conn_ref ref;
	_Atomic unsigned ends; /* how often its last reference went */
};

static void last(struct conn *c)
{
	c->ends++;
	c->ref.refs = 0;
}

static void test_one(void)
{
	struct conn c = {.ref.refs = 1};

	check(!table_get(5) && !table_remove(5) && table_next(0) == -1, "a new table is empty");
	check(table_put(5, &c) && c.ref.slots == 1, "a slot can be filled");
	check(table_has(5) && !table_has(4) && !table_has(6), "only that descriptor is ours");
	check(table_get(5) == &c && c.ref.refs == 2, "a lookup takes a reference");
	table_drop(&c);
	check(!table_put(5, &c), "a slot in use is not overwritten");
	check(table_remove(5) == &c && c.ref.refs == 1 && c.ref.slots == 0,
	      "removing gives the slot's reference to the caller");
	check(!table_remove(5) && !table_get(5) && !table_has(5), "a removed slot is empty");
}

static void test_leaving(void)
{
	struct conn c = {.ref.refs = 1}, next = {.ref.refs = 1};

	table_put(6, &c);
	check(table_leave(6) == &c && c.ref.slots == 0 && c.ref.refs == 2, "leaving gives a reference to the caller");
	check(!table_leave(6) && !table_remove(6), "only one caller gets to leave");
	check(table_get(6) == &c && c.ref.refs == 3, "until the descriptor is closed, calls still find the connection");
	check(!table_put(6, &next), "and the slot is taken");
	table_going(6);
	table_vacate(6, &c);
	check(!table_has(6) && c.ref.refs == 2, "vacating drops the slot's reference");
	check(table_put(6, &next), "and makes room for the next");
	table_going(6);
	table_vacate(6, &c);
	check(table_get(6) == &next, "which a late vacate leaves alone");
	table_remove(6);
}

static void test_reserving(void)
{
	struct conn c = {.ref.refs = 1}, next = {.ref.refs = 1};

	check(table_reserve(8, &c) && table_has(8) && !table_holds(&c, 8) && c.ref.slots == 1,
	      "a slot can be reserved, and counts");
	check(!table_reserve(8, &next) && !table_put(8, &next) && !table_leave(8), "for one only");
	table_unreserve(8, &c);
	check(!table_has(8) && c.ref.slots == 0 && c.ref.refs == 1, "and be given up again");
	table_put(8, &c);
	check(!table_reserve(8, &next), "a connection in use is not displaced");
	table_drop(table_leave(8));
	table_going(8);
	c.ref.refs++; /* ours, so that the last one is not dropped here */
	check(table_reserve(8, &next) && c.ref.refs == 1, "one that goes is, and its reference dropped");
	table_vacate(8, &c);
	table_settle(8, &next);
	table_vacate(8, &c);
	check(table_holds(&next, 8), "which the one who closes it leaves alone");
	table_remove(8);
}

static void test_edges(void)
{
	struct conn c = {.ref.refs = 3};

	check(!table_put(-1, &c) && !table_put(TABLE_FDS, &c),
	      "descriptors off the table cannot be ours");
	check(!table_get(-1) && !table_get(TABLE_FDS) && !table_get(1 << 30) && !table_remove(-1),
	      "and are looked up in vain");
	check(table_put(0, &c) && table_put(TABLE_FDS - 1, &c) && table_put(3000, &c) &&
		      c.ref.slots == 3,
	      "the first, the last and one between can be");
	check(table_next(-5) == 0 && table_next(0) == 0 && table_next(1) == 3000 &&
		      table_next(3001) == TABLE_FDS - 1 && table_next(TABLE_FDS) == -1,
	      "the next of ours is found across empty chunks");
	c.ref.refs++; /* the caller's own */
	table_forget(&c);
	check(table_next(0) == -1 && c.ref.refs == 1 && c.ref.slots == 0,
	      "forgetting empties every slot of a conn");
}

static void test_last(void)
{
	struct conn c = {.ref.refs = 2};

	table_last = last;
	table_drop(&c);
	check(c.ref.refs == 1 && !c.ends, "dropping one of two references ends nothing");
	table_drop(&c);
	check(c.ends == 1, "the last reference is handed on");
}

static struct conn conns[CONNS];
static _Atomic bool stop;
static _Atomic unsigned dead, lost, looked;

/* Open and close again, each time with a conn that nobody else may have in a slot. */
static void *open_and_close(void *arg)
{
	struct conn *mine = arg, *c;

	for (int i = 0; i < ROUNDS || (!looked && i < 1000 * ROUNDS); i++) {
		uint32_t none = 0;

		if (!atomic_compare_exchange_strong(&mine->ref.refs, &none, 1))
			continue; /* a reader still looks at it */
		if (!table_put(RACED, mine)) {
			table_drop(mine); /* the other opener was faster */
			continue;
		}
		if (i % 64 == 0)
			sched_yield(); /* on a busy machine the readers would never meet it */
		if ((c = table_remove(RACED)))
			table_drop(c);
	}
	return NULL;
}

static void *look_up(void *arg)
{
	(void)arg;
	while (!stop) {
		struct conn *c = table_get(RACED);

		if (!c)
			continue;
		looked++;
		if (!c->ref.refs)
			dead++;
		table_drop(c);
	}
	return NULL;
}

/* A slot that is filled during all of this, next to the raced one. */
static void *look_up_steady(void *arg)
{
	while (!stop) {
		struct conn *c = table_get(RACED + 1);

		if (c != arg)
			lost++;
		if (c)
			table_drop(c);
	}
	return NULL;
}

static void *forget(void *arg)
{
	while (!stop)
		for (int i = 0; i < CONNS; i++)
			table_forget(&conns[i]);
	return arg;
}

static void test_race(void)
{
	struct conn steady = {.ref.refs = 1};
	pthread_t opener[2], other[4];
	unsigned left = 0;

	table_last = NULL;
	table_put(RACED + 1, &steady);
	pthread_create(&other[0], NULL, look_up, NULL);
	pthread_create(&other[1], NULL, look_up, NULL);
	pthread_create(&other[2], NULL, look_up_steady, &steady);
	pthread_create(&other[3], NULL, forget, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&opener[i], NULL, open_and_close, &conns[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(opener[i], NULL);
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(other[i], NULL);
	for (int i = 0; i < CONNS; i++)
		left += conns[i].ref.refs + conns[i].ref.slots;
	check(looked, "lookups met open connections");
	check(!dead, "nobody is given a conn without references");
	check(!lost, "a slot that stays filled is always found");
	check(!left && !table_has(RACED), "every reference was given back");
	check(table_remove(RACED + 1) == &steady && steady.ref.refs == 1, "also to the neighbour");
}

static _Atomic unsigned won;

static void *remove_once(void *arg)
{
	if (table_remove(RACED))
		won++;
	return arg;
}

static void test_two_closers(void)
{
	struct conn c = {.ref.refs = 1};
	pthread_t t[2];
	bool once = true;

	for (int i = 0; i < 2000 && once; i++) {
		won = 0;
		table_put(RACED, &c);
		for (int j = 0; j < 2; j++)
			pthread_create(&t[j], NULL, remove_once, NULL);
		for (int j = 0; j < 2; j++)
			pthread_join(t[j], NULL);
		once = won == 1;
	}
	check(once, "of two that close at once exactly one gets the conn");
}

int main(void)
{
	test_one();
	test_leaving();
	test_reserving();
	test_edges();
	test_last();
	test_race();
	test_two_closers();
	return check_result();
}
