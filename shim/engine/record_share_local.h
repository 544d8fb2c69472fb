/* SPDX-License-Identifier: MIT
 * record_share_local: what record_share.c (who has the session, and when) and record_catch_up.c
 * (what was done with it meanwhile) share: the memory that all processes of a session see. Nobody
 * else includes this.
 *
 *   stream of the peer  ……[ ring: the last RING bytes ]│ still in the kernel
 *                                  opened ▲   ▲ consumed (out of the kernel; on either side of opened)
 */
#ifndef STARTTLS_RECORD_SHARE_LOCAL_H
#define STARTTLS_RECORD_SHARE_LOCAL_H

#include "holders.h"
#include "meet.h"
#include "record_share.h"
#include <pthread.h>

enum { RING = 4 * 1024 * 1024 }; /* bytes */

struct share {
	pthread_mutex_t lock;   /* robust, between processes; held within the connection's */
	struct holders holders; /* who has the connection */
	_Atomic pid_t early;    /* before TLS is up: whose it is; 0: nobody's yet */
	_Atomic bool retired;   /* what others do with the socket is not known here */
	struct meet meet;       /* the relay that has it, and nobody else */

	/* Guarded by the lock: where the last of all calls has left the session. */
	uint64_t version; /* counts those calls */
	bool broken;      /* one of them was never finished */
	bool ended;       /* this and `error` as in struct record */
	int error;
	uint32_t generation;      /* KeyUpdates sent (RFC 8446 section 4.6.3) */
	uint64_t sealed;          /* records since then */
	int64_t opened, consumed; /* offsets in the peer's stream */
	int64_t logged;           /* and the end of what the ring has */
	size_t undelivered;       /* bytes at the end of the plaintext that are not delivered */
	size_t unsent;            /* bytes in `out`: sealed, not taken by the kernel */
	bool owed;                /* as in struct record: of whoever writes next */
	uint8_t out[RECORD_OUT_MAX];
	uint8_t ring[RING];
};

/* record_catch_up.c, with the share's lock held, or before anybody else can know of the share;
 * neither blocks. Do what the others have done since this process was here last: rec is then as
 * they left it, or deaf or dumb. */
void share_catch_up(struct record *rec);
/* Tell them what this process has done. */
void share_publish(struct record *rec);

#endif
