/* SPDX-License-Identifier: MIT
 * rights: descriptors that travel through AF_UNIX sockets. */
#include "rights.h"
#include "heir.h"
#include "log.h"
#include "memory.h"
#include "table.h"
#include <errno.h>
#include <string.h>

static _Thread_local const struct msghdr *travelling;

/* Does it end within msg? Otherwise the kernel refuses the whole message. */
static bool fits(const struct msghdr *msg, const struct cmsghdr *part)
{
	return part->cmsg_len >= CMSG_LEN(0) &&
	       part->cmsg_len <=
		       msg->msg_controllen - (size_t)((char *)part - (char *)msg->msg_control);
}

/* Call what(fd) for the descriptors in msg until it says true; return whether it did. */
static bool any_in(const struct msghdr *msg, bool (*what)(int fd, int wanted), int wanted)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(msg);
	int fd;

	for (; part && fits(msg, part); part = CMSG_NXTHDR((struct msghdr *)msg, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(fd) <= part->cmsg_len - CMSG_LEN(0);
		     at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(part) + at, sizeof(fd));
			if (what(fd, wanted))
				return true;
		}
	}
	return false;
}

static bool is_ours(int fd, int unused)
{
	(void)unused;
	return table_has(fd);
}

static bool is(int fd, int wanted)
{
	return fd == wanted;
}

static bool travels(int fd)
{
	return any_in(travelling, is, fd);
}

bool rights_settle(const struct msghdr *msg)
{
	static const struct event refused = {
		.verdict = EVENT_REFUSED,
		.why = "the program passes the connection to another process (SCM_RIGHTS)",
		.ms = -1,
	};

	/* What is not there, the kernel shall complain about. */
	if (!memory_readable(msg, sizeof(*msg)) || !msg->msg_controllen ||
	    !memory_readable(msg->msg_control, msg->msg_controllen) || !any_in(msg, is_ours, 0))
		return true;
	travelling = msg;
	heir_spawn(travels);
	travelling = NULL;
	if (!any_in(msg, is_ours, 0))
		return true;
	log_event(&refused);
	errno = EACCES;
	return false;
}
