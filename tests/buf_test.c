/* SPDX-License-Identifier: MIT
 * buf_test: the buffer against a model: a plain array that every operation is repeated on.
 *
 *   buf    [ dropped | waiting … | room ]  ─┐
 *   model  [ waiting …                  ]  ─┴─ must hold the same bytes after every step */
#include "check.h"
#include "buf.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX = 3000, STEPS = 200000 };

static bool same(const struct buf *b, const uint8_t *model, size_t n)
{
	struct span s = buf_span(b);

	return s.n == n && buf_len(b) == n && (!n || memcmp(s.at, model, n) == 0) &&
	       b->cap <= b->max;
}

/* One random step on both; false when they differ. */
static bool step(struct buf *b, uint8_t *model, size_t *n)
{
	size_t want = (size_t)rand() % (rand() % 4 ? 40 : MAX + 20);
	uint8_t bytes[MAX + 20];

	if (rand() % 2) {
		size_t drop = want < *n ? want : *n;

		buf_drop(b, drop);
		*n -= drop;
		memmove(model, model + drop, *n);
		return same(b, model, *n);
	}
	for (size_t i = 0; i < want; i++)
		bytes[i] = (uint8_t)rand();
	if (buf_add(b, span_of(bytes, want)) != (want <= MAX - *n))
		return false;
	if (want <= MAX - *n) {
		memcpy(model + *n, bytes, want);
		*n += want;
	}
	return same(b, model, *n);
}

static void against_model(void)
{
	struct buf b = {.max = MAX};
	uint8_t model[MAX];
	size_t n = 0;
	bool ok = true;

	srand(1);
	for (int i = 0; ok && i < STEPS; i++)
		ok = step(&b, model, &n);
	check(ok, "holds what the model holds");
	buf_free(&b);
}

static void edges(void)
{
	struct buf b = {.max = 8}, none = {0}, large = {.max = 1 << 20};
	uint8_t *room;

	check(buf_len(&b) == 0 && buf_span(&b).n == 0, "a zero struct is an empty buffer");
	check(buf_add(&b, span_of(NULL, 0)) && !b.at, "adding nothing takes no memory");
	check(!buf_add(&b, span_text("123456789")) && buf_len(&b) == 0, "all or nothing");
	check(buf_add(&b, span_text("12345678")), "filled to the last byte");
	check(!buf_room(&b, 1), "no room when full");
	buf_drop(&b, 3);
	room = buf_room(&b, 3);
	check(room != NULL, "dropped bytes make room");
	if (room) {
		memcpy(room, "abc", 3);
		buf_grown(&b, 2);
	}
	check(span_is(buf_span(&b), "45678ab"), "grown by what was filled in");
	buf_free(&b);
	check(b.max == 8 && !b.at && buf_len(&b) == 0, "freed, with its max");
	check(!buf_room(&none, 1) && !buf_add(&none, span_text("x")), "max 0 takes nothing");
	check(!buf_room(&large, SIZE_MAX), "no overflow");
	check(buf_room(&large, 1 << 19) != NULL, "grows at once");
	buf_grown(&large, 1 << 19);
	buf_drop(&large, 1 << 19);
	check(!large.at, "empty and large: memory given back");
}

int main(void)
{
	edges();
	against_model();
	return check_result();
}
