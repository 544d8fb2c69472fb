/* SPDX-License-Identifier: MIT
 * relay_local: what the files of a relay's own process share. Nobody else includes this. */
#ifndef STARTTLS_RELAY_LOCAL_H
#define STARTTLS_RELAY_LOCAL_H

#include "relay.h"

enum { RELAY_ROOM = 64 * 1024, RELAY_LINGER_MS = 5000, RELAY_NAP_MS = 250 };

struct flow {
	uint8_t *bytes; /* RELAY_ROOM of them */
	size_t at, end; /* waiting: [at, end) */
	bool over;      /* no more will come in */
	bool told;      /* and the other side has been told */
};

static inline size_t flow_waiting(const struct flow *f)
{
	return f->end - f->at;
}

/* The free room behind what waits. */
static inline struct iovec flow_room(struct flow *f)
{
	if (f->at == f->end)
		f->at = f->end = 0;
	return (struct iovec){f->bytes + f->end, RELAY_ROOM - f->end};
}

struct relay {
	struct conn *c;
	int tcp, app, epoll; /* app: our end of the pair */
	struct flow up, down;
	bool app_hung_up;  /* nobody has the app end any more */
	bool app_finished; /* nothing will be said on it after what is queued */
	int error;         /* the program is to see this instead of an end of file */

	int app_end;  /* while others share the connection and have not come for it; else -1 */
	int listener; /* where they come */
	size_t lent;  /* bytes given to the program that the others still see in the kernel */
	int nap_ms;   /* how long to sleep before we look who is left */
	int64_t look_ms; /* and when: it takes system calls for each of them */
};

/* End this process, as nothing of the program's may. */
void relay_end(void) __attribute__((noreturn));
/* Nothing of the program whose copy we are shall happen here. */
void relay_become_nobody(void);
/* Keep these descriptors, of which some may be -1, as new numbers above stderr's; close all
 * others. */
void relay_close_others(int *keep[], size_t n);
/* A reference for a call. */
static inline struct conn *relay_held(struct relay *r)
{
	atomic_fetch_add(&r->c->ref.refs, 1);
	return r->c;
}
/* Receive into the free room of `down`. True: something happened, be it the end. */
bool relay_receive(struct relay *r, int flags);
/* Edges of fd wake us. */
void relay_watch(struct relay *r, int fd);

/* relay_guests.c, which has the picture. Take from the peer while others share the connection. As
 * relay_receive(). */
bool relay_lend(struct relay *r);
/* From now on the session is ours: have the others come here. Or another relay has it: then we are
 * one of those. False: it cannot be. */
bool relay_open(struct relay *r);
/* Look who has come and who is left. Without anybody app_end is -1 afterwards. */
void relay_look(struct relay *r);

#endif
