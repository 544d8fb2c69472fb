/* SPDX-License-Identifier: MIT
 * conn_shake: the handshake, from the talk's last word before TLS to the app's first inside it. */
#include "conn_setup.h"
#include <stdlib.h>

/* The protocol knows better whom the app means than the name it dialled (RFC 6120 section
 * 13.7.2). */
static bool name_peer(struct conn *c)
{
	const char *name = talk_name(c->talk);
	size_t n = name ? strlen(name) + 1 : 0;
	char *copy = n ? malloc(n) : NULL;

	if (!n)
		return true;
	if (!copy)
		return false;
	free(c->name);
	c->name = memcpy(copy, name, n);
	return true;
}

void conn_start_handshake(struct conn *c, int fd)
{
	struct tls_setup setup = {.verdict = &c->verdict,
				  .addr = (const struct sockaddr *)&c->addr};
	struct tls_wire wire = record_wire(&c->rec);
	const char *why = "out of memory";

	if (name_peer(c)) {
		setup.asked = c->name;
		setup.resume = c->resumed;
		c->rec.tls = tls_new(&setup, &wire, &why);
	}
	if (c->rec.tls)
		c->phase = CONN_SHAKE;
	else
		conn_refuse(c, fd, CAUSE_TLS, why);
}

/* The last flight is still unread in the kernel: it is the token for the greeting. */
static void tls_is_up(struct conn *c, int fd)
{
	struct buf *greeting = talk_to_app(c->talk);
	enum event_verdict verdict = c->verdict.needs & NEED_CHAIN ? EVENT_VERIFIED
				     : c->verdict.needs & NEED_PIN ? EVENT_PINNED
								   : EVENT_ENCRYPTED;

	talk_tls_up(c->talk);
	if (talk_phase(c->talk) == TALK_INSIDE)
		c->rec.watcher = (struct watcher){.look = conn_look_inside, .of = c};
	else if (talk_phase(c->talk) != TALK_OPEN) {
		conn_refused(c, fd);
		return;
	}
	if (!record_prepend(&c->rec, buf_span(greeting))) {
		conn_refuse(c, fd, CAUSE_OTHER, "out of memory");
		return;
	}
	buf_free(greeting);
	c->phase = CONN_OPEN;
	share_begin(&c->rec);
	c->finished_unacked = true;
	conn_log(c, verdict, NULL);
	conn_send_early(c, fd);
	record_settle(&c->rec, fd);
	if (c->talk) /* the watcher may have had an answer to what came with the last flight */
		conn_send_early(c, fd);
}

static enum wait handshake_failed(struct conn *c, int fd)
{
	const char *why = tls_why(c->rec.tls);

	if (!*why)
		why = "the server closed the connection during the TLS handshake";
	if (talk_may_redial(c->talk)) {
		c->phase = CONN_REDIAL;
		return WAIT_NONE;
	}
	conn_refuse(c, fd, CAUSE_TLS, why);
	return WAIT_NONE;
}

/* OpenSSL looks for trust anchors in files, and open() is a cancellation point: a thread that ends
 * there would keep our lock. */
static enum tls_result handshake_uncancelled(struct conn *c, int fd, bool read_ok)
{
	enum tls_result result;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	result = record_handshake(&c->rec, fd, read_ok);
	pthread_setcancelstate(cancel, NULL);
	return result;
}

enum wait conn_handshake_step(struct conn *c, int fd, bool read_ok)
{
	int error;

	record_flush(&c->rec, fd);
	switch (handshake_uncancelled(c, fd, read_ok)) {
	case TLS_DONE:
		tls_is_up(c, fd);
		return WAIT_NONE;
	case TLS_MORE:
		return record_unsent(&c->rec) ? WAIT_OUT : WAIT_IN;
	case TLS_CLOSED:
	case TLS_BROKEN:
		break;
	}
	error = c->rec.error ? c->rec.error : c->rec.send_error;
	if (conn_never_connected(c, error)) {
		conn_broke_early(c, error);
		return WAIT_NONE;
	}
	return handshake_failed(c, fd);
}
