/* SPDX-License-Identifier: MIT
 * relay_rest: processes that stay behind a connection only until what the app was told is sent has
 * been sent. */
#include "relay_local.h"
#include "sys.h"
#include <errno.h>

enum { FLUSH_MS = 60000 };

/* Nobody reads any more: take what comes until the peer closes, or close() would answer it with
 * RST, and the peer lose what it has not read yet. */
static void discard_rest(int tcp)
{
	struct pollfd p = {.fd = tcp, .events = POLLIN};
	int64_t until = now_ms() + RELAY_LINGER_MS, left;
	char bytes[4096];

	sys_shutdown(tcp, SHUT_WR);
	while ((left = until - now_ms()) > 0 && front->poll(&p, 1, (int)left) > 0)
		if (sys_recv(tcp, bytes, sizeof bytes, 0) <= 0)
			break;
}

void relay_flush(struct conn *c, int tcp)
{
	int *keep[] = {&tcp};
	struct pollfd p = {.events = POLLOUT};
	int64_t until = now_ms() + FLUSH_MS, left;

	relay_become_nobody();
	relay_close_others(keep, 1);
	p.fd = tcp;
	conn_lock(c);
	conn_settle(c, tcp);
	if (c->phase == CONN_OPEN)
		record_notify(&c->rec, tcp);
	conn_unlock(c);
	while (record_flush(&c->rec, tcp) < 0 && errno == EAGAIN && (left = until - now_ms()) > 0)
		front->poll(&p, 1, (int)left);
	discard_rest(tcp);
	relay_end();
}

void relay_send(int tcp, struct span rest)
{
	int *keep[] = {&tcp};
	struct pollfd p = {.events = POLLOUT};
	int64_t until = now_ms() + FLUSH_MS, left;
	ssize_t n;

	relay_become_nobody();
	relay_close_others(keep, 1);
	p.fd = tcp;
	while (rest.n && (left = until - now_ms()) > 0) {
		n = sys_send(tcp, rest.at, rest.n);
		if (n > 0)
			rest = span_after(rest, (size_t)n);
		else if (errno == EAGAIN || errno == EINTR)
			front->poll(&p, 1, (int)left);
		else
			break;
	}
	sys_shutdown(tcp, SHUT_WR);
	relay_end();
}
