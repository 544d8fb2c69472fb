// SPDX-License-Identifier: MIT
// One session after the other, each in a child of its own, in which one allocation fails: the first, the second, and so on until
// there are no more. A session works, or is refused in the protocol's words or by an error; nothing else may happen. The session
// after it in the same process should work; "lame" are those where it is refused, too, for OpenSSL never starts twice. usage: scarce PORT cold|warm [N]
// cold: nothing of the library has been used before. warm: there was a session before the fork.
#include "legacy.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

enum { WORKED, REFUSED, LAME, ODD };

/* Cold, OpenSSL makes 12,000 allocations before it is ready: from the policy's on, every one; then one in so many, or as many as OOM_STEP says
 * (`make oom`: one in one). */
enum { EVERY = 300, STEP = 41 };

static struct sockaddr_in peer = {.sin_family = AF_INET};
static long (*fail_at)(long n);

/* One line without its end into `line`; false when there is none. */
static bool read_line(int fd, char line[static 512])
{
	size_t n = 0;

	while (n < 511 && read(fd, line + n, 1) == 1)
		if (line[n++] == '\n')
			return line[n - 1] = '\0', true;
	line[n] = '\0';
	return false;
}

static int converse(int fd)
{
	static const char *const script[][2] = {
		{NULL, "220"}, {"HELO scarce.test\r\n", "250"}, {"NOOP\r\n", "250"}, {"QUIT\r\n", "221"}};
	char line[512];

	for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
		if (script[i][0] && write(fd, script[i][0], strlen(script[i][0])) < 0)
			return REFUSED;
		if (!read_line(fd, line))
			return *line ? ODD : REFUSED;
		if (!strncmp(line, "421 4.", 6) && strstr(line, "libstarttls:"))
			return REFUSED;
		if (strncmp(line, script[i][1], 3) != 0)
			return ODD;
	}
	return WORKED;
}

static int session(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result = REFUSED;

	if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0)
		result = converse(fd);
	close(fd);
	return result;
}

int main(int argc, char **argv)
{
	long n, counts[ODD] = {0}, made, status;
	int ended, step = getenv("OOM_STEP") ? atoi(getenv("OOM_STEP")) : STEP;

	must(argc >= 3, "three words");
	must((fail_at = (long (*)(long))dlsym(RTLD_DEFAULT, "oom_fail")), "oom.so is not preloaded");
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer.sin_port = htons((uint16_t)atoi(argv[1]));
	signal(SIGPIPE, SIG_IGN);
	if (argv[2][0] == 'w')
		must(session() == WORKED, "a session with enough memory");
	if (argc == 4) { /* for a debugger: this one, here */
		fail_at(atol(argv[3]));
		return session();
	}
	for (n = 1;; n += n < EVERY ? 1 : step) {
		pid_t child = fork();

		if (child == 0) {
			alarm(30);
			fail_at(n);
			status = session();
			made = fail_at(0);
			if (session() != WORKED)
				status = LAME;
			_exit(made < n ? 9 : (int)status);
		}
		must(waitpid(child, &ended, 0) == child, "waitpid");
		must(WIFEXITED(ended), "allocation %ld: signal %d", n, WTERMSIG(ended));
		if (WEXITSTATUS(ended) == 9)
			break;
		must(WEXITSTATUS(ended) < ODD, "allocation %ld: neither worked nor refused", n);
		counts[WEXITSTATUS(ended)]++;
	}
	fprintf(stderr, "about %ld allocations, %ld refused, %ld worked all the same, %ld lame\n", n - 1, counts[REFUSED], counts[WORKED], counts[LAME]);
	return 0;
}
