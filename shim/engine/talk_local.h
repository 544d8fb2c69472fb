/* SPDX-License-Identifier: MIT
 * talk_local: what the files of the talk share. For everyone else there is talk.h, for protocols
 * proto.h.
 *
 *   talk.c         the phases, and the safety rule
 *   talk_before.c  the units before TLS
 *   talk_inside.c  the units inside TLS, for protocols that still have work to do there
 *   talk_words.c   what a protocol may say, tell and hold */
#ifndef STARTTLS_TALK_LOCAL_H
#define STARTTLS_TALK_LOCAL_H

#include "talk.h"

#define TALK_PREFIX "libstarttls: "

/* A refusal fits one SMTP reply line of 512 (RFC 5321 section 4.5.3.1.5). */
enum { TALK_WHY_MAX = 400 };

struct talk {
	const struct proto *proto;
	struct talk_proto own; /* the protocol's */
	enum talk_phase phase; /* talk.c changes it, and the end of talk_inside.c */
	bool tls_required;
	bool spoken;       /* we have said something to the peer */
	bool told;         /* we have told the app something */
	bool app_known;    /* the protocol has seen all it needs of the app */
	bool overflowed;   /* a queue could not take what the protocol said */
	size_t peer_bytes; /* all that the peer has said before TLS */

	struct buf part;     /* the beginning of a unit of the peer */
	struct buf held;     /* what the app said, whole and in order */
	struct buf greeting; /* what the app is told once the talk is over */
	struct buf to_peer, to_app;

	char name[256];         /* talk_verify_as; empty: not said */
	char why[TALK_WHY_MAX]; /* TALK_PREFIX and the sentence; empty: none yet */
	char names[];           /* of own.self and own.host */
};

/* TLS has not come up yet, and may still. */
static inline bool talk_is_before(const struct talk *t)
{
	return t->phase == TALK_DIALOGUE || t->phase == TALK_HANDSHAKE;
}

/* talk.c: refuse, whatever the phase, in the protocol's words; the first reason stays. */
void talk_fail(struct talk *t, enum cause cause, const char *why);
/* The same, for the reason that the protocol has given, or `otherwise`. */
void talk_fail_with(struct talk *t, const char *otherwise);
/* Has a queue run over? Then the talk has refused. */
bool talk_overflowed(struct talk *t);
/* Length of the first whole unit as the protocol counts it, of which `before` bytes were there and
 * no unit before; 0: more is needed; -1: none, or it miscounts. */
ssize_t talk_frame(struct talk *t, enum side side, struct span in, size_t before);
/* Length of the unit at the front of `held`; 0: none is whole yet, or what is there is none, and
 * the talk has refused. */
size_t talk_held_unit(struct talk *t);
/* There will be no TLS: refuse, or go on in plaintext where the policy allows it. */
void talk_no_tls(struct talk *t, enum cause cause, const char *why);
/* Before TLS: the moves that mean the same whoever's unit it was; and MOVE_OWN, of the app's
 * only. */
void talk_act(struct talk *t, enum move move, const char *if_bad);
void talk_step_aside(struct talk *t);
extern const char talk_not_peers[], talk_not_apps[]; /* two reasons */

/* talk_before.c: as talk_from_peer. */
size_t talk_before_from_peer(struct talk *t, struct span bytes);
/* Show the protocol what the app has said, a unit at a time, until it knows enough. The unit is
 * always the front of the hold. */
void talk_before_from_app(struct talk *t);
/* Does the protocol want to see what the app said? */
bool talk_wants_app(const struct talk *t);

/* talk_inside.c, for the phase TALK_INSIDE. TLS has just come up. */
void talk_inside_begin(struct talk *t);
/* As talk_from_peer. */
size_t talk_inside_from_peer(struct talk *t, struct span bytes);
/* Show the protocol what the app has said and is still held, as far as it wants to see it now. */
void talk_inside_from_app(struct talk *t);

#endif
