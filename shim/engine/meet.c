/* SPDX-License-Identifier: MIT
 * meet: who may have the relay's end, and from whom one may be taken. Picture and contract: meet.h.
 *
 * Anyone on the machine may connect to an abstract address, or take it once it is free: so the
 * relay gives the end only to a process that has announced itself in the shared memory, and a guest
 * takes it only from a listener of the process that is named there. */
#include "meet.h"
#include "sys.h"
#include <errno.h>
#include <string.h>
#include <sys/un.h>

enum { PATIENCE_MS = 10000, NAP_MS = 1 };

static void nap(void)
{
	static const struct timespec t = {0, NAP_MS * 1000000};

	syscall(SYS_nanosleep, &t, NULL);
}

static pid_t whoami(void)
{
	return (pid_t)syscall(SYS_getpid);
}

static int new_socket(int flags)
{
	return (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

/* Have the kernel choose a name (unix(7), "Autobind feature"), and note it. */
static bool note_name(struct meet *m, int listener)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t n = sizeof at;

	if (syscall(SYS_bind, listener, &at, sizeof at.sun_family) < 0 ||
	    sys_getsockname(listener, (struct sockaddr *)&at, &n) < 0 ||
	    n <= sizeof at.sun_family || n > sizeof at.sun_family + MEET_NAME)
		return false;
	m->name_n = n - sizeof at.sun_family;
	memcpy(m->name, at.sun_path, m->name_n);
	return true;
}

/* False: there is one already, or was when we looked last. */
static bool claim(struct meet *m)
{
	int state, naps = PATIENCE_MS / NAP_MS;

	for (;;) {
		state = MEET_NONE;
		if (atomic_compare_exchange_strong(&m->state, &state, MEET_COMING))
			return true;
		if (state == MEET_OPEN || !naps--)
			return false;
		nap();
	}
}

int meet_begin(struct meet *m)
{
	int listener, error;

	if (!claim(m)) {
		errno = EALREADY;
		return -1;
	}
	m->uid = (uid_t)syscall(SYS_geteuid);
	atomic_store(&m->host, whoami());
	listener = new_socket(SOCK_NONBLOCK);
	if (listener >= 0 && note_name(m, listener) &&
	    syscall(SYS_listen, listener, MEET_GUESTS) == 0)
		return listener;
	error = errno;
	if (listener >= 0)
		sys_close(listener);
	meet_open(m, false);
	errno = error;
	return -1;
}

void meet_open(struct meet *m, bool made)
{
	atomic_store(&m->state, made ? MEET_OPEN : MEET_NONE);
}

/* --- the guest */

static bool is_host(const struct meet *m, int fd)
{
	struct ucred who = {.pid = 0};
	socklen_t n = sizeof who;

	return sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	       who.pid == atomic_load(&m->host) && who.uid == m->uid;
}

static int reach(const struct meet *m, int flags)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct timeval limit = {PATIENCE_MS / 1000, 0}; /* where too many wait already */
	int fd = new_socket(flags);

	memcpy(at.sun_path, m->name, m->name_n);
	sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (fd >= 0 && (sys_connect(fd, (struct sockaddr *)&at,
				    (socklen_t)(sizeof at.sun_family + m->name_n)) < 0 ||
			!is_host(m, fd))) {
		sys_close(fd);
		fd = -1;
	}
	return fd;
}

/* Wait for what the relay sends. */
static int take_end(int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec piece = {&byte, 1};
	struct msghdr msg = {.msg_iov = &piece,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof control};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec left = {PATIENCE_MS / 1000, 0}; /* the kernel counts it down */
	struct cmsghdr *head;
	int end = -1;

	while (syscall(SYS_ppoll, &p, 1UL, &left, NULL, 0UL) < 0 && errno == EINTR)
		;
	if (syscall(SYS_recvmsg, fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == 1 &&
	    (head = CMSG_FIRSTHDR(&msg)) && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof end))
		memcpy(&end, CMSG_DATA(head), sizeof end);
	return end;
}

/* Be expected. NULL: too many are on the way. */
static _Atomic pid_t *announce(struct meet *m)
{
	pid_t nobody;
	int i;

	for (i = 0; i < MEET_GUESTS; i++) {
		nobody = 0;
		if (atomic_compare_exchange_strong(&m->guests[i], &nobody, whoami()))
			return &m->guests[i];
	}
	return NULL;
}

int meet_join(struct meet *m)
{
	_Atomic pid_t *me = announce(m);
	int fd = me ? reach(m, 0) : -1, end = fd < 0 ? -1 : take_end(fd);

	if (fd >= 0)
		sys_close(fd);
	if (me)
		atomic_store(me, 0);
	if (end < 0)
		errno = EIO;
	return end;
}

void meet_knock(struct meet *m)
{
	int saved = errno, fd = reach(m, SOCK_NONBLOCK);

	if (fd >= 0)
		sys_close(fd);
	errno = saved;
}

/* --- the relay */

static bool is_guest(struct meet *m, int fd)
{
	struct ucred who = {.pid = 0};
	socklen_t n = sizeof who;
	int i;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || who.pid <= 0)
		return false;
	for (i = 0; i < MEET_GUESTS; i++)
		if (atomic_load(&m->guests[i]) == who.pid)
			return true;
	return false;
}

static void give_end(int fd, int end)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof end)] = {0};
	struct iovec piece = {"", 1};
	struct msghdr msg = {.msg_iov = &piece,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof end);
	memcpy(CMSG_DATA(head), &end, sizeof end);
	sys_sendmsg(fd, &msg);
}

bool meet_serve(struct meet *m, int listener, int app_end)
{
	int fd = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	if (is_guest(m, fd))
		give_end(fd, app_end);
	sys_close(fd);
	return true;
}

void meet_bury(struct meet *m)
{
	int i, saved = errno;
	pid_t pid;

	for (i = 0; i < MEET_GUESTS; i++) {
		pid = atomic_load(&m->guests[i]);
		if (pid && sys_has_ended(pid))
			atomic_compare_exchange_strong(&m->guests[i], &pid, 0);
	}
	errno = saved;
}
