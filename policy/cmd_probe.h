/* SPDX-License-Identifier: MIT
 * cmd_probe: what the files of `starttls probe` share.
 *
 *   cmd_probe.c         arguments, policy, engine, exit code
 *   cmd_probe_reach.c   resolves, dials, and has the engine look
 *   cmd_probe_line.c    the output: "key: value", harmless to a terminal
 *   cmd_probe_rule.c    the verdict, and the line that would allow it */
#ifndef STARTTLS_CMD_PROBE_H
#define STARTTLS_CMD_PROBE_H

#include "../shim/probe.h"
#include "command.h"
#include <netdb.h>

enum { PROBE_QUESTIONS = 8 };

struct probing {
	const char *host;   /* without port and brackets */
	const char *name;   /* the host, unless it is an address itself */
	const char *domain; /* --domain, or NULL */
	const char *proto;  /* --proto, or what the policy or the port says */
	unsigned port;
	int timeout_s;      /* --timeout; 0: not said */
	long long start_ms; /* of the time that all has to fit into */
	struct policy_files files;
	struct policy *policy;
	const struct probe_engine *engine;
	char address[64];       /* that is probed */
	struct verdict verdict; /* for it */
};

/* --- cmd_probe_reach.c */

/* Where the host is, for freeaddrinfo(); sets p->name. NULL, having said why: there is nobody, or
 * the resolver took too long (then it does not return at all but ends the command). */
struct addrinfo *probe_resolve(struct probing *p);

/* What the policy says about an address, with no program known; proto NULL: the protocol as a rule
 * or the port has it. */
struct verdict probe_decide(const struct probing *p, const struct sockaddr *addr,
			    const char *proto);

/* Probe the first address that answers; says everything. Returns the exit code. */
int probe_all(struct probing *p, const struct addrinfo *list);

/* --- cmd_probe_line.c */

/* "key: value" to stdout, at once. What a terminal should not be shown is written as \xNN. */
void line_bytes(const char *key, const char *value, size_t n);
__attribute__((format(printf, 2, 3))) void line(const char *key, const char *format, ...);
/* The verdict's line: its word, in colour on a terminal, and maybe a sentence. */
void line_verdict(const char *word, const char *why);

/* --- cmd_probe_rule.c */

/* What there is to ask about the peer's certificates: first what is in force, then rules that could
 * be. Returns how many. The verdicts have their memory in `room`. */
size_t rule_questions(const struct probing *p, struct probe_question questions[PROBE_QUESTIONS],
		      struct verdict room[PROBE_QUESTIONS]);

/* Say what the policy makes of it and which line would allow it. Returns the exit code. */
int rule_verdict(const struct probing *p, const struct probe_result *r,
		 const struct probe_question *questions, size_t n);

/* May it be dialled at all? If not, it says why, and *code is the exit code. */
bool rule_permits(const struct probing *p, int *code);

#endif
