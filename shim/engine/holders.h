/* SPDX-License-Identifier: MIT
 * holders: which processes have something that fork() has handed on; a list in memory that they
 * share.
 *
 *   pids  [ 4711 | 4715 | 0 | -86400 | … ]   4715 was killed: struck off when somebody asks next
 *                                            -86400: a child was about to be born at that second
 *   unlisted  1                              there was no room
 *
 * Who has closed it takes itself off. Who died could not, so whoever asks looks which of them still
 * live. A child that is not born within seconds never will be: its fork() has failed, or it was
 * killed at once.
 *
 * None blocks; all keep errno and are async-signal-safe; any process may call them at any time. A
 * zero struct is an empty list. */
#ifndef STARTTLS_HOLDERS_H
#define STARTTLS_HOLDERS_H

#include <sys/types.h>

enum { HOLDERS_MAX = 256 };

struct holders {
	_Atomic pid_t pids[HOLDERS_MAX]; /* 0: free; negative: CLOCK_MONOTONIC's seconds */
	_Atomic int unlisted;            /* and how many more */
};

/* `who` has it, too; nothing new when it is listed. Without room it counts as unlisted, for
 * ever. */
void holders_add(struct holders *h, pid_t who);
/* It has not any more. */
void holders_strike(struct holders *h, pid_t who);

/* Before fork(): a child is about to have it. In the child, which is `who`; or in the parent: there
 * is none. */
void holders_expect(struct holders *h);
void holders_born(struct holders *h, pid_t who);
void holders_unborn(struct holders *h);

/* Strike off who has ended, zombies of whatever parent included. For processes of our own: no
 * program expects such system calls of itself. */
void holders_bury(struct holders *h);

/* How many have it besides `who`: the living, and those unlisted. */
int holders_others(struct holders *h, pid_t who);

#endif
