/* SPDX-License-Identifier: MIT
 * explain: what the rooms of `starttls explain` share. Nobody else includes this. */
#ifndef STARTTLS_EXPLAIN_H
#define STARTTLS_EXPLAIN_H

#include "policy.h"

struct question {
	const char *program, *user, *addr; /* as given */
	const char *host;                  /* without port and brackets */
	const char *name;                  /* the host, unless it is an address itself */
	const char *proto;
	unsigned port;
	struct policy_files files;
	struct policy *all,
		*layers[LAYERS]; /* both together, and each by itself; NULL: that layer is not
				  * there */
};

/* What the policy says of a connection to this address: all sentences but the beginning of the
 * first, which names the host. *code: the exit code that it means. The caller frees it. NULL: out
 * of memory. */
char *explain_answer(const struct question *q, const struct sockaddr *addr, int *code);

#endif
