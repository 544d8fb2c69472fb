/* SPDX-License-Identifier: MIT
 * record_window: from the kernel into the window. Picture and contract: record_window.h.
 *
 * Two ways to fill it. The app's room takes a whole record: plain recv of no more than fits that
 * room, so whatever is in there can be delivered in this call and no token is needed. Otherwise:
 * peek, deliver from the window over as many calls as it takes, and only then take it out of the
 * kernel. */
#include "record_window.h"
#include "sys.h"
#include <errno.h>

bool window_have(struct record *rec)
{
	if (!rec->window)
		rec->window = window_take();
	return rec->window;
}

void window_drop(struct record *rec)
{
	window_give(rec->window);
	rec->window = NULL;
	rec->r = rec->k = rec->w = 0;
}

void window_consume(struct record *rec, size_t end)
{
	if (end <= rec->k)
		return;
	/* A reset empties the kernel's buffer, and a socket's error is told once: to us, now. */
	if (sys_discard(rec->fd, end - rec->k) < 0 && errno != EAGAIN)
		rec->lost = errno;
	rec->k = end;
}

static void compact(struct record *rec)
{
	size_t gone = rec->r < rec->k ? rec->r : rec->k;

	if (!gone)
		return;
	memmove(rec->window, rec->window + gone, rec->w - gone);
	rec->r -= gone;
	rec->k -= gone;
	rec->w -= gone;
}

/* The kernel's answer to a recv that added n bytes of `asked`. */
static enum fill answered(struct record *rec, ssize_t n, size_t asked)
{
	rec->drained = n < (ssize_t)asked;
	rec->heard |= n > 0;
	if (n > 0)
		return FILL_SOME;
	if (n == 0)
		return FILL_END;
	return errno == EAGAIN || errno == EINTR ? FILL_AGAIN : FILL_ERROR;
}

static enum fill fill_taking(struct record *rec, size_t room)
{
	size_t have = rec->w - rec->r, asked = room - have;
	ssize_t n;

	if (asked > RECORD_WINDOW - rec->w)
		asked = RECORD_WINDOW - rec->w;
	n = sys_recv(rec->fd, rec->window + rec->w, asked, 0);
	if (n > 0)
		rec->k = rec->w += (size_t)n;
	return answered(rec, n, asked);
}

static enum fill fill_peeking(struct record *rec)
{
	size_t asked = RECORD_WINDOW - rec->k, seen = rec->w - rec->k;
	ssize_t n = sys_recv(rec->fd, rec->window + rec->k, asked, MSG_PEEK);
	enum fill fill = answered(rec, n, asked);

	if (fill != FILL_SOME)
		return fill;
	if ((size_t)n <= seen)
		return FILL_AGAIN;
	rec->w = rec->k + (size_t)n;
	return FILL_SOME;
}

enum fill window_fill(struct record *rec, size_t room)
{
	size_t have, need;
	bool token = buf_len(&rec->plain) > 0;

	if (!window_have(rec))
		return FILL_ERROR;
	window_consume(rec, token && rec->w > rec->k ? rec->w - 1 : rec->w);
	compact(rec);
	have = rec->w - rec->r;
	need = tls_record_length(window_unopened(rec));
	if (need <= have)
		need = rec->last; /* the next header is not here yet: guess */
	if (!token && !rec->watcher.look && need && need <= room && have < room)
		return fill_taking(rec, room);
	return fill_peeking(rec);
}
