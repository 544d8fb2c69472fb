/* SPDX-License-Identifier: MIT
 * rights: descriptors that travel to other processes through AF_UNIX sockets (SCM_RIGHTS, unix(7)).
 * The other process knows nothing of our session: with the bare socket it would speak plaintext in
 * the middle of a TLS stream. So what travels is a relay's end (heir.h), and this process goes on
 * through the relay, too. */
#ifndef STARTTLS_RIGHTS_H
#define STARTTLS_RIGHTS_H

#include <stdbool.h>
#include <sys/socket.h>

/* May msg be sent as it is, now? False with errno EACCES, and a line in the log, when it would
 * carry a connection of ours and no relay is to be had. May fork. Without descriptors of ours in
 * it: a few instructions. */
bool rights_settle(const struct msghdr *msg);

#endif
