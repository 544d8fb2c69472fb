/* SPDX-License-Identifier: MIT
 * relay: starting one (relay.h has the picture). */
#include "relay.h"
#include "sys.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/un.h>

enum { STACK = 256 * 1024 };

struct handover {
	struct conn *c;
	int tcp, app, end; /* descriptors: the socket, the two ends of the pair */
	int listener;      /* for those who share the connection (meet.h); -1: none yet */
	bool shared, later;
	pid_t heir;       /* whose program is about to be another */
	struct span rest; /* relay_finish: no more is to be done than to send it */
	int error;
};

/* In a child that shares our memory and is nobody's business: copy the process properly. */
static int between(void *arg)
{
	struct handover *h = arg;
	pid_t pid;

	conn_fork_for(h->c);
	pid = fork();
	conn_fork_for(NULL);
	if (pid == 0 && h->rest.n)
		relay_send(h->tcp, h->rest);
	if (pid == 0 && h->end < 0)
		relay_flush(h->c, h->tcp);
	if (pid == 0)
		relay_run(&(struct relay_order){h->c, h->tcp, h->end, h->shared ? h->app : -1,
						h->listener, h->later ? h->heir : 0});
	h->error = pid < 0 ? errno : 0;
	syscall(SYS_exit_group, 0);
	return 0;
}

/* Signal handlers of the app must not run in a child that shares its memory. */
static bool copy_process(struct handover *h)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t every, was;
	sig_atomic_t calls = conn_depth;
	pid_t pid;

	if (stack == MAP_FAILED)
		return false;
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &was);
	conn_depth = 0; /* no call of this thread is on the other stack, nor goes on in the other
			 * process */
	pid = clone(between, stack + STACK, CLONE_VM | CLONE_VFORK, h);
	if (pid < 0)
		h->error = errno;
	else
		while (syscall(SYS_wait4, pid, NULL, __WCLONE, NULL) < 0 && errno == EINTR)
			;
	conn_depth = calls;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	munmap(stack, STACK);
	errno = h->error;
	return !h->error;
}

static void copy_address(uint8_t to[static 28], const void *addr, socklen_t n)
{
	memcpy(to, addr, n < 28 ? n : 28);
}

/* Whom the app talks to, for getpeername() and getsockname() in whatever program gets the
 * descriptor. */
static bool name_end(struct handover *h)
{
	static _Atomic uint32_t serial;
	struct relay_name name = {.mark = RELAY_MARK, .cookie = h->c->cookie};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof own;

	sys_getsockname(h->tcp, (struct sockaddr *)&own, &n);
	copy_address(name.own, &own, n);
	copy_address(name.peer, &h->c->addr, h->c->addr_len);
	name.serial = (uint32_t)getpid() * 1000003U + atomic_fetch_add(&serial, 1);
	memcpy(at.sun_path, &name, sizeof name);
	return bind(h->end, (struct sockaddr *)&at,
		    offsetof(struct sockaddr_un, sun_path) + sizeof name) == 0;
}

static void copy_timeout(const struct handover *h, int option)
{
	struct timeval t = {0, 0};
	socklen_t n = sizeof t;

	if (sys_getsockopt(h->tcp, SOL_SOCKET, option, &t, &n) == 0)
		sys_setsockopt(h->app, SOL_SOCKET, option, &t, sizeof t);
}

static bool make_pair(struct handover *h)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	h->app = pair[0];
	h->end = pair[1];
	copy_timeout(h, SO_RCVTIMEO);
	copy_timeout(h, SO_SNDTIMEO);
	if (sys_send(h->app, "", 1) == 1 && name_end(h) &&
	    syscall(SYS_fcntl, h->app, F_SETFL, sys_flags(h->tcp)) == 0)
		return true;
	sys_close(h->app);
	sys_close(h->end);
	h->app = h->end = -1;
	return false;
}

/* Where those who share the connection will ask for it. The relay of a program that has not spoken
 * yet makes that itself, should it ever. */
static bool make_listener(struct handover *h, struct meet *meet)
{
	if (!h->shared || h->later)
		return true;
	h->listener = meet_begin(meet);
	return h->listener >= 0;
}

/* A relay of our own. */
static bool start_relay(struct handover *h, struct meet *meet)
{
	bool made = make_pair(h) && copy_process(h);
	int error = errno;

	if (h->listener >= 0)
		meet_open(meet, made);
	if (!made && h->app >= 0) {
		sys_close(h->app);
		h->app = -1;
	}
	if (h->end >= 0)
		sys_close(h->end);
	errno = error;
	return made;
}

static bool hand_over(struct handover *h)
{
	struct meet *meet = NULL;
	bool made;

	if (h->shared) {
		conn_lock(h->c);
		meet = share_meet(&h->c->rec);
		conn_unlock(h->c);
		if (!meet)
			return false;
	}
	if (!(meet && meet_is_open(meet)) && make_listener(h, meet)) {
		made = start_relay(h, meet);
		if (h->listener >= 0)
			sys_close(h->listener);
		return made;
	}
	if (meet && meet_is_open(meet))
		h->app = meet_join(meet);
	return h->app >= 0;
}

int relay_start(struct conn *c, int fd, bool later)
{
	struct handover h = {
		.c = c, .tcp = fd, .app = -1, .end = -1, .listener = -1, .heir = getpid()};
	int saved = errno;

	h.shared = record_self() != getpid() || record_shared(&c->rec);
	h.later = later && h.shared;
	if (hand_over(&h)) {
		conn_leave(c);
		errno = saved;
	}
	conn_put(c);
	return h.app;
}

void relay_linger(struct conn *c, int fd)
{
	struct handover h = {.c = c, .tcp = fd, .app = -1, .end = -1};
	struct linger now = {0, 0};
	socklen_t n = sizeof now;
	int saved = errno;

	sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &now, &n);
	if (!now.l_onoff || now.l_linger)
		copy_process(&h);
	errno = saved;
}

bool relay_finish(int fd, struct span rest)
{
	static struct conn none; /* the copy shares no session: to it these are bytes */
	struct handover h = {.c = &none, .tcp = fd, .app = -1, .end = -1, .rest = rest};
	int saved = errno;
	bool made = copy_process(&h);

	errno = saved;
	return made;
}
