/* SPDX-License-Identifier: MIT
 * talk: the plaintext dialogue before TLS, without any I/O: bytes in, bytes out, a phase.
 *
 *   peer bytes ─► talk_from_peer ─┐                  ┌─► to_peer   what we say
 *                                 ├─ frame ─ proto ──┤
 *    app bytes ─► talk_from_app ──┘                  └─► to_app    what the app is told
 *
 * THE SAFETY RULE lives in talk.c: before the phases INSIDE, OPEN, CLEAR and OWN no byte of the app
 * is in to_peer. TALK_INSIDE, TALK_OPEN: what is in to_peer goes out inside TLS. TALK_CLEAR: the
 * policy allowed plaintext (only when !tls_required). TALK_OWN: the app has sent a ClientHello of
 * its own. TALK_GUARD: of the app's units those that its protocol names as harmless, and no others.
 *
 * No fd, no clock, no errno, no log. Memory is bounded: see the limits below. Never blocks; not
 * async-signal-safe. One caller at a time (the connection's lock). */
#ifndef STARTTLS_TALK_H
#define STARTTLS_TALK_H

#include "buf.h"
#include "proto.h"

enum talk_phase {
	TALK_GUARD,     /* `by app`: what the app says comes here, and what is harmless is in
			 * to_peer at once; what the peer says is none of ours */
	TALK_DIALOGUE,  /* go on feeding */
	TALK_HANDSHAKE, /* the peer agreed: TLS is next; to_peer is empty; any further peer byte
			 * before our ClientHello is injection */
	TALK_INSIDE,    /* TLS is up and the protocol has work to do inside it: go on feeding, with
			 * what came out of TLS; both queues move inside TLS */
	TALK_OPEN,      /* TLS is up: to_peer (what the app said early) goes inside TLS, to_app (the
			 * greeting) to the app */
	TALK_CLEAR,     /* the policy lets it go on in plaintext: to_peer and to_app go out, then
			 * the talk is over */
	TALK_OWN,       /* the app does its own TLS: as TALK_CLEAR, and logged so */
	TALK_REDIAL,    /* the policy lets it go on in plaintext, but not in this stream: dial the
			 * peer again, then talk_redialled() */
	TALK_REFUSED,   /* to_app is our refusal; after it comes end of file; nothing goes to the
			 * peer */
};

enum {
	TALK_HELD_MAX = 256 * 1024, /* bytes the app may say before TLS is up */
	TALK_SAY_MAX = 4 * 1024,    /* bytes of ours waiting for the peer */
	TALK_TELL_MAX = 64 * 1024,  /* greeting and refusal */
	TALK_UNIT_MAX = 16 * 1024,  /* one unit of the peer */
	TALK_PEER_MAX = 256 * 1024, /* all the peer may say before TLS */
};

struct talk_setup {
	const struct proto *proto;
	bool tls_required;
	bool by_app;      /* the app brings TLS up itself: only see to it that it does. No nonce,
			   * self or host needed */
	const char *self; /* address literal of our end; borrowed until talk_new returns */
	const char *host; /* the name the app asked for, or NULL; likewise */
	uint8_t nonce[TALK_NONCE]; /* random bytes, fresh for each talk */
};

/* A new talk, or NULL when memory is out. Implicit protocols start in TALK_HANDSHAKE, all of them
 * in TALK_GUARD with by_app. The caller frees it. */
struct talk *talk_new(const struct talk_setup *setup);
void talk_free(struct talk *t);

/* Feed what the peer said. Returns the bytes consumed: in TALK_DIALOGUE and TALK_INSIDE all of them
 * (the beginning of a unit is kept for the next call), less when the phase changed. Refuses, at
 * every level and however the bytes are cut, what the peer says out of turn: behind the unit that
 * agreed to TLS, half a line included, in this call or the next (RFC 3207 section 6,
 * CVE-2021-22947); and while to_peer is not yet drained, because a reply counts only if it came
 * after the command it answers (struct proto.unasked tells who may). Only where TLS was to be there
 * from the first byte is it a no, over which the policy decides. So the caller drains to_peer
 * before it looks for more. In the phases OPEN, CLEAR, OWN and REFUSED nothing is consumed: in
 * CLEAR what is left belongs to the app, behind to_app. */
size_t talk_from_peer(struct talk *t, struct span bytes);

/* Feed what the app said. Returns the bytes accepted, 0 when the hold is full (or bytes is empty).
 * In TALK_REFUSED everything is accepted and swallowed. In TALK_INSIDE whole units go on to
 * to_peer. Not to be called in TALK_OPEN, TALK_CLEAR and TALK_OWN once to_peer is empty. */
size_t talk_from_app(struct talk *t, struct span bytes);

/* The peer closed or reset the connection: refuses, unless the talk is over. */
void talk_peer_gone(struct talk *t);

/* The peer did not answer in time, or not when it was dialled again: refuses, unless the talk is
 * over (inside TLS: unless the protocol waits for no answer); but where silence is how a peer says
 * that it knows no TLS (struct proto.silence_s) the policy decides. why as in talk_refuse. */
void talk_too_late(struct talk *t, const char *why);

/* The handshake ended well: phase TALK_OPEN, the held app bytes in to_peer, the greeting in to_app;
 * or phase TALK_INSIDE, with as much of either as the protocol lets go. */
void talk_tls_up(struct talk *t);

/* Refuse, in the protocol's words. why: one sentence without the "libstarttls: " prefix; copied.
 * Whatever the app said is forgotten, the greeting too. No effect once INSIDE, OPEN, CLEAR, OWN or
 * REFUSED. */
void talk_refuse(struct talk *t, enum cause cause, const char *why);

/* The name the certificate must be for, or NULL: the one the app asked for. Owned by the talk. */
const char *talk_name(const struct talk *t);

/* The handshake failed, or the phase was TALK_REDIAL, and the connection was dialled again, to go
 * on in plaintext: phase TALK_CLEAR, the old greeting forgotten, the held app bytes in to_peer.
 * Where TLS is required it refuses instead. why is copied. */
void talk_redialled(struct talk *t, const char *why);
/* May it be dialled again at all? */
bool talk_may_redial(const struct talk *t);

enum talk_phase talk_phase(const struct talk *t);
/* Is it the app's turn, so that the peer owes us nothing and no deadline runs? */
bool talk_waits_for_app(const struct talk *t);
/* The sentence behind REFUSED, or REDIAL, or behind CLEAR ("server did not offer TLS"); NULL
 * otherwise. Owned by the talk. */
const char *talk_why(const struct talk *t);
/* The queues: read with buf_span, take with buf_drop. Owned by the talk. */
struct buf *talk_to_peer(struct talk *t);
struct buf *talk_to_app(struct talk *t);

#endif
