/* SPDX-License-Identifier: MIT
 * conn_call: one call of the app on a conn, and what receiving and transmitting have in common.
 * Each call takes the lock, advances whatever has to come first, does what can be done now, and, if
 * that is nothing and the call may block, lets go of the lock, waits and looks again.
 *
 * Everything is called with the lock held, and nothing blocks but call_waits(). Not
 * async-signal-safe. */
#ifndef STARTTLS_CONN_CALL_H
#define STARTTLS_CONN_CALL_H

#include "conn.h"

/* The pieces of one call and how far it has come. */
struct call {
	struct conn *c;
	int fd;
	int flags;
	const struct iovec *iov;
	size_t n;    /* pieces */
	size_t room; /* bytes in all pieces */
	size_t done; /* bytes of them that are done */
	enum wait wait;
	bool held; /* some of them are held until TLS is up */
	struct patience patience;
};

/* What a step answers besides bytes. */
enum {
	AGAIN = -1,  /* nothing now: call->wait says for what to wait */
	FAILED = -2, /* errno is for the app */
	KERNEL = -3, /* the descriptor is the kernel's alone: ask it */
};

size_t call_bytes(const struct iovec *iov, size_t n);

/* The lock is given up and taken again. Wait, as the kernel would. False: the call ends, with
 * errno. */
bool call_waits(struct call *call);
/* Unlock, give the call's reference back, keep errno. */
void call_ends(struct conn *c);
/* BROKEN: the kernel's reason once, then what the kernel says of a dead connection: `after`.
 * FAILED, or 0 when that is 0. */
ssize_t call_tell_break(struct conn *c, int fd, int after);
/* GUARD: as a step of conn_transmit(). */
ssize_t conn_guard_transmit(struct call *call);
/* GUARD: as conn_receive(), in the kernel. The lock is the caller's to take, and the reference's
 * too; both are given back. */
ssize_t conn_guard_receive(struct conn *c, int fd, struct msghdr *msg, int flags);
/* Has another process handed the connection to a relay (relay_guests.c)? Then this one has the
 * relay's end from now on, and the phase is MOVED. Gives up the lock meanwhile, and blocks until
 * the relay has answered. False: it cannot be had, nor the connection be used. */
bool conn_follow(struct conn *c, int fd);
/* MOVED, and the descriptors are replaced. */
bool conn_has_moved(const struct conn *c);
/* MOVED: AGAIN until the descriptor is replaced, then KERNEL. */
ssize_t call_wait_moved(struct call *call);

/* For a call in a signal handler that came in the middle of a call of its own thread
 * (conn_nested()). Gives the reference back; -1 with EAGAIN. Lock not held. */
ssize_t call_too_early(struct conn *c);

/* Neither dialogue nor handshake are under way. */
bool conn_settled(const struct conn *c);
/* Another process (fork) has begun to bring TLS up; what comes of that, this one can never know. */
bool conn_strange(const struct conn *c);
/* The app has said something that waits for TLS. */
bool conn_has_held(const struct conn *c);
/* Carry out the app's shutdown(SHUT_WR) once everything it said before is sent. False: it is
 * sealed, our end behind it, and the kernel takes no more now. */
bool conn_finish_writing(struct conn *c, int fd);
/* The same, where the app may not come back for the rest: then that is left to a process of its
 * own. Gives up the lock meanwhile. (conn_close.c) */
void conn_end_writing(struct conn *c, int fd);
/* Send what Nagle's algorithm holds back; the app's own TCP_NODELAY stays as it is. */
void conn_push_tail(int fd);

#endif
