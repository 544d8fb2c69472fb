/* SPDX-License-Identifier: MIT
 * table: which descriptors are ours.
 *
 *   fd ─► state byte (1 MiB of .bss, untouched pages cost nothing) ─ 0: not ours; one load, one branch
 *          └► slot ─► struct conn (reference counted)
 *
 * Lookups take no lock, make no system call, keep errno and are async-signal-safe. table_put
 * allocates. */
#ifndef STARTTLS_TABLE_H
#define STARTTLS_TABLE_H

#include "../engine.h"
#include <stdbool.h>

/* Linux's default fs.nr_open; above it no connection can be watched, so a watched one is
 * refused. */
enum { TABLE_FDS = 1 << 20 };

extern _Atomic unsigned char table_state[TABLE_FDS] __attribute__((visibility("hidden")));

/* Is fd ours? The test that every call on every descriptor pays for. */
static inline bool table_has(int fd)
{
	return (unsigned)fd < TABLE_FDS &&
	       __builtin_expect(atomic_load_explicit(&table_state[fd], memory_order_relaxed), 0);
}

/* The slow half of table_get. */
struct conn *table_take(int fd);

/* The conn behind fd with one more reference, or NULL when fd is not ours. */
static inline struct conn *table_get(int fd)
{
	return table_has(fd) ? table_take(fd) : NULL;
}

/* The conn that fd, which table_has(), may have, without a reference: for engine->receive_waiting
 * only. */
struct conn *table_peek(int fd);

/* Is fd's slot that of c, and is nobody just closing it? */
bool table_holds(struct conn *c, int fd);

/* Point fd at c, which gives the slot one reference of the caller's. False, and the reference stays
 * the caller's: out of memory, fd too large, or the slot is not empty. Takes the writers' lock. */
bool table_put(int fd, struct conn *c);

/* Point fd at c before the kernel's dup2() makes it a copy, so that no call of another thread on
 * that number reaches the kernel in plaintext between the two: until table_settle (done) or
 * table_unreserve (failed) such calls wait. As table_put otherwise, but takes the place of one that
 * is leaving, whose reference is dropped; table_unreserve leaves the reference to the caller
 * again. */
bool table_reserve(int fd, struct conn *c);
void table_settle(int fd, struct conn *c);
void table_unreserve(int fd, struct conn *c);

/* Empty the slot and return its conn, the slot's reference now being the caller's; NULL when fd was
 * not ours. Of several callers exactly one gets it. Takes the writers' lock. */
struct conn *table_remove(int fd);

/* Closing in three steps, so that at no moment a call of another thread on the same number reaches
 * the kernel in plaintext while the TLS connection is still behind it:
 *   table_leave    the slot keeps its conn, calls still find it; returns the conn with a reference
 *                  for the caller, to exactly one of several
 *   table_going    just before the kernel's close: calls wait for the moment it takes
 *   table_vacate   just after: the slot is empty and its reference dropped
 * leave and vacate take the writers' lock. going and vacate are for who got the conn from leave,
 * and do nothing to a slot that nobody leaves; vacate neither when somebody else's conn is in it by
 * now (c NULL: whoever's). */
struct conn *table_leave(int fd);
void table_going(int fd);
void table_vacate(int fd, struct conn *c);

/* The next fd >= from that is ours, or -1. */
int table_next(int from);

/* Empty every slot that points to c, with their references. Takes the writers' lock. */
void table_forget(struct conn *c);

/* One more reference to a conn of which the caller has one; returns c. */
struct conn *table_more(struct conn *c);

/* Drop one reference that nobody needs any more (the engine does this for the calls it serves). If
 * it is the last one, which happens when a lookup lost the race with the last close, it is
 * table_last's to consume. */
void table_drop(struct conn *c);
extern void (*table_last)(struct conn *) __attribute__((visibility("hidden")));

/* Around fork(): no writer is half-way in the child. */
void table_lock(void);
void table_unlock(void);

#endif
