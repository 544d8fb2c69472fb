/* SPDX-License-Identifier: MIT
 * stream: stdio streams whose bytes take the way of our hooks. libc's own streams read and write
 * where no hook sees it, so on a connection of ours they would speak plaintext.
 *
 *   fprintf ─► FILE of fopencookie(3) ─► ours? ─ yes ─► io_transmit ─► TLS
 *   fileno(): as ever                          └ no ──► write(2)         not connected (yet)
 *
 * glibc makes such streams byte streams for good: wide characters are converted above them
 * (stream_wide.h). None of these functions is async-signal-safe; all allocate. */
#ifndef STARTTLS_STREAM_H
#define STARTTLS_STREAM_H

#include <stdbool.h>
#include <stdio.h>

/* As fdopen(3). */
FILE *stream_open(int fd, const char *mode);

/* What the wide functions keep of a stream of ours (stream_wide.h). */
struct wide *stream_wide(FILE *file);

/* As freopen(3) on a stream of ours: it stays one, whatever it is now about. */
FILE *stream_reopen(const char *path, const char *mode, FILE *file);

/* fd has become ours: let no stream of libc's speak on it. stdin, stdout and stderr become streams
 * of ours; any other that libc has opened on this number fails with EBADF from now on. False: out
 * of memory. Takes libc's lock of all streams. */
bool stream_take(int fd);

/* Have the handlers of fork() called (start.c). */
void stream_survive_fork(void);

/* Write out what waits in streams of ours, but for those that another thread is using. */
void stream_flush_all(void);

/* What marks a stream of ours, see stream_is(). */
extern char stream_mark[] __attribute__((visibility("hidden")));

/* Has stream_open() made it? */
static inline bool stream_is(const FILE *file)
{
	return (const char *)file->_wide_data == stream_mark;
}

#endif
