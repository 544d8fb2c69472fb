/* SPDX-License-Identifier: MIT
 * probe_talk: drives the talk as a connection does (conn_setup.c), but waiting, and tells of all
 * that is said in the clear. Bytes are taken from the kernel only as far as the talk consumed them:
 * what stands behind the peer's agreement is seen, and refused, here too. */
#include "probe.h"
#include "sys.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

enum { PEEK = 4096 };

/* --- telling */

static void tell(struct probe *p, const char *key, struct span said)
{
	p->order->fact(p->order->of, key, (const char *)said.at, said.n);
}

void probe_heard_all(struct probe *p)
{
	struct span line = buf_span(&p->heard);

	if (line.n && line.at[line.n - 1] == '\r')
		line.n--;
	if (buf_len(&p->heard))
		tell(p, p->heard_as, line);
	buf_drop(&p->heard, buf_len(&p->heard));
}

static void tell_lines(struct probe *p, const char *key, struct span said)
{
	const uint8_t *lf;

	p->heard_as = key;
	while (said.n && (lf = memchr(said.at, '\n', said.n))) {
		size_t n = (size_t)(lf - said.at);

		buf_add(&p->heard, span_first(said, n));
		probe_heard_all(p);
		said = span_after(said, n + 1);
	}
	if (!buf_add(&p->heard, said))
		probe_heard_all(p);
}

void probe_heard(struct probe *p, const char *key, struct span said)
{
	if (p->manner->text)
		tell_lines(p, key, said);
	else
		tell(p, key, said);
}

/* --- talking */

static void lost(struct probe *p, int error)
{
	static const char silent[] = "the server did not answer in time";

	if (error != ETIMEDOUT) {
		talk_peer_gone(p->talk);
		probe_end(p, PROBE_LOST,
			  error ? "the server reset the connection before TLS"
				: "the server closed the connection before TLS");
	} else if (p->proto->silence_s) {
		talk_too_late(p->talk, silent);
	} else {
		talk_peer_gone(p->talk);
		probe_end(p, PROBE_LOST, silent);
	}
}

/* The greeting is what comes before we have said anything. */
static void hear(struct probe *p, const char *key)
{
	uint8_t bytes[PEEK];
	ssize_t n = wire_peek(&p->wire, bytes, sizeof bytes);
	struct span said;
	size_t used;

	if (n <= 0) {
		lost(p, n < 0 ? errno : 0);
		return;
	}
	said = span_of(bytes, (size_t)n);
	used = talk_from_peer(p->talk, said);
	sys_discard(p->wire.fd, used);
	probe_heard(p, key, talk_phase(p->talk) == TALK_REFUSED ? said : span_first(said, used));
}

static void say(struct probe *p)
{
	struct buf *words = talk_to_peer(p->talk);

	probe_heard_all(p);
	probe_heard(p, "said", buf_span(words));
	probe_heard_all(p);
	if (wire_send(&p->wire, buf_span(words)))
		buf_drop(words, buf_len(words));
	else
		lost(p, errno);
}

/* The program's turn. */
static void speak_first(struct probe *p)
{
	const struct probe_order *o = p->order;
	const char *domain = o->domain ? o->domain : o->name ? o->name : p->address;
	struct span first = p->manner->first;
	char text[512];
	int n;

	if (p->manner->text) {
		n = snprintf(text, sizeof text, (const char *)first.at, domain);
		first = span_of(text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
	}
	if (!first.n || !talk_from_app(p->talk, first))
		talk_refuse(p->talk, CAUSE_OTHER, "the probe has no first word for this protocol");
}

/* A command of ours does not leave, nor a ClientHello, before it is known that the peer has not
 * spoken out of turn. */
static void step(struct probe *p, const char *key)
{
	bool speaking = buf_len(talk_to_peer(p->talk)) > 0;

	if (speaking && !sys_ready(p->wire.fd, POLLIN))
		say(p);
	else if (!speaking && talk_waits_for_app(p->talk))
		speak_first(p);
	else
		hear(p, key);
	if (speaking && talk_phase(p->talk) == TALK_DIALOGUE && buf_len(talk_to_peer(p->talk)))
		say(p);
}

static void name_self(struct probe *p, char *text, size_t room)
{
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	const struct sockaddr_in *in = (const void *)&own;
	const struct sockaddr_in6 *in6 = (const void *)&own;
	socklen_t n = sizeof own;
	char name[INET6_ADDRSTRLEN] = "127.0.0.1";

	sys_getsockname(p->wire.fd, (struct sockaddr *)&own, &n);
	if (own.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof name);
	else if (own.ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, name, sizeof name);
	snprintf(text, room, own.ss_family == AF_INET6 ? "[IPv6:%s]" : "[%s]", name);
}

static bool begin(struct probe *p)
{
	char self[INET6_ADDRSTRLEN + 8];
	struct talk_setup setup = {
		.proto = p->proto,
		/* What follows is asked elsewhere; nothing is said once the talk is over. */
		.tls_required = false,
		.self = self,
		.host = p->order->name,
	};

	name_self(p, self, sizeof self);
	if (sys_random(setup.nonce, sizeof setup.nonce))
		p->talk = talk_new(&setup);
	if (!p->talk)
		probe_end(p, PROBE_LOST, "out of memory");
	return p->talk;
}

bool probe_talk(struct probe *p)
{
	bool said = false;

	if (!begin(p))
		return false;
	while (talk_phase(p->talk) == TALK_DIALOGUE) {
		said |= buf_len(talk_to_peer(p->talk)) > 0;
		step(p, said ? "reply" : "greeting");
	}
	if (talk_phase(p->talk) == TALK_HANDSHAKE && sys_ready(p->wire.fd, POLLIN))
		hear(p, "reply");
	probe_heard_all(p);
	if (*p->result->why)
		return false;
	switch (talk_phase(p->talk)) {
	case TALK_HANDSHAKE:
		p->result->offered = true;
		if (!p->proto->implicit)
			tell(p, "offer", span_text("yes"));
		return true;
	case TALK_CLEAR:
	case TALK_REDIAL:
		tell(p, "offer", span_text("no"));
		probe_end(p, PROBE_CLEAR, talk_why(p->talk));
		break;
	case TALK_GUARD:
	case TALK_DIALOGUE:
	case TALK_INSIDE:
	case TALK_OPEN:
	case TALK_OWN:
	case TALK_REFUSED:
		probe_end(p, PROBE_REFUSED, talk_why(p->talk));
		break;
	}
	return false;
}
