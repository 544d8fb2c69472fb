/* SPDX-License-Identifier: MIT
 * io: every way to receive as one receive, every way to send as one transmit, for a descriptor that
 * table_has(); and what the kernel checks before it does either. A descriptor that is not ours any
 * more (another thread has just closed it, or the policy let the connection go on in plaintext) is
 * served by the kernel. They return and block as the system call they stand for; none is
 * async-signal-safe. */
#ifndef STARTTLS_IO_H
#define STARTTLS_IO_H

#include <sys/socket.h>
#include <sys/uio.h>

/* recv(2), send(2). */
ssize_t io_receive(int fd, void *bytes, size_t n, int flags);
ssize_t io_transmit(int fd, const void *bytes, size_t n, int flags);

/* recvfrom(2) with an address, which is always empty; sendto(2), whose address is not looked at. */
ssize_t io_receive_from(int fd, void *bytes, size_t n, int flags, socklen_t *len);
ssize_t io_transmit_to(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
		       socklen_t len);

/* read(2): without room it says 0 at once, where recv() would wait. write(2). */
ssize_t io_read(int fd, void *bytes, size_t n);
ssize_t io_write(int fd, const void *bytes, size_t n);

/* readv(2), writev(2), with flags of recv(2): without bytes they say 0 at once. */
ssize_t io_readv(int fd, const struct iovec *iov, int count, int flags);
ssize_t io_writev(int fd, const struct iovec *iov, int count, int flags);

/* recvmsg(2), sendmsg(2). */
ssize_t io_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t io_sendmsg(int fd, const struct msghdr *msg, int flags);

#endif
