/* SPDX-License-Identifier: MIT
 * meet: where processes that share a connection find the relay that one of them has handed it to
 * (relay.h).
 *
 *   sharer ── connect ──► the relay's listener, an abstract AF_UNIX address
 *          ◄─ SCM_RIGHTS ─ the app end         (the kernel tells either who the other is)
 *
 * So all of them, and what they execute, have one socket, as they had natively, and the kernel
 * keeps their bytes in order. Nothing here is a cancellation point or raises a signal; what may
 * block says so. Async-signal-safe. */
#ifndef STARTTLS_MEET_H
#define STARTTLS_MEET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEET_GUESTS = 16, MEET_NAME = 16 };
enum { MEET_NONE, MEET_COMING, MEET_OPEN }; /* meet.state */

/* In memory that the processes share; zeroed: no relay. */
struct meet {
	_Atomic int state;
	_Atomic pid_t host; /* who made the listener, and whose he is */
	uid_t uid;
	size_t name_n;
	uint8_t name[MEET_NAME];
	_Atomic pid_t guests[MEET_GUESTS]; /* who is on the way */
};

/* Make the listener, close-on-exec, of the relay that is about to be. -1 with errno: it cannot be
 * made; EALREADY: there is a relay (meet_is_open). Waits while another process is at it. */
int meet_begin(struct meet *m);
/* Then: the relay is there; or has come to nothing. */
void meet_open(struct meet *m, bool made);

/* Is there a relay? */
static inline bool meet_is_open(const struct meet *m)
{
	return atomic_load(&m->state) == MEET_OPEN;
}

/* Get the app end, close-on-exec; -1 with EIO: it is not to be had. Blocks until the relay answers,
 * for ten seconds at most. */
int meet_join(struct meet *m);

/* The relay shall look who is left: somebody has gone. Does not block: should that many wait at the
 * listener, it has reason enough to look. */
void meet_knock(struct meet *m);

/* The relay: let one in who waits at the listener, and give the app end to a guest. False: nobody
 * waits. */
bool meet_serve(struct meet *m, int listener, int app_end);
/* Expect nobody any more who was killed on the way: his number may be anybody's one day. */
void meet_bury(struct meet *m);

#endif
