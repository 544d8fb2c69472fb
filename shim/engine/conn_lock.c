/* SPDX-License-Identifier: MIT
 * conn_lock: a connection's lock, and signal handlers that come while a call of their own thread
 * has it, or waits.
 *
 *   read ─► conn_receive ─► lock … SSL_read … unlock ─► waits ─► lock … unlock
 *                               ▲ handler ─ read ─► refused      ▲ handler ─ read ─► as ever
 *                               │         └ siglongjmp ─► lost   └─────────── siglongjmp ─► the connection goes on
 *
 * Whether a call is still there, or a handler has left it for good by siglongjmp(), as old mailers
 * do when their alarm rings, only the stack knows: so each call notes where on it it stands, and
 * the next call of the thread looks whether that function stands there still. (Comparing stack
 * pointers would not do: the next call may be deeper down than the last one was.)
 *
 * What was left in the middle of a record cannot be used any more, nor even freed. While TLS is
 * being brought up, which takes long and much of malloc(), the lock keeps signals out instead, also
 * while the connection is being ended, and always once a call has been left. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unwind.h>

/* A call of a function: an address within its frame, and one within its code, not the first. */
struct place {
	const char *frame;
	const void *code;
};

/* Where the function stands that calls this one. */
#define CALLER ((struct place){__builtin_dwarf_cfa(), __builtin_return_address(0)})

enum { HOLDS = 4 }; /* a call, and calls in handlers within handlers */

/* One call in progress in this thread, outermost first. It stands here before it takes the lock,
 * and until it has given it back. */
struct hold {
	struct conn *c;
	struct place place;
	bool waits; /* and has a reference to give back */
};
static _Thread_local struct hold holds[HOLDS];
_Thread_local volatile sig_atomic_t conn_depth;

/* --- is it still on the stack? */

struct search {
	struct place wanted;
	const void *function; /* the one that wanted is in */
	const char
		*here; /* in the frame of the call that asks, which is not the one that is sought,
			* even if it stands where that one stood */
	const char *below;    /* where the frame that was looked at last begins */
	const void *of_below; /* and its function */
	bool above_here, found, passed;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *frame, void *of)
{
	struct search *s = of;
	const char *from = (const char *)_Unwind_GetCFA(frame); /* = the end of the frame below */

	s->found |= s->above_here && s->below <= s->wanted.frame && s->wanted.frame < from &&
		    s->of_below == s->function;
	s->passed |= s->wanted.frame < from;
	s->above_here |= s->here < from;
	s->below = from;
	s->of_below = (const void *)_Unwind_GetRegionStart(frame);
	return _URC_NO_REASON;
}

/* When the unwinder does not get that far, it is taken to be: then a call is refused that need not
 * be. */
static bool is_on_stack(struct place wanted, const char *here)
{
	struct search s = {.wanted = wanted, .here = here};

	s.function = _Unwind_FindEnclosingFunction((void *)wanted.code);
	_Unwind_Backtrace(look, &s);
	return s.found || !s.passed;
}

/* --- calls that were left */

static void lose(struct conn *c)
{
	bool eof_delimits = c->rec.eof_delimits;

	share_abandon(&c->rec);
	record_init(&c->rec, eof_delimits);
	c->rec.error = EIO;
	c->talk = NULL;
	c->phase = CONN_BROKEN;
}

/* The program is one that does such things: from now on the lock always keeps signals out, which
 * costs two system calls each time. */
static atomic_bool jumps;

static void leave_behind(void)
{
	struct hold h = holds[conn_depth - 1];

	atomic_store_explicit(&jumps, true, memory_order_relaxed);
	if (lock_mine(&h.c->lock)) {
		lose(h.c);
		lock_give(&h.c->lock);
	}
	conn_depth--;
	if (h.waits)
		conn_put(h.c);
}

static bool look_around(void)
{
	int i;

	while (conn_depth && !is_on_stack(holds[conn_depth - 1].place, __builtin_dwarf_cfa()))
		leave_behind();
	for (i = 0; i < conn_depth; i++)
		if (lock_mine(&holds[i].c->lock))
			return true;
	return conn_depth == HOLDS;
}

/* In a handler, or after one. The unwinder makes itself ready once, and must not be left there. */
bool conn_look_around(void)
{
	uint64_t signals;
	bool nested;

	signals = quiet_begin();
	nested = look_around();
	quiet_end(signals);
	return nested;
}

/* --- the lock */

/* Written twice, for a handler may come before it counts, and stand here meanwhile. */
static inline void begin(struct conn *c, struct place place)
{
	int i = conn_depth;
	struct hold *h = &holds[i];

	*h = (struct hold){c, place, false};
	atomic_signal_fence(memory_order_seq_cst);
	conn_depth = i + 1;
	atomic_signal_fence(memory_order_seq_cst);
	*h = (struct hold){c, place, false};
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	conn_depth--;
}

static __attribute__((noinline, cold)) void be_quiet(struct conn *c)
{
	c->signals = quiet_begin();
	c->quiet = true;
}

/* By close() or shutdown(). */
static inline bool is_ending(const struct conn *c)
{
	return !atomic_load_explicit(&c->ref.slots, memory_order_relaxed) ||
	       (c->shut_write && !c->shut_done);
}

static inline void enter(struct conn *c)
{
	if (atomic_load_explicit(&jumps, memory_order_relaxed) || is_ending(c) ||
	    (c->phase != CONN_OPEN && !conn_settled(c)))
		be_quiet(c);
	if (!c->rec.share)
		return;
	if (c->phase == CONN_OPEN && !c->talk)
		share_enter(&c->rec);
	else
		share_enter_early(&c->rec);
}

void conn_keep_quiet(struct conn *c)
{
	if (!c->quiet)
		be_quiet(c);
}

/* True: signals must be let in again, those of c->signals. */
static inline bool leave(struct conn *c)
{
	bool quiet = c->quiet;

	if (c->rec.share)
		share_exit(&c->rec);
	c->quiet = false;
	return quiet;
}

void conn_lock(struct conn *c)
{
	begin(c, CALLER);
	lock_take(&c->lock);
	enter(c);
}

bool conn_lock_unless_left(struct conn *c, int fd)
{
	begin(c, CALLER);
	lock_take(&c->lock);
	if (front->holds(c, fd < 0 ? c->rec.fd : fd)) {
		enter(c);
		return true;
	}
	lock_give(&c->lock);
	end();
	return false;
}

void conn_unlock(struct conn *c)
{
	uint64_t signals = c->signals;
	bool quiet = leave(c);

	lock_give(&c->lock);
	end();
	if (quiet)
		quiet_end(signals);
}

/* --- waiting without it */

void conn_pause(struct conn *c)
{
	uint64_t signals = c->signals;
	bool quiet = leave(c);

	holds[conn_depth - 1].waits = true;
	lock_give(&c->lock);
	if (quiet)
		quiet_end(signals);
}

void conn_resume(struct conn *c)
{
	lock_take(&c->lock);
	holds[conn_depth - 1].waits = false;
	enter(c);
}

void conn_pause_cancelled(struct conn *c)
{
	end();
	conn_put(c);
}
