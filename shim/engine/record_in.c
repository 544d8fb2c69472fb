/* SPDX-License-Identifier: MIT
 * record_in: from the kernel to the app, and the read token (record.h has the picture): what the
 * window (record_window.h) has is opened into the app's own memory where a record fits there, else
 * into `plain`. */
#include "record_share.h"
#include "record_window.h"
#include "sys.h"
#include <errno.h>

enum {
	SURELY_DATA = 8192,              /* bytes; a longer record is no ticket and no KeyUpdate */
	PEEK_MAX = RECORD_PLAIN_MAX / 2, /* what MSG_PEEK can see at once */
	SILENT_MAX = 1000,               /* tickets and KeyUpdates one after the other */
};

/* The session is over for reading: the kernel shall say so to every poller, for ever. */
static void end(struct record *rec, int error)
{
	rec->ended = true;
	if (error && !rec->error)
		rec->error = error;
	if (error && !rec->send_error)
		rec->send_error = error;
	window_consume(rec, rec->w);
	sys_shutdown(rec->fd, error ? SHUT_RDWR : SHUT_RD);
}

void record_end(struct record *rec, int fd, int error)
{
	rec->fd = fd;
	end(rec, error);
}

/* Open the record at r, which has n bytes, at `at`. Returns plaintext bytes; 0 for a control
 * record. A flood of those would hold a read that must not block as long as it lasts. */
static size_t open_at(struct record *rec, size_t n, uint8_t *at)
{
	enum tls_result result;
	size_t got = 0;

	if (rec->share)
		share_log(rec, rec->opened, span_first(window_unopened(rec), n));
	tls_feed(rec->tls, span_first(window_unopened(rec), n));
	result = tls_open(rec->tls, at, n, &got);
	tls_feed(rec->tls, span_of(NULL, 0));
	rec->r += n;
	rec->opened += (int64_t)n;
	rec->last = n;
	rec->silent = got ? 0 : rec->silent + 1;
	if (result == TLS_CLOSED)
		end(rec, 0);
	else if (result == TLS_BROKEN || rec->silent > SILENT_MAX)
		end(rec, ECONNRESET);
	return got;
}

/* Open the record at r for the watcher. Returns how many bytes the app gets of it, in `plain`. */
static size_t open_watched(struct record *rec, size_t n)
{
	size_t before = buf_len(&rec->plain), got;
	uint8_t *at = window_take();

	if (!at) {
		end(rec, ENOMEM);
		return 0;
	}
	got = open_at(rec, n, at);
	if (got && !rec->watcher.look(rec->watcher.of, span_of(at, got), &rec->plain))
		end(rec, ECONNRESET);
	window_give(at);
	return buf_len(&rec->plain) - before;
}

/* Open the record at r, which has n bytes, into `to` or behind `plain`. Returns how many bytes the
 * app gets of it; 0 for a control record. */
static size_t open_record(struct record *rec, size_t n, uint8_t *to, size_t room)
{
	uint8_t *at;
	size_t got;

	if (rec->watcher.look)
		return open_watched(rec, n);
	at = room >= n ? to : buf_room(&rec->plain, n);
	if (!at) {
		end(rec, ENOMEM);
		return 0;
	}
	got = open_at(rec, n, at);
	if (at != to)
		buf_grown(&rec->plain, got);
	return got;
}

/* A record that surely has something for the app: it need not be opened to be the token. */
static bool is_token(const struct record *rec, size_t n)
{
	return n > SURELY_DATA && !rec->watcher.look;
}

void record_open(struct record *rec, size_t n)
{
	open_record(rec, n, NULL, 0);
}

void record_settle(struct record *rec, int fd)
{
	size_t n;

	rec->fd = fd;
	if (!rec->window)
		return;
	while (!buf_len(&rec->plain) && !rec->ended && (n = window_whole(rec)) && !is_token(rec, n))
		open_record(rec, n, NULL, 0);
	if (buf_len(&rec->plain) || (!rec->ended && window_whole(rec)))
		return;
	window_consume(rec, rec->w);
	if (rec->r == rec->w || rec->ended)
		window_drop(rec);
}

/* EPIPE is what comes after the error that was told. */
static bool is_untold(int error)
{
	return error && error != EPIPE;
}

/* Make plaintext out of what the window or the kernel has. True when there is some or the state has
 * changed: look again. */
static bool advance(struct record *rec, size_t room, uint8_t *to, size_t to_room, size_t *got)
{
	size_t n;

	*got = 0;
	while (!rec->ended) {
		n = rec->window ? window_whole(rec) : 0;
		if (n) {
			*got = open_record(rec, n, to, to_room);
			if (*got || rec->ended)
				return true;
			continue;
		}
		switch (window_fill(rec, room)) {
		case FILL_SOME:
			continue;
		case FILL_AGAIN:
			return false;
		case FILL_END: /* FIN without close_notify; inside a record it is certainly cut
				* short (RFC 8446 6.1) */
			end(rec, rec->lost || is_untold(rec->send_error) || rec->eof_delimits ||
						 rec->r < rec->w
					 ? ECONNRESET
					 : 0);
			return true;
		case FILL_ERROR:
			end(rec, rec->window ? errno : ENOMEM);
			return true;
		}
	}
	return false;
}

static size_t room_of(const struct iovec *iov, size_t n)
{
	size_t room = 0;

	for (; n; iov++, n--)
		room += iov->iov_len;
	return room;
}

/* Copy waiting plaintext into the app's pieces from byte `done` on. */
static size_t copy_out(struct record *rec, const struct iovec *iov, size_t n, size_t done)
{
	struct span s = buf_span(&rec->plain);
	size_t copied = 0, part;

	for (; n && s.n; iov++, n--) {
		if (done >= iov->iov_len) {
			done -= iov->iov_len;
			continue;
		}
		part = iov->iov_len - done < s.n ? iov->iov_len - done : s.n;
		memcpy((uint8_t *)iov->iov_base + done, s.at, part);
		s = span_after(s, part);
		copied += part;
		done = 0;
	}
	return copied;
}

/* The contiguous room in the app's piece at byte `done`. */
static struct iovec piece_at(const struct iovec *iov, size_t n, size_t done)
{
	for (; n && done >= iov->iov_len; iov++, n--)
		done -= iov->iov_len;
	if (!n)
		return (struct iovec){NULL, 0};
	return (struct iovec){(uint8_t *)iov->iov_base + done, iov->iov_len - done};
}

static ssize_t peek(struct record *rec, const struct iovec *iov, size_t n, size_t room)
{
	size_t got;

	if (room > PEEK_MAX)
		room = PEEK_MAX;
	while (buf_len(&rec->plain) < room && advance(rec, 0, NULL, 0, &got))
		;
	return (ssize_t)copy_out(rec, iov, n, 0);
}

static ssize_t deliver(struct record *rec, const struct iovec *iov, size_t n, size_t skip,
		       size_t room)
{
	size_t done = skip, got;
	struct iovec piece;

	while (done < room) {
		if (buf_len(&rec->plain)) {
			got = copy_out(rec, iov, n, done);
			buf_drop(&rec->plain, got);
			done += got;
			continue;
		}
		/* A short answer of the kernel ends a call that has something to deliver; one that
		 * has nothing asks again, or a FIN that came with the data in one edge would be
		 * lost. */
		if (done > skip && rec->drained && (!rec->window || !window_whole(rec)))
			break;
		piece = piece_at(iov, n, done);
		if (!advance(rec, room - done, piece.iov_base, piece.iov_len, &got))
			break;
		if (!buf_len(&rec->plain))
			done += got;
		else if (rec->ended && !got)
			break;
	}
	return (ssize_t)(done - skip);
}

ssize_t record_receive(struct record *rec, int fd, const struct iovec *iov, size_t n, size_t skip,
		       bool peeking)
{
	size_t room = room_of(iov, n);
	ssize_t done;

	rec->fd = fd;
	if (!record_may_read(rec)) {
		errno = EIO;
		return -1;
	}
	if (room <= skip && (skip || !rec->ended || !rec->error))
		return 0;
	rec->drained = false; /* more may have come since, and its edge been reported */
	done = peeking ? peek(rec, iov, n, room) : deliver(rec, iov, n, skip, room);
	record_settle(rec, fd);
	if (done > 0)
		return done;
	if (!rec->ended) {
		errno = EAGAIN;
		return -1;
	}
	if (!rec->error)
		return 0;
	errno = rec->error;
	return -1;
}

void record_told(struct record *rec)
{
	if (!rec->ended || !rec->error)
		return;
	if (rec->send_error == rec->error)
		rec->send_error = EPIPE;
	rec->error = 0;
}

void record_told_sending(struct record *rec)
{
	if (rec->error == rec->send_error && !rec->eof_delimits)
		rec->error = 0;
	rec->send_error = EPIPE;
}

size_t record_readable(struct record *rec, int fd)
{
	size_t got;

	rec->fd = fd;
	if (record_may_read(rec) && !buf_len(&rec->plain) && !rec->ended)
		advance(rec, 0, NULL, 0, &got);
	record_settle(rec, fd);
	return buf_len(&rec->plain);
}

bool record_prepend(struct record *rec, struct span greeting)
{
	return buf_add(&rec->plain, greeting);
}

enum tls_result record_handshake(struct record *rec, int fd, bool read_ok)
{
	enum tls_result result;
	size_t n;

	rec->fd = fd;
	for (;;) {
		n = rec->window ? window_whole(rec) : 0;
		tls_feed(rec->tls, n ? span_first(window_unopened(rec), n) : span_of(NULL, 0));
		rec->r += n;
		result = tls_handshake(rec->tls);
		tls_feed(rec->tls, span_of(NULL, 0));
		if (result != TLS_MORE)
			return result;
		if (rec->window && window_whole(rec))
			continue;
		if (!read_ok)
			return TLS_MORE;
		switch (window_fill(rec, 0)) {
		case FILL_SOME:
			continue;
		case FILL_AGAIN:
			if (rec->r == rec->w) /* thousands may be waiting for their ServerHello */
				window_drop(rec);
			return TLS_MORE;
		case FILL_END:
			rec->error = ECONNRESET;
			return TLS_BROKEN;
		case FILL_ERROR:
			rec->error = rec->window ? errno : ENOMEM;
			return TLS_BROKEN;
		}
	}
}
