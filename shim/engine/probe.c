/* SPDX-License-Identifier: MIT
 * probe: from the first byte to the goodbye. Contract: ../probe.h.
 *
 *   probe_talk.c     greeting, offer, agreement: the talk of every program, driven by hand
 *   probe_tls.c      handshake without checks; certificates; the questions
 *   probe_manner.c   what the program would say first, and last */
#include "probe.h"
#include "sys.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

enum { DEFAULT_TIMEOUT_MS = 60 * 1000, GOODBYE_MS = 1000 };

void probe_end(struct probe *p, enum probe_end end, const char *why)
{
	p->result->end = end;
	snprintf(p->result->why, sizeof p->result->why, "%s", why);
}

/* The handshake shall end well whoever is there. What the peer has to fulfil otherwise (ciphers, a
 * certificate of ours) is as for a program; `min` is a question for afterwards too. */
static void check_nothing(struct verdict *v)
{
	v->needs = NEED_TRY | NEED_TLS;
	v->min = 0;
	for (size_t i = 0; i < v->n_options; i++)
		v->options[i].needs &= NEED_TRY | NEED_TLS;
}

static bool begin(struct probe *p, int fd)
{
	const struct probe_order *o = p->order;
	const struct sockaddr *addr = o->addr;
	int timeout_ms = o->timeout_ms         ? o->timeout_ms
			 : p->proto->silence_s ? p->proto->silence_s * 1000
					       : DEFAULT_TIMEOUT_MS;

	p->manner = manner_of(p->proto);
	p->wire = (struct probe_wire){fd, wire_now() + timeout_ms};
	p->heard.max = TALK_UNIT_MAX;
	p->sealed.max = 2 * TLS_RECORD_MAX;
	p->check_nothing = *o->verdict;
	check_nothing(&p->check_nothing);
	return getnameinfo(addr,
			   addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in),
			   p->address, sizeof p->address, NULL, 0, NI_NUMERICHOST) == 0;
}

/* The last words, inside TLS where it came to that. A peer that could not do TLS has heard nothing
 * of ours but a greeting and deserves as much; one that is in the middle of a handshake understands
 * none. */
static void say_goodbye(struct probe *p)
{
	if (p->result->end == PROBE_LOST)
		return;
	p->wire.deadline_ms = wire_now() + GOODBYE_MS;
	if (p->result->end == PROBE_OPEN) {
		probe_leave(p);
		return;
	}
	if (!p->tls)
		wire_send(&p->wire, p->manner->bye);
	sys_shutdown(p->wire.fd, SHUT_WR);
	wire_drain(&p->wire);
}

static void look(int fd, const struct probe_order *order, struct probe_result *result)
{
	struct probe p = {.order = order, .result = result};

	*result = (struct probe_result){.end = PROBE_LOST};
	p.proto = proto_named(order->verdict->proto);
	if (!p.proto || !begin(&p, fd)) {
		probe_end(&p, PROBE_LOST, "the engine does not know this protocol or address");
		return;
	}
	if (probe_talk(&p) && probe_shake(&p))
		probe_show(&p);
	say_goodbye(&p);
	tls_free(p.tls);
	talk_free(p.talk);
	buf_free(&p.heard);
	buf_free(&p.sealed);
}

static const char *spec(const char *name)
{
	const struct proto *proto = proto_named(name);

	return proto ? proto->spec : NULL;
}

static const struct probe_engine probe_engine = {
	.abi = PROBE_ABI,
	.spec = spec,
	.ready = tls_ready,
	.dial = wire_dial,
	.look = look,
};

__attribute__((visibility("default"))) const struct probe_engine *starttls_probe(int abi)
{
	return abi == PROBE_ABI ? &probe_engine : NULL;
}
