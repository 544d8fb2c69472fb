/* SPDX-License-Identifier: MIT
 * heir: descriptors of ours that another program is about to get. It knows nothing of our sessions,
 * and must never have the bare socket: what it would say on it would be plaintext in the middle of
 * a TLS stream.
 *
 *   left to the new program   a relay's end is put in its place (engine.h, relay): the program goes
 *                             on with the session
 *   not left                  FD_CLOEXEC as ever
 *   no relay to be had        FD_CLOEXEC: closed rather than leaked
 *
 * Both may block for the time of two fork()s. They do nothing, at the cost of one load, in a
 * process that has no connection of ours; keep errno; and work in the child of vfork(), whose
 * descriptors are not those the table describes: a socket is known by its cookie. */
#ifndef STARTTLS_HEIR_H
#define STARTTLS_HEIR_H

#include "table.h"
#include <stdbool.h>

/* This process is about to exec(): for all descriptors. And: that has failed. */
void heir_exec(void);
void heir_stay(void);

/* A child that libc makes without us is about to get copies: of standard input, output and error,
 * and of those for which `given` says so (NULL: none). Then this process goes on through the relay,
 * too. */
void heir_spawn(bool (*given)(int fd));

#endif
