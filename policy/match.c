/* SPDX-License-Identifier: MIT
 * match: which rule speaks in each layer, and what they ask for together.
 *
 *   system   encrypt to any         ─┐
 *                                    ├─ TRY|TLS | TRY|TLS|CHAIN|NAME: a layer only ever adds
 *   user     verify to mx.example   ─┘
 *
 * This runs at every connect() of the program: no system call, no memory. */
#include "level.h"
#include "rule.h"
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

static const char disagree[] =
	"the system's and the user's policy name different protocols for this "
	"connection: make their 'proto' agree";

/* What is asked, taken apart once. */
struct question {
	struct peer peer;
	const struct target *target;
	int asked; /* the protocol, when it is known already */
};

/* What one layer answers. */
struct answer {
	const struct rule *rule; /* NULL: silent */
	int proto;
};

/* --- one rule */

static bool has_port(const struct rule *r, uint16_t port)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (port >= r->ports[i].first && port <= r->ports[i].last)
			return true;
	return !r->n_ports;
}

int rule_proto(const struct rule *r, uint16_t port, bool named)
{
	bool one = r->protos && !(r->protos & (r->protos - 1));
	int only = one ? __builtin_ctz(r->protos) : PROTO_NONE;

	if (!has_port(r, port))
		return PROTO_NONE;
	if (!r->protos)
		return proto_of_port(port);
	if (r->n_ports && one)
		return only; /* whoever writes both knows it, whatever the port is used for
			      * elsewhere */
	for (int i = 0; i < 32; i++)
		if (r->protos >> i & 1 && proto_on_port(i, port))
			return i;
	/* An odd port of a host that the rule is about must not go out in plaintext by accident. */
	if (!r->n_ports && one && named && !port_foreign(port) && !proto_roams(only))
		return only;
	return PROTO_NONE;
}

bool rule_for_user(const struct rule *r, uid_t uid)
{
	for (size_t i = 0; i < r->n_users; i++)
		if (r->users[i] == uid)
			return true;
	return !r->n_users;
}

static bool for_program(const struct rule *r, const char *program)
{
	int saved = errno;
	bool found = !r->n_programs;

	for (size_t i = 0; program && !found && i < r->n_programs; i++)
		found = fnmatch(r->programs[i], program, FNM_PATHNAME) == 0;
	errno = saved;
	return found;
}

/* *named: one of the hosts that match names this one. */
static bool for_host(const struct rule *r, const struct peer *peer, bool *named)
{
	bool found = !r->n_hosts;

	*named = false;
	for (size_t i = 0; i < r->n_hosts; i++)
		if (host_matches(&r->hosts[i], peer)) {
			found = true;
			*named = *named || host_specific(&r->hosts[i]);
		}
	return found;
}

/* The protocol for which the rule takes the connection, or PROTO_NONE: it does not match. */
static int rule_matches(const struct rule *r, const struct question *q)
{
	int proto;
	bool named;

	if (!for_host(r, &q->peer, &named))
		return PROTO_NONE;
	if (q->asked == PROTO_NONE)
		proto = rule_proto(r, q->peer.port, named);
	else if (has_port(r, q->peer.port) && (!r->protos || r->protos >> q->asked & 1))
		proto = q->asked;
	else
		proto = PROTO_NONE;
	if (proto == PROTO_NONE || !rule_for_user(r, q->target->uid) ||
	    !for_program(r, q->target->program))
		return PROTO_NONE;
	return proto;
}

static struct answer ask_layer(const struct layer *layer, const struct question *q)
{
	struct answer a = {.proto = PROTO_NONE};

	for (const struct rule *r = layer->first; r && !a.rule; r = r->next) {
		a.proto = rule_matches(r, q);
		if (a.proto != PROTO_NONE)
			a.rule = r;
	}
	return a;
}

/* --- both layers */

/* The protocol of the connection: by a rule that says it, else by the port. False: two rules say
 * different ones. */
static bool agree(const struct answer answers[LAYERS], const struct question *q, int *proto)
{
	int said = PROTO_NONE;

	for (int i = 0; i < LAYERS; i++) {
		if (!answers[i].rule || !answers[i].rule->protos)
			continue;
		if (said != PROTO_NONE && said != answers[i].proto)
			return false;
		said = answers[i].proto;
	}
	if (said == PROTO_NONE)
		said = q->asked != PROTO_NONE ? q->asked : proto_of_port(q->peer.port);
	*proto = said;
	return true;
}

/* What the rule asks for. A user who observes takes back what he asks for himself, but for `none`:
 * the connection is still left alone. */
static unsigned needs_of(const struct rule *r, bool observing)
{
	return observing && r->needs ? NEED_TRY : r->needs;
}

static void add(struct verdict *v, const struct rule *r, bool observing)
{
	const struct rule_options *o = &r->options;
	unsigned needs = needs_of(r, observing);

	if (!v->rule || needs > v->needs) /* so far v has the needs of one rule, and levels rise */
		v->rule = r->where;
	v->needs |= needs;
	if (o->min > v->min)
		v->min = o->min;
	if (o->timeout_s && (!v->timeout_s || o->timeout_s < v->timeout_s))
		v->timeout_s = o->timeout_s;
	/* If only one layer leaves the TLS to the program, the other still wants it done here. */
	v->by_app = o->by_app && (v->by_app || !v->n_options);
	v->options[v->n_options] = *o;
	v->options[v->n_options++].needs = needs;
}

/* A user who observes, and whose policy is silent. What the system asks for holds. */
static void observe(struct verdict *v)
{
	if (!v->n_options) {
		v->needs = NEED_TRY;
		v->rule = "observe";
	}
	v->options[v->n_options++] = (struct rule_options){.needs = v->needs & NEED_TRY};
}

static void built_in(struct verdict *v, const struct peer *peer)
{
	static const struct host localhost = {.kind = HOST_LOCALHOST};
	const char *level = host_matches(&localhost, peer) ? "may" : "verify";

	level_find(level, strlen(level), &v->needs);
	v->options[v->n_options++] = (struct rule_options){.needs = v->needs};
	v->rule = "built-in";
}

/* Refuse what is ours: what any rule that could be read claims, and the ports that the built-in
 * rule is about. */
static void decide_broken(const struct policy *p, const struct question *q, struct verdict *v)
{
	int proto = q->asked != PROTO_NONE ? q->asked : proto_of_port(q->peer.port);

	for (int i = 0; p && i < LAYERS && proto == PROTO_NONE; i++)
		proto = ask_layer(&p->layers[i], q).proto;
	if (proto == PROTO_NONE)
		return;
	v->watched = true;
	v->broken = policy_broken(p);
	v->needs = NEED_REFUSE;
	v->proto = proto_word((size_t)proto);
	v->rule = p && p->broken_at ? p->broken_at : "built-in";
}

bool policy_asks_user(const struct policy *p)
{
	return p && p->asks_user;
}

bool policy_asks_program(const struct policy *p)
{
	return p && p->asks_program;
}

void policy_decide(const struct policy *p, const struct target *t, struct verdict *v)
{
	struct question q = {.target = t, .asked = PROTO_NONE};
	struct answer answers[LAYERS];
	bool agreed;
	int proto = PROTO_NONE;

	memset(v, 0, sizeof *v);
	if (t->proto)
		q.asked = proto_find(t->proto, strlen(t->proto));
	if (!peer_from(t->addr, t->name, &q.peer) || (t->proto && q.asked == PROTO_NONE))
		return;
	if (policy_broken(p)) {
		decide_broken(p, &q, v);
		return;
	}
	for (int i = 0; i < LAYERS; i++)
		answers[i] = ask_layer(&p->layers[i], &q);
	agreed = agree(answers, &q, &proto);
	if (agreed && proto == PROTO_NONE)
		return;
	/* Now that the protocol is known, a rule for all protocols has something to say about an
	 * odd port too: a floor in the system's policy holds for what only the user's policy
	 * watches. */
	q.asked = proto;
	for (int i = 0; i < LAYERS; i++) {
		if (!answers[i].rule && agreed)
			answers[i] = ask_layer(&p->layers[i], &q);
		if (answers[i].rule)
			add(v, answers[i].rule, t->observing && i == LAYER_USER);
	}
	v->watched = true;
	v->proto = agreed ? proto_word((size_t)proto) : proto_word((size_t)answers[0].proto);
	v->observing = t->observing;
	if (t->observing && !answers[LAYER_USER].rule)
		observe(v);
	if (!v->n_options)
		built_in(v, &q.peer);
	if (!agreed) {
		v->needs |= NEED_REFUSE;
		v->broken = disagree;
	}
}
