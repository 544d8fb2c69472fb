/* SPDX-License-Identifier: MIT
 * buf: the one growable buffer, with a cap it never exceeds.
 *
 *   at ──► [ dropped | waiting bytes … | room ]
 *                    ^ off             ^ end      ^ cap ≤ max
 *
 * Bytes are added behind and dropped in front. Memory is taken at the first byte and given back by
 * buf_drop() once the buffer is empty and large, so an idle connection costs nothing. Nothing here
 * blocks, does I/O or sets errno. Not async-signal-safe (malloc). A zero struct with max set is an
 * empty buffer. */
#ifndef STARTTLS_BUF_H
#define STARTTLS_BUF_H

#include "span.h"

struct buf {
	uint8_t *at;
	size_t off, end, cap; /* bytes; off <= end <= cap */
	size_t max;           /* bytes that may wait at once */
};

/* Bytes waiting. */
static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->off;
}

/* The waiting bytes; valid until the buffer is changed. */
static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->at ? b->at + b->off : NULL, b->end - b->off);
}

/* Append all of s, or nothing: false when that would pass max or memory is out. s must not point
 * into b. */
bool buf_add(struct buf *b, struct span s);

/* Room for n > 0 more bytes behind the waiting ones; NULL when that would pass max or memory is
 * out. Say with buf_grown() how many were filled in. The pointer is valid until the buffer is
 * changed. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_grown(struct buf *b, size_t n);

/* Forget the first n waiting bytes (n <= buf_len). */
void buf_emptied(struct buf *b);
static inline void buf_drop(struct buf *b, size_t n)
{
	b->off += n;
	if (b->off >= b->end)
		buf_emptied(b);
}

/* Forget everything and give the memory back; max stays. */
void buf_free(struct buf *b);

#endif
