/* SPDX-License-Identifier: MIT
 * names: which name did the app look up for this address? connect() sees only addresses, a
 * certificate is for a name.
 *
 *   getaddrinfo("mx.example.") ─► 192.0.2.7 ─ "mx.example"       a ring of 1024 in .bss: bounded
 *   connect(192.0.2.7)         ◄──────────────┘                  the most recent lookup wins
 *
 * Two names may have one address (virtual hosts), so the most recent one is that of the thread that
 * connects; or, when it has not asked for this address itself, as where threads do the asking for
 * an event loop, that of whoever asked last. The host's own name counts only where there is no
 * other: programs ask for it by the way.
 *
 * All functions take a mutex (a leaf: nothing else is locked or called while it is held), keep
 * errno, survive fork() and are not async-signal-safe. */
#ifndef STARTTLS_NAMES_H
#define STARTTLS_NAMES_H

#include <stdbool.h>
#include <sys/socket.h>

enum { NAME_ROOM = 256, NAMES_KEPT = 1024 };

/* The struct in_addr or in6_addr within addr, or NULL when it is neither AF_INET nor AF_INET6. */
const void *names_address(const struct sockaddr *addr);

/* The app asked for `asked` and got this address (struct in_addr or in6_addr, by family; others are
 * ignored). What does not look like a host name, a literal address above all, makes the address
 * nameless again. */
void names_learn(int family, const void *address, const char *asked);

/* Copy the name last looked up for this address, by this thread if it ever did: lower case, without
 * the trailing dot. False when there is none. */
bool names_find(int family, const void *address, char name[static NAME_ROOM]);

/* Have the handlers of fork() called (start.c). */
void names_survive_fork(void);

#endif
