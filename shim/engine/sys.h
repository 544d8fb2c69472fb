/* SPDX-License-Identifier: MIT
 * sys: the kernel, asked directly. libc's socket functions would land in our own hooks and are
 * cancellation points; these are neither, so they may be called with a connection's lock held. Each
 * returns and sets errno as the libc function of that name, adds MSG_DONTWAIT and MSG_NOSIGNAL,
 * never blocks and is async-signal-safe. */
#ifndef STARTTLS_SYS_H
#define STARTTLS_SYS_H

#include "../quiet.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline ssize_t sys_recv(int fd, void *bytes, size_t n, int flags)
{
	return syscall(SYS_recvfrom, fd, bytes, n, flags | MSG_DONTWAIT, NULL, NULL);
}

static inline ssize_t sys_send(int fd, const void *bytes, size_t n)
{
	return syscall(SYS_sendto, fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

/* MSG_MORE: with what follows at once, which may be shutdown(). */
static inline ssize_t sys_send_more(int fd, const void *bytes, size_t n)
{
	return syscall(SYS_sendto, fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE, NULL, 0);
}

static inline ssize_t sys_sendmsg(int fd, const struct msghdr *msg)
{
	return syscall(SYS_sendmsg, fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Take n bytes out of the kernel without looking at them (TCP only). */
static inline ssize_t sys_discard(int fd, size_t n)
{
	return syscall(SYS_recvfrom, fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT, NULL, NULL);
}

/* Not SYS_close: that number the front takes for the app's own close() where RTLD_DEEPBIND is off
 * (hook_raw.c). */
static inline void sys_close(int fd)
{
	if (syscall(SYS_close_range, (unsigned)fd, (unsigned)fd, 0) < 0)
		syscall(SYS_close, fd);
}

static inline int sys_shutdown(int fd, int how)
{
	return (int)syscall(SYS_shutdown, fd, how);
}

static inline int sys_connect(int fd, const struct sockaddr *addr, socklen_t n)
{
	return (int)syscall(SYS_connect, fd, addr, n);
}

static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	return (int)syscall(SYS_getsockopt, fd, level, name, value, n);
}

static inline int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	return (int)syscall(SYS_setsockopt, fd, level, name, value, n);
}

static inline int sys_getsockname(int fd, struct sockaddr *addr, socklen_t *n)
{
	return (int)syscall(SYS_getsockname, fd, addr, n);
}

static inline int sys_unread(int fd, int *bytes)
{
	return (int)syscall(SYS_ioctl, fd, FIONREAD, bytes);
}

static inline int sys_flags(int fd)
{
	return (int)syscall(SYS_fcntl, fd, F_GETFL);
}

static inline int sys_kill(pid_t pid, int signal)
{
	return (int)syscall(SYS_kill, pid, signal);
}

/* Without WNOHANG this one does block. */
static inline int sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return (int)syscall(SYS_waitid, type, id, info, options, NULL);
}

/* What is ready of `events`, within so many milliseconds: this one does block. */
static inline short sys_ready_within(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	struct timespec left = {ms / 1000, ms % 1000 * 1000000L};

	return syscall(SYS_ppoll, &p, 1UL, &left, NULL, 0UL) > 0 ? p.revents : 0;
}

/* Right now. */
static inline short sys_ready(int fd, short events)
{
	return sys_ready_within(fd, events, 0);
}

/* Is this process no more, or a zombie? Its number may be another's by now. */
static inline bool sys_has_ended(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool ended;

	if (fd < 0)
		return errno == ESRCH ||
		       (errno == ENOSYS && sys_kill(pid, 0) < 0 && errno == ESRCH);
	ended = sys_ready(fd, POLLIN);
	sys_close(fd);
	return ended;
}

/* Bytes nobody can guess; n at most 256, so it is all or nothing. May wait for the kernel's first
 * entropy after boot. */
static inline bool sys_random(void *bytes, size_t n)
{
	return syscall(SYS_getrandom, bytes, n, 0) == (long)n;
}

#endif
