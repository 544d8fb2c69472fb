/* SPDX-License-Identifier: MIT
 * log: one line per verdict, to syslog, or where $STARTTLS_LOG says: "stderr", "off" or a file.
 *
 *   legacy-mailer[4711]: starttls verified to=smtp.example.com addr=198.51.100.9 port=587 proto=smtp
 *      tls=1.3 cipher=TLS_AES_256_GCM_SHA384 need=verify rule=/etc/starttls/policy:5 ms=41 expires=…
 *
 * The host's openlog() state and descriptors are its own: every line opens, writes and closes by
 * raw system calls, which no hook of ours sees. */
#ifndef STARTTLS_LOG_H
#define STARTTLS_LOG_H

#include "../engine.h"

enum {
	LOG_LINE = 1024,
	LOG_BURST = 200,      /* lines that a process may send to syslog at once, */
	LOG_INTERVAL_MS = 50, /* and one more each so many ms: a loop of retries must not fill the
			       * disk */
};

/* Write one line. What does not fit is cut. Lines that syslog is not told, because they were too
 * many or it would have had to be waited for, are counted, and the next line ends with lost=N; a
 * file or stderr gets all. Keeps errno, takes no lock of ours, never blocks on syslog. */
void log_event(const struct event *e);

/* --- log.c, for log_send.c and tests */

/* The line of `e` without the program's name. Cut at n. lost > 0: that many lines before it were.
 * Returns its length. */
size_t log_format(const struct event *e, unsigned lost, char *line, size_t n);

/* "legacy-mailer[4711]: ", cut at n. Returns its length. */
size_t log_head(char *line, size_t n);

/* May one more line be written at now_ms (any clock that only goes forward)? Then *paid_until moves
 * on. Async-signal-safe. */
bool log_admits(_Atomic int64_t *paid_until, int64_t now_ms);

#endif
