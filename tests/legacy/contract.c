// SPDX-License-Identifier: MIT
// The corners of a socket's contract. usage: contract HOST PORT
//   lowat|linger|abort|oob|rights|rights_early|unspec|refused|refused_later|stale|numbers|daemon|unshared|pointers|hole|pieces|zero|fast_open|bad_names|encrypted
#include "legacy.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static struct sockaddr_in peer_address(char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a = NULL;
	struct sockaddr_in to;

	must(getaddrinfo(argv[1], argv[2], &hints, &a) == 0, "cannot resolve %s", argv[1]);
	memcpy(&to, a->ai_addr, sizeof to);
	freeaddrinfo(a);
	return to;
}

/* A blocking read waits for so many bytes, and the option is what it was set to. */
static void lowat(char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), mark = 7;
	struct sockaddr_in to = peer_address(argv);
	socklen_t n = sizeof mark;
	char bytes[100];

	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, n) == 0, "setsockopt before connect");
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	must(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &n) == 0 && mark == 7, "getsockopt says %d", mark);
	must(recv(fd, bytes, sizeof bytes, 0) == 21, "the greeting");
	ask(fd, "HELO legacy.test\r\n", "250");
	mark = 30;
	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, n) == 0, "setsockopt");
	say(fd, "NOOP 1\r\nPAUSE 200\r\n");
	must(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000) == 1, "poll"); /* recv() alone may sleep for ever on Linux, having taken some bytes */
	ssize_t got = recv(fd, bytes, sizeof bytes, 0);
	printf("%zd: %.*s", got, (int)got, bytes);
	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, 1) == -1 && errno == EINVAL, "a short option");
	mark = 1;
	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, n) == 0, "setsockopt 1");
	finish(fd);
}

static void close_with(char **argv, struct linger linger)
{
	int fd = begin(argv);

	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0, "SO_LINGER");
	say(fd, "SILENCE last\r\n");
	must(close(fd) == 0, "close");
	must(read(fd, &linger, 1) == -1 && errno == EBADF, "still open");
	printf("closed\n");
}

/* Natively urgent data; inside TLS there is none, and it must not go beside it. */
static void oob(char **argv)
{
	int fd = begin(argv);
	ssize_t n = send(fd, "!", 1, MSG_OOB);

	printf("%s\n", n == 1 ? "sent" : strerrorname_np(errno));
	n = recv(fd, &n, 1, MSG_OOB);
	printf("%s\n", n == 1 ? "received" : strerrorname_np(errno));
	finish(fd);
}

/* The connection goes to another process, which knows nothing of us. */
static void pass(int fd, bool early)
{
	int ends[2], got, status;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec byte = {"x", 1};
	struct msghdr msg = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
	pid_t child = fork();
	if (child == 0) {
		char bytes[100];

		byte.iov_base = bytes;
		close(fd);
		must(recvmsg(ends[1], &msg, 0) == 1, "recvmsg");
		memcpy(&got, CMSG_DATA(&control.head), sizeof got);
		if (early) {
			hear(got, "220");
			ask(got, "HELO other.test\r\n", "250");
		}
		ask(got, "NOOP from the other process\r\n", "250");
		fflush(stdout);
		_exit(0);
	}
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	must(sendmsg(ends[0], &msg, 0) == 1, "sendmsg");
	must(waitpid(child, &status, 0) == child && status == 0, "the other process");
	ask(fd, "NOOP again\r\n", "250");
	finish(fd);
}

static void rights(char **argv)
{
	pass(begin(argv), false);
}

/* Before a word was said, as a helper does that only dials. */
static void rights_early(char **argv)
{
	pass(dial(argv), true);
}

static void unspec(char **argv)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct sockaddr_in to = peer_address(argv);
	int fd = begin(argv), copy = dup(fd);
	char c;

	signal(SIGPIPE, SIG_IGN);
	must(connect(fd, &nobody, sizeof nobody) == 0, "connect to nobody");
	must(read(fd, &c, 1) == -1, "read");
	must(read(copy, &c, 1) == -1 && errno == ENOTCONN, "read of the copy");
	must(write(copy, "plain", 5) == -1, "write");
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect again");
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == -1 && errno == EISCONN, "connect once more");
	hear(copy, "220");
	ask(copy, "HELO copy\r\n", "250");
	must(connect(fd, (struct sockaddr *)1, sizeof to) == -1 && errno == EFAULT, "connect to a bad pointer");
	must(connect(fd, (struct sockaddr *)&to, 1) == -1 && errno == EINVAL, "connect to a short address");
	close(copy);
	finish(fd);
}

/* One socket, first to where nobody listens, then to the peer. */
static void refused(char **argv, bool later)
{
	struct sockaddr_in to = peer_address(argv), closed = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int holder = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), error = 0, tries = 0;
	socklen_t n = sizeof closed;
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	must(bind(holder, (struct sockaddr *)&closed, n) == 0 && getsockname(holder, (struct sockaddr *)&closed, &n) == 0, "bind");
	if (later)
		set_nonblocking(fd);
	must(connect(fd, (struct sockaddr *)&closed, sizeof closed) == -1, "connect");
	if (errno == EINPROGRESS) {
		must(poll(&p, 1, 10000) == 1, "poll");
		n = sizeof error;
		must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0, "SO_ERROR");
		errno = error;
	}
	must(errno == ECONNREFUSED, "nobody listens");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) /* Linux says once more that the first has failed */
		must(tries++ < 2, "connect to the peer");
	hear(fd, "220");
	ask(fd, "HELO second\r\n", "250");
	finish(fd);
}

/* Numbers that are closed where no library sees it, and used again for something else. */
static void stale(char **argv)
{
	int fd = begin(argv), next, pair[2], listener;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof here;
	char text[8] = "";

	syscall(SYS_close_range, fd, fd, 0);
	next = open("/dev/zero", O_RDWR);
	must(next == fd && read(next, text, 4) == 4 && write(next, "file", 4) == 4, "a file");
	close(next);
	fd = begin(argv);
	syscall(SYS_close_range, fd, fd, 0);
	must(pipe(pair) == 0 && write(pair[1], "pipe", 4) == 4 && read(pair[0], text, 4) == 4, "a pipe");
	printf("%s\n", text);
	close(pair[0]);
	close(pair[1]);
	fd = begin(argv);
	syscall(SYS_close_range, fd, fd, 0);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == fd, "socketpair");
	must(write(pair[0], "pair", 4) == 4 && read(pair[1], text, 4) == 4, "a socket pair");
	printf("%s\n", text);
	close(pair[0]);
	close(pair[1]);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(listener, (struct sockaddr *)&here, n) == 0 && listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&here, &n);
	next = socket(AF_INET, SOCK_STREAM, 0);
	must(connect(next, (struct sockaddr *)&here, n) == 0, "connect to myself");
	fd = begin(argv);
	syscall(SYS_close_range, fd, fd, 0);
	must(accept(listener, NULL, NULL) == fd, "accept");
	must(write(fd, "sock", 4) == 4 && read(next, text, 4) == 4, "an accepted socket");
	printf("%s\n", text);
	close(fd);
	close(next);
	close(listener);
	finish(begin(argv));
}

static void numbers(char **argv)
{
	struct rlimit limit = {1 << 20, 1 << 20};
	int fd = begin(argv), last, high;

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) { /* as far as we may */
		must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
		limit.rlim_cur = limit.rlim_max;
		must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	}
	last = (int)limit.rlim_cur - 1;
	must(dup2(fd, last) == last, "dup2 to %d", last);
	must((high = fcntl(fd, F_DUPFD, last / 2)) == last / 2, "F_DUPFD");
	must(dup2(fd, last + 1) == -1 && errno == EBADF, "dup2 to %d", last + 1);
	close(fd);
	ask(last, "NOOP last\r\n", "250");
	close(last);
	ask(high, "NOOP high\r\n", "250");
	finish(high);
}

/* daemon(3) puts /dev/null in the place of 0, 1 and 2 behind everybody's back. */
static void be_daemon(char **argv)
{
	int fd = begin(argv), result[2];
	char text[64];
	ssize_t n;

	fflush(stdout);
	must(pipe(result) == 0, "pipe");
	if (fork() == 0) {
		must(dup2(fd, 0) == 0 && daemon(1, 0) == 0, "daemon");
		n = write(0, "NOOP lost\r\n", 11);
		dprintf(result[1], "%zd %zd\n", n, read(0, text, 1));
		say(fd, "NOOP kept\r\n");
		n = read(fd, text, sizeof text);
		dprintf(result[1], "%.*s", (int)n, text);
		_exit(0);
	}
	close(result[1]);
	while ((n = read(result[0], text, sizeof text)) > 0)
		printf("%.*s", (int)n, text);
	finish(fd);
}

static void *close_mine(void *fd)
{
	must(unshare(CLONE_FILES) == 0 && close(*(int *)fd) == 0 && fcntl(*(int *)fd, F_GETFD) < 0, "close");
	return NULL;
}

/* A thread takes descriptors of its own and closes them. */
static void unshared(char **argv)
{
	int fd = begin(argv);
	pthread_t thread;

	must(pthread_create(&thread, NULL, close_mine, &fd) == 0 && pthread_join(thread, NULL) == 0, "thread");
	ask(fd, "NOOP\r\n", "250");
	finish(fd);
}

static char *volatile nowhere = (char *)1, *volatile constant = "constant";

/* What a call says, on its own line. */
static void told(const char *call, long answer)
{
	printf("%s: %s\n", call, answer < 0 ? strerrorname_np(errno) : "fine");
}
#define TELL(call) told(#call, (long)(call))

static void pointers(char **argv)
{
	char *volatile page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *volatile edge = page + 4096;
	struct iovec iov[2] = {{page, 2}, {edge, 4}}, bad_first[2] = {{edge, 4}, {page, 2}};
	struct msghdr msg = {.msg_iov = (struct iovec *)(void *)edge, .msg_iovlen = 1};
	int fd = begin(argv);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	mprotect(edge, 4096, PROT_NONE);
	say(fd, "NOOP 3456\r\n");
	must(poll(&p, 1, 10000) == 1, "poll");
	TELL(read(fd, nowhere, 4));
	TELL(read(fd, edge, 4));
	TELL(read(fd, constant, 4));
	TELL(readv(fd, (struct iovec *)(void *)nowhere, 2));
	TELL(readv(fd, bad_first, 2));
	TELL(recv(fd, edge, 4, MSG_PEEK));
	TELL(recvmsg(fd, &msg, 0));
	TELL(recvmsg(fd, (struct msghdr *)(void *)edge, 0));
	TELL(ioctl(fd, FIONREAD, nowhere));
	TELL(recv(fd, edge - 19, 4000, 0)); /* more than there is room for, but the peer said no more */
	TELL(write(fd, nowhere, 4));
	TELL(write(fd, edge, 4));
	TELL(write(fd, edge - 2, 4));
	TELL(writev(fd, iov, 2));
	TELL(writev(fd, (struct iovec *)(void *)edge, 2));
	TELL(sendmsg(fd, &msg, 0));
	TELL(sendmsg(fd, (struct msghdr *)(void *)nowhere, 0));
	TELL(send(fd, "NOOP x\r\n", 8, 0));
	hear(fd, "250");
	finish(fd);
}

/* The kernel sends what is in front of a hole in memory, in units that depend on how its own pages lie. */
static void hole(char **argv)
{
	enum { GOOD = 200000 };
	unsigned char *pages = mmap(NULL, 50 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = {{pages, GOOD}, {nowhere, 5}};
	char line[64] = "";
	size_t total = 0;
	int fd = begin(argv);

	must(mprotect(pages + 49 * 4096, 4096, PROT_NONE) == 0, "mprotect");
	fill(pages, GOOD, 0);
	ask(fd, "SINK\r\n", "250");
	for (int i = 0; i < 2; i++) {
		ssize_t n = i ? writev(fd, iov, 2) : write(fd, pages, GOOD + 4096);

		must(n > GOOD / 2 && n <= GOOD, "a write into a hole gave %zd", n);
		total += (size_t)n;
	}
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	for (size_t n = 0; n < sizeof line - 1 && !strchr(line, '\n'); n++)
		must(read(fd, line + n, 1) == 1, "read");
	must(strtoul(line + 4, NULL, 10) == total, "%zu bytes, but the peer says %s", total, line);
	printf("what it says it has sent has arrived\n");
	close(fd);
}

/* connect() without a SYN, which leaves with the first bytes. */
static void fast_open(char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in to = peer_address(argv);

	must(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof one) == 0, "TCP_FASTOPEN_CONNECT");
	must(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &one, sizeof one) == 0, "TCP_FASTOPEN_NO_COOKIE");
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	say(fd, "HELO legacy.test\r\n");
	hear(fd, "220");
	hear(fd, "250");
	TELL(send(fd, "x", 1, MSG_FASTOPEN));
	finish(fd);
}

/* On every descriptor, ours or not. */
static void bad_names(char **argv)
{
	socklen_t *volatile no_length = (socklen_t *)(void *)nowhere, n = sizeof(struct sockaddr_in);
	struct sockaddr_in name;
	int fd = begin(argv), unconnected = socket(AF_INET, SOCK_STREAM, 0);

	TELL(getpeername(fd, (struct sockaddr *)&name, no_length));
	TELL(getsockname(unconnected, (struct sockaddr *)&name, no_length));
	TELL(getsockname(fd, (struct sockaddr *)(void *)nowhere, &n));
	TELL(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, nowhere, &n));
	TELL(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &n, no_length));
	TELL(poll((struct pollfd *)(void *)nowhere, 1, 0));
	finish(fd);
}

/* What the kernel would show is not what the peer has said, under the shim. */
static void encrypted(char **argv)
{
	struct tcp_zerocopy_receive map = {.length = 4096};
	int fd = socket(AF_INET, SOCK_STREAM, 0), start = 0;
	struct sockaddr_in to = peer_address(argv);
	socklen_t n = sizeof map;
	char bytes[9] = "";

	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start);
	must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
	must(recv(fd, bytes, 4, MSG_PEEK) == 4 && recv(fd, bytes + 4, 4, MSG_PEEK) == 4, "recv");
	printf("%s\n", bytes);
	hear(fd, "220");
	TELL(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start));
	TELL(getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &map, &n));
	start = -1;
	TELL(setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start));
	ask(fd, "HELO legacy.test\r\n", "250");
	finish(fd);
}

static void pieces(char **argv)
{
	static unsigned char out[200000], in[200000];
	static struct iovec iov[IOV_MAX];
	size_t at = 0;
	int fd = begin(argv);

	ask(fd, "ECHO 200000\r\n", "250");
	fill(out, sizeof out, 0);
	for (size_t i = 0; i < IOV_MAX; i++) { /* every third is empty, and may point anywhere */
		iov[i] = (struct iovec){i % 3 ? (void *)(out + at) : nowhere, i % 3 ? 200 : 0};
		at += iov[i].iov_len;
	}
	must(writev(fd, iov, IOV_MAX) == (ssize_t)at, "writev of %zu", at);
	say_bytes(fd, out + at, sizeof out - at);
	for (size_t i = 0, to = 0; i < IOV_MAX; i++) {
		iov[i] = (struct iovec){i % 3 ? (void *)(in + to) : nowhere, i % 3 ? 100 : 0};
		to += iov[i].iov_len;
	}
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = IOV_MAX};
	ssize_t n = recvmsg(fd, &msg, MSG_WAITALL);
	must(n > 0, "recvmsg");
	printf("%zd\n", n);
	must(recv(fd, in + n, sizeof in - (size_t)n, MSG_WAITALL) == (ssize_t)(sizeof in - (size_t)n), "recv");
	check(in, sizeof in, 0);
	finish(fd);
}

static void zero(char **argv)
{
	int fd = begin(argv);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct iovec none = {nowhere, 0};
	char c;

	TELL(write(fd, nowhere, 0));
	TELL(send(fd, nowhere, 0, 0));
	TELL(writev(fd, &none, 1));
	TELL(writev(fd, &none, 0));
	TELL(read(fd, nowhere, 0));
	TELL(readv(fd, &none, 1));
	TELL(recv(fd, &c, 1, MSG_DONTWAIT));
	TELL(recv(fd, nowhere, 0, MSG_DONTWAIT));
	say(fd, "NOOP\r\n");
	must(poll(&p, 1, 10000) == 1, "poll");
	TELL(recv(fd, nowhere, 0, 0));
	hear(fd, "250");
	finish(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*act)(char **argv);
	} acts[] = {{"lowat", lowat}, {"oob", oob}, {"rights", rights}, {"rights_early", rights_early}, {"unspec", unspec}, {"stale", stale},
		    {"numbers", numbers}, {"daemon", be_daemon}, {"unshared", unshared}, {"pointers", pointers}, {"hole", hole}, {"pieces", pieces}, {"fast_open", fast_open}, {"bad_names", bad_names}, {"encrypted", encrypted}, {"zero", zero}};

	must(argc == 4, "four words");
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (!strcmp(argv[3], acts[i].name))
			return acts[i].act(argv), 0;
	if (!strcmp(argv[3], "linger"))
		return close_with(argv, (struct linger){1, 5}), 0;
	if (!strcmp(argv[3], "abort"))
		return close_with(argv, (struct linger){1, 0}), 0;
	if (!strcmp(argv[3], "refused") || !strcmp(argv[3], "refused_later"))
		return refused(argv, argv[3][7]), 0;
	must(false, "no such act");
}
