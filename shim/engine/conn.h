/* SPDX-License-Identifier: MIT
 * conn: one connection of the app, from connect() to close(): it moves bytes between the app's
 * calls, the talk, the record layer and the kernel.
 *
 *   TALK ─► SHAKE ─► OPEN            the dialogue, the handshake, everything after
 *     │       └────► REDIAL ─┐       `may`: the handshake failed
 *     ├──────────────────────┴► CLEAR ─► GONE    plaintext by leave of the policy; forgotten once nothing of ours is left
 *   GUARD ──────────────────────┘              `by app`: until the app's own ClientHello, or its first word that is not harmless
 *     ├─► REFUSED                    the app is told why, then end of file
 *     ├─► MOVED                      a relay has it; the app's descriptors are being replaced, then the calls are the kernel's
 *     └─► BROKEN                     it broke before the peer said a word: the app gets the kernel's own errno
 *
 * Locks. `lock` guards everything in a conn and is never held while blocking: a call that must wait
 * lets go of it, waits on the app's descriptor, and looks again. Readers and writers need no locks
 * of their own: like the kernel's socket lock, ours is given up only while waiting. fork() takes
 * every lock there is. Order: pool of conns → conn.lock → tls and record pools.
 *
 * Whoever holds a reference may look at a conn; the table's slots and every call in progress hold
 * one each. */
#ifndef STARTTLS_CONN_H
#define STARTTLS_CONN_H

#include "../engine.h"
#include "data.h"
#include "lock.h"
#include "record_share.h"
#include "talk.h"
#include <pthread.h>
#include <signal.h>

enum conn_phase {
	CONN_TALK,
	CONN_GUARD,
	CONN_SHAKE,
	CONN_REDIAL,
	CONN_OPEN,
	CONN_CLEAR,
	CONN_BROKEN,
	CONN_GONE,
	CONN_REFUSED,
	CONN_CLOSED,
	CONN_MOVED
};

/* What a call that can do nothing now is waiting for. */
enum wait {
	WAIT_NONE,
	WAIT_IN,
	WAIT_OUT,
	WAIT_MOVED,
	WAIT_TELL /* for the app to take what it is told */
};

struct conn {
	struct conn_ref ref; /* first: engine.h */
	struct conn *next;   /* every conn there ever was, for fork() */
	struct conn *next_free;
	struct lock lock;
	uint64_t signals;      /* the mask of who has the lock, when it is quiet */
	bool quiet;            /* signals are kept out */
	bool interrupted;      /* fork(): by a handler that came while its thread had the lock */
	enum conn_phase phase; /* from here on a conn's own; above: for ever */
	struct talk *talk;     /* until TLS is up, the app's early bytes are sent and nothing is
				* left to do inside TLS; refusal text stays in it */
	struct record rec;
	size_t unread; /* TALK, CLEAR: bytes of the peer that are done with, left in the
			* kernel until to_app is delivered */
	int64_t opened_ms, deadline_ms; /* CLOCK_MONOTONIC; deadline 0: not running yet */
	bool heard;                     /* the peer has said something */
	bool spoke;                     /* the app has said something that is or was held */
	bool told_end;                  /* REFUSED: the app has seen end of file */
	bool told_words;                /* REFUSED: there were words for the app */
	bool shut_write; /* the app has shut writing down; done once all it said is sent */
	bool shut_done;
	bool shut_read;
	int low_water;               /* the app's SO_RCVLOWAT; 0: 1 */
	unsigned unpushed;           /* writes since the last read: Nagle may be holding the tail
			    * back */
	bool dialled;                /* REDIAL: the second connect() is under way */
	bool finished_unacked;       /* the app has not written since our Finished went out */
	uint64_t cookie;             /* of the socket */
	bool urgent_inline;          /* what the app sends with MSG_OOB is part of the stream */
	bool relayed;                /* this process is a relay */
	bool is_data;                /* FTP: a data connection, not the control connection of the
				      * transfer */
	struct transfer *transfer;   /* FTP; NULL: nothing announced yet */
	unsigned announcement;       /* of the transfer, which this data connection belongs to */
	struct tls_session *resumed; /* a data connection's, or NULL */
	struct verdict verdict;
	char self[64]; /* our end as an address literal (RFC 5321 4.1.3) */
	char *name;    /* what the app asked for, or NULL */
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

extern const struct front *front;

/* conn_pool.c */
struct conn *conn_take(void);  /* zeroed, one reference; NULL: out of memory */
void conn_put(struct conn *c); /* give one reference back; the last one gives the conn
				* back */
/* Called by the function that also unlocks: the call lasts as long as that stands on the stack. */
void conn_lock(struct conn *c);
void conn_unlock(struct conn *c);
/* With the lock held: keep signals out until it is given up. */
void conn_keep_quiet(struct conn *c);
/* For who has no reference: lock c if fd is still a descriptor of it, which it then stays until
 * conn_unlock(), for nobody wipes it without the lock. False: not locked. */
bool conn_lock_unless_left(struct conn *c, int fd); /* fd -1: the one of the last call */
/* All that there ever were, by their `next`. */
struct conn *conn_first(void);
/* Is this a signal handler that interrupted its own thread within conn_lock? Then no lock may be
 * taken. Asked first by every call: it also gives up what a handler of this thread has left by
 * siglongjmp(). (conn_lock.c) */
extern _Thread_local volatile sig_atomic_t conn_depth;
bool conn_look_around(void);
static inline bool conn_nested(void)
{
	return conn_depth && conn_look_around();
}
/* Give up the lock while the call waits, and take it again. The call has a reference, which is
 * given back should a handler leave it meanwhile by siglongjmp(); or is, by this, when its thread
 * is cancelled. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
void conn_pause_cancelled(struct conn *c);
void conn_fork_prepare(void);
void conn_fork_parent(void);
void conn_fork_child(void);
/* Until the next call, fork() in this thread copies the process for the sake of this conn only;
 * NULL: of all, as usual. */
void conn_fork_for(struct conn *c);
struct conn *conn_owner(int fd);
void conn_exec(bool leaving);
/* The connection is another process's now. A vfork() child leaves its parent's struct alone. */
void conn_leave(struct conn *c);

/* conn_setup.c and what it drives: everything before the steady state. With the lock held; none of
 * them blocks. */
/* Advance the dialogue and the handshake as far as they go. WAIT_NONE: the phase is OPEN, CLEAR,
 * BROKEN, GONE or REFUSED. With read_ok false nothing is taken from the kernel, so that no
 * readiness event vanishes in a write. WAIT_TELL: nothing goes on until the app has taken what is
 * in talk_to_app. */
enum wait conn_advance(struct conn *c, int fd, bool read_ok);
/* The app's bytes before TLS is up. Returns how many were taken, 0 when the hold is full. */
size_t conn_hold(struct conn *c, const struct iovec *iov, size_t n, size_t skip);
/* Send what the app said before TLS was up, or the talk inside TLS. False: the kernel takes no more
 * now. When all is sent and the talk is over it is gone. */
bool conn_send_early(struct conn *c, int fd);
/* OPEN: has the talk inside TLS refused what the app said? Then the session has been ended. */
bool conn_talk_broke(struct conn *c, int fd);
/* OPEN: does the talk inside TLS wait for an answer, without which the app is told nothing? And has
 * it waited too long? Then it has refused. */
bool conn_awaits_answer(const struct conn *c);
bool conn_overdue(struct conn *c, int fd);
/* The peer's next `used` bytes are done with: take them out of the kernel. As long as the app has
 * not come for what it is to be told, one byte stays, so that it sees the descriptor readable. */
void conn_done_with(struct conn *c, int fd, size_t used);
/* Nothing of ours is left on it: let the table forget it. */
void conn_forget(struct conn *c);
/* Refuse now, in the protocol's words. */
void conn_refuse(struct conn *c, int fd, enum cause cause, const char *why);

/* conn_data.c: FTP's data connections. All but the last three with the lock held; for other
 * protocols they do nothing. */
/* The talk is about to be shown what either side says inside TLS; it has been. False: out of
 * memory. */
void conn_data_before(struct conn *c);
bool conn_data_after(struct conn *c);
/* This data connection could not be protected, or was cut short: the control connection will say
 * so. */
void conn_data_failed(struct conn *c, const char *why, bool cut);
/* An upload, perhaps of nothing: its end must be said inside TLS, so TLS must come up first. */
bool conn_data_owes_end(const struct conn *c);
/* The last reference goes away; the last descriptor has been closed. */
void conn_data_wipe(struct conn *c);
void conn_data_closed(struct conn *c);
/* engine.h */
struct conn *conn_data_open(struct order *order, const struct sockaddr *own, const char **why);
/* As conn_connected, for a data connection, which may still be on its way. */
void conn_data_begin(struct conn *c, int fd);
/* The control connection has moved, or its data connection: that goes on with its handshake. */
void conn_data_kick(struct conn *control);
/* The descriptor of the data connection whose handshake the peer waits for; -1: none. It may be
 * another's by now. */
int conn_data_pending(const struct conn *control);
/* Is this a data connection whose handshake the peer waits for? */
bool conn_data_is_begun(const struct conn *c);

/* conn_due.c: engine.h. Not later than at `ms` (CLOCK_MONOTONIC); or in a moment. */
extern _Atomic int64_t conn_due;
void conn_due_at(int64_t ms);
void conn_due_soon(void);
void conn_tick(void);

/* conn_wait.c: what a blocking call does instead of returning EAGAIN. */
struct patience {
	bool sending; /* SO_SNDTIMEO counts, else SO_RCVTIMEO */
	bool known;
	int64_t until_ms; /* when the socket's own time-out strikes; -1: never */
};
/* Lock not held. Wait until it is worth trying again, not beyond the deadline (ms of
 * CLOCK_MONOTONIC, -1: none): 0; or -1 with the errno the app shall see (EAGAIN: its time is up,
 * EINTR). */
int conn_wait(struct conn *c, int fd, enum wait wait, int64_t deadline, struct patience *p);
/* May this call wait at all? */
bool conn_may_wait(int fd, int flags);
int64_t now_ms(void);

/* What the layer above does with a connection that is closed before all of it is sent: relay_linger
 * (relay.h); NULL: it is lost. */
extern void (*conn_linger)(struct conn *c, int fd);
/* And with what is left, sealed, of one that is shut down: relay_finish. False: nobody sees to
 * it. */
extern bool (*conn_finish_elsewhere)(int fd, struct span rest);

/* With the lock held, which it gives up while it waits: bring TLS up, or be refused, and get out
 * what the app has said, not beyond the deadline. */
void conn_settle(struct conn *c, int fd);

/* conn.c: engine.h has the contracts. */
struct conn *conn_open(const struct order *order, const char **why);
int conn_reconnect(struct conn *c, int fd, const struct sockaddr *addr, socklen_t n);
void conn_connected(struct conn *c, int fd);
ssize_t conn_receive(struct conn *c, int fd, struct msghdr *msg, int flags);
size_t conn_receive_waiting(struct conn *c, int fd, void *bytes, size_t n);
ssize_t conn_transmit(struct conn *c, int fd, const struct msghdr *msg, int flags);
void conn_bring_up(struct conn *c, int fd);
int conn_shutdown(struct conn *c, int fd, int how);
int conn_low_water(struct conn *c, int bytes);
int conn_readable(struct conn *c, int fd, int *bytes);
bool conn_ready(struct conn *c, int fd);
void conn_release(struct conn *c, int fd);
void conn_finish(struct conn *c, int fd);
void conn_exits(struct conn *c, int fd);

#endif
