/* SPDX-License-Identifier: MIT
 * data: FTP's data connections, between the control connection that announces them and the
 * connect() or accept() that makes them.
 *
 *   control ── 227 ──► announcement (address, port, who dials, TLS session) ◄── connect(), accept() ── data connection
 *      ▲                      struct transfer: one per control connection               │
 *      └──────────── 425, 426: why ◄───────────────────── could not be protected ───────┘
 *
 * A transfer is shared by reference count; control and data connections may be in different
 * threads. One mutex guards all of them: a leaf, held for memory work only. Nothing blocks; not
 * async-signal-safe. */
#ifndef STARTTLS_DATA_H
#define STARTTLS_DATA_H

#include "../engine.h"
#include "proto.h"
#include "tls.h"

struct transfer;

/* What the control connection knows. */
struct announcement {
	uint16_t port;
	enum side dialled_by;
	bool anywhere;                 /* the app was given another address than the peer's */
	struct sockaddr_storage peer;  /* of the control connection; its port does not matter */
	const struct verdict *verdict; /* copied */
	const char *name;              /* whom the certificate must be for, or NULL; copied */
	struct tls_session *session;   /* to be resumed, or NULL; the transfer takes it over */
};

/* How many announcements there are: as long as it is 0, no connect() or accept() needs to ask. */
extern _Atomic unsigned data_announced;

/* The control connection's. NULL: out of memory. */
struct transfer *transfer_new(void);
/* The control connection announces, in place of what it announced before; it ends. */
void transfer_announce(struct transfer *t, const struct announcement *a);
void transfer_end(struct transfer *t);
void transfer_drop(struct transfer *t);

/* Does a connection between `own` (NULL: the app dials) and `peer` belong to an announcement? Then
 * its transfer, with a reference, its verdict, name ("": none) and session, which is the
 * caller's. */
struct data_order {
	struct transfer *transfer;
	struct verdict verdict;
	char name[256];
	struct tls_session *session;
	unsigned number; /* of the announcement */
};
bool data_find(const struct sockaddr *peer, const struct sockaddr *own, struct data_order *found);

/* Is this the latest announcement? What becomes of a connection that belonged to an earlier one is
 * nobody's affair. */
bool transfer_is(struct transfer *t, unsigned number);

/* What the talk says about the transfer, and what it shall hear. */
void transfer_follow(struct transfer *t, const struct talk_data *data);
/* False: nothing is wrong. Else why, copied to the transfer's own room, valid until the next
 * call. */
bool transfer_failed(struct transfer *t, const char **why, bool *cut);
void transfer_fail(struct transfer *t, const char *why, bool cut);
void transfer_forgive(struct transfer *t);
/* The peer has agreed to it; and the app is to send. */
bool transfer_started(struct transfer *t);
bool transfer_uploads(struct transfer *t);

/* The data connection of the moment: the conn, of which the transfer takes a reference over, and
 * its descriptor. Both return the conn that was there before (or is there), whose reference is the
 * caller's; NULL: none. */
struct conn *transfer_attach(struct transfer *t, struct conn *c, int fd);
struct conn *transfer_detach(struct transfer *t, const struct conn *only, int *fd);
/* Its descriptor; -1: none. */
int transfer_attached(struct transfer *t);

void data_fork_prepare(void);
void data_fork_done(void);

#endif
