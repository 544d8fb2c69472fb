/* SPDX-License-Identifier: MIT
 * record: TLS records between one kernel socket and one session, so that the kernel stays truthful:
 * poll, select, epoll (level and edge), io_uring polls and other processes see the truth about the
 * app's data although nobody tells them: the hooks of the first three are for the time before TLS
 * (hook_wait.c, hook_epoll.c).
 *
 *   kernel ──peek──► window [ r opened … | whole records … | part ) w ─► session ─► plain ─► app
 *                               k ▲ taken out of the kernel up to here
 *   app ─► session ─► out ─► kernel
 *
 * The read token: as long as plaintext is not delivered (in `plain`, or in a whole record of the
 * window) the kernel holds at least one unread byte, k < w. The write token: as long as ciphertext
 * is in `out`, the app was told one byte less than was sealed, so it comes back when the kernel
 * says POLLOUT. EAGAIN is answered only after the kernel itself said EAGAIN.
 *
 * Nothing here blocks. Not async-signal-safe. One caller at a time (the connection's lock). `fd` is
 * the descriptor of the app's call. */
#ifndef STARTTLS_RECORD_H
#define STARTTLS_RECORD_H

#include "buf.h"
#include "tls.h"
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	RECORD_WINDOW = 4 * TLS_RECORD_MAX, /* bytes peeked at once: four records */
	RECORD_BATCH = 4,                   /* records sealed into one system call */
	RECORD_PLAIN_MAX = 512 * 1024,      /* the released greeting, what MSG_PEEK asked to see */
	RECORD_OUT_MAX = (RECORD_BATCH + 2) * TLS_RECORD_MAX + 4096,
};

struct share; /* what processes that have a session after fork() must agree on: record_share.h */

/* Someone who looks at all plaintext before the app does: a talk that goes on inside TLS. */
struct watcher {
	/* Shown what one record held, adds to `plain` what the app gets of it. False: the session
	 * ends here, with ECONNRESET behind what is in `plain`. NULL: nobody looks. */
	bool (*look)(void *of, struct span opened, struct buf *plain);
	void *of;
};

struct record {
	struct tls *tls;
	struct watcher watcher;
	struct share *share; /* NULL: alone. What is about it goes down to `hosted` */
	uint64_t version;    /* of the share that we know */
	int64_t opened;      /* where r is in the peer's stream */
	uint32_t generation; /* KeyUpdates sent */
	uint64_t sealed;     /* records since then */
	bool catching_up;    /* what is sealed has been sent by another process */
	bool inside;         /* we hold its lock */
	bool early;          /* and nobody can catch up with what is done there */
	bool hosted;         /* we are the relay that the others come to (meet.h) */
	bool deaf, dumb;     /* we cannot catch up any more: no reading, no writing */
	uint8_t *window;     /* RECORD_WINDOW bytes, only while it holds something */
	size_t r, k, w;
	size_t last;       /* length of the last record, a guess at the next one's */
	unsigned silent;   /* records with nothing for the app, one after the other */
	bool heard;        /* the peer has sent something */
	bool drained;      /* the kernel's last answer was short or EAGAIN */
	struct buf plain;  /* opened, not delivered */
	struct buf out;    /* sealed, not taken by the kernel */
	bool more;         /* the record being sealed is not the last of its batch */
	bool owed;         /* the first byte of the next write is already sealed */
	bool eof_delimits; /* end of stream without close_notify is an error (the protocol
			    * has no other end mark) */
	int roomy;         /* one-byte writes the kernel has room for */
	int fd;            /* of the call in progress */
	int error;         /* errno for the app, until it is told, or 0 */
	int send_error;    /* sticky errno of sending, or 0 */
	int lost;          /* errno that came where nobody could be told, or 0 */
	bool ended;        /* close_notify or FIN seen */
};

/* A record layer without a session yet. */
void record_init(struct record *rec, bool eof_delimits);
/* Free the session, and begin anew, shared with the same. */
void record_again(struct record *rec);
/* What tls_new() wants: sealed bytes come to this record layer. */
struct tls_wire record_wire(struct record *rec);
/* Free the buffers and the session. */
void record_free(struct record *rec);

/* Advance the handshake. TLS_DONE: up, and what was peeked of the last flight stays unread in the
 * kernel until record_settle(). TLS_MORE: wait until fd is readable (or, with record_unsent,
 * writable). TLS_BROKEN: tls_why(), or rec->error when the peer is gone. With read_ok false nothing
 * is taken from the kernel. */
enum tls_result record_handshake(struct record *rec, int fd, bool read_ok);

/* Put bytes in front of what the peer says inside TLS: the greeting that was held. Kernel bytes
 * must still be unread (they are the token). False: out of memory. */
bool record_prepend(struct record *rec, struct span greeting);

/* Deliver plaintext into iov, leaving its first `skip` bytes alone. Returns bytes; 0 at end of
 * stream; -1 with errno: EAGAIN when the kernel has no more, ECONNRESET when the session broke or
 * was cut short, EIO when another process has read too much meanwhile, ENOMEM. With peek nothing is
 * taken. No room: 0. */
ssize_t record_receive(struct record *rec, int fd, const struct iovec *iov, size_t n, size_t skip,
		       bool peek);

/* The app has been told the error at which the session ended. As from the kernel, it is told
 * once: from then on reading says end of stream, and writing EPIPE. */
void record_told(struct record *rec);
/* The same, of send_error, to who writes. Where end of stream would end the data, too, who reads is
 * still told. */
void record_told_sending(struct record *rec);

/* Seal and send what iov holds behind its first `skip` bytes. Returns the bytes the app may count
 * as written; -1 with errno: EAGAIN, EPIPE, ECONNRESET, EIO when this process has lost touch with
 * another that writes, ENOMEM. Never more than RECORD_BATCH records at once: call again while it
 * returns less and !record_unsent(). */
ssize_t record_transmit(struct record *rec, int fd, const struct iovec *iov, size_t n, size_t skip);

/* Send what is sealed. 0: all gone; -1 with errno (EAGAIN: wait for POLLOUT). */
int record_flush(struct record *rec, int fd);
static inline bool record_unsent(const struct record *rec)
{
	return buf_len(&rec->out) > 0;
}

/* End the session: the app gets what is in `plain`, then errno `error`; the kernel says so to every
 * poller. */
void record_end(struct record *rec, int fd, int error);

/* Plaintext bytes that can be delivered at once; looks into the kernel when there are none. */
size_t record_readable(struct record *rec, int fd);

/* Open ahead or take out of the kernel, until the read token is exact: unread bytes if and only if
 * the app has something to read. */
void record_settle(struct record *rec, int fd);

/* close_notify, if sending is ours. The second: in one segment with the FIN that the caller
 * sends at once. */
void record_notify(struct record *rec, int fd);
void record_notify_last(struct record *rec, int fd);

/* record_pool.c: RECORD_WINDOW bytes each, used in turn by the connections that have something
 * waiting. NULL: out of memory. Thread-safe. */
uint8_t *window_take(void);
void window_give(uint8_t *window);
void window_fork_prepare(void);
void window_fork_parent(void);
void window_fork_child(void);

/* May this process read, write? Not once it has lost touch with what others did: never two records
 * under one key and count (RFC 8446 section 5.3). */
static inline bool record_may_read(const struct record *rec)
{
	return !rec->deaf;
}
static inline bool record_may_write(const struct record *rec)
{
	return !rec->dumb;
}
/* For record_catch_up.c: open the window's first n bytes, a whole record, into `plain`. */
void record_open(struct record *rec, size_t n);

#endif
