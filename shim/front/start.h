/* SPDX-License-Identifier: MIT
 * start: the environment, the beginning and the end of the process. The constructor looks at three
 * descriptors (arrive.h); beyond that a process that never connects pays for nothing. */
#ifndef STARTTLS_START_H
#define STARTTLS_START_H

#include <stdbool.h>

/* $STARTTLS_LOG, or NULL when unset, empty or not to be trusted (AT_SECURE). As it was at the first
 * call; static. */
const char *start_log(void);

/* $STARTTLS_RUN, by which `starttls run` says that it has started us: "LIBRARY:COMMAND", both
 * absolute paths; or NULL. As it was at the start; static. */
const char *start_run(void);

/* Then: all that `run` has set, as "NAME=value", up to NULL. */
char *const *start_kept(void);

/* $STARTTLS_OBSERVE, the file for observe.h, or NULL; and the policy that `run` was given, or NULL.
 * As start_log(). */
const char *start_observe(void);
const char *start_policy(void);

/* Has anybody named the user's policy, by `run` or now by STARTTLS_POLICY? */
bool start_names_policy(void);

/* The first connection is about to be watched: be there when the process ends by quick_exit(). */
void start_watching(void);

#endif
