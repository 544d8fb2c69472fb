/* SPDX-License-Identifier: MIT
 * meet_test: who may have the app end of a relay, and from whom it is taken (meet.h). */
#include "check.h"
#include "meet.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct meet *new_meet(void)
{
	struct meet *m =
		mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		abort();
	return m;
}

static bool all_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

static int reach(const struct meet *m)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, m->name, m->name_n);
	if (connect(fd, (struct sockaddr *)&at,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + m->name_n)) < 0)
		abort();
	return fd;
}

static void serve_once(struct meet *m, int listener, int end)
{
	while (!meet_serve(m, listener, end))
		usleep(1000);
}

static void test_guest(void)
{
	struct meet *m = new_meet();
	int pair[2], end, listener = meet_begin(m);
	pid_t guest;
	char byte;

	check(listener >= 0 && !meet_is_open(m), "there is a listener, but no relay yet");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	meet_open(m, true);
	check(meet_is_open(m), "now there is");
	check(meet_begin(m) == -1 && errno == EALREADY, "there is one relay only");
	guest = fork();
	if (guest == 0) {
		end = meet_join(m);
		_exit(end < 0 || write(end, "x", 1) != 1);
	}
	serve_once(m, listener, pair[1]);
	check(all_well(guest) && recv(pair[0], &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x',
	      "a guest gets the app end");
	check(!meet_serve(m, listener, pair[1]), "nobody else is there");
	meet_knock(m);
	check(meet_serve(m, listener, pair[1]), "who knocks is heard");
	close(listener);
	check(meet_join(m) == -1 && errno == EIO, "the relay is gone");
}

static void test_stranger(void)
{
	struct meet *m = new_meet();
	int fd, listener = meet_begin(m);
	char byte;

	meet_open(m, true);
	fd = reach(m);
	serve_once(m, listener, STDIN_FILENO);
	check(recv(fd, &byte, 1, 0) <= 0, "a stranger gets nothing");
	close(fd);
	close(listener);
}

/* The relay has gone, and somebody else has its address now. */
static void test_squatter(void)
{
	struct meet *m = new_meet();
	int go[2], listener = meet_begin(m), end;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	pid_t squatter;
	char byte;

	meet_open(m, true);
	close(listener);
	if (pipe(go) < 0)
		abort();
	squatter = fork();
	if (squatter == 0) {
		listener = socket(AF_UNIX, SOCK_STREAM, 0);
		memcpy(at.sun_path, m->name, m->name_n);
		if (bind(listener, (struct sockaddr *)&at,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + m->name_n)) < 0 ||
		    listen(listener, 5) < 0 || write(go[1], "", 1) != 1)
			_exit(1);
		meet_serve(m, listener, STDIN_FILENO);
		_exit(0);
	}
	check(read(go[0], &byte, 1) == 1, "the address is free for anybody");
	end = meet_join(m);
	check(end == -1, "nothing is taken from a stranger");
	check(all_well(squatter), "who was there");
}

/* Another process is at it, and fails. */
static void test_turns(void)
{
	struct meet *m = new_meet();
	int listener = meet_begin(m);
	pid_t second = fork();

	if (second == 0)
		_exit(meet_begin(m) < 0);
	meet_open(m, false);
	check(all_well(second), "who waits comes next");
	close(listener);
}

/* Nobody is served, as when the relay is stopped. */
static void test_crowd(void)
{
	struct meet *m = new_meet();
	int i, listener = meet_begin(m);
	pid_t guest;

	meet_open(m, true);
	guest = fork();
	if (guest == 0) {
		meet_join(m);
		_exit(0);
	}
	while (!atomic_load(&m->guests[0]))
		usleep(1000);
	meet_bury(m);
	check(atomic_load(&m->guests[0]) == guest, "a guest is expected while it lives");
	kill(guest, SIGKILL);
	waitpid(guest, NULL, 0);
	meet_bury(m);
	check(atomic_load(&m->guests[0]) == 0, "and no longer");
	for (i = 0; i < MEET_GUESTS; i++)
		reach(m);
	alarm(5);
	for (i = 0; i < 3; i++)
		meet_knock(m);
	alarm(0);
	check(true, "who knocks does not wait");
	close(listener);
}

int main(void)
{
	test_guest();
	test_stranger();
	test_squatter();
	test_turns();
	test_crowd();
	return check_result();
}
