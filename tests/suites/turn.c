// SPDX-License-Identifier: MIT
// turn: preloaded below libstarttls.so, sends TCP connections to the loopback over the forwarder (turn.h), and tells nobody: accept(),
// getpeername() show the addresses there would be without it. TURN_PORT is where the forwarder listens.
//
// A port where nobody listens is left alone, so that connection refused stays connection refused.
#include "turn.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof(&name))dlsym(RTLD_NEXT, #name))

static bool is_tcp(int fd)
{
	int proto = 0;
	socklen_t n = sizeof proto;

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &n) == 0 && proto == IPPROTO_TCP;
}

/* Does a line of /proc/net/tcp or tcp6 say that somebody listens (state 0A) at this port? By raw system calls: we are below the shim. */
static bool listens(const char *path, unsigned port)
{
	char line[256], wanted[16];
	bool found = false;
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), got;
	size_t n = 0;

	if (fd < 0)
		return true;
	snprintf(wanted, sizeof wanted, ":%04X ", port);
	while (!found && (got = syscall(SYS_read, fd, line + n, 1)) == 1) {
		if (line[n] != '\n' && n + 2 < sizeof line) {
			n++;
			continue;
		}
		line[n] = '\0';
		n = 0;
		char *local = strchr(line, ':'), *end = local ? strstr(local + 2, wanted) : NULL;
		found = end && strstr(line, " 0A ") && end < strstr(line, " 0A ") - 8;
	}
	syscall(SYS_close, fd);
	return found;
}

static bool is_loopback(const union address *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

static in_port_t *port_of(union address *a)
{
	return a->sa.sa_family == AF_INET ? &a->in.sin_port : &a->in6.sin6_port;
}

__attribute__((visibility("default"))) int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t n)
{
	const struct sockaddr *addr = to.__sockaddr__;
	const char *forwarder = getenv("TURN_PORT");
	union address a;
	unsigned port;
	int saved = errno;

	if (!forwarder || !addr || n < sizeof a.in || n > sizeof a)
		return REAL(connect)(fd, addr, n);
	memcpy(&a, addr, n);
	port = is_loopback(&a) ? ntohs(*port_of(&a)) : 0;
	if (port < 1024 || !is_tcp(fd) ||
	    !(listens("/proc/net/tcp", port) || listens("/proc/net/tcp6", port))) {
		errno = saved;
		return REAL(connect)(fd, addr, n);
	}
	turn_write(&a, TURN_TO, port);
	*port_of(&a) = htons((in_port_t)atoi(forwarder));
	errno = saved;
	return REAL(connect)(fd, &a.sa, n);
}

/* Put back the address there would have been, in the family's own loopback. */
static void put_back(struct sockaddr *addr, const socklen_t *n)
{
	union address *a = (union address *)addr;
	unsigned port;

	if (!addr || !n || *n < sizeof a->in || (addr->sa_family == AF_INET6 && *n < sizeof a->in6))
		return;
	port = turn_read(a, TURN_TO) ? turn_read(a, TURN_TO) : turn_read(a, TURN_FROM);
	if (!port)
		return;
	*port_of(a) = htons((in_port_t)port);
	if (a->sa.sa_family == AF_INET)
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		memcpy(a->in6.sin6_addr.s6_addr + 12, (unsigned char[]){127, 0, 0, 1}, 4);
	else
		a->in6.sin6_addr = in6addr_loopback;
}

__attribute__((visibility("default"))) int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *n)
{
	int result = REAL(getpeername)(fd, addr, n);

	if (result == 0)
		put_back(addr.__sockaddr__, n);
	return result;
}

__attribute__((visibility("default"))) int accept(int fd, __SOCKADDR_ARG addr, socklen_t *n)
{
	int result = REAL(accept)(fd, addr, n);

	if (result >= 0)
		put_back(addr.__sockaddr__, n);
	return result;
}

__attribute__((visibility("default"))) int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *n,
						   int flags)
{
	int result = REAL(accept4)(fd, addr, n, flags);

	if (result >= 0)
		put_back(addr.__sockaddr__, n);
	return result;
}
