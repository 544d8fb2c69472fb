/* SPDX-License-Identifier: MIT
 * record_window: what the kernel has of the peer's records, as far as it has been looked at. For
 * record_*.c only.
 *
 *   [ opened | r  whole records … | part ) w          0 ≤ r ≤ w ≤ RECORD_WINDOW
 *        k: taken out of the kernel up to here        0 ≤ k ≤ w, on either side of r
 *
 * As long as k < w the kernel holds an unread byte: the read token (record.h). All work on the
 * descriptor in rec->fd. Nothing blocks; errno is the caller's to save. */
#ifndef STARTTLS_RECORD_WINDOW_H
#define STARTTLS_RECORD_WINDOW_H

#include "record.h"

/* Have a window, empty when it is new. False: out of memory. */
bool window_have(struct record *rec);
/* Give it back, and forget what it holds. */
void window_drop(struct record *rec);

/* What is in it and not opened. There is a window. */
static inline struct span window_unopened(const struct record *rec)
{
	return span_of(rec->window + rec->r, rec->w - rec->r);
}

/* Length in bytes of the whole record at r; 0: it is not all here. There is a window. */
static inline size_t window_whole(const struct record *rec)
{
	size_t n = tls_record_length(window_unopened(rec));

	return n && n <= rec->w - rec->r ? n : 0;
}

/* Take the window's bytes up to `end` out of the kernel. */
void window_consume(struct record *rec, size_t end);

enum fill {
	FILL_SOME,  /* there is more in the window than before */
	FILL_AGAIN, /* the kernel has no more */
	FILL_END,   /* nor will it have: FIN */
	FILL_ERROR, /* errno; without a window: out of memory */
};

/* Bring in more, when the window (which need not be there) holds no whole record. room: bytes the
 * app can take in this call. */
enum fill window_fill(struct record *rec, size_t room);

#endif
