/* SPDX-License-Identifier: MIT
 * conn_talk: before TLS: carries bytes between the kernel and the talk, and acts on where the talk
 * stands.
 *
 * The plaintext before TLS is peeked, and taken out of the kernel exactly as far as the talk
 * consumed it, so that not one byte behind the peer's agreement is ever lost from sight (RFC 3207
 * section 6). */
#include "conn_setup.h"
#include "sys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

enum { PEEK = 4096 };

void conn_done_with(struct conn *c, int fd, size_t used)
{
	size_t keep = talk_phase(c->talk) != TALK_REFUSED && buf_len(talk_to_app(c->talk)) > 0;

	c->unread += used;
	if (c->unread <= keep)
		return;
	sys_discard(fd, c->unread - keep);
	c->unread = keep;
}

void conn_follow_talk(struct conn *c, int fd)
{
	switch (talk_phase(c->talk)) {
	case TALK_REFUSED:
		conn_refused(c, fd);
		break;
	case TALK_CLEAR:
		c->phase = CONN_CLEAR;
		conn_log(c, EVENT_PLAINTEXT, conn_why(c));
		break;
	case TALK_REDIAL:
		c->phase = CONN_REDIAL;
		break;
	case TALK_OWN:
		c->phase = CONN_CLEAR;
		conn_log(c, EVENT_OWN, NULL);
		break;
	case TALK_GUARD:
	case TALK_DIALOGUE:
	case TALK_HANDSHAKE:
	case TALK_INSIDE:
	case TALK_OPEN:
		break;
	}
}

int conn_send_words(struct conn *c, int fd)
{
	struct buf *words = talk_to_peer(c->talk);
	struct span s;
	ssize_t n;
	int error;

	while ((s = buf_span(words)).n) {
		n = sys_send(fd, s.at, s.n);
		if (n > 0) {
			buf_drop(words, (size_t)n);
			continue;
		}
		if (errno == EAGAIN || errno == EINTR)
			return EAGAIN;
		error = errno;
		buf_free(words);
		return error;
	}
	return 0;
}

/* Say what the talk has to say, in the clear: our own words, or the app's under CLEAR. */
static enum wait say(struct conn *c, int fd)
{
	int error = conn_send_words(c, fd);

	if (error == EAGAIN)
		return WAIT_OUT;
	if (error)
		conn_peer_gone(c, fd, error);
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
		conn_peer_gone(c, fd, n < 0 ? errno : 0);
		return WAIT_NONE;
	}
	if (!c->heard)
		name_self(c, fd);
	c->heard = true;
	said = span_after(span_of(bytes, (size_t)n), c->unread);
	conn_done_with(c, fd, talk_from_peer(c->talk, said));
	conn_follow_talk(c, fd);
	return WAIT_NONE;
}

enum wait conn_talk_step(struct conn *c, int fd, bool read_ok)
{
	bool speaking = buf_len(talk_to_peer(c->talk)) > 0;
	enum wait wait;

	conn_follow_talk(c, fd); /* what the app said may have ended it */
	if (c->phase != CONN_TALK)
		return WAIT_NONE;
	if (!speaking && buf_len(talk_to_app(c->talk)))
		return WAIT_TELL;
	/* What is there before our command, or before our ClientHello, was said out of turn: the
	 * talk sees it and refuses. */
	if (speaking || talk_phase(c->talk) == TALK_HANDSHAKE || read_ok) {
		wait = listen_to_peer(c, fd);
		if (wait == WAIT_NONE || c->phase != CONN_TALK)
			return wait;
	}
	if (speaking)
		return say(c, fd);
	if (talk_phase(c->talk) == TALK_DIALOGUE)
		return WAIT_IN;
	conn_start_handshake(c, fd);
	return WAIT_NONE;
}

enum wait conn_clear_step(struct conn *c, int fd)
{
	enum wait wait = say(c, fd);

	if (wait == WAIT_NONE && c->phase == CONN_CLEAR && !buf_len(talk_to_app(c->talk)) &&
	    !c->unread)
		conn_forget(c);
	return c->phase == CONN_CLEAR ? WAIT_NONE : wait;
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
