/* SPDX-License-Identifier: MIT
 * conn_verdict: how the way to TLS ends when it does not end there: refused, broken, left alone;
 * and the log line of every ending. */
#include "conn_setup.h"
#include "sys.h"
#include <errno.h>

void conn_log(const struct conn *c, enum event_verdict verdict, const char *why)
{
	struct event e = {
		.verdict = verdict,
		.to = c->name,
		.proto = c->verdict.proto,
		.rule = c->verdict.rule,
		.why = why,
		.addr = (const struct sockaddr *)&c->addr,
		.needs = c->verdict.needs,
		.ms = (long)(now_ms() - c->opened_ms),
	};

	if (verdict <= EVENT_ENCRYPTED) {
		e.tls = tls_version(c->rec.tls);
		e.cipher = tls_cipher(c->rec.tls);
	}
	if (c->rec.tls)
		e.expires = tls_expires(c->rec.tls);
	if (c->verdict.observing && !c->is_data)
		e.observed = &c->verdict;
	if (e.observed && e.tls) {
		e.pin = tls_pin(c->rec.tls);
		e.unverified = tls_unverified(c->rec.tls);
	}
	front->log(&e);
}

const char *conn_why(const struct conn *c)
{
	static const char prefix[] = "libstarttls: ";
	const char *why = talk_why(c->talk);

	if (why && strncmp(why, prefix, sizeof prefix - 1) == 0)
		why += sizeof prefix - 1;
	return why;
}

void conn_refused(struct conn *c, int fd)
{
	c->phase = CONN_REFUSED;
	conn_done_with(c, fd, 0); /* an unread byte would make close() a reset */
	c->told_words = buf_len(talk_to_app(c->talk)) > 0;
	conn_log(c, EVENT_REFUSED, conn_why(c));
	conn_data_failed(c, conn_why(c), false);
	sys_shutdown(fd, SHUT_RD);
}

void conn_refuse(struct conn *c, int fd, enum cause cause, const char *why)
{
	talk_refuse(c->talk, cause, why);
	conn_refused(c, fd);
}

void conn_broke_early(struct conn *c, int error)
{
	c->rec.error = error;
	c->phase = CONN_BROKEN;
}

bool conn_never_connected(const struct conn *c, int error)
{
	return error && error != ECONNRESET && error != EPIPE && !c->heard && !c->rec.heard;
}

void conn_peer_gone(struct conn *c, int fd, int error)
{
	if (conn_never_connected(c, error)) {
		conn_broke_early(c, error);
		return;
	}
	talk_peer_gone(c->talk);
	if (talk_phase(c->talk) == TALK_REFUSED)
		conn_refused(c, fd);
}

void conn_forget(struct conn *c)
{
	c->phase = CONN_GONE;
	share_retire(&c->rec);
	if (c->low_water)
		sys_setsockopt(c->rec.fd, SOL_SOCKET, SO_RCVLOWAT, &c->low_water,
			       sizeof c->low_water);
	front->forget(c);
}
