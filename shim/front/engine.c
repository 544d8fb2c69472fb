/* SPDX-License-Identifier: MIT
 * engine: finding and opening libstarttls-tls.so, and what it may ask of us. */
#include "engine_open.h"
#include "../quiet.h"
#include "inherit.h"
#include "log.h"
#include "observe.h"
#include "process.h"
#include "real.h"
#include "start.h"
#include "table.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#define OBJECT "libstarttls-tls.so"

const struct engine *engine;

static _Thread_local char failure[256];
static _Atomic bool opened; /* engine is set somewhat earlier */

static void front_log(const struct event *e)
{
	log_event(e);
	observe_event(e);
}

static int front_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return real.poll(fds, n, timeout);
}

static ssize_t front_recv(int fd, void *bytes, size_t n, int flags)
{
	return real.recv(fd, bytes, n, flags);
}

static ssize_t front_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return real.recvmsg(fd, msg, flags);
}

static ssize_t front_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return real.sendmsg(fd, msg, flags);
}

static int front_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return real.connect(fd, addr, len);
}

static const struct front front = {
	.log = front_log,
	.forget = table_forget,
	.replace = engine_replace,
	.holds = table_holds,
	.poll = front_poll,
	.recv = front_recv,
	.recvmsg = front_recvmsg,
	.sendmsg = front_sendmsg,
	.connect = front_connect,
};

/* Which process reads or writes first afterwards must not matter to those who will have the
 * connection. Where there are threads, one that forks must not wait for what another one is at. */
static void bring_up(void)
{
	struct conn *c;

	if (process_borrowed() || !__libc_single_threaded)
		return;
	for (int fd = table_next(0); fd >= 0; fd = table_next(fd + 1))
		if (inherit_wish(fd) && (c = table_get(fd)))
			engine->bring_up(c, fd);
}

/* What this thread has taken. The engine may be opened meanwhile. */
static _Thread_local struct forking {
	uint64_t signals; /* first of all, for no handler must find any lock of ours taken */
	const struct engine *engine;
} forking;

/* Order: the engine's locks, then the table's, as when the engine asks us to forget a conn. */
static void fork_prepare(void)
{
	if (engine)
		bring_up();
	forking = (struct forking){.signals = quiet_begin(), .engine = engine};
	if (!forking.engine)
		return;
	forking.engine->fork_prepare();
	table_lock();
}

static void fork_parent(void)
{
	if (forking.engine) {
		table_unlock();
		forking.engine->fork_parent();
	}
	quiet_end(forking.signals);
}

static void fork_child(void)
{
	if (forking.engine) {
		process_own();
		table_unlock();
		forking.engine->fork_child();
	}
	quiet_end(forking.signals);
}

bool engine_survive_fork(void)
{
	static atomic_bool done;

	if (!atomic_exchange(&done, true))
		done = pthread_atfork(fork_prepare, fork_parent, fork_child) == 0;
	return done;
}

/* release() consumes two references, as if the caller had looked the conn up before it emptied the
 * slot. */
void engine_end(struct conn *c, int fd)
{
	engine->release(table_more(c), fd);
}

/* A lookup lost the race with the last close: there is no descriptor any more. */
static void end_last(struct conn *c)
{
	engine_end(c, -1);
}

/* The path of the object that this function is in, also when it was preloaded by a relative path
 * and the host has changed its directory since: the kernel knows. False when it is not known or too
 * long. */
static bool own_path(char path[static PATH_MAX])
{
	unsigned long here = (unsigned long)own_path, from, to;
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[PATH_MAX + 128];
	int at;

	while (maps && !found && fgets(line, sizeof(line), maps)) {
		at = 0;
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &at) < 2 ||
		    here < from || here >= to)
			continue;
		line[strcspn(line, "\n")] = 0;
		found = at && line[at] == '/' && strlen(line + at) < PATH_MAX;
		if (found)
			strcpy(path, line + at);
	}
	if (maps)
		fclose(maps);
	return found;
}

/* Put the path of the engine beside us into `path`. */
static bool beside(char path[static PATH_MAX])
{
	Dl_info us;
	char *slash;

	if (dladdr((void *)beside, &us) && us.dli_fname[0] == '/' &&
	    strlen(us.dli_fname) < PATH_MAX)
		strcpy(path, us.dli_fname);
	else if (!own_path(path))
		return false;
	slash = strrchr(path, '/') + 1;
	if ((size_t)(slash - path) + sizeof(OBJECT) > PATH_MAX)
		return false;
	strcpy(slash, OBJECT);
	return true;
}

/* Is it a function of a sanitizer's runtime? */
static bool is_sanitizers(void *function)
{
	static const char *const runtimes[] = {"__asan_init", "__tsan_init", "__msan_init",
					       "__lsan_init"};
	Dl_info its, runtimes_own;
	void *init;

	if (!dladdr(function, &its))
		return true;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		init = real_symbol(RTLD_DEFAULT, runtimes[i]);
		if (init && dladdr(init, &runtimes_own) && its.dli_fbase == runtimes_own.dli_fbase)
			return true;
	}
	return false;
}

/* RTLD_DEEPBIND: what the host calls by names of OpenSSL's is not for us. A sanitizer's dlopen()
 * ends the process on it; where the runtime was preloaded ahead of us, libc's own is the next
 * one. */
static int flags(void)
{
	bool deep = !is_sanitizers(real_symbol(RTLD_NEXT, "dlopen"));

	return RTLD_NOW | RTLD_LOCAL | (deep ? RTLD_DEEPBIND : 0);
}

static void *open_object(void)
{
	char path[PATH_MAX];
	void *object = beside(path) ? real.dlopen(path, flags()) : NULL;

#ifdef STARTTLS_LIBDIR
	if (!object)
		object = real.dlopen(STARTTLS_LIBDIR "/" OBJECT, flags());
#endif
	return object;
}

static void open_engine(void)
{
	void *object = open_object();
	starttls_engine_fn *get = NULL;
	const struct engine *e = NULL;
	const char *why;

	if (!object) {
		why = dlerror();
		snprintf(failure, sizeof(failure), "cannot load %s", why ? why : OBJECT);
		return;
	}
	if ((get = real_symbol(object, "starttls_engine")))
		e = get(ENGINE_ABI, &front);
	if (!e) {
		snprintf(failure, sizeof(failure),
			 OBJECT " is of another version than libstarttls.so");
		return;
	}
	__atomic_store_n(&engine, e, __ATOMIC_RELEASE); /* others may look (hook_epoll.c) */
	if (!engine_survive_fork()) {
		engine = NULL;
		snprintf(failure, sizeof(failure), "out of memory");
		return;
	}
	real_all();
	table_last = end_last;
	process_own();
	start_watching();
	opened = true;
}

/* One thread at a time. Not a mutex: a child made by fork() meanwhile would wait for a thread that
 * it does not have. */
static void open_once(void)
{
	static _Atomic pid_t opener;
	pid_t me = getpid(), other = 0;

	while (!opened) {
		if (atomic_compare_exchange_strong(&opener, &other, me)) {
			if (!opened)
				open_engine();
			opener = 0;
			return;
		}
		if (other == me) {
			sched_yield();
			other = 0;
		}
	}
}

const struct engine *engine_get(const char **why)
{
	int error = errno;

	open_once();
	errno = error;
	*why = failure;
	return opened ? engine : NULL;
}
