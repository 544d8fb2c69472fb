/* SPDX-License-Identifier: MIT
 * pool: chunks in a list, filled from the front. */
#include "pool.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

enum { CHUNK = 4000 }; /* with malloc's own header below a page */

static struct pool_chunk *chunk_new(struct pool *pool, size_t n)
{
	size_t size = n > CHUNK ? n : CHUNK;
	struct pool_chunk *c = calloc(1, sizeof *c + size);

	if (!c)
		return NULL;
	c->size = size;
	c->next = pool->chunks;
	pool->chunks = c;
	return c;
}

void *pool_get(struct pool *pool, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct pool_chunk *c = pool->chunks;
	void *piece;

	if (n <= SIZE_MAX / 2) {
		n = (n + align - 1) / align * align;
		if (!c || c->size - c->used < n)
			c = chunk_new(pool, n);
	} else {
		c = NULL;
	}
	if (!c) {
		pool->failed = true;
		return NULL;
	}
	piece = (char *)c->bytes + c->used;
	c->used += n;
	return piece;
}

void *pool_array(struct pool *pool, size_t count, size_t n)
{
	size_t total;

	if (__builtin_mul_overflow(count, n, &total))
		total = SIZE_MAX;
	return pool_get(pool, total);
}

void pool_blame(struct pool *pool, int error)
{
	if (error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOBUFS)
		pool->failed = true;
}

char *pool_copy(struct pool *pool, const char *bytes, size_t n)
{
	char *copy = pool_get(pool, n + 1);

	return copy ? memcpy(copy, bytes, n) : NULL;
}

char *pool_print(struct pool *pool, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n >= 0)
		text = pool_get(pool, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void pool_free(struct pool *pool)
{
	for (struct pool_chunk *c = pool->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	pool->chunks = NULL;
}
