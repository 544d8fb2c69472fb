// SPDX-License-Identifier: MIT
// Processes around a connection. usage: children HOST PORT WAY
#include "legacy.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void reap(pid_t pid)
{
	int status;

	must(pid > 0 && waitpid(pid, &status, 0) == pid, "waitpid");
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child ended with %#x", (unsigned)status);
}

/* A vfork child shares our memory: what it closes, it closes for itself only. */
static int use_vfork(int fd)
{
	pid_t pid = vfork();

	if (pid == 0) {
		close(fd);
		dup2(0, fd);
		closefrom(3);
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	reap(pid);
	ask(fd, "NOOP after vfork\r\n", "250");
	return finish(fd);
}

static int use_spawn(int fd)
{
	char *words[] = {"true", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	must(posix_spawn(&pid, "/bin/true", &actions, NULL, words, environ) == 0, "posix_spawn");
	posix_spawn_file_actions_destroy(&actions);
	reap(pid);
	ask(fd, "NOOP after spawn\r\n", "250");
	return finish(fd);
}

/* The child talks to the end; the parent only closes. */
static int use_child(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		ask(fd, "NOOP in the child\r\n", "250");
		exit(finish(fd));
	}
	must(close(fd) == 0, "close");
	reap(pid);
	return 0;
}

/* The child only closes, and is gone before the parent goes on. */
static int use_parent(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		_exit(close(fd));
	reap(pid);
	ask(fd, "NOOP in the parent\r\n", "250");
	return finish(fd);
}

/* The parent writes, the child reads. */
static int use_split(int fd)
{
	unsigned char bytes[5000];
	char text[64];

	snprintf(text, sizeof text, "ECHO %d\r\n", FLOW);
	ask(fd, text, "250");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct flow f = {0};

		flow_read(&f, fd, false);
		must(f.in == FLOW, "%zu bytes", f.in);
		printf("%d bytes back\n", FLOW);
		must(close(fd) == 0, "close");
		exit(0);
	}
	for (size_t at = 0; at < FLOW; at += sizeof bytes) {
		fill(bytes, sizeof bytes, at);
		say_bytes(fd, bytes, sizeof bytes);
	}
	reap(pid);
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}

/* The child uses it and is gone; then it is the parent's turn. */
static int use_after_child(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		ask(fd, "NOOP in the child\r\n", "250");
		fflush(stdout);
		_exit(0);
	}
	reap(pid);
	ask(fd, "NOOP in the parent\r\n", "250");
	return finish(fd);
}

/* As before, with 700 kB each way in the child, which is then killed. */
static int use_after_flow(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		struct flow f = {0};
		char text[64];

		snprintf(text, sizeof text, "ECHO %d\r\n", FLOW);
		ask(fd, text, "250");
		set_nonblocking(fd);
		while (f.in < FLOW) {
			flow_write(&f, fd);
			flow_read(&f, fd, false);
		}
		printf("%d bytes back\n", FLOW);
		fflush(stdout);
		kill(getpid(), SIGKILL);
	}
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0, "fcntl");
	ask(fd, "NOOP in the parent\r\n", "250");
	return finish(fd);
}

/* Both do both, in turns of different size: one asks, the other hears part of the answer. */
static int use_turns(int fd)
{
	int to_child[2], to_parent[2];
	unsigned char bytes[3000];
	char turn = 0;

	must(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
	say(fd, "SOURCE 300000\r\n");
	hear(fd, "250");
	fflush(stdout);
	pid_t pid = fork();
	int from = pid ? to_parent[0] : to_child[0], to = pid ? to_child[1] : to_parent[1];
	for (size_t at = pid ? 0 : sizeof bytes; at < 300000; at += 2 * sizeof bytes) {
		if (at > 0)
			must(read(from, &turn, 1) == 1, "no turn");
		for (size_t n = 0; n < sizeof bytes;) {
			ssize_t got = read(fd, bytes + n, sizeof bytes - n);

			must(got > 0, "read at %zu gave %zd", at + n, got);
			n += (size_t)got;
		}
		check(bytes, sizeof bytes, at);
		if (at == 0 || at == 3 * sizeof bytes || at == 10 * sizeof bytes)
			say(fd, "SINK 10\r\n0123456789");
		must(write(to, &turn, 1) == 1, "no turn for the other");
	}
	if (pid == 0)
		_exit(0);
	reap(pid);
	for (int i = 0; i < 3; i++) {
		hear(fd, "250");
		hear(fd, "250");
	}
	return finish(fd);
}

/* Two processes write at once; what each says in one call stays whole. */
static int use_at_once(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	for (int i = 0; i < 500; i++)
		say(fd, pid ? "SILENCE parent\r\n" : "SILENCE child\r\n");
	if (pid == 0)
		_exit(0);
	reap(pid);
	return finish(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*use)(int fd);
	} ways[] = {{"vfork", use_vfork}, {"spawn", use_spawn}, {"child", use_child}, {"parent", use_parent}, {"split", use_split},
	            {"after-child", use_after_child}, {"after-flow", use_after_flow}, {"turns", use_turns}, {"at-once", use_at_once}};
	int fd = begin(argv);

	for (size_t i = 0; argc == 4 && i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(argv[3], ways[i].word))
			return ways[i].use(fd);
	must(false, "which way?");
}
