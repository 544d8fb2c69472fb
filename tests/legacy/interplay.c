// SPDX-License-Identifier: MIT
// Threads and signals around one connection. usage: interplay HOST PORT WAY
#include "legacy.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

static _Atomic pid_t sleeper; /* the thread that is about to block */

/* Until the kernel says that it sleeps. */
static void await_asleep(void)
{
	char path[64], stat[256], state = 0;

	while (!sleeper)
		sched_yield();
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)sleeper);
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		must(f && fgets(stat, sizeof stat, f), "%s", path);
		fclose(f);
		state = strrchr(stat, ')')[2];
		sched_yield();
	}
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, run, arg) == 0, "pthread_create");
	return thread;
}

static void *read_one(void *arg)
{
	char c = 0;

	sleeper = gettid();
	return (void *)(intptr_t)read(*(int *)arg, &c, 1);
}

/* close() while another thread blocks in read(): that one stays blocked until there is something; and the number is another file's by then. */
static int close_under(int fd, bool keep_copy)
{
	int reader_fd = fd, pair[2], copy = keep_copy ? dup(fd) : -1;
	char text[16] = "";
	void *got;

	say(fd, "PAUSE 300\r\n");
	pthread_t thread = start(read_one, &reader_fd);
	await_asleep();
	must(close(fd) == 0, "close");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && (pair[0] == fd || dup2(pair[0], fd) == fd), "the number is not free");
	must(write(pair[1], "mine", 4) == 4, "write");
	must(pthread_join(thread, &got) == 0, "pthread_join");
	must(read(fd, text, sizeof text) == 4 && !strcmp(text, "mine"), "somebody has read '%s' from the new file", text);
	if (keep_copy) {
		if ((intptr_t)got == 1) /* "2", as the kernel does it */
			hear(copy, "50 300");
		else
			hear(copy, "250 300");
	}
	return 0;
}

static int use_close(int fd)
{
	close_under(fd, false);
	printf("done\n");
	return 0;
}

static int use_close_copy(int fd)
{
	fflush(stdout);
	int out = dup(1), null = open("/dev/null", O_WRONLY);

	dup2(null, 1);
	close_under(fd, true);
	fflush(stdout);
	dup2(out, 1);
	printf("done\n");
	return 0;
}

/* A thread that is cancelled in read() leaves the connection as it was. */
static int use_cancel(int fd)
{
	void *got;

	pthread_t thread = start(read_one, &fd);
	await_asleep();
	must(pthread_cancel(thread) == 0 && pthread_join(thread, &got) == 0 && got == PTHREAD_CANCELED, "pthread_cancel");
	ask(fd, "NOOP after a cancellation\r\n", "250");
	return finish(fd);
}

static void *write_much(void *arg)
{
	static char bytes[1 << 20];

	sleeper = gettid();
	while (write(*(int *)arg, bytes, sizeof bytes) > 0)
		;
	return NULL;
}

/* And in write(), when the peer takes nothing: what it took of the stream before is lost, but close() is not held up. */
static int use_cancel_write(int fd)
{
	void *got;

	ask(fd, "ECHO\r\n", "250");
	pthread_t thread = start(write_much, &fd);
	await_asleep();
	must(pthread_cancel(thread) == 0 && pthread_join(thread, &got) == 0 && got == PTHREAD_CANCELED, "pthread_cancel");
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}

/* --- signals */

static int signalled = -1, pipe_end = -1;
static volatile sig_atomic_t rung, said;

static void ring(int number)
{
	int saved = errno;

	(void)number;
	rung++;
	if (write(pipe_end, "r", 1) == 1 && write(signalled, "SILENCE from the handler\r\n", 26) == 26)
		said++;
	errno = saved;
}

/* A handler that writes, to a file and to the connection itself, while its own thread is in the middle of a call there. */
static int use_handler(int fd)
{
	struct sigaction act = {.sa_handler = ring, .sa_flags = SA_RESTART};
	struct itimerval often = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}}, never = {0};
	char text[4096];
	int ends[2];
	ssize_t n = 0;

	must(pipe(ends) == 0, "pipe");
	/* what the handler writes just before the next line would make that wait for an acknowledgement, which the peer delays */
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0, "TCP_NODELAY");
	signalled = fd;
	pipe_end = ends[1];
	must(sigaction(SIGALRM, &act, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0, "setitimer");
	for (int i = 0; i < 2000 || rung < 100; i++) {
		say(fd, "NOOP\r\n");
		for (ssize_t got = 0; got == 0 || text[got - 1] != '\n';)
			got = read(fd, text, sizeof text);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	must(said > 0, "the handler could never write");
	for (sig_atomic_t i = 0; i < rung; i += (sig_atomic_t)n)
		must((n = read(ends[0], text, sizeof text)) > 0, "the handler did not write to the pipe");
	printf("handled\n");
	return finish(fd);
}

/* --- processes and ends */

static _Atomic bool over;

static void *talk(void *arg)
{
	int fd = *(int *)arg;
	char text[64];

	while (!over) {
		say(fd, "NOOP\r\n");
		for (size_t n = 0; n == 0 || text[n - 1] != '\n'; n++)
			must(read(fd, text + n, 1) == 1, "read");
	}
	return NULL;
}

/* Children are forked while threads are in the middle of their calls; each child uses a connection of its own. */
static int fork_children(int fd, char **argv)
{
	pthread_t thread[3];
	int fds[3];

	fflush(stdout);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial(argv);
		char line[256];
		for (size_t n = 0; n == 0 || line[n - 1] != '\n'; n++)
			must(read(fds[i], line + n, 1) == 1, "read");
		thread[i] = start(talk, &fds[i]);
	}
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			char line[256];

			say(fd, "NOOP in a child\r\n");
			for (size_t n = 0; n == 0 || line[n - 1] != '\n'; n++)
				if (read(fd, line + n, 1) != 1)
					_exit(1);
			_exit(strncmp(line, "250", 3) != 0);
		}
		must(waitpid(pid, &status, 0) == pid && status == 0, "child %d ended with %#x", i, (unsigned)status);
	}
	over = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		must(close(fds[i]) == 0, "close");
	}
	printf("40 children\n");
	return finish(fd);
}

/* The process ends while a thread is blocked in read(). */
static int use_exit(int fd)
{
	static int kept;

	kept = fd;
	pthread_detach(start(read_one, &kept));
	await_asleep();
	printf("exit\n");
	exit(7);
}

/* SIGKILL, by itself: whatever relays there are must end, too. */
static int use_kill(int fd)
{
	execl("/nowhere", "nowhere", NULL);
	ask(fd, "NOOP\r\n", "250");
	fflush(stdout);
	kill(getpid(), SIGKILL);
	return 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*use)(int fd);
	} ways[] = {{"close", use_close},   {"close-copy", use_close_copy},     {"cancel", use_cancel},
	            {"handler", use_handler}, {"cancel-write", use_cancel_write}, {"exit", use_exit}, {"kill", use_kill}};
	int fd = begin(argv);

	if (argc == 4 && !strcmp(argv[3], "fork"))
		return fork_children(fd, argv);
	for (size_t i = 0; argc == 4 && i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(argv[3], ways[i].word))
			return ways[i].use(fd);
	must(false, "which way?");
}
