/* SPDX-License-Identifier: MIT
 * probe_manner: what a program that has nothing to say does say, protocol by protocol. */
#ifndef STARTTLS_PROBE_MANNER_H
#define STARTTLS_PROBE_MANNER_H

#include "proto.h"
#include <stdbool.h>

struct manner {
	const char *proto;
	bool text;         /* it is spoken in lines, or at least in letters */
	struct span first; /* the program's first unit, where the talk waits for one; "%s" in it is
			    * the domain */
	struct span bye;   /* good manners at the end; empty: close */
};

/* The manners of a protocol, of the one inside where it is TLS from the first byte. Never NULL;
 * static. */
const struct manner *manner_of(const struct proto *proto);

#endif
