/* SPDX-License-Identifier: MIT
 * conn_due: what has to be done although nothing happens on the descriptor that the app waits for:
 * refuse a peer that is late, go on with the handshake of a data connection nobody reads from, and
 * with one that was dialled again.
 * There is no thread for it: the hooks of poll(), select() and epoll_wait() sleep no longer than
 * until conn_due and then call conn_tick(). A refused connection is readable to the kernel, so the
 * app's own poll() tells of it.
 *
 * Surprising: conn_due is never put off, only met: a deadline that no longer matters costs one look
 * at all connections. */
#include "conn_call.h"
#include "conn_setup.h"
#include "sys.h"
#include <errno.h>

/* How often they are looked after while the app waits for something else. */
enum { HANDSHAKE_MS = 20 };

_Atomic int64_t conn_due = INT64_MAX;

void conn_due_at(int64_t ms)
{
	int64_t was = atomic_load(&conn_due);

	while (ms < was && !atomic_compare_exchange_weak(&conn_due, &was, ms))
		;
}

void conn_due_soon(void)
{
	conn_due_at(now_ms() + HANDSHAKE_MS);
}

static void look_after(struct conn *c, int fd)
{
	if (conn_data_is_begun(c) || c->phase == CONN_REDIAL)
		conn_advance(c, fd, true);
	if (conn_data_is_begun(c))
		conn_due_soon();
	if (c->deadline_ms && !conn_overdue(c, fd) && !conn_late(c, fd) && c->deadline_ms &&
	    (!conn_settled(c) || conn_awaits_answer(c)))
		conn_due_at(c->deadline_ms);
}

/* As a call of the app would have one: what goes on in plaintext now is forgotten, and its slot's
 * reference given back. False: it has ended. */
static bool take_reference(struct conn *c)
{
	uint32_t n = atomic_load(&c->ref.refs);

	while (n && !atomic_compare_exchange_weak(&c->ref.refs, &n, n + 1))
		;
	return n;
}

static void visit(struct conn *c)
{
	if (conn_lock_unless_left(c, -1)) {
		/* Who of several processes brings TLS up is for their calls to say. */
		if (!record_shared(&c->rec))
			look_after(c, c->rec.fd);
		conn_unlock(c);
	}
	conn_put(c);
}

void conn_tick(void)
{
	struct conn *c;
	int saved = errno;
	uint64_t signals;

	if (conn_nested())
		return;
	signals = quiet_begin(); /* the app is in poll(), and a handler may leave that for good */
	atomic_store(&conn_due, INT64_MAX);
	for (c = conn_first(); c; c = c->next)
		if (take_reference(c))
			visit(c);
	quiet_end(signals);
	errno = saved;
}
