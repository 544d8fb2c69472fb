/* SPDX-License-Identifier: MIT
 * record_share: one session in several processes, after fork(). Each has a copy of the state; what
 * makes the copies differ is only how many records each has sealed and opened since. So the
 * processes keep, in memory that they share, the counts and the last ciphertext that came in, and
 * who is behind catches up before it does anything: it opens the records that another has opened,
 * and seals as many as others have sent, into nothing.
 *
 *   share_enter ─► caught up ─► one call's work on the session ─► share_exit: the others can see it
 *
 * So any of them may read and write at any time, also one that others died beside, as with the
 * kernel's own socket. The limits: a process that has not read for RING bytes cannot catch up, and
 * reads EIO from then on; one that died in the very middle of a call leaves EIO to all.
 *
 * All are called with the connection's lock held, keep errno and, where there is no share
 * (rec->share is NULL: no fork() yet), do nothing, but for what is said below. share_enter() waits
 * for another process that is inside, which never blocks there; nothing else here blocks. None is
 * async-signal-safe. */
#ifndef STARTTLS_RECORD_SHARE_H
#define STARTTLS_RECORD_SHARE_H

#include "meet.h"
#include "record.h"

/* Which process has this memory to itself: record_own() is called first in each; in the child of
 * vfork(), whose memory is its parent's, record_self() is the parent. */
void record_own(void);
pid_t record_self(void);

/* Has another living process this connection, too? */
bool record_shared(const struct record *rec);

/* Before TLS is up the connection is of the process that uses it first. Is that this one? */
bool share_early(const struct record *rec);
/* TLS is up, inside share_enter(): the counts begin. */
void share_begin(struct record *rec);

/* Has a relay the session, so that this process must not use it any more? The end of what was begun
 * before does no harm: until share_exit() this is false. Any thread may ask. */
bool share_elsewhere(const struct record *rec);
/* Where that relay is to be found: there is a share afterwards. NULL: out of memory. */
struct meet *share_meet(struct record *rec);
/* In a relay: do not count those any more who have ended and were not waited for. */
void share_bury(struct record *rec);
/* Inside share_enter_early(): this process takes over from the one it is a copy of, if that has
 * done nothing since. */
void share_take_over(struct record *rec);

/* Before fork(): there is a share, and the child is expected. False: out of memory. */
bool share_fork(struct record *rec);
/* In the parent: there is no child. */
void share_unfork(struct record *rec);
/* In the child, whatever share_fork() has said: it is one of those who have the session; without a
 * share it is deaf and dumb. */
void share_enlist(struct record *rec);
/* The process is about to exec() (true), or has failed to: others need not count it, or must
 * again. */
void share_resign(struct record *rec, bool resign);
/* The process has no descriptor of the connection any more. */
void share_leave(struct record *rec);
/* It is no session of ours any more: each process goes on with the kernel's socket, and nobody
 * hears when one leaves. record_shared() is true from now on. */
void share_retire(struct record *rec);

/* Around everything that is done with a session: catch up with the others, and let them know. What
 * cannot be caught up with makes rec deaf or dumb (record_may_read, record_may_write). */
void share_enter(struct record *rec);
/* The same before TLS is up, and while a talk goes on inside it: there is no catching up. */
void share_enter_early(struct record *rec);
void share_exit(struct record *rec);
/* Instead of share_exit, in the middle of something that will never be finished (a signal handler
 * has left by siglongjmp): to the others the session is broken. */
void share_abandon(struct record *rec);

/* For the record layer itself. These bytes, from offset `at` of the peer's stream, are opened or
 * taken out of the kernel. */
void share_log(struct record *rec, int64_t at, struct span bytes);
/* These records are sealed. */
void share_count(struct record *rec, struct span sealed);
/* A KeyUpdate was sent (tls_wire.rekeyed): the count begins anew. */
void share_rekeyed(void *rec);

#endif
