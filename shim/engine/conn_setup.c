/* SPDX-License-Identifier: MIT
 * conn_setup: from connect() to TLS: moves bytes between the kernel and the talk, then drives the handshake, and acts on how either
 * ends. Everything happens inside the app's own calls; nothing blocks.
 *
 * The plaintext before TLS is peeked, and taken out of the kernel exactly as far as the talk consumed it, so that not one byte behind the peer's
 * agreement is ever lost from sight (RFC 3207 section 6). */
#include "conn.h"
#include "sys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEEK = 4096, DEFAULT_TIMEOUT_S = 60 };

static void conn_log(const struct conn *c, enum event_verdict verdict, const char *why)
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
	front->log(&e);
}

/* The sentence without our name in front: the log line has it already. */
static const char *plain_why(const struct conn *c)
{
	static const char prefix[] = "libstarttls: ";
	const char *why = talk_why(c->talk);

	if (why && strncmp(why, prefix, sizeof prefix - 1) == 0)
		why += sizeof prefix - 1;
	return why;
}

void conn_done_with(struct conn *c, int fd, size_t used)
{
	size_t keep = talk_phase(c->talk) != TALK_REFUSED && buf_len(talk_to_app(c->talk)) > 0;

	c->unread += used;
	if (c->unread <= keep)
		return;
	sys_discard(fd, c->unread - keep);
	c->unread = keep;
}

/* The talk has refused. The kernel says end of file from now on to whoever polls, so the app comes and reads its words. */
static void refused(struct conn *c, int fd)
{
	c->phase = CONN_REFUSED;
	conn_done_with(c, fd, 0); /* an unread byte would make close() a reset */
	c->told_words = buf_len(talk_to_app(c->talk)) > 0;
	conn_log(c, EVENT_REFUSED, plain_why(c));
	conn_data_failed(c, plain_why(c), false);
	sys_shutdown(fd, SHUT_RD);
}

void conn_refuse(struct conn *c, int fd, enum cause cause, const char *why)
{
	talk_refuse(c->talk, cause, why);
	refused(c, fd);
}

/* The connection broke before the peer said a word: what the kernel says is the answer, as without us. */
static void broke_early(struct conn *c, int error)
{
	c->rec.error = error;
	c->phase = CONN_BROKEN;
}

/* Is this how a connect() fails that was still under way? A reset is not: then the peer was there, and the app shall have a sentence. */
static bool never_connected(const struct conn *c, int error)
{
	return error && error != ECONNRESET && error != EPIPE && !c->heard && !c->rec.heard;
}

static void peer_gone(struct conn *c, int fd, int error)
{
	if (never_connected(c, error)) {
		broke_early(c, error);
		return;
	}
	talk_peer_gone(c->talk);
	if (talk_phase(c->talk) == TALK_REFUSED)
		refused(c, fd);
}

void conn_forget(struct conn *c)
{
	c->phase = CONN_GONE;
	if (c->low_water)
		sys_setsockopt(c->rec.fd, SOL_SOCKET, SO_RCVLOWAT, &c->low_water,
			       sizeof c->low_water);
	front->forget(c);
}

/* The protocol knows better whom the app means than the name it dialled (RFC 6120 section 13.7.2). */
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

static void start_handshake(struct conn *c, int fd)
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

/* Act on where the talk stands now. */
static void follow_talk(struct conn *c, int fd)
{
	switch (talk_phase(c->talk)) {
	case TALK_REFUSED:
		refused(c, fd);
		break;
	case TALK_CLEAR:
		c->phase = CONN_CLEAR;
		conn_log(c, EVENT_PLAINTEXT, plain_why(c));
		break;
	case TALK_REDIAL:
		c->phase = CONN_REDIAL;
		break;
	case TALK_OWN:
		c->phase = CONN_CLEAR;
		conn_log(c, EVENT_OWN, NULL);
		break;
	case TALK_DIALOGUE:
	case TALK_HANDSHAKE:
	case TALK_INSIDE:
	case TALK_OPEN:
		break;
	}
}

/* Say what the talk has to say, in the clear: our own words, or the app's under CLEAR. */
static enum wait say(struct conn *c, int fd)
{
	struct buf *words = talk_to_peer(c->talk);
	struct span s;
	ssize_t n;

	while ((s = buf_span(words)).n) {
		n = sys_send(fd, s.at, s.n);
		if (n > 0) {
			buf_drop(words, (size_t)n);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			return WAIT_OUT;
		buf_free(words);
		peer_gone(c, fd, errno);
		return WAIT_NONE;
	}
	return WAIT_NONE;
}

/* How we name ourselves to the peer: the one name that is certainly ours (RFC 5321 4.1.3). */
static void name_self(struct conn *c, int fd)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *in = (const void *)&own;
	const struct sockaddr_in6 *in6 = (const void *)&own;
	socklen_t n = sizeof own;
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";
	bool six = false;

	sys_getsockname(fd, (struct sockaddr *)&own, &n);
	if (own.ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
	else if (own.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text, sizeof text);
	else if (own.ss_family == AF_INET6)
		six = inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
	snprintf(c->self, sizeof c->self, six ? "[IPv6:%s]" : "[%s]", text);
	talk_proto(c->talk)->self = c->self;
}

/* Show the talk what the peer has said. WAIT_NONE: something happened. */
static enum wait listen_to_peer(struct conn *c, int fd)
{
	uint8_t bytes[PEEK];
	struct span said;
	ssize_t n = sys_recv(fd, bytes, sizeof bytes, MSG_PEEK);

	if (n > 0 && (size_t)n <= c->unread)
		return WAIT_IN;
	if (n <= 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return WAIT_IN;
		peer_gone(c, fd, n < 0 ? errno : 0);
		return WAIT_NONE;
	}
	if (!c->heard)
		name_self(c, fd);
	c->heard = true;
	said = span_after(span_of(bytes, (size_t)n), c->unread);
	conn_done_with(c, fd, talk_from_peer(c->talk, said));
	follow_talk(c, fd);
	return WAIT_NONE;
}

static enum wait talk_step(struct conn *c, int fd, bool read_ok)
{
	bool speaking = buf_len(talk_to_peer(c->talk)) > 0;
	enum wait wait;

	follow_talk(c, fd); /* what the app said may have ended it */
	if (c->phase != CONN_TALK)
		return WAIT_NONE;
	if (!speaking && buf_len(talk_to_app(c->talk)))
		return WAIT_TELL;
	/* What is there before our command, or before our ClientHello, was said out of turn: the talk sees it and refuses. */
	if (speaking || talk_phase(c->talk) == TALK_HANDSHAKE || read_ok) {
		wait = listen_to_peer(c, fd);
		if (wait == WAIT_NONE || c->phase != CONN_TALK)
			return wait;
	}
	if (speaking)
		return say(c, fd);
	if (talk_phase(c->talk) == TALK_DIALOGUE)
		return WAIT_IN;
	start_handshake(c, fd);
	return WAIT_NONE;
}

bool conn_send_early(struct conn *c, int fd)
{
	struct buf *early;
	struct iovec piece;
	struct span s;
	ssize_t n;

	if (!c->talk)
		return record_flush(&c->rec, fd) == 0;
	early = talk_to_peer(c->talk);
	while ((s = buf_span(early)).n) {
		piece = (struct iovec){(void *)s.at, s.n};
		n = record_transmit(&c->rec, fd, &piece, 1, 0);
		if (n <= 0)
			return false;
		buf_drop(early, (size_t)n);
	}
	if (talk_phase(c->talk) == TALK_INSIDE)
		return true;
	c->rec.watcher = (struct watcher){.look = NULL};
	talk_free(c->talk);
	c->talk = NULL;
	return true;
}

/* Inside TLS the peer's words go through the talk. */
static bool look_inside(void *of, struct span opened, struct buf *plain)
{
	struct conn *c = of;
	struct buf *words = talk_to_app(c->talk);
	size_t used;
	bool fits;

	c->deadline_ms = 0; /* each answer has its time */
	conn_data_before(c);
	used = talk_from_peer(c->talk, opened);
	fits = conn_data_after(c) && buf_add(plain, buf_span(words));
	buf_drop(words, buf_len(words));
	if (talk_phase(c->talk) == TALK_REFUSED) {
		conn_log(c, EVENT_REFUSED, plain_why(c));
		return false;
	}
	return fits &&
	       buf_add(plain, span_after(opened, used)); /* behind its end all is the app's */
}

bool conn_talk_broke(struct conn *c, int fd)
{
	if (!c->talk || talk_phase(c->talk) != TALK_REFUSED)
		return false;
	conn_log(c, EVENT_REFUSED, plain_why(c));
	record_end(&c->rec, fd, ECONNRESET);
	return true;
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
		c->rec.watcher = (struct watcher){.look = look_inside, .of = c};
	else if (talk_phase(c->talk) != TALK_OPEN) {
		refused(c, fd);
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
		return WAIT_REDIAL;
	}
	conn_refuse(c, fd, CAUSE_TLS, why);
	return WAIT_NONE;
}

/* OpenSSL looks for trust anchors in files, and open() is a cancellation point: a thread that ends there would keep our lock. */
static enum tls_result handshake_uncancelled(struct conn *c, int fd, bool read_ok)
{
	enum tls_result result;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	result = record_handshake(&c->rec, fd, read_ok);
	pthread_setcancelstate(cancel, NULL);
	return result;
}

static enum wait handshake_step(struct conn *c, int fd, bool read_ok)
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
	if (never_connected(c, error)) {
		broke_early(c, error);
		return WAIT_NONE;
	}
	return handshake_failed(c, fd);
}

/* The thread that dials was cancelled: another may. */
static void stop_dialling(void *of)
{
	struct conn *c = of;

	conn_lock(c);
	c->dialling = false;
	conn_unlock(c);
}

static int dial_again(struct conn *c, int fd)
{
	int result;

	pthread_cleanup_push(stop_dialling, c);
	result = front->connect(fd, (const struct sockaddr *)&c->addr, c->addr_len);
	pthread_cleanup_pop(0);
	return result < 0 && errno != EINPROGRESS && errno != EINTR ? errno : 0;
}

static void redialled(struct conn *c, int fd, const char *why, int error)
{
	c->dialling = false;
	if (c->phase != CONN_REDIAL)
		return;
	talk_redialled(c->talk, why);
	c->heard = false;
	if (error)
		broke_early(c, error);
	else
		follow_talk(c, fd);
}

/* Another thread dials. */
static int wait_for_dialler(int fd)
{
	if (conn_may_wait(fd, 0))
		return front->poll(NULL, 0, 10) < 0 ? -1 : 0;
	errno = EAGAIN;
	return -1;
}

int conn_redial(struct conn *c, int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	bool mine;
	char why[320];
	int error;

	conn_lock(c);
	mine = c->phase == CONN_REDIAL && !c->dialling;
	if (!mine) {
		bool busy = c->dialling;

		conn_unlock(c);
		return busy ? wait_for_dialler(fd) : 0;
	}
	c->dialling = true;
	snprintf(why, sizeof why, "%s",
		 talk_phase(c->talk) == TALK_REDIAL   ? talk_why(c->talk)
		 : c->rec.tls && *tls_why(c->rec.tls) ? tls_why(c->rec.tls)
						      : "TLS handshake failed");
	record_free(&c->rec);
	record_init(&c->rec, false);
	sys_connect(fd, &nobody, sizeof nobody);
	conn_unlock(c);
	error = dial_again(c, fd);
	conn_lock(c);
	redialled(c, fd, why, error);
	conn_unlock(c);
	return 0;
}

/* Plaintext by leave of the policy: what is left of ours goes out first, then the connection is the kernel's alone. */
static enum wait clear_step(struct conn *c, int fd)
{
	enum wait wait = say(c, fd);

	if (wait == WAIT_NONE && c->phase == CONN_CLEAR && !buf_len(talk_to_app(c->talk)) &&
	    !c->unread)
		conn_forget(c);
	return c->phase == CONN_CLEAR ? WAIT_NONE : wait;
}

static bool deadline_over(struct conn *c)
{
	const struct proto *proto = proto_named(c->verdict.proto);
	int timeout_s = c->verdict.timeout_s ? c->verdict.timeout_s
			: proto->silence_s   ? proto->silence_s
					     : DEFAULT_TIMEOUT_S;

	/* While it is the app's turn nobody owes us an answer: it may take hours. Nor before the transfer has begun. */
	if ((c->phase == CONN_TALK && talk_waits_for_app(c->talk)) ||
	    (c->is_data && !transfer_started(c->transfer))) {
		c->deadline_ms = 0;
		return false;
	}
	if (!c->deadline_ms)
		c->deadline_ms = now_ms() + (int64_t)timeout_s * 1000;
	return now_ms() >= c->deadline_ms;
}

static void too_late(struct conn *c, int fd)
{
	static const char why[] =
		"the server did not bring TLS up before the deadline (the rule's `timeout`)";

	if (c->phase == CONN_SHAKE) {
		conn_refuse(c, fd, CAUSE_TLS, why);
		return;
	}
	talk_too_late(c->talk, why);
	follow_talk(c, fd);
}

enum wait conn_advance(struct conn *c, int fd, bool read_ok)
{
	enum wait wait = WAIT_NONE;

	c->rec.fd = fd;
	while (wait == WAIT_NONE) {
		switch (c->phase) {
		case CONN_TALK:
			wait = talk_step(c, fd, read_ok);
			break;
		case CONN_SHAKE:
			wait = handshake_step(c, fd, read_ok);
			break;
		case CONN_REDIAL:
			return WAIT_REDIAL;
		case CONN_CLEAR:
			return clear_step(c, fd);
		case CONN_OPEN:
		case CONN_BROKEN:
		case CONN_GONE:
		case CONN_REFUSED:
		case CONN_CLOSED:
		case CONN_MOVED:
			return WAIT_NONE;
		}
	}
	if ((c->phase != CONN_TALK && c->phase != CONN_SHAKE) || !deadline_over(c))
		return wait;
	too_late(c, fd);
	return c->phase == CONN_CLEAR ? clear_step(c, fd) : WAIT_NONE;
}

bool conn_awaits_answer(const struct conn *c)
{
	return c->phase == CONN_OPEN && c->talk && talk_phase(c->talk) == TALK_INSIDE &&
	       talk_proto(c->talk)->waiting;
}

bool conn_overdue(struct conn *c, int fd)
{
	if (!conn_awaits_answer(c) || !deadline_over(c))
		return false;
	talk_too_late(c->talk,
		      "the server did not answer inside TLS before the deadline (the rule's "
		      "`timeout`)");
	refused(c, fd);
	return true;
}

size_t conn_hold(struct conn *c, const struct iovec *iov, size_t n, size_t skip)
{
	size_t held = 0, took;

	for (; n; iov++, n--) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		took = talk_from_app(c->talk,
				     span_of((uint8_t *)iov->iov_base + skip, iov->iov_len - skip));
		held += took;
		if (took < iov->iov_len - skip)
			break;
		skip = 0;
	}
	return held;
}
