/* SPDX-License-Identifier: MIT
 * record_share: one session in several processes, after fork(). Each has a copy of the state; what makes the copies differ is only how many records each
 * has sealed and opened since. So the processes keep, in memory that they share, the counts and the last ciphertext that came in, and who is behind
 * catches up before it does anything: it opens the records that another has opened, and seals as many as others have sent, into
 * nothing.
 *
 *   stream of the peer  ……[ ring: the last RING bytes ]│ still in the kernel
 *                                  opened ▲   ▲ consumed (out of the kernel; on either side of opened)
 *
 * So any of them may read and write at any time, also one that others died beside, as with the kernel's own socket. The limits: a process that
 * has not read for RING bytes cannot catch up, and reads EIO from then on; one that died in the very middle of a call leaves EIO to all.
 *
 * The lock is held within the connection's (conn_lock), never while blocking. */
#include "record.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOLDERS = 16, RING = 4 * 1024 * 1024 };

struct share {
	pthread_mutex_t lock;           /* robust, between processes */
	_Atomic pid_t holders[HOLDERS]; /* who has the connection */
	_Atomic int unknown; /* and how many more: just being born, or without room in the list */
	_Atomic pid_t
		early; /* before TLS is up there is nothing to catch up with: whose the connection is; 0: nobody's yet */
	_Atomic bool retired; /* what others do with the socket is not known here */
	uint64_t version;     /* of what is below */
	bool broken;
	uint32_t generation; /* KeyUpdates sent (RFC 8446 4.6.3) */
	uint64_t sealed;     /* records since then */
	int64_t opened, consumed,
		logged;     /* offsets in the peer's stream; logged: end of what the ring has */
	size_t undelivered; /* bytes of the plaintext that are still to be delivered, at its end */
	bool ended;
	int error;
	size_t unsent; /* ciphertext that the kernel has not taken */
	uint8_t out[RECORD_OUT_MAX];
	uint8_t ring[RING];
};

static pid_t self; /* whose memory this is; a vfork() child is its parent here */

void record_own(void)
{
	self = getpid();
}

pid_t record_self(void)
{
	return self;
}

static int64_t consumed(const struct record *rec)
{
	return rec->opened + (int64_t)rec->k - (int64_t)rec->r;
}

/* --- who has it */

static void strike(struct share *s, pid_t who)
{
	int i;

	for (i = 0; i < HOLDERS; i++)
		atomic_compare_exchange_strong(&s->holders[i], &(pid_t){who}, 0);
}

/* A zombie holds nothing any more. */
static bool is_alive(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return false;
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ||
	       info.si_pid != pid;
}

/* Strike the dead off the list. Returns how many of the living there are besides us. */
static int count_others(struct share *s)
{
	int i, living = 0;
	pid_t pid;

	for (i = 0; i < HOLDERS; i++) {
		pid = atomic_load(&s->holders[i]);
		if (pid && pid != self && !is_alive(pid))
			strike(s, pid);
		else
			living += pid && pid != self;
	}
	return living;
}

bool record_shared(const struct record *rec)
{
	int saved = errno, others;

	if (!rec->share)
		return false;
	if (atomic_load(&rec->share->retired))
		return true;
	others = count_others(rec->share) + atomic_load(&rec->share->unknown);
	errno = saved;
	return others > 0;
}

static bool list(struct share *s)
{
	pid_t nobody;
	int i;

	for (i = 0; i < HOLDERS; i++) {
		nobody = 0;
		if (atomic_load(&s->holders[i]) == self ||
		    atomic_compare_exchange_strong(&s->holders[i], &nobody, self))
			return true;
	}
	return false;
}

static void enlist(struct share *s)
{
	if (list(s))
		return;
	count_others(s);
	if (!list(s))
		atomic_fetch_add(&s->unknown, 1);
}

/* --- the beginning and the end */

static struct share *make(void)
{
	struct share *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_mutexattr_t how;

	if (s == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&how);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->lock, &how);
	pthread_mutexattr_destroy(&how);
	return s;
}

static void publish(struct record *rec);

void share_begin(struct record *rec)
{
	struct share *s = rec->share;

	if (!s)
		return;
	rec->opened = 0;
	rec->generation = 0;
	rec->sealed = 0;
	s->logged = 0;
	publish(rec);
	rec->version = ++s->version;
}

bool share_fork(struct record *rec)
{
	bool fresh = !rec->share;

	if (fresh && !(rec->share = make()))
		return false;
	enlist(rec->share);
	if (fresh)
		share_begin(rec);
	atomic_fetch_add(&rec->share->unknown, 1);
	return true;
}

void share_enlist(struct record *rec)
{
	if (!rec->share)
		return;
	enlist(rec->share);
	atomic_fetch_sub(&rec->share->unknown, 1);
}

void share_resign(struct record *rec, bool resign)
{
	if (rec->share && resign)
		strike(rec->share, self);
	else if (rec->share)
		enlist(rec->share);
}

void share_leave(struct record *rec)
{
	struct share *s = rec->share;

	rec->share = NULL;
	if (!s)
		return;
	strike(s, self);
	munmap(s, sizeof *s);
}

void share_retire(struct record *rec)
{
	if (rec->share)
		atomic_store(&rec->share->retired, true);
}

bool share_early(const struct record *rec)
{
	pid_t nobody = 0;

	return !rec->share || atomic_load(&rec->share->early) == self ||
	       atomic_compare_exchange_strong(&rec->share->early, &nobody, self);
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
	if (n > (size_t)left || n > RECORD_WINDOW || !record_window(rec))
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

	record_window_drop(rec);
	if (!n)
		return true;
	if (n > RECORD_WINDOW || !record_window(rec))
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

/* --- around each call */

void share_enter(struct record *rec)
{
	struct share *s = rec->share;
	int saved = errno;

	if (!s)
		return;
	if (pthread_mutex_lock(&s->lock) == EOWNERDEAD) {
		pthread_mutex_consistent(&s->lock);
		s->broken = true;
	}
	rec->inside = true;
	if (s->broken)
		rec->deaf = rec->dumb = true;
	if (rec->tls && s->version != rec->version && !(rec->deaf && rec->dumb)) {
		rec->catching_up = true;
		rec->fd = -1;
		catch_up_reading(rec);
		catch_up_writing(rec);
		rec->catching_up = false;
		rec->version = s->version;
	}
	errno = saved;
}

static void publish(struct record *rec)
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
		s->unsent = buf_len(&rec->out);
		if (s->unsent)
			memcpy(s->out, buf_span(&rec->out).at, s->unsent);
	}
}

void share_exit(struct record *rec)
{
	struct share *s = rec->share;

	if (!s || !rec->inside)
		return;
	rec->inside = false;
	if (rec->tls && !(rec->deaf && rec->dumb)) {
		publish(rec);
		rec->version = ++s->version;
	}
	pthread_mutex_unlock(&s->lock);
}

void share_abandon(struct record *rec)
{
	if (!rec->share || !rec->inside)
		return;
	rec->share->broken = true;
	rec->inside = false;
	pthread_mutex_unlock(&rec->share->lock);
}
