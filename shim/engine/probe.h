/* SPDX-License-Identifier: MIT
 * probe: one upgrade for `starttls probe`, and what its files share. The door is ../probe.h. */
#ifndef STARTTLS_ENGINE_PROBE_H
#define STARTTLS_ENGINE_PROBE_H

#include "../probe.h"
#include "probe_manner.h"
#include "probe_wire.h"
#include "talk.h"
#include "tls.h"

struct probe {
	const struct probe_order *order;
	struct probe_result *result;
	const struct proto *proto;
	const struct manner *manner;
	struct verdict check_nothing; /* the order's, but for what it asks of certificates */
	struct probe_wire wire;
	char address[64]; /* the peer's */
	struct talk *talk;
	struct buf heard;     /* text of the peer, the beginning of a line */
	const char *heard_as; /* its key */
	struct tls *tls;
	struct buf sealed; /* from the peer */
	size_t lent;       /* of that, to tls_feed() */
};

/* How it ends. why is copied. */
void probe_end(struct probe *p, enum probe_end end, const char *why);

/* --- probe_talk.c */

/* From the first byte up to the peer's agreement. False: it has ended. */
bool probe_talk(struct probe *p);

/* Tell of what the peer says, in lines. */
void probe_heard(struct probe *p, const char *key, struct span said);
/* And of the line that has no end. */
void probe_heard_all(struct probe *p);

/* --- probe_tls.c */

/* The handshake. False: it has ended. */
bool probe_shake(struct probe *p);
/* Inside TLS: show who is there, have the questions answered, hear the greeting where it comes only
 * now. */
void probe_show(struct probe *p);
/* Goodbye inside TLS. Hears whether the peer had anything against us: with TLS 1.3 it says so only
 * now, when it wants a certificate of ours. */
void probe_leave(struct probe *p);

#endif
