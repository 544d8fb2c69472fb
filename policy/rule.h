/* SPDX-License-Identifier: MIT
 * rule: what the parser leaves behind, and what matching and lint look at. Immutable once loaded.
 */
#ifndef STARTTLS_RULE_H
#define STARTTLS_RULE_H

#include "host.h"
#include "policy.h"
#include "pool.h"

/* The words that stand before a value. */
enum rule_word {
	WORD_TO,
	WORD_PORT,
	WORD_PROTO,
	WORD_PROGRAM,
	WORD_USER,
	WORD_NAME,
	WORD_PIN,
	WORD_CA,
	WORD_CERT,
	WORD_KEY,
	WORD_MIN,
	WORD_CIPHERS,
	WORD_TIMEOUT,
	WORD_BY,
	WORDS,
};

struct range {
	uint16_t first, last;
};

/* Selectors are AND, the values of one are OR; a count of 0 (protos: no bit) means that the rule
 * does not say. In a broken policy a rule keeps what could be read of it, so that the connections
 * it was about are refused. */
struct rule {
	struct rule *next;
	const char *where; /* "file:line" */
	unsigned needs;    /* enum need */
	unsigned said;     /* 1 << enum rule_word */
	const struct host *hosts;
	size_t n_hosts; /* 0 in a broken policy only: as `any` */
	const struct range *ports;
	size_t n_ports;
	uint32_t protos;             /* 1 << protocol */
	const char *const *programs; /* patterns of fnmatch(3) */
	size_t n_programs;
	const uid_t *users;
	size_t n_users;
	struct rule_options options;
};

struct layer {
	const char *file; /* NULL: this layer does not exist */
	struct rule *first, **end;
	size_t n_rules;
};

struct policy {
	struct pool pool;
	struct layer layers[LAYERS];
	const char *broken;    /* "file:line:col: sentence" of the first error */
	const char *broken_at; /* "file:line" of it */
	bool asks_user;        /* some rule names users */
	bool asks_program;     /* some rule names programs */
};

static inline bool rule_says(const struct rule *r, enum rule_word word)
{
	return r->said & 1u << word;
}

/* The protocol that the rule takes a connection to this port for, or PROTO_NONE when it does not
 * match. Looks at `port` and `proto` only. named: the rule's host names somebody (host_specific),
 * so that an unknown port counts as the protocol's. */
int rule_proto(const struct rule *r, uint16_t port, bool named);

/* Does the rule's `user` let this one in? */
bool rule_for_user(const struct rule *r, uid_t uid);

#endif
