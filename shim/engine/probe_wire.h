/* SPDX-License-Identifier: MIT
 * probe_wire: the descriptor of a probe, until a deadline. Unlike all else in the engine these
 * functions wait: nobody's program is behind them. Not by libc's socket functions, which may be
 * hooked (sys.h). */
#ifndef STARTTLS_PROBE_WIRE_H
#define STARTTLS_PROBE_WIRE_H

#include "span.h"
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct probe_wire {
	int fd;
	int64_t deadline_ms; /* by wire_now() */
};

int64_t wire_now(void);

/* What is there, at least a byte, without taking it from the kernel: that is for sys_discard(). 0
 * at the end of the stream, -1 with errno. */
ssize_t wire_peek(const struct probe_wire *w, void *bytes, size_t room);

/* All of it. False with errno. */
bool wire_send(const struct probe_wire *w, struct span bytes);

/* Read and forget until the peer closes, too. */
void wire_drain(const struct probe_wire *w);

/* probe_engine.dial */
int wire_dial(const struct sockaddr *addr, socklen_t n, int timeout_ms);

#endif
