/* SPDX-License-Identifier: MIT
 * observe: `starttls run --observe` has the library write down which policy would have held, a rule
 * for each destination:
 *
 *   verify to smtp.example.com port 587 proto smtp
 *   fingerprint to 192.0.2.7 port 25 proto smtp pin sha256:9f86…      # relay.example: the server's …
 *   may to old.example port 110 proto pop3      # PLAINTEXT: peer did not offer TLS
 *
 * Many processes write to one file: each line in one piece, behind a lock, and only where no equal
 * rule stands already. */
#ifndef STARTTLS_OBSERVE_H
#define STARTTLS_OBSERVE_H

#include "../engine.h"

/* Write down what this event says, if somebody observes. Blocks while another process writes its
 * line. Keeps errno. */
void observe_event(const struct event *e);

/* The rule is `none`: nobody will say more of this connection. name as in struct order. */
void observe_none(const struct order *order);

#endif
