/* SPDX-License-Identifier: MIT
 * arrive: connections that somebody else has made for this program, and left on the descriptors
 * that convention says (inetd, systemd, socat EXEC: 0, 1, 2; UCSPI clients such as tcpclient: 6 and
 * 7).
 *
 *   tcpclient ── connect ── exec ──► program: read(6), write(7)        no connect() of the program's
 *                                                                      to see: we look once, at start
 *
 * Only a connection that was made *to* the peer can be one of a `to` rule. The kernel does not tell
 * who dialled; a socket whose own port is a service's (below 1024, or one that stands for a
 * protocol) was accepted, and is left alone. */
#ifndef STARTTLS_ARRIVE_H
#define STARTTLS_ARRIVE_H

/* Watch what is there on those descriptors, if the policy says so. A constructor calls it; for a
 * program without a socket on them it costs three calls of fstat(2). Not async-signal-safe. */
void arrive(void);

#endif
