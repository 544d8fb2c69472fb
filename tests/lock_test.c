/* SPDX-License-Identifier: MIT
 * lock_test: signal handlers in the middle of a call on a connection (conn_lock.c): some call us again, some never come back. */
#include "check.h"
#include "conn_call.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct conn *c;
static sigjmp_buf out;
static volatile bool nested, jumping, exiting;
static volatile int rung;

/* As every call begins, some way further down the stack. */
static __attribute__((noinline)) bool ask(int deeper)
{
	volatile char room[512];
	bool answer;

	room[0] = (char)deeper;
	answer = deeper ? ask(deeper - 1) : conn_nested();
	return answer && room[0] == (char)deeper;
}

static void handler(int number)
{
	(void)number;
	rung++;
	nested = ask(3);
	if (exiting) {
		atomic_fetch_add(&c->ref.refs, 2);
		conn_finish(c, -1);
		conn_low_water(c, 0);
	}
	if (jumping)
		siglongjmp(out, 1);
}

static __attribute__((noinline)) void call_with_lock(void)
{
	conn_lock(c);
	raise(SIGUSR1);
	conn_unlock(c);
}

/* The lock is taken again by another function, which has returned. */
static __attribute__((noinline)) void wait_within(int deeper)
{
	volatile char room[512];

	room[0] = (char)deeper;
	if (deeper) {
		wait_within(deeper - 1);
	} else {
		conn_pause(c);
		conn_resume(c);
	}
	(void)room[0];
}

static __attribute__((noinline)) void call_after_waiting(void)
{
	conn_lock(c);
	wait_within(2);
	raise(SIGUSR1);
	conn_unlock(c);
}

static __attribute__((noinline)) void call_that_waits(void)
{
	conn_lock(c);
	conn_pause(c);
	raise(SIGUSR1);
	conn_resume(c);
	conn_unlock(c);
}

static __attribute__((noinline)) void leave(void (*call)(void))
{
	jumping = true;
	if (!sigsetjmp(out, 1))
		call();
	jumping = false;
}

/* One reference is ours, one the call's. */
static void open_conn(enum conn_phase phase)
{
	c = conn_take();
	atomic_store(&c->ref.slots, 1);
	record_init(&c->rec, false);
	c->phase = phase;
	atomic_fetch_add(&c->ref.refs, 1);
}

static bool is_free(void)
{
	bool is = lock_try(&c->lock);

	if (is)
		lock_give(&c->lock);
	return is;
}

static void test_nested(void)
{
	open_conn(CONN_OPEN);
	call_with_lock();
	check(nested, "a handler that interrupts the lock is told so");
	check(!ask(0) && is_free() && c->phase == CONN_OPEN, "and nothing has come of it");
	nested = false;
	call_after_waiting();
	check(nested, "also when the lock was given up for a while");
	check(!ask(0) && is_free() && c->phase == CONN_OPEN, "again without consequences");
	call_that_waits();
	check(!nested, "a handler that interrupts a call that waits may use the connection");
	check(atomic_load(&c->ref.refs) == 2, "and the call keeps its reference");
}

/* Old programs' handlers call exit(). */
static void test_exit(void)
{
	open_conn(CONN_OPEN);
	exiting = true;
	call_with_lock();
	exiting = false;
	check(is_free(), "exit() in a handler that interrupts the lock does not wait for it");
	check(atomic_load(&c->ref.refs) == 2, "and gives its references back");
}

static void test_on_other_stack(int unused)
{
	stack_t other = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
	struct sigaction act = {.sa_handler = handler, .sa_flags = SA_ONSTACK}, was;

	(void)unused;
	open_conn(CONN_OPEN);
	sigaltstack(&other, NULL);
	sigaction(SIGUSR1, &act, &was);
	call_with_lock();
	check(nested, "a handler on a stack of its own is told that it interrupts the lock");
	leave(call_with_lock);
	check(!ask(0) && is_free(), "and one that jumps away leaves no lock");
	sigaction(SIGUSR1, &was, NULL);
	other.ss_flags = SS_DISABLE;
	sigaltstack(&other, NULL);
	free(other.ss_sp);
}

static void test_left(int deeper)
{
	char bytes[8];
	struct iovec piece = {bytes, sizeof bytes};
	struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};

	open_conn(CONN_OPEN);
	leave(call_with_lock);
	check(!is_free(), "a call that is left keeps the lock");
	check(!ask(deeper) && is_free(), "the thread's next call gives it up, wherever it is");
	atomic_fetch_add(&c->ref.refs, 2);
	check(conn_receive(c, -1, &msg, 0) == -1 && errno == EIO, "reading then says EIO");
	check(conn_transmit(c, -1, &msg, MSG_NOSIGNAL) == -1,
	      "and writing fails, in whatever words");
}

static void test_left_waiting(int deeper)
{
	open_conn(CONN_OPEN);
	leave(call_that_waits);
	check(!ask(deeper) && c->phase == CONN_OPEN,
	      "a call that is left while it waits harms nothing");
	check(atomic_load(&c->ref.refs) == 1, "and its reference is given back, once");
	check(!ask(deeper) && atomic_load(&c->ref.refs) == 1, "and never again");
}

/* Once a call has been left all is quiet. */
static void test_quiet_since(void)
{
	open_conn(CONN_OPEN);
	leave(call_that_waits);
	check(!ask(0), "a call that is left while it waits");
	leave(call_with_lock);
	check(is_free() && c->phase == CONN_OPEN, "from then on no call is left that has the lock");
}

/* In a process where no call has been left yet. */
static void apart(void (*test)(int), int deeper)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		alarm(20);
		failed = 0;
		test(deeper);
		fflush(stdout);
		_exit(failed != 0);
	}
	check(waitpid(child, &status, 0) == child && status == 0, "in a process of its own");
}

static void test_fork(int unused)
{
	int status;
	pid_t child;

	(void)unused;
	open_conn(CONN_OPEN);
	leave(call_with_lock);
	conn_fork_prepare();
	child = fork();
	if (!child) {
		alarm(20);
		conn_fork_child();
		_exit(!is_free());
	}
	conn_fork_parent();
	check(waitpid(child, &status, 0) == child && status == 0,
	      "fork() after that, in the child");
	check(is_free(), "and in the parent");
}

static void test_quiet(void)
{
	open_conn(CONN_SHAKE);
	rung = 0;
	conn_lock(c);
	raise(SIGUSR1);
	check(!rung, "no handler comes while TLS is being brought up");
	c->phase = CONN_OPEN;
	conn_unlock(c);
	poll(NULL, 0, 0); /* ThreadSanitizer puts handlers off until the next call of libc */
	check(rung == 1 && !nested, "it comes afterwards");
	conn_lock(c);
	raise(SIGUSR1);
	check(rung == 2 && nested, "nor do we keep it out once TLS is up");
	conn_unlock(c);
}

int main(void)
{
	alarm(60); /* a lock that is taken for ever */
	signal(SIGUSR1, handler);
	record_own();
	test_nested();
	test_exit();
	test_quiet();
	apart(test_on_other_stack, 0);
	for (int deeper = 0; deeper < 20; deeper++) {
		apart(test_left, deeper);
		apart(test_left_waiting, deeper);
	}
	apart(test_fork, 0);
	test_quiet_since();
	return check_result();
}
