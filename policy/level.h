/* SPDX-License-Identifier: MIT
 * level: the words that say how much is asked for, and the words for protocols, with their ports.
 */
#ifndef STARTTLS_LEVEL_H
#define STARTTLS_LEVEL_H

#include "policy.h"

/* The word of level i, NULL behind the last: for lists and for "did you mean". */
const char *level_word(size_t i);

/* What the level of this spelling needs; false when there is none. */
bool level_find(const char *word, size_t n, unsigned *needs);

/* A protocol is known inside the policy by its place in the table, so that a set of them is a mask.
 * -1: none. */
enum { PROTO_NONE = -1 };

const char *proto_word(size_t i);
int proto_find(const char *word, size_t n);

/* The protocol a port stands for, never one that is TLS from the first byte: a program that dials
 * 993 usually does its own. */
int proto_of_port(uint16_t port);

/* May this protocol be meant on this port, when a rule names the protocol? */
bool proto_on_port(int proto, uint16_t port);

/* Does it open further connections on ports of its own choosing (FTP)? A stray port is then no sign
 * of the protocol. */
bool proto_roams(int proto);

/* Is the port known to carry something that none of our words means? */
bool port_foreign(uint16_t port);

/* Ports at which an answer of the functions above may change, in no order; 0 behind the last. For
 * lint. */
uint16_t port_edge(size_t i);

#endif
