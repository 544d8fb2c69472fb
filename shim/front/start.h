/* SPDX-License-Identifier: MIT
 * start: the environment, and the end of the process. There is no constructor: a process that never connects pays for nothing. */
#ifndef STARTTLS_START_H
#define STARTTLS_START_H

/* $STARTTLS_LOG, or NULL when unset, empty or not to be trusted (AT_SECURE). As it was at the first call; static. */
const char *start_log(void);

#endif
