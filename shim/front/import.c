/* SPDX-License-Identifier: MIT
 * import: checks of arguments; import.h has the contracts.
 *
 * Surprising: a length is checked against the address space as it is given (read, write, each of
 * several pieces), or after it was cut to IMPORT_MOST (recv, send, a single piece): recv(fd, bytes,
 * SIZE_MAX, 0) is a good call, read(fd, bytes, SIZE_MAX) is not. */
#include "import.h"
#include "memory.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static int check_lengths(const struct iovec *iov, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (iov[i].iov_len > SSIZE_MAX)
			return EINVAL;
	return 0;
}

int import_pieces(const struct iovec *iov, size_t count, int too_many)
{
	int error = 0;

	if (count > IOV_MAX)
		return too_many;
	if (!memory_readable(iov, count * sizeof(*iov)))
		return EFAULT;
	error = check_lengths(iov, count);
	if (count == 1 && !error)
		return import_range(iov->iov_base,
				    iov->iov_len < IMPORT_MOST ? iov->iov_len : IMPORT_MOST);
	for (size_t i = 0; i < count && !error; i++)
		error = import_range(iov[i].iov_base, iov[i].iov_len);
	return error;
}

int import_address(const void *addr, socklen_t len)
{
	if (!addr)
		return 0;
	if (len > sizeof(struct sockaddr_storage))
		return EINVAL;
	return memory_readable(addr, len) ? 0 : EFAULT;
}

/* MSG_CMSG_COMPAT: for the kernel's own use. */
static bool is_foreign(int flags)
{
	return flags < 0;
}

static bool is_negative(const struct msghdr *msg)
{
	return msg->msg_name && msg->msg_namelen > INT_MAX;
}

int import_receiving(const struct msghdr *msg, int flags)
{
	if (is_foreign(flags))
		return EINVAL;
	if (memory_writable(msg, sizeof(*msg)) < sizeof(*msg))
		return EFAULT;
	if (is_negative(msg))
		return EINVAL;
	return import_pieces(msg->msg_iov, msg->msg_iovlen, EMSGSIZE);
}

int import_sending(const struct msghdr *msg, int flags)
{
	socklen_t most = sizeof(struct sockaddr_storage);
	int error;

	if (is_foreign(flags))
		return EINVAL;
	if (!memory_readable(msg, sizeof(*msg)))
		return EFAULT;
	if (is_negative(msg))
		return EINVAL;
	error = import_address(msg->msg_name, msg->msg_namelen < most ? msg->msg_namelen : most);
	if (!error)
		error = import_pieces(msg->msg_iov, msg->msg_iovlen, EMSGSIZE);
	if (!error && msg->msg_controllen > INT_MAX)
		error = ENOBUFS;
	if (!error && !memory_readable(msg->msg_control, msg->msg_controllen))
		error = EFAULT;
	return error;
}

/* As the kernel walks along it: malformed is EINVAL, and so is what is for sockets but nothing
 * it knows. */
int import_control(const struct msghdr *msg)
{
	size_t at = 0, left;
	struct cmsghdr part;

	while ((left = msg->msg_controllen - at) >= sizeof(part)) {
		memcpy(&part, (const char *)msg->msg_control + at, sizeof(part));
		if (part.cmsg_len < sizeof(part) || part.cmsg_len > left)
			return EINVAL;
		if (part.cmsg_level == SOL_SOCKET && part.cmsg_type != SCM_RIGHTS &&
		    part.cmsg_type != SCM_CREDENTIALS && part.cmsg_type != SO_TIMESTAMPING &&
		    part.cmsg_type != SO_MARK && part.cmsg_type != SO_PRIORITY)
			return EINVAL;
		if (CMSG_ALIGN(part.cmsg_len) > left)
			break;
		at += CMSG_ALIGN(part.cmsg_len);
	}
	return 0;
}
