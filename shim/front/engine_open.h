/* SPDX-License-Identifier: MIT
 * engine_open: libstarttls-tls.so, opened at the first watched connection of the process.
 *
 * It is opened with RTLD_DEEPBIND, so that a host with an OpenSSL (or a malloc) of its own keeps it
 * to itself. The engine must therefore never free what libc allocated for it (strdup, asprintf,
 * getline): libc may have asked the host's malloc. */
#ifndef STARTTLS_ENGINE_OPEN_H
#define STARTTLS_ENGINE_OPEN_H

#include "../engine.h"

/* Not NULL once engine_get() succeeded, so whoever found a conn in the table may use it. */
extern const struct engine *engine __attribute__((visibility("hidden")));

/* Open the engine if that was not done yet. NULL: it cannot be, and *why is a sentence. Blocks on
 * files; may allocate; not async-signal-safe; keeps errno. After a failure the next call tries
 * again, for memory and descriptors may be had again; *why is the calling thread's, until then. */
const struct engine *engine_get(const char **why);

/* Have the handlers of fork() called (start.c). False: out of memory. */
bool engine_survive_fork(void);

/* struct front, replace. (heir.c) */
void engine_replace(struct conn *c, int end);

/* The slot of c for fd has just been emptied: end our part of the connection there, consuming the
 * slot's reference. fd -1: there is no such descriptor any more, so nothing is sent. */
void engine_end(struct conn *c, int fd);

#endif
