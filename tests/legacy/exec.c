// SPDX-License-Identifier: MIT
// Another program goes on with the connection, or must not disturb it. usage: exec HOST PORT WAY
#include "legacy.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* What the new program does: on 0 and 1 it has the connection, on 9 what was our standard output. */
static char *const shell[] = {"sh", "-c",
			      "say() { printf '%s\\r\\n' \"$1\"; IFS= read -r line; echo \"sh heard ${line%?}\" >&9; }\n"
			      "say 'NOOP from sh'; say QUIT; IFS= read -r line || echo 'end of file' >&9",
			      NULL};
static char *const python[] = {"python3", "-c",
			       "import os, socket\n"
			       "s = socket.socket(fileno=0)\n"
			       "s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n"
			       "name = s.getpeername()[0], s.getsockname()[0], s.family.name\n"
			       "s.sendall(b'NOOP from python\\r\\n')\n"
			       "f = s.makefile('rb')\n"
			       "text = f.readline()\n"
			       "s.sendall(b'QUIT\\r\\n')\n"
			       "os.write(9, ascii((name, text, f.readline(), f.read())).encode() + b'\\n')\n",
			       NULL};

static void reap(pid_t pid)
{
	int status;

	must(pid > 0 && waitpid(pid, &status, 0) == pid, "waitpid");
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child ended with %#x", (unsigned)status);
}

static void no_more_children(void)
{
	must(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "there is a child");
}

/* The connection becomes standard input and output, as before an exec(). */
static void take_stdio(int fd)
{
	fflush(stdout);
	must(dup2(1, 9) == 9 && dup2(fd, 0) == 0 && dup2(fd, 1) == 1, "dup2");
	close(fd);
}

static int run(int fd, char *const words[])
{
	take_stdio(fd);
	execvp(words[0], words);
	return 1;
}

static int use_sh(int fd)
{
	return run(fd, shell);
}

static int use_python(int fd)
{
	return run(fd, python);
}

/* As inetd's relatives do it for clients: 6 reads, 7 writes, nothing is forked. */
static int use_six_and_seven(int fd)
{
	fflush(stdout);
	must(dup2(1, 9) == 9 && dup2(fd, 6) == 6 && dup2(fd, 7) == 7, "dup2");
	close(fd);
	execl("/bin/sh", "sh", "-c", "IFS= read -r line <&6; echo \"heard ${line%?}\" >&9; printf 'QUIT\\r\\n' >&7; cat <&6 >&9", NULL);
	return 1;
}

static int use_child(int fd)
{
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(fd, shell));
	must(close(fd) == 0, "close");
	reap(pid);
	no_more_children();
	printf("done\n");
	return 0;
}

static int use_vfork(int fd)
{
	fflush(stdout);
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(1, 9);
		dup2(fd, 0);
		dup2(fd, 1);
		execvp(shell[0], shell);
		_exit(1);
	}
	must(close(fd) == 0, "close");
	reap(pid);
	no_more_children();
	printf("done\n");
	return 0;
}

static int use_spawn(int fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	fflush(stdout);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, 1, 9);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 1);
	must(posix_spawnp(&pid, shell[0], &actions, NULL, shell, environ) == 0, "posix_spawnp");
	posix_spawn_file_actions_destroy(&actions);
	must(close(fd) == 0, "close");
	reap(pid);
	no_more_children();
	printf("done\n");
	return 0;
}

/* The shell speaks on our standard input and output; afterwards it is our turn again. */
static int use_system(int fd)
{
	take_stdio(fd);
	if (system("printf 'NOOP from sh\\r\\n'; IFS= read -r line; echo \"sh heard ${line%?}\" >&9") != 0)
		return 1;
	must(dup2(0, 8) == 8 && dup2(9, 1) == 1, "dup2");
	close(0);
	ask(8, "NOOP from us\r\n", "250");
	return finish(8);
}

/* Programs that inherit the connection by the way, each in its own way. */
static int use_helpers(int fd)
{
	char text[64] = "";
	pid_t pid;

	fflush(stdout);
	must(system("exit 0") == 0, "system");
	FILE *helper = popen("echo helped", "r");
	must(helper && fgets(text, sizeof text, helper) && pclose(helper) == 0, "popen");
	printf("%s", text);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	ask(fd, "NOOP beside a helper\r\n", "250");
	reap(pid);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	ask(fd, "NOOP beside another\r\n", "250");
	reap(pid);
	no_more_children();
	return finish(fd);
}

static volatile sig_atomic_t died;

static void count_death(int number)
{
	(void)number;
	died++;
}

/* Afterwards the descriptor is a relay's, and everything still works; nobody hears of that process. */
static int use_failure(int fd)
{
	struct sockaddr_in peer = {0}, own = {0};
	socklen_t n = sizeof peer, m = sizeof own;
	int on = 1, flags = fcntl(fd, F_GETFL);

	signal(SIGCHLD, count_death);
	must(execl("/nowhere", "nowhere", NULL) == -1 && errno == ENOENT, "execl");
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
	must(getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && getsockname(fd, (struct sockaddr *)&own, &m) == 0, "name");
	printf("peer %s, own %s, family %d\n", inet_ntoa(peer.sin_addr), inet_ntoa(own.sin_addr), own.sin_family);
	must(fcntl(fd, F_GETFL) == flags && fcntl(fd, F_GETFD) == 0, "flags");
	ask(fd, "NOOP after a failure\r\n", "250");
	finish(fd);
	no_more_children();
	must(died == 0, "SIGCHLD");
	return 0;
}

/* Nothing is left to the new program, so it finds nothing. */
static int use_cloexec(int fd)
{
	must(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "FD_CLOEXEC");
	must(dup2(fd, 7) == 7 && fcntl(7, F_GETFD) == 0 && fcntl(7, F_SETFD, FD_CLOEXEC) == 0, "FD_CLOEXEC of a copy");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "{ true >&7; } 2>/dev/null && echo open || echo closed", NULL);
		_exit(1);
	}
	reap(pid);
	return finish(fd);
}

/* The peer's end of file, half a connection closed by us, and the answer to it. */
static int use_half_close(int fd)
{
	fflush(stdout);
	must(dup2(1, 9) == 9 && dup2(fd, 0) == 0, "dup2");
	close(fd);
	execlp("python3", "python3", "-c",
	       "import os, socket\n"
	       "s = socket.socket(fileno=0)\n"
	       "s.sendall(b'SINK\\r\\n' + b'x' * 300000)\n"
	       "s.shutdown(socket.SHUT_WR)\n"
	       "os.write(9, b''.join(iter(lambda: s.recv(100), b'')))\n",
	       NULL);
	return 1;
}

/* The peer resets the connection (--reset-at quit). */
static int use_reset(int fd)
{
	char c;

	must(execl("/nowhere", "nowhere", NULL) == -1, "execl");
	say(fd, "QUIT\r\n");
	must(read(fd, &c, 1) == -1 && errno == ECONNRESET, "read");
	must(read(fd, &c, 1) == 0, "read again");
	printf("reset\n");
	return 0;
}

/* 700 kB each way through whatever is there after an exec() that failed. */
static int use_flow(int fd)
{
	struct flow f = {0};
	char text[64];

	must(execl("/nowhere", "nowhere", NULL) == -1, "execl");
	snprintf(text, sizeof text, "ECHO %d\r\n", FLOW);
	ask(fd, text, "250");
	set_nonblocking(fd);
	while (f.in < FLOW) {
		flow_write(&f, fd);
		flow_read(&f, fd, false);
	}
	return flow_end(&f, fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*use)(int fd);
	} ways[] = {{"sh", use_sh},           {"python", use_python},   {"six", use_six_and_seven}, {"child", use_child},
	            {"vfork", use_vfork},     {"spawn", use_spawn},     {"system", use_system},     {"helpers", use_helpers},
	            {"failure", use_failure}, {"cloexec", use_cloexec}, {"half-close", use_half_close}, {"reset", use_reset},
	            {"flow", use_flow}};
	int fd = begin(argv);

	if (argc == 4 && !strcmp(argv[3], "six"))
		say(fd, "NOOP from before\r\n");
	for (size_t i = 0; argc == 4 && i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(argv[3], ways[i].word))
			return ways[i].use(fd);
	must(false, "which way?");
}
