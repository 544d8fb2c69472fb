/* SPDX-License-Identifier: MIT
 * hook_option: the program behind a relay has an AF_UNIX socket where it expects TCP. Whom it talks
 * to is in the name of the other end (struct relay_name, engine.h), so nothing need be remembered
 * across exec(); options of TCP and IP are answered where the kernel knows none. */
#include "hook.h"
#include "memory.h"
#include "process.h"
#include "watch.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Is fd the app end of a relay? Keeps errno. */
static SLOW bool behind_relay(int fd, struct relay_name *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNSPEC};
	socklen_t n = sizeof(un);
	int error = errno;
	bool is = syscall(SYS_getpeername, fd, &un, &n) == 0 && un.sun_family == AF_UNIX &&
		  n == offsetof(struct sockaddr_un, sun_path) + sizeof(*name);

	errno = error;
	if (is)
		memcpy(name, un.sun_path, sizeof(*name));
	return is && !name->abstract && strcmp(name->mark, RELAY_MARK) == 0;
}

/* As the kernel copies a socket address out: cut to `room`, and *len says how long it is. */
static void tell_address(const uint8_t from[static 28], struct sockaddr *to, socklen_t room,
			 socklen_t *len)
{
	sa_family_t family;
	socklen_t n;

	memcpy(&family, from, sizeof(family));
	n = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	memcpy(to, from, n < room ? n : room);
	*len = n;
}

/* What *len says, which may be anything: 0 then, and the kernel complains. */
static socklen_t room_at(const socklen_t *len)
{
	return memory_readable(len, sizeof(*len)) ? *len : 0;
}

HOOK int getpeername(int fd, __SOCKADDR_ARG to, socklen_t *len)
{
	struct sockaddr *addr = to.__sockaddr__;
	socklen_t room = room_at(len);
	struct relay_name name;
	int result = real.getpeername(fd, addr, len);

	if (result == 0 && room >= sizeof(addr->sa_family) && addr->sa_family == AF_UNIX &&
	    behind_relay(fd, &name))
		tell_address(name.peer, addr, room, len);
	return result;
}

HOOK int getsockname(int fd, __SOCKADDR_ARG to, socklen_t *len)
{
	struct sockaddr *addr = to.__sockaddr__;
	socklen_t room = room_at(len);
	struct relay_name name;
	int result = real.getsockname(fd, addr, len);

	if (result == 0 && room >= sizeof(addr->sa_family) && addr->sa_family == AF_UNIX &&
	    behind_relay(fd, &name))
		tell_address(name.own, addr, room, len);
	return result;
}

static bool tcp_or_ip(int level)
{
	return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

/* A switch that is off; TCP_INFO of an established connection. */
static SLOW int tell_option(int fd, int level, int name, void *value, socklen_t *len)
{
	static const struct tcp_info info = {.tcpi_state = TCP_ESTABLISHED};
	struct relay_name relay;
	int off = 0;
	size_t n = level == IPPROTO_TCP && name == TCP_INFO ? sizeof(info) : sizeof(off);

	if (!behind_relay(fd, &relay))
		return fail(EOPNOTSUPP);
	if (memory_writable(len, sizeof(*len)) < sizeof(*len))
		return fail(EFAULT);
	if (*len < n)
		n = *len;
	if (memory_writable(value, n) < n)
		return fail(EFAULT);
	memcpy(value, n > sizeof(off) ? (const void *)&info : &off, n);
	*len = (socklen_t)n;
	return 0;
}

/* SO_DOMAIN and SO_PROTOCOL of an AF_UNIX socket, as they were before the relay. */
static SLOW void tell_kind(int fd, int name, int *value)
{
	struct relay_name relay;
	sa_family_t family;

	if (!behind_relay(fd, &relay))
		return;
	memcpy(&family, relay.peer, sizeof(family));
	*value = name == SO_DOMAIN ? family : IPPROTO_TCP;
}

/* SO_RCVLOWAT of ours, which the kernel's socket must not have (engine.h). `bytes` 0: leave it.
 * Returns it; 0: fd is not ours any more. */
static int low_water(int fd, int bytes)
{
	struct conn *c = process_borrowed() ? NULL : table_get(fd);

	return c ? engine->low_water(c, bytes) : 0;
}

static bool about_low_water(int fd, int level, int name)
{
	return name == SO_RCVLOWAT && level == SOL_SOCKET && table_has(fd);
}

/* A program that connects without blocking asks for its error once poll() has said writable. */
static SLOW void tell_error(int fd, const int *error, socklen_t n)
{
	if (n == sizeof(*error) && !*error)
		watch_connected(fd);
}

/* The kernel's own bytes, mapped into the app: they are encrypted. As from one that cannot. */
static bool maps_bytes(int fd, int level, int name)
{
	return name == TCP_ZEROCOPY_RECEIVE && level == IPPROTO_TCP && table_has(fd);
}

HOOK int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int result, bytes;

	if (maps_bytes(fd, level, name))
		return fail(ENOPROTOOPT);
	result = real.getsockopt(fd, level, name, value, len);

	if (result == 0 && about_low_water(fd, level, name) && (bytes = low_water(fd, 0)))
		memcpy(value, &bytes, *len < sizeof(bytes) ? *len : sizeof(bytes));

	if (result < 0)
		return errno == EOPNOTSUPP && tcp_or_ip(level)
			       ? tell_option(fd, level, name, value, len)
			       : result;
	if (level == SOL_SOCKET && (name == SO_DOMAIN || name == SO_PROTOCOL) &&
	    *len == sizeof(int))
		tell_kind(fd, name, value);
	if (level == SOL_SOCKET && name == SO_ERROR && table_has(fd))
		tell_error(fd, value, *len);
	return 0;
}

/* There is nothing to set: the relay sends everything at once. */
static SLOW int set_option(int fd)
{
	struct relay_name relay;

	return behind_relay(fd, &relay) ? 0 : fail(EOPNOTSUPP);
}

/* As the kernel reads the value. */
static SLOW int set_low_water(int fd, const void *value, socklen_t len)
{
	int bytes;

	if (len < sizeof(bytes) || len > INT_MAX)
		return fail(EINVAL);
	if (!memory_readable(value, sizeof(bytes)))
		return fail(EFAULT);
	memcpy(&bytes, value, sizeof(bytes));
	low_water(fd, bytes < 0 ? INT_MAX : bytes ? bytes : 1);
	return 0;
}

/* Where MSG_PEEK begins: where we look at records, that is. -1 is "at the front". */
static SLOW int set_peek_offset(int fd, const void *value, socklen_t len)
{
	int at = 0;

	if (len >= sizeof(at) && memory_readable(value, sizeof(at)))
		memcpy(&at, value, sizeof(at));
	if (at >= 0)
		return fail(EOPNOTSUPP);
	return real.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, value, len);
}

HOOK int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int result;

	if (name == SO_PEEK_OFF && level == SOL_SOCKET && table_has(fd))
		return set_peek_offset(fd, value, len);

	if (about_low_water(fd, level, name))
		return set_low_water(fd, value, len);
	result = real.setsockopt(fd, level, name, value, len);

	return result < 0 && errno == EOPNOTSUPP && tcp_or_ip(level) ? set_option(fd) : result;
}
