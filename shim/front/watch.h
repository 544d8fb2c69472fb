/* SPDX-License-Identifier: MIT
 * watch: what to do at connect(): leave alone, refuse, or watch.
 *
 *   family ─► policy (read once) ─► is it TCP? ─► engine ─► table ─► the kernel's connect()
 *   other AF_*: untouched, at the cost of a comparison; UDP is never ours */
#ifndef STARTTLS_WATCH_H
#define STARTTLS_WATCH_H

#include "memory.h"
#include "engine_open.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Could a connection to this address be ours at all? False as well when there is no memory for the
 * kernel to read it from. */
static inline bool watch_family(const struct sockaddr *addr, socklen_t len)
{
	return len >= sizeof(struct sockaddr_in) && memory_readable(addr, len) &&
	       (addr->sa_family == AF_INET || addr->sa_family == AF_INET6);
}

/* The copies of fd, but not fd itself, are not ours any more: the connection is about to be
 * dissolved. Keeps errno. */
void watch_give_up_copies(int fd);

/* connect(2) on a descriptor that is not ours yet, to an address of such a family. -1 with EACCES,
 * and a line in the log, when the policy forbids it or it cannot be made safe. May read the policy
 * and open the engine. */
int watch_connect(int fd, const struct sockaddr *addr, socklen_t len);

/* fd is a connection that was made to addr before this program began. When it cannot be made safe
 * it is shut down: the program finds end of file and EPIPE. */
void watch_arrived(int fd, const struct sockaddr *addr, socklen_t len);

/* fd, if it is ours, has just been found to be connected. Keeps errno. */
void watch_connected(int fd);

/* Has a control connection of ours announced a data connection? */
static inline bool watch_announced(void)
{
	return engine && atomic_load_explicit(engine->announced, memory_order_relaxed);
}

/* fd has just been accepted: FTP's peer may have dialled where a control connection of ours
 * announced it. Returns fd; or -1 with ECONNABORTED, and fd closed, when it cannot be made safe. */
int watch_accepted(int fd);

/* Would watch_connect do more than call connect(2)? Keeps errno. */
bool watch_would(int fd, const struct sockaddr *addr, socklen_t len);

/* Is it a TCP socket? UDP to the same port is not ours. Calls only fstat(2) for what is no
 * socket. */
bool watch_is_tcp(int fd);

#endif
