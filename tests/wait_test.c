/* SPDX-License-Identifier: MIT
 * wait_test: the hooks of epoll_wait() and kin over an engine that has something to do in a moment, again and again. No program may see
 * more of it than that the peer who is late is refused.
 *
 *   pair[0] ── socketpair ── pair[1]      tick: due again some times, then pair[0] is "refused" (shut down) */
#include "check.h"
#include "engine_open.h"
#include "process.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SOON_MS = 2, FOR_EVER = -1 };

static _Atomic int64_t due = INT64_MAX;
static _Atomic unsigned ticks;
static unsigned refusal;    /* at which tick; 0: never */
static int raised;          /* by each tick; 0: nothing */
static int pair[2], set;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void tick(void)
{
	unsigned n = ++ticks;

	due = now_ms() + SOON_MS;
	if (raised)
		raise(raised);
	if (n == refusal) {
		due = INT64_MAX;
		shutdown(pair[0], SHUT_RD);
	}
}

static const struct engine ticking = {.abi = ENGINE_ABI, .due = &due, .tick = tick};

/* A set with one end of a silent pair in it. */
static void begin(uint32_t events, unsigned refused_at)
{
	struct epoll_event e = {.events = EPOLLIN | events};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		check(false, "socketpair");
	set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &e);
	ticks = 0;
	refusal = refused_at;
	raised = 0;
	due = now_ms() + SOON_MS;
}

static void end(void)
{
	due = INT64_MAX;
	close(set);
	close(pair[0]);
	close(pair[1]);
}

/* The three ways to wait, as one. */
static const struct way {
	const char *name;
	int (*wait)(int set, struct epoll_event *e, int most, int ms, const sigset_t *mask);
} ways[];

static int wait_plainly(int s, struct epoll_event *e, int most, int ms, const sigset_t *mask)
{
	(void)mask;
	return epoll_wait(s, e, most, ms);
}

static int wait_in_ns(int s, struct epoll_event *e, int most, int ms, const sigset_t *mask)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	return epoll_pwait2(s, e, most, ms < 0 ? NULL : &t, mask);
}

static const struct way ways[] = {{"epoll_wait", wait_plainly}, {"epoll_pwait", epoll_pwait}, {"epoll_pwait2", wait_in_ns}};
enum { WAYS = sizeof(ways) / sizeof(*ways) };

static void refused(const struct way *w, uint32_t events)
{
	struct epoll_event e[4] = {0};

	begin(events, 3);
	check(w->wait(set, e, 4, FOR_EVER, NULL) == 1 && e->events & EPOLLIN, w->name);
	check(ticks == 3, "it comes back as often as there is something to do");
	check(w->wait(set, e, 4, 0, NULL) == !(events & (EPOLLET | EPOLLONESHOT)), "an edge, or a shot, is told of once");
	end();
}

static void refused_in_a_set_within_a_set(const struct way *w)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	int outer = epoll_create1(0);

	begin(EPOLLET, 3);
	epoll_ctl(outer, EPOLL_CTL_ADD, set, &e);
	check(w->wait(outer, &e, 1, FOR_EVER, NULL) == 1, "the outer set tells of it");
	check(w->wait(outer, &e, 1, 0, NULL) == 0, "once");
	check(w->wait(set, &e, 1, 0, NULL) == 1 && w->wait(set, &e, 1, 0, NULL) == 0, "and so does the inner one");
	end();
	close(outer);
}

static void times_out(const struct way *w)
{
	struct epoll_event e;
	int64_t began = now_ms();

	begin(0, 0);
	check(w->wait(set, &e, 1, 30, NULL) == 0, "the time is up");
	check(now_ms() - began >= 30, "and not before");
	check(ticks > 1, "though it came back meanwhile");
	ticks = 0;
	due = now_ms() + 3600000;
	check(w->wait(set, &e, 1, 1, NULL) == 0 && w->wait(set, &e, 1, 0, NULL) == 0 && !ticks, "what is due later is no matter");
	end();
}

static void late_already(const struct way *w)
{
	struct epoll_event e;

	begin(0, 1);
	due = 0;
	check(w->wait(set, &e, 1, 0, NULL) == 1 && ticks == 1, "who looks without waiting is told, too");
	end();
}

static void errors(const struct way *w)
{
	struct epoll_event e;

	begin(0, 0);
	check(w->wait(-1, &e, 1, FOR_EVER, NULL) == -1 && errno == EBADF, "EBADF");
	check(w->wait(pair[0], &e, 1, FOR_EVER, NULL) == -1 && errno == EINVAL, "no set: EINVAL");
	check(w->wait(set, &e, 0, FOR_EVER, NULL) == -1 && errno == EINVAL, "no room: EINVAL");
	end();
}

static void bad_times(void)
{
	struct timespec *volatile nowhere = (struct timespec *)8;
	struct timespec none = {0, 1000000000};
	struct epoll_event e;

	begin(0, 0);
	check(epoll_pwait2(set, &e, 1, nowhere, NULL) == -1 && errno == EFAULT, "a time-out at no address: EFAULT");
	check(epoll_pwait2(set, &e, 1, &none, NULL) == -1 && errno == EINVAL, "no time-out: EINVAL");
	end();
}

static volatile sig_atomic_t rung;

static void ring(int number)
{
	(void)number;
	rung++;
}

/* ThreadSanitizer's runtime puts handlers off in calls that it does not know, as epoll_pwait2() to that of Debian 12. */
static bool has_rung(void)
{
#ifdef __SANITIZE_THREAD__
	return true;
#else
	return rung;
#endif
}

/* The signal of a tick stays pending, for the thread blocks it; the mask of the next wait lets it in. */
static void masks(const struct way *w)
{
	struct epoll_event e;
	sigset_t none, blocked, was;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &blocked, &was);
	begin(0, 0);
	raised = SIGUSR1;
	rung = 0;
	check(w->wait(set, &e, 1, FOR_EVER, &none) == -1 && errno == EINTR && has_rung() && rung <= 1, "the mask is that of each wait: EINTR");
	raised = 0;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	end();
}

/* One that comes while it waits. A repeated one: it may come between two waits. */
static void interrupted(const struct way *w)
{
	const struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
	struct epoll_event e;

	begin(0, 0);
	rung = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	check(w->wait(set, &e, 1, FOR_EVER, NULL) == -1 && errno == EINTR && has_rung(), "EINTR");
	setitimer(ITIMER_REAL, &never, NULL);
	end();
}

static const struct way *way;

static void *sleeper(void *arg)
{
	struct epoll_event e;

	(void)arg;
	way->wait(set, &e, 1, FOR_EVER, NULL);
	return NULL;
}

__attribute__((unused)) static void cancelled(const struct way *w)
{
	pthread_t thread;
	void *result = NULL;

	begin(0, 0);
	way = w;
	pthread_create(&thread, NULL, sleeper, NULL);
	while (!ticks)
		sched_yield();
	pthread_cancel(thread);
	pthread_join(thread, &result);
	check(result == PTHREAD_CANCELED, "it can be cancelled");
	end();
}

/* Many threads wait in one set; each is told, for none of them takes the readiness away. */
static void by_many(const struct way *w)
{
	enum { MANY = 4 };
	pthread_t threads[MANY];

	begin(0, 20);
	way = w;
	for (int i = 0; i < MANY; i++)
		pthread_create(&threads[i], NULL, sleeper, NULL);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
	check(ticks >= 20, "all threads are told");
	end();
}

static void nothing_is_due(const struct way *w)
{
	struct epoll_event e;

	begin(0, 0);
	due = INT64_MAX;
	check(w->wait(set, &e, 1, 1, NULL) == 0 && !ticks, "nothing is due: nothing is done");
	check(write(pair[1], "x", 1) == 1 && w->wait(set, &e, 1, FOR_EVER, NULL) == 1, "and what is ready is ready");
	end();
}

int main(void)
{
	const struct sigaction act = {.sa_handler = ring};

	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	engine = &ticking;
	process_own();
	for (int i = 0; i < WAYS; i++) {
		refused(&ways[i], 0);
		refused(&ways[i], EPOLLET);
		refused(&ways[i], EPOLLONESHOT);
		refused_in_a_set_within_a_set(&ways[i]);
		times_out(&ways[i]);
		late_already(&ways[i]);
		errors(&ways[i]);
		if (ways[i].wait != wait_plainly)
			masks(&ways[i]);
		interrupted(&ways[i]);
#ifndef __SANITIZE_ADDRESS__ /* its runtime does not see that a cancelled thread leaves its frames, and ends the process */
		cancelled(&ways[i]);
#endif
		by_many(&ways[i]);
		nothing_is_due(&ways[i]);
	}
	bad_times();
	return check_result();
}
