/* SPDX-License-Identifier: MIT
 * buf: the one growable buffer, with a cap it never exceeds. Picture and contract: buf.h.
 *
 * Growth doubles, so adding is O(1) amortised; bytes are moved to the front only when that makes
 * the room that is asked for. */
#include "buf.h"
#include <stdlib.h>

enum {
	FIRST = 256, /* bytes taken at the first byte */
	KEEP = 4096, /* an empty buffer larger than this gives its memory back */
};

/* Move the waiting bytes to the front. */
static void compact(struct buf *b)
{
	size_t n = buf_len(b);

	if (b->off && n)
		memmove(b->at, b->at + b->off, n);
	b->off = 0;
	b->end = n;
}

/* Memory for `want` bytes in all, want <= max. */
static bool grow(struct buf *b, size_t want)
{
	size_t cap = b->cap < FIRST ? FIRST : b->cap;
	uint8_t *at;

	while (cap < want && cap <= b->max / 2)
		cap *= 2;
	if (cap < want || cap > b->max)
		cap = b->max;
	at = realloc(b->at, cap);
	if (!at)
		return false;
	b->at = at;
	b->cap = cap;
	return true;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	size_t waiting = buf_len(b);

	if (waiting > b->max || n > b->max - waiting)
		return NULL;
	if (b->cap - b->end < n) {
		compact(b);
		if (b->cap - b->end < n && !grow(b, waiting + n))
			return NULL;
	}
	return b->at ? b->at + b->end : NULL;
}

void buf_grown(struct buf *b, size_t n)
{
	b->end += n;
}

bool buf_add(struct buf *b, struct span s)
{
	uint8_t *room;

	if (s.n == 0)
		return true;
	room = buf_room(b, s.n);
	if (!room)
		return false;
	memcpy(room, s.at, s.n);
	buf_grown(b, s.n);
	return true;
}

void buf_emptied(struct buf *b)
{
	b->off = b->end = 0;
	if (b->cap > KEEP)
		buf_free(b);
}

void buf_free(struct buf *b)
{
	free(b->at);
	*b = (struct buf){.max = b->max};
}
