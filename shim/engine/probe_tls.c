/* SPDX-License-Identifier: MIT
 * probe_tls: the handshake with whoever is there, and what is to be seen then. Nothing is checked
 * until it is over: the questions are answered by tls_judge(), over the certificates that were
 * shown. */
#include "probe.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>

enum { PEEK = 4096 };

static bool wire_take(void *of, struct span sealed)
{
	struct probe *p = of;

	return wire_send(&p->wire, sealed);
}

static bool fill(struct probe *p)
{
	uint8_t *room = buf_room(&p->sealed, PEEK);
	ssize_t n = room ? wire_peek(&p->wire, room, PEEK) : -1;

	if (n <= 0) {
		errno = n == 0 ? 0 : errno;
		return false;
	}
	sys_discard(p->wire.fd, (size_t)n);
	buf_grown(&p->sealed, (size_t)n);
	return true;
}

/* Lend the next record. False with errno, 0 at the end of the stream. */
static bool feed(struct probe *p)
{
	size_t n;

	buf_drop(&p->sealed, p->lent);
	p->lent = 0;
	while (!(n = tls_record_length(buf_span(&p->sealed))) || n > buf_len(&p->sealed))
		if (!fill(p))
			return false;
	p->lent = n;
	tls_feed(p->tls, span_first(buf_span(&p->sealed), n));
	return true;
}

/* As for a program: under `may` it would be dialled again, and go on in plaintext. */
static void failed(struct probe *p, const char *why)
{
	if (!*why)
		why = "the server closed the connection during the TLS handshake";
	probe_end(p, talk_may_redial(p->talk) ? PROBE_CLEAR : PROBE_REFUSED, why);
}

static const char *asked(const struct probe *p)
{
	const char *name = talk_name(p->talk);

	return name ? name : p->order->name;
}

static struct tls *session(const struct probe *p, const struct verdict *v, const char **why)
{
	const struct tls_setup setup = {.verdict = v, .asked = asked(p), .addr = p->order->addr};
	const struct tls_wire wire = {.send = wire_take, .of = (void *)p};

	return tls_new(&setup, &wire, why);
}

bool probe_shake(struct probe *p)
{
	const char *why = "out of memory";

	p->tls = session(p, &p->check_nothing, &why);
	if (!p->tls) {
		probe_end(p, PROBE_REFUSED, why);
		return false;
	}
	for (;;)
		switch (tls_handshake(p->tls)) {
		case TLS_DONE:
			return true;
		case TLS_MORE:
			if (feed(p))
				break;
			if (errno == ETIMEDOUT)
				probe_end(p, PROBE_LOST, "the server did not bring TLS up in time");
			else
				failed(p, "");
			return false;
		case TLS_CLOSED:
		case TLS_BROKEN:
			failed(p, tls_why(p->tls));
			return false;
		}
}

static void answer(const struct probe *p, struct probe_question *q)
{
	const char *why = "out of memory";
	struct tls *judge = session(p, q->verdict, &why);

	q->believed = judge && tls_judge(judge, p->tls);
	if (!q->believed)
		snprintf(q->why, sizeof q->why, "%s", judge ? tls_why(judge) : why);
	tls_free(judge);
}

/* Where TLS comes first the greeting is inside: its first line, or what there is of it in time. */
static void hear_greeting(struct probe *p)
{
	uint8_t plain[TLS_PLAIN_MAX];
	size_t got, all = 0;

	for (;;)
		switch (tls_open(p->tls, plain, sizeof plain, &got)) {
		case TLS_DONE:
			probe_heard(p, "greeting", span_of(plain, got));
			all += got;
			if (memchr(plain, '\n', got) || all >= TALK_UNIT_MAX)
				return;
			break;
		case TLS_MORE:
			if (feed(p))
				break;
			return;
		case TLS_CLOSED:
		case TLS_BROKEN:
			return;
		}
}

void probe_leave(struct probe *p)
{
	const struct span *bye = &p->manner->bye;
	struct probe_question *first = p->order->questions;
	uint8_t plain[TLS_PLAIN_MAX];
	enum tls_result result;
	size_t got;

	if (bye->n)
		tls_seal(p->tls, bye->at, bye->n);
	tls_notify(p->tls);
	sys_shutdown(p->wire.fd, SHUT_WR);
	do
		result = tls_open(p->tls, plain, sizeof plain, &got);
	while (result == TLS_DONE || (result == TLS_MORE && feed(p)));
	if (result != TLS_BROKEN || !p->order->n_questions || !first->believed)
		return;
	first->believed = false;
	snprintf(first->why, sizeof first->why, "%s", tls_why(p->tls));
}

void probe_show(struct probe *p)
{
	struct probe_result *r = p->result;
	struct tls_leaf leaf;

	r->end = PROBE_OPEN;
	snprintf(r->checked, sizeof r->checked, "%s", asked(p) ? asked(p) : p->address);
	tls_show(p->tls, p->order->fact, p->order->of);
	tls_leaf(p->tls, &leaf);
	memcpy(r->pin, leaf.pin, sizeof r->pin);
	memcpy(r->other, leaf.name, sizeof r->other);
	r->self_signed = leaf.self_signed;
	for (size_t i = 0; i < p->order->n_questions; i++)
		answer(p, &p->order->questions[i]);
	if (p->proto->implicit && p->proto->peer_first)
		hear_greeting(p);
	probe_heard_all(p);
}
