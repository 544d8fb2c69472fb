/* SPDX-License-Identifier: MIT
 * relay: the process that carries a session where user-space state cannot follow: into a program
 * that is exec()ed. (After fork() none is needed: record_share.c.)
 *
 *   program ─ fd ─ [ app end ═ AF_UNIX pair ═ relay end ] relay ─ conn ─ tls ─ record ─ socket ─► peer
 *
 * It is a copy of the process that had the session, and nobody's child: a vfork()-like child of the
 * app that sends no SIGCHLD and is not found by wait() forks it and is gone at once. So the copy is
 * made by the C library's own fork(), with malloc and OpenSSL consistent although other threads run
 * on.
 *
 * A relay ends with the last program that has the app end. What the program may not see as an end
 * of file (a reset, a stream cut short) reaches it as ECONNRESET: an AF_UNIX socket says that when
 * its other end was closed with bytes unread, so the relay always leaves one byte unread that it
 * has passed on already: at first the seed, then the last byte of what was said. */
#ifndef STARTTLS_RELAY_H
#define STARTTLS_RELAY_H

#include "conn.h"

/* Hand c over, whose socket fd is, to a relay; the struct conn is dead in this process afterwards.
 * Returns the app end, close-on-exec, with the descriptor flags and time-outs of fd; -1 with errno:
 * nothing has changed. With `later` the relay of a connection that other processes have, too,
 * leaves it to them until the program says something or it is the last one. Consumes a reference.
 * No lock may be held. Works in a vfork() child. Not async-signal-safe. */
int relay_start(struct conn *c, int fd, bool later);

/* The app closes c, whose socket is fd, or ends, and not all that it was told is sent fits into the
 * kernel: a process stays that sends the rest, as the kernel would. Keeps errno; no lock may be
 * held. */
void relay_linger(struct conn *c, int fd);

/* The app shuts writing down on fd, and `rest`, sealed, is still to be sent: a process stays for
 * it, and then says FIN. False: there is none. Keeps errno; no lock may be held. */
bool relay_finish(int fd, struct span rest);

/* relay_run.c: be those processes. */
void relay_flush(struct conn *c, int tcp) __attribute__((noreturn));
void relay_send(int tcp, struct span rest) __attribute__((noreturn));

/* relay_run.c: be a relay, until both ends are finished. Never returns. */
struct relay_order {
	struct conn *c;
	int tcp, end; /* its socket, the relay's end of the pair */
	int app_end;  /* for those who share the connection; -1: there are none */
	int listener; /* where they are about to ask for it; -1: nowhere yet */
	pid_t heir;   /* nothing is to be done before this process' program says something; 0: begin
		       * at once */
};
void relay_run(const struct relay_order *order) __attribute__((noreturn));

#endif
