/* SPDX-License-Identifier: MIT
 * log: one line per verdict, to syslog, or where $STARTTLS_LOG says: "stderr", "off" or a file.
 *
 *   legacy-mailer[4711]: starttls verified to=smtp.example.com addr=198.51.100.9 port=587 proto=smtp tls=1.3 … need=verify ms=41
 *
 * The host's openlog() state and descriptors are its own: every line opens, writes and closes by raw system calls, which no hook of
 * ours sees. */
#ifndef STARTTLS_LOG_H
#define STARTTLS_LOG_H

#include "../engine.h"

enum { LOG_LINE = 1024 };

/* Write one line. What does not fit, or cannot be written, is lost. Keeps errno, takes no lock of ours, never blocks on syslog. */
void log_event(const struct event *e);

/* The line of `e` without the program's name, for log_event and tests. Cut at n. Returns its length. */
size_t log_format(const struct event *e, char *line, size_t n);

#endif
