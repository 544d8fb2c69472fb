/* SPDX-License-Identifier: MIT
 * ask: the policy of this process. It is read at the first question, and holds to the end. */
#ifndef STARTTLS_ASK_H
#define STARTTLS_ASK_H

#include "../engine.h"

/* This thread is reading the policy or opening the engine, and either may connect (a name service
 * asked about a user): that must not come back to us. Signals are kept out meanwhile: a handler
 * that dialled then, or left by siglongjmp(), would not be heard, and its connection be
 * plaintext. */
extern _Thread_local bool ask_busy __attribute__((visibility("hidden")));

/* What the policy says of this connection: fills *v. Memory is out: all of them are refused, but
 * the next question is asked anew. Blocks on files at the first question; may allocate; not
 * async-signal-safe. */
void ask_policy(const struct order *o, struct verdict *v);

/* Read it now, if it has not been read: keeps errno. Blocks and allocates likewise. */
void ask_prepare(void);

/* Could it be read, be it broken? */
bool ask_readable(void);

/* Have the handlers of fork() called (start.c). */
void ask_survive_fork(void);

#endif
