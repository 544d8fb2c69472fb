/* SPDX-License-Identifier: MIT
 * hook_socket: making, connecting and shutting down sockets. */
#include "copies.h"
#include "hook.h"
#include "inherit.h"
#include "process.h"
#include "slot.h"
#include "watch.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

HOOK int socket(int family, int type, int proto)
{
	return copies_none(slot_fresh(real.socket(family, type, proto)));
}

/* Numbers that were closed behind our back come to new life here, too. */
HOOK int accept(int fd, __SOCKADDR_ARG from, socklen_t *len)
{
	int made = copies_none(slot_fresh(real.accept(fd, from.__sockaddr__, len)));

	return watch_announced() ? watch_accepted(made) : made;
}

HOOK int accept4(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags)
{
	int made = copies_none(slot_fresh(real.accept4(fd, from.__sockaddr__, len, flags)));

	return watch_announced() ? watch_accepted(made) : made;
}

HOOK int socketpair(int family, int type, int proto, int ends[2])
{
	int result = real.socketpair(family, type, proto, ends);

	for (int i = 0; result == 0 && i < 2; i++)
		copies_none(slot_fresh(ends[i]));
	return result;
}

/* Has the connection failed, so that connect() may begin another one? */
static bool is_dead(int fd)
{
	struct tcp_info tcp;
	socklen_t n = sizeof(tcp);

	return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &n) == 0 &&
	       tcp.tcpi_state == TCP_CLOSE;
}

/* connect() on a descriptor that is already ours. */
static SLOW int connect_again(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct conn *c, *left;
	int result;

	if (process_borrowed() || len < sizeof(addr->sa_family) || !memory_readable(addr, len))
		return real.connect(fd, addr, len);
	if (addr->sa_family == AF_UNSPEC) {
		watch_give_up_copies(fd);
		left = slot_release(fd);
		result = real.connect(fd, addr, len);
		slot_released(fd, left);
		inherit_show(fd);
		return result;
	}
	/* Perhaps to somebody else, whom another rule is about. */
	if (watch_family(addr, len) && is_dead(fd)) {
		slot_drop_stale(fd);
		inherit_show(fd);
		return watch_connect(fd, addr, len);
	}
	c = table_get(fd);
	result = c ? engine->reconnect(c, fd, addr, len) : real.connect(fd, addr, len);
	if (result == 0 || errno == EISCONN)
		watch_connected(fd);
	return result;
}

HOOK int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	const struct sockaddr *addr = to.__sockaddr__;

	if (table_has(fd))
		return connect_again(fd, addr, len);
	return watch_family(addr, len) ? watch_connect(fd, addr, len) : real.connect(fd, addr, len);
}
HOOK_ALIAS(__connect, connect);

static SLOW int shut(int fd, int how)
{
	struct conn *c = process_borrowed() ? NULL : table_get(fd);

	return c ? engine->shutdown(c, fd, how) : real.shutdown(fd, how);
}

HOOK int shutdown(int fd, int how)
{
	return table_has(fd) ? shut(fd, how) : real.shutdown(fd, how);
}
