/* SPDX-License-Identifier: MIT
 * record_catch_up: a process does again what others have done with the session since it was there
 * last.
 *
 *   reading   the records that another has opened are in the ring: opened here too, their plaintext
 *             dropped
 *   writing   as many records as others have sealed are sealed, into nothing; what the kernel would
 *             not take of theirs is ours to send
 *
 * The keys and their counts are then the same in all of them (RFC 8446 section 5.3). What cannot be
 * done again makes this process deaf (it cannot read any more) or dumb (it cannot write); the
 * others go on. */
#include "record_share_local.h"
#include "record_window.h"

/* How far the peer's stream is out of the kernel. */
static int64_t consumed(const struct record *rec)
{
	return rec->opened + (int64_t)rec->k - (int64_t)rec->r;
}

/* --- what came in */

static void ring_copy(struct share *s, int64_t at, uint8_t *to, const uint8_t *from, size_t n)
{
	size_t where, part;

	for (; n; at += (int64_t)part, n -= part) {
		where = (size_t)at % RING;
		part = RING - where < n ? RING - where : n;
		if (to) {
			memcpy(to, s->ring + where, part);
			to += part;
		} else {
			memcpy(s->ring + where, from, part);
			from += part;
		}
	}
}

void share_log(struct record *rec, int64_t at, struct span bytes)
{
	struct share *s = rec->share;
	size_t known;

	if (!s || rec->deaf || at + (int64_t)bytes.n <= s->logged)
		return;
	known = s->logged > at ? (size_t)(s->logged - at) : 0;
	bytes = span_after(bytes, known);
	ring_copy(s, at + (int64_t)known, NULL, bytes.at, bytes.n);
	s->logged = at + (int64_t)(known + bytes.n);
}

static void forget_delivered(struct record *rec)
{
	size_t have = buf_len(&rec->plain), keep = rec->share->undelivered;

	if (have > keep)
		buf_drop(&rec->plain, have - keep);
}

/* Open the record at rec->opened, which another process has opened before us. */
static bool replay(struct record *rec)
{
	struct share *s = rec->share;
	uint8_t header[TLS_HEADER];
	int64_t left = s->opened - rec->opened;
	size_t n = left < TLS_HEADER ? 0 : TLS_HEADER;

	ring_copy(s, rec->opened, header, NULL, n);
	n = tls_record_length(span_of(header, n));
	n = n <= TLS_HEADER ? (size_t)left : TLS_HEADER + ((size_t)header[3] << 8 | header[4]);
	if (n > (size_t)left || n > RECORD_WINDOW || !window_have(rec))
		return false;
	ring_copy(s, rec->opened, rec->window, NULL, n);
	rec->r = 0;
	rec->k = rec->w = n;
	record_open(rec, n);
	forget_delivered(rec);
	return true;
}

/* The window as the others left it. */
static bool take_window(struct record *rec)
{
	struct share *s = rec->share;
	int64_t ahead = s->consumed - s->opened;
	size_t n = (size_t)(ahead < 0 ? -ahead : ahead);

	window_drop(rec);
	if (!n)
		return true;
	if (n > RECORD_WINDOW || !window_have(rec))
		return false;
	ring_copy(s, ahead < 0 ? s->consumed : s->opened, rec->window, NULL, n);
	rec->w = n;
	rec->r = ahead < 0 ? n : 0;
	rec->k = ahead < 0 ? 0 : n;
	return true;
}

static void catch_up_reading(struct record *rec)
{
	struct share *s = rec->share;
	bool same = rec->opened == s->opened && consumed(rec) == s->consumed;

	if (!same && (rec->opened > s->opened || rec->opened < s->logged - RING ||
		      (s->consumed < s->opened && s->consumed < s->logged - RING)))
		rec->deaf = true;
	while (!rec->deaf && rec->opened < s->opened)
		rec->deaf = !replay(rec);
	if (rec->deaf)
		return;
	if (!same && !take_window(rec)) {
		rec->deaf = true;
		return;
	}
	forget_delivered(rec);
	rec->ended |= s->ended;
	if (s->error && !rec->error)
		rec->error = s->error;
}

/* --- what went out */

static void catch_up_writing(struct record *rec)
{
	struct share *s = rec->share;
	uint32_t generation;
	uint64_t sealed;

	while (rec->generation < s->generation && !rec->dumb) {
		generation = rec->generation;
		tls_update_key(rec->tls);
		rec->dumb = rec->generation == generation;
	}
	while (rec->generation == s->generation && rec->sealed < s->sealed && !rec->dumb) {
		sealed = rec->sealed;
		rec->dumb = tls_seal(rec->tls, "", 1) != TLS_DONE || rec->sealed == sealed;
	}
	rec->dumb |= rec->generation != s->generation || rec->sealed != s->sealed;
	if (rec->dumb)
		return;
	buf_free(&rec->out);
	rec->owed = s->owed;
	rec->dumb = s->unsent && !buf_add(&rec->out, span_of(s->out, s->unsent));
}

void share_count(struct record *rec, struct span sealed)
{
	size_t n;

	for (; (n = tls_record_length(sealed)); sealed = span_after(sealed, n))
		rec->sealed++;
}

void share_rekeyed(void *of)
{
	struct record *rec = of;

	rec->generation++;
	rec->sealed = 0;
}

void share_catch_up(struct record *rec)
{
	rec->catching_up = true;
	rec->fd = -1;
	catch_up_reading(rec);
	catch_up_writing(rec);
	rec->catching_up = false;
	rec->version = rec->share->version;
}

void share_publish(struct record *rec)
{
	struct share *s = rec->share;

	if (!rec->deaf) {
		if (rec->k > rec->r)
			share_log(rec, rec->opened, span_of(rec->window + rec->r, rec->k - rec->r));
		s->opened = rec->opened;
		s->consumed = consumed(rec);
		s->undelivered = buf_len(&rec->plain);
		s->ended = rec->ended;
		s->error = rec->error;
	}
	if (!rec->dumb) {
		s->generation = rec->generation;
		s->sealed = rec->sealed;
		s->owed = rec->owed;
		s->unsent = buf_len(&rec->out);
		if (s->unsent)
			memcpy(s->out, buf_span(&rec->out).at, s->unsent);
	}
}
