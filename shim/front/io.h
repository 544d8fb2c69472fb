/* SPDX-License-Identifier: MIT
 * io: every way to receive as one receive, every way to send as one transmit; and what the kernel checks before it does either.
 * Each consumes the reference to c. They return and block as the system call they stand for; none is async-signal-safe. */
#ifndef STARTTLS_IO_H
#define STARTTLS_IO_H

#include "../engine.h"
#include <stdbool.h>
#include <sys/uio.h>

/* recv(2), send(2). */
ssize_t io_receive(struct conn *c, int fd, void *bytes, size_t n, int flags);
ssize_t io_transmit(struct conn *c, int fd, const void *bytes, size_t n, int flags);

/* read(2): without room it says 0 at once, where recv() would wait. */
ssize_t io_read(struct conn *c, int fd, void *bytes, size_t n);

/* readv(2), writev(2). */
ssize_t io_readv(struct conn *c, int fd, const struct iovec *iov, int count);
ssize_t io_writev(struct conn *c, int fd, const struct iovec *iov, int count);

/* recvmsg(2), sendmsg(2). */
ssize_t io_recvmsg(struct conn *c, int fd, struct msghdr *msg, int flags);
ssize_t io_sendmsg(struct conn *c, int fd, const struct msghdr *msg, int flags);

/* Send all of it, or until the first call that would not. Returns bytes, or -1 with errno when none went. Does not consume a reference. */
ssize_t io_transmit_all(int fd, const char *bytes, size_t n);

#endif
