/* SPDX-License-Identifier: MIT
 * record_out: from the app to the kernel, and the write token (record.h has the picture).
 *
 * Up to four records go out in one system call. Nothing is ever kept back without a guaranteed
 * flush: what the kernel does not take stays in `out`, the app is told one byte less, and the
 * kernel's POLLOUT brings it back. */
#include "record_share.h"
#include "sys.h"
#include <errno.h>
#include <unistd.h>

/* One-byte writes for one look at the kernel's room: that many small packets fit a third of an
 * ordinary send buffer. */
enum { SINGLES = 32 };

/* Both in one system call, which is the reason for the batch. */
static ssize_t send_both(struct record *rec, struct span first, struct span last)
{
	struct iovec iov[2] = {{(void *)first.at, first.n}, {(void *)last.at, last.n}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	return sys_sendmsg(rec->fd, &msg);
}

/* Send `out`, then `last`; keep what the kernel does not take. */
static bool push(struct record *rec, struct span last)
{
	struct span first = buf_span(&rec->out);
	ssize_t n = first.n ? send_both(rec, first, last) : sys_send(rec->fd, last.at, last.n);
	size_t sent = n > 0 ? (size_t)n : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		rec->send_error = errno;
		return false;
	}
	if (sent == first.n + last.n && !first.n)
		return true;
	if (sent < first.n) {
		buf_drop(&rec->out, sent);
		return buf_add(&rec->out, last);
	}
	buf_drop(&rec->out, first.n);
	return buf_add(&rec->out, span_after(last, sent - first.n));
}

static bool send_sealed(void *of, struct span sealed)
{
	struct record *rec = of;

	if (rec->share)
		share_count(rec, sealed);
	if (rec->catching_up || !record_may_write(rec))
		return true;
	if (rec->send_error)
		return false;
	return rec->more ? buf_add(&rec->out, sealed) : push(rec, sealed);
}

struct tls_wire record_wire(struct record *rec)
{
	return (struct tls_wire){.send = send_sealed, .rekeyed = share_rekeyed, .of = rec};
}

void record_init(struct record *rec, bool eof_delimits)
{
	*rec = (struct record){.eof_delimits = eof_delimits};
	rec->plain.max = RECORD_PLAIN_MAX;
	rec->out.max = RECORD_OUT_MAX;
}

void record_again(struct record *rec)
{
	struct record was = *rec;

	record_free(rec);
	record_init(rec, false);
	rec->share = was.share;
	rec->version = was.version;
	rec->inside = was.inside;
	rec->early = was.early;
	rec->hosted = was.hosted;
	rec->deaf = was.deaf;
	rec->dumb = was.dumb;
}

void record_free(struct record *rec)
{
	tls_free(rec->tls);
	rec->tls = NULL;
	window_give(rec->window);
	rec->window = NULL;
	buf_free(&rec->plain);
	buf_free(&rec->out);
}

static int flush(struct record *rec, ssize_t (*send)(int, const void *, size_t))
{
	struct span s;
	ssize_t n;

	while (!rec->send_error && (s = buf_span(&rec->out)).n) {
		n = send(rec->fd, s.at, s.n);
		if (n >= 0)
			buf_drop(&rec->out, (size_t)n);
		else if (errno == EAGAIN || errno == EINTR)
			break;
		else
			rec->send_error = errno;
	}
	if (!rec->send_error && !buf_len(&rec->out))
		return 0;
	errno = rec->send_error ? rec->send_error : EAGAIN;
	return -1;
}

int record_flush(struct record *rec, int fd)
{
	rec->fd = fd;
	return flush(rec, sys_send);
}

/* Where the app's pieces are read from. */
struct source {
	const struct iovec *iov;
	size_t n, off; /* pieces left, 0: nothing is; bytes of the first one that are gone */
};

static void source_skip(struct source *s, size_t n)
{
	s->off += n;
	while (s->n && s->off >= s->iov->iov_len) {
		s->off -= s->iov->iov_len;
		s->iov++;
		s->n--;
	}
}

/* Bytes left of the first piece, but no more than n. */
static size_t source_part(const struct source *s, size_t n)
{
	size_t part = s->iov->iov_len - s->off;

	return part < n ? part : n;
}

static const uint8_t *source_at(const struct source *s)
{
	return (const uint8_t *)s->iov->iov_base + s->off;
}

static bool source_is_one_byte(struct source s)
{
	if (!s.n || s.iov->iov_len - s.off != 1)
		return false;
	source_skip(&s, 1);
	return !s.n;
}

/* Take the next record's worth of bytes: in place when one piece holds it, else gathered, one
 * record per call and not one per piece. */
static struct span source_take(struct source *s, uint8_t *scratch)
{
	struct span whole = span_of(source_at(s), source_part(s, TLS_PLAIN_MAX));
	size_t have = 0, part;

	if (whole.n == TLS_PLAIN_MAX || s->n == 1) {
		source_skip(s, whole.n);
		return whole;
	}
	while (s->n && have < TLS_PLAIN_MAX) {
		part = source_part(s, TLS_PLAIN_MAX - have);
		memcpy(scratch + have, source_at(s), part);
		have += part;
		source_skip(s, part);
	}
	return span_of(scratch, have);
}

/* Seal one batch and send it. Returns the bytes sealed. */
static size_t seal_batch(struct record *rec, struct source *from)
{
	uint8_t *scratch = from->n > 1 ? window_take() : NULL;
	size_t sealed = 0, records;
	struct span part;

	if (from->n > 1 && !scratch) {
		rec->send_error = ENOMEM;
		return 0;
	}
	for (records = 1; from->n && records <= RECORD_BATCH; records++) {
		part = source_take(from, scratch);
		rec->more = records < RECORD_BATCH && from->n;
		if (tls_seal(rec->tls, part.at, part.n) != TLS_DONE) {
			if (!rec->send_error)
				rec->send_error = ECONNRESET;
			break;
		}
		sealed += part.n;
	}
	rec->more = false;
	window_give(scratch);
	return sealed;
}

/* One byte cannot be reported as one less, so before it is sealed the kernel is asked for room.
 * "Writable" is a third of the send buffer, so one answer is good for several such writes. */
static bool must_wait(struct record *rec)
{
	if (rec->roomy-- > 0)
		return false;
	rec->roomy = 0;
	if (!(sys_ready(rec->fd, POLLOUT) & (POLLOUT | POLLERR | POLLHUP)))
		return true;
	rec->roomy = SINGLES;
	return false;
}

ssize_t record_transmit(struct record *rec, int fd, const struct iovec *iov, size_t n, size_t skip)
{
	struct source from = {.iov = iov, .n = n};
	size_t counted = 0;

	rec->fd = fd;
	source_skip(&from, skip);
	if (!record_may_write(rec)) {
		errno = EIO;
		return -1;
	}
	if ((record_unsent(rec) || rec->send_error) && record_flush(rec, fd) < 0)
		return -1;
	if (!from.n)
		return 0;
	if (rec->owed) {
		rec->owed = false;
		source_skip(&from, 1);
		counted = 1;
	}
	if (source_is_one_byte(from) && must_wait(rec)) {
		errno = EAGAIN;
		return counted ? (ssize_t)counted : -1;
	}
	counted += seal_batch(rec, &from);
	if (rec->send_error && !counted) {
		errno = rec->send_error;
		return -1;
	}
	if (record_unsent(rec) && counted && !rec->send_error) {
		rec->owed = true;
		counted--;
	}
	if (counted)
		return (ssize_t)counted;
	errno = EAGAIN;
	return -1;
}

void record_notify(struct record *rec, int fd)
{
	rec->fd = fd;
	if (!rec->tls || !record_may_write(rec))
		return;
	tls_notify(rec->tls);
	record_flush(rec, fd);
}

/* A peer that has heard close_notify may answer before FIN is here; on a plain connection there
 * is no such moment. */
void record_notify_last(struct record *rec, int fd)
{
	rec->fd = fd;
	if (!rec->tls || !record_may_write(rec))
		return;
	rec->more = true;
	tls_notify(rec->tls);
	rec->more = false;
	flush(rec, sys_send_more);
}
