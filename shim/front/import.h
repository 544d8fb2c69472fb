/* SPDX-License-Identifier: MIT
 * import: what the kernel checks of a call's arguments before it moves a byte (its access_ok(),
 * import_iovec(), copy_msghdr_from_user(), sock_cmsg_send()), in its order, because a call with two
 * faults says one of them. Each returns 0 or the errno; keeps errno; async-signal-safe. */
#ifndef STARTTLS_IMPORT_H
#define STARTTLS_IMPORT_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { IMPORT_MOST = 0x7ffff000 }; /* bytes one call moves at most, however many it names */

#define IMPORT_END ((uintptr_t)1 << 56) /* no system gives a program more */

/* May n bytes lie there, as far as numbers tell? */
static inline int import_range(const void *bytes, size_t n)
{
	uintptr_t end;

	return __builtin_add_overflow((uintptr_t)bytes, n, &end) || end > IMPORT_END ? EFAULT : 0;
}

/* An array of pieces. too_many: the errno for that, which depends on the call. */
int import_pieces(const struct iovec *iov, size_t count, int too_many);

/* The address that goes with a message on a connection, and is not looked at. */
int import_address(const void *addr, socklen_t len);

/* What recvmsg(2), sendmsg(2) are given; and what is looked at only on a connection that can
 * still send. */
int import_receiving(const struct msghdr *msg, int flags);
int import_sending(const struct msghdr *msg, int flags);
int import_control(const struct msghdr *msg);

#endif
