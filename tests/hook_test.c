/* SPDX-License-Identifier: MIT
 * hook_test: the hooks over an engine that does nothing but count and ask the kernel. What a program can see of them must be what
 * the kernel says about the same call on a descriptor that is not ours, so most cases run on both and compare.
 *
 *   pair[0] ── TCP ── pair[1]      once plain, once with pair[0] in the table */
#include "engine_open.h"
#include "process.h"
#include "io.h"
#include "real.h"
#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct conn {
	struct conn_ref ref;
	unsigned releases, finishes, stale;
	size_t waiting; /* bytes that receive_waiting() has */
};

static unsigned passed, failed;
static struct conn conn;
static size_t at_most = SIZE_MAX; /* bytes that the engine takes per call */

static void check(bool ok, const char *what)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("hook_test: %s\n", what);
}

static void drop(struct conn *c)
{
	atomic_fetch_sub(&c->ref.refs, 1);
}

static ssize_t receive(struct conn *c, int fd, struct msghdr *msg, int flags)
{
	drop(c);
	return syscall(SYS_recvmsg, fd, msg, flags);
}

static ssize_t transmit(struct conn *c, int fd, const struct msghdr *msg, int flags)
{
	drop(c);
	if (msg->msg_iovlen == 1 && msg->msg_iov->iov_len > at_most)
		return syscall(SYS_sendto, fd, msg->msg_iov->iov_base, at_most, flags, NULL, 0);
	return syscall(SYS_sendmsg, fd, msg, flags);
}

/* Takes no reference. */
static size_t receive_waiting(struct conn *c, int fd, void *bytes, size_t n)
{
	if (!table_holds(c, fd) || n >= c->waiting)
		return 0;
	memset(bytes, 'w', n);
	c->waiting -= n;
	return n;
}

static int shut(struct conn *c, int fd, int how)
{
	drop(c);
	return (int)syscall(SYS_shutdown, fd, how);
}

static int readable(struct conn *c, int fd, int *bytes)
{
	drop(c);
	return (int)syscall(SYS_ioctl, fd, FIONREAD, bytes);
}

static bool close_twice; /* a second thread closes while the first one still ends the connection */
static bool kept;

static void release(struct conn *c, int fd)
{
	if (close_twice) {
		close_twice = false;
		close(fd);
		kept = table_has(fd);
	}
	c->releases++;
	c->stale += fd < 0;
	drop(c); /* the caller's */
	drop(c); /* the slot's */
}

static void finish(struct conn *c, int fd)
{
	(void)fd;
	c->finishes++;
	drop(c);
}

/* The process ends by _exit(), or is copied: ThreadSanitizer makes a fork() of each vfork(). */
static void leave(struct conn *c, int fd)
{
	(void)c;
	(void)fd;
}

static void copy(void)
{
}

static const _Atomic unsigned none;
static const _Atomic int64_t never = INT64_MAX;
static const struct engine counting = {
	.abi = ENGINE_ABI,
	.announced = &none,
	.due = &never,
	.receive = receive,
	.receive_waiting = receive_waiting,
	.transmit = transmit,
	.shutdown = shut,
	.readable = readable,
	.release = release,
	.finish = finish,
	.exits = leave,
	.fork_prepare = copy,
	.fork_parent = copy,
	.fork_child = copy,
};

/* A connected pair; the first end is ours when asked for. */
static void connect_pair(int pair[2], bool ours)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(here);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&here, n);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&here, &n);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(pair[0], (struct sockaddr *)&here, n) != 0)
		abort();
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	if (!ours)
		return;
	conn = (struct conn){.ref.refs = 1};
	if (!table_put(pair[0], &conn))
		abort();
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* Wait until the kernel has n bytes for fd. */
static void await(int fd, int n)
{
	int have = 0;

	for (int i = 0; have < n && i < 1000; i++) {
		syscall(SYS_ioctl, fd, FIONREAD, &have);
		usleep(have < n ? 1000 : 0);
	}
}

/* What a program sees of a series of calls on fd, as text. */
static char seen[4096];
static volatile size_t too_many = IOV_MAX + 1; /* volatile: the compiler would know better */
static volatile int negative = -1;
static volatile size_t most = SIZE_MAX;

static void see(const char *call, long answer)
{
	char error[32] = "";
	size_t n = strlen(seen);

	if (answer < 0)
		snprintf(error, sizeof(error), " errno %d", errno);
	snprintf(seen + n, sizeof(seen) - n, "%s = %ld%s\n", call, answer, error);
	errno = 0;
}
#define SEE(call) see(#call, (long)(call))

static void receive_edges(int fd, int peer)
{
	struct iovec iov[IOV_MAX + 1] = {{0}};
	struct msghdr msg = {.msg_iov = iov};
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	static char b[16]; /* not on the stack: 2 GiB further on, the address space may end */
	char *volatile at = b;
	int have = -1;

	SEE(read(fd, b, 0));
	SEE(readv(fd, iov, 0));
	SEE(readv(fd, iov, 3));
	SEE(readv(fd, iov, negative));
	SEE(readv(fd, iov, (int)too_many));
	msg.msg_iovlen = too_many;
	SEE(recvmsg(fd, &msg, MSG_DONTWAIT));
	iov[0] = (struct iovec){b, (size_t)-1};
	msg.msg_iovlen = 1;
	SEE(readv(fd, iov, 1));
	SEE(recvmsg(fd, &msg, MSG_DONTWAIT));
	SEE(recv(fd, b, 0, MSG_DONTWAIT));
	SEE(recv(fd, b, 1, MSG_DONTWAIT));
	SEE(read(fd, at, most));
	SEE(read(fd, (char *)-4096, 0));
	SEE(recv(fd, at, most, MSG_DONTWAIT));
	msg.msg_name = &from;
	msg.msg_namelen = (socklen_t)-1;
	SEE(recvmsg(fd, &msg, MSG_DONTWAIT));
	SEE(recvmsg(fd, &msg, INT_MIN));
	SEE(ioctl(fd, FIONREAD, &have) + have);
	send(peer, "abcdefgh", 8, 0);
	await(fd, 8);
	SEE(ioctl(fd, FIONREAD, &have) + have);
	SEE(read(fd, b, 1));
	iov[0].iov_len = 2;
	SEE(readv(fd, iov, 2));
	SEE(recvfrom(fd, b, 1, MSG_PEEK, (struct sockaddr *)&from, &n));
	SEE(n);
	SEE(recv(fd, b, 5, 0));
	see(b, 0);
	shutdown(peer, SHUT_WR);
	SEE(read(fd, b, 1));
}

static void send_edges(int fd, int peer)
{
	struct iovec iov[IOV_MAX + 1] = {{0}};
	struct msghdr msg = {.msg_iov = iov};
	char b[64] = "";

	SEE(write(fd, b, 0));
	SEE(writev(fd, iov, 0));
	SEE(writev(fd, iov, 2));
	SEE(writev(fd, iov, negative));
	SEE(writev(fd, iov, (int)too_many));
	msg.msg_iovlen = too_many;
	SEE(sendmsg(fd, &msg, 0));
	iov[0] = (struct iovec){"abc", (size_t)-1};
	msg.msg_iovlen = 1;
	SEE(writev(fd, iov, 1));
	SEE(sendmsg(fd, &msg, 0));
	iov[0].iov_len = 3;
	SEE(writev(fd, iov, 2));
	SEE(sendmsg(fd, &msg, 0));
	SEE(sendto(fd, "d", 1, 0, NULL, 0));
	SEE(sendto(fd, "d", 1, 0, (struct sockaddr *)b, 1000));
	SEE(send(fd, "d", 1, MSG_FASTOPEN));
	SEE(write(fd, b, most));
	SEE(sendmsg(fd, &msg, INT_MIN));
	*(struct cmsghdr *)(void *)b = (struct cmsghdr){sizeof(b) * 2, SOL_SOCKET, SCM_RIGHTS};
	msg.msg_control = b;
	msg.msg_controllen = sizeof(b);
	SEE(sendmsg(fd, &msg, 0));
	memset(b, 0, sizeof(b));
	SEE(send(fd, "e", 1, MSG_NOSIGNAL));
	SEE(dprintf(fd, "<%s-%d>", "f", 7));
	SEE(dprintf(fd, "%s", ""));
	SEE(shutdown(fd, 77));
	SEE(shutdown(fd, SHUT_WR));
	SEE(send(fd, "g", 1, MSG_NOSIGNAL));
	SEE(recv(peer, b, sizeof(b) - 1, MSG_WAITALL));
	see(b, 0);
}

static void many(int fd, int peer)
{
	char b[3][4] = {"", "", ""};
	struct iovec in[3] = {{b[0], 2}, {b[1], 2}, {b[2], 2}}, out[2] = {{"abcd", 4}, {"e", 1}};
	struct mmsghdr msgs[3] = {{.msg_hdr = {.msg_iov = &in[0], .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = &in[1], .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = &in[2], .msg_iovlen = 1}}};
	struct timespec wait = {1000, 1}, endless = {0, -1}, *volatile nowhere = (void *)1;
	struct mmsghdr sends[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
				   {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};

	SEE(sendmmsg(fd, sends, 2, 0));
	SEE(sendmmsg(fd, sends, 0, 0));
	SEE(sends[0].msg_len * 10 + sends[1].msg_len);
	SEE(recvmmsg(fd, msgs, 3, MSG_DONTWAIT, NULL));
	SEE(recvmmsg(fd, msgs, 3, MSG_DONTWAIT, &endless));
	SEE(recvmmsg(fd, msgs, 3, MSG_DONTWAIT, nowhere));
	send(peer, "vwxyz", 5, 0);
	await(fd, 5);
	SEE(recvmmsg(fd, msgs, 2, 0, &wait));
	SEE(wait.tv_sec);
	SEE(recvmmsg(fd, msgs, 3, MSG_WAITFORONE, NULL));
	SEE(msgs[0].msg_len * 10 + msgs[1].msg_len);
}

static void files(int fd, int peer)
{
	FILE *f = tmpfile();
	int file = fileno(f), ends[2], directory = open("/", O_RDONLY | O_DIRECTORY);
	int sink = open("/dev/null", O_WRONLY);
	off_t at = 3, before = -1;
	char b[32] = "";

	fputs("0123456789", f);
	fflush(f);
	lseek(file, 1, SEEK_SET);
	SEE(sendfile(fd, file, NULL, 2));
	SEE(lseek(file, 0, SEEK_CUR));
	SEE(sendfile(fd, file, &at, 4));
	SEE(at);
	SEE(lseek(file, 0, SEEK_CUR));
	SEE(sendfile(fd, file, &at, 400));
	SEE(at);
	SEE(sendfile(fd, file, &at, 4));
	SEE(sendfile(fd, directory, NULL, 4));
	SEE(sendfile(fd, directory, NULL, 0));
	SEE(sendfile(fd, sink, NULL, 4));
	SEE(sendfile(fd, file, &before, 4));
	SEE(sendfile(fd, file, NULL, most));
	if (pipe(ends) == 0) {
		SEE(sendfile(fd, ends[0], NULL, 4));
		SEE(sendfile(fd, ends[0], &at, 4));
		SEE(splice(ends[0], NULL, fd, NULL, 0, 0));
		SEE(splice(-1, NULL, fd, NULL, 1, 0));
		close_pair(ends);
	}
	close(directory);
	close(sink);
	SEE(sendfile(fd, -1, &at, 4));
	SEE(sendfile(fd, -1, NULL, 4));
	SEE(recv(peer, b, 9, MSG_WAITALL));
	see(b, 0);
	fclose(f);
	if (pipe(ends) == 0 && table_has(fd)) {
		check(splice(ends[0], NULL, fd, NULL, 1, 0) < 0 && errno == EINVAL,
		      "a connection of ours cannot be spliced");
		close_pair(ends);
	}
}

/* Pointers that are none. A page with nothing behind it: its last bytes are good, the next ones are not. */
static void bad_pointers(int fd, int peer)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *volatile nowhere = (char *)1, *volatile edge = page + 4096, *volatile null = NULL,
		      *volatile constant = (char *)"constant";
	struct iovec iov[2] = {{page, 2}, {edge, 4}};
	struct msghdr msg = {.msg_iov = (struct iovec *)(void *)edge, .msg_iovlen = 1};
	char b[16] = "";

	mprotect(edge, 4096, PROT_NONE);
	send(peer, "abcdefgh", 8, 0);
	await(fd, 8);
	SEE(read(fd, nowhere, 4));
	SEE(read(fd, null, 4));
	SEE(read(fd, edge, 4));
	SEE(read(fd, constant, 4));
	SEE(recv(fd, (char *)-4, 2, 0));
	SEE(readv(fd, (struct iovec *)(void *)nowhere, 2));
	SEE(recvmsg(fd, &msg, 0));
	SEE(recvmsg(fd, (struct msghdr *)(void *)edge, 0));
	SEE(recvfrom(fd, nowhere, 2, 0, NULL, NULL));
	SEE(read(fd, edge - 8, 4000)); /* more than there is, but the peer said no more */
	SEE(write(fd, nowhere, 4));
	SEE(write(fd, edge, 4));
	SEE(write(fd, edge - 2, 4));
	SEE(send(fd, null, 4, 0));
	SEE(writev(fd, iov, 2));
	SEE(writev(fd, (struct iovec *)(void *)edge, 2));
	SEE(sendmsg(fd, &msg, 0));
	SEE(sendmsg(fd, (struct msghdr *)(void *)nowhere, 0));
	SEE(ioctl(fd, FIONREAD, nowhere));
	SEE(write(fd, constant, 4));
	SEE(recv(peer, b, 4, MSG_WAITALL));
	see(b, 0);
	munmap(page, 8192);
}

/* Run it on a plain descriptor and on one of ours: no program may see a difference. */
static void test_same(void (*calls)(int fd, int peer), const char *what)
{
	static char plain[sizeof(seen)];
	int pair[2];

	*seen = 0;
	connect_pair(pair, false);
	calls(pair[0], pair[1]);
	close_pair(pair);
	memcpy(plain, seen, sizeof(seen));
	*seen = 0;
	connect_pair(pair, true);
	calls(pair[0], pair[1]);
	check(strcmp(plain, seen) == 0, what);
	if (strcmp(plain, seen) != 0)
		printf("--- the kernel\n%s--- the hooks\n%s", plain, seen);
	check(conn.ref.refs == 1, "every call gives its reference back");
	close_pair(pair);
	check(conn.ref.refs == 0 && conn.ref.slots == 0 && conn.releases && !conn.stale,
	      "close() releases it");
}

static void test_partial(void)
{
	char b[32] = "", text[] = "0123456789";
	struct iovec iov = {text, 10};
	struct mmsghdr msgs[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
	int pair[2];

	connect_pair(pair, true);
	at_most = 4;
	check(dprintf(pair[0], "%s", text) == 10 && recv(pair[1], b, 10, MSG_WAITALL) == 10 &&
		      strcmp(b, text) == 0,
	      "dprintf sends all of it in several goes");
	check(sendmmsg(pair[0], msgs, 2, 0) == 1 && msgs[0].msg_len == 4,
	      "no message follows one that went in part");
	at_most = SIZE_MAX;
	close_pair(pair);
}

static void streams(int fd, int peer)
{
	char b[64] = "";
	FILE *f = fdopen(dup(fd), "r+");

	SEE(fileno(f) > fd);
	SEE(fseek(f, 0, SEEK_CUR));
	SEE(fprintf(f, "EHLO %s\r\n", "box"));
	SEE(fflush(f));
	SEE(recv(peer, b, 10, MSG_WAITALL));
	see(b, 0);
	send(peer, "250-mx\n250 ok\n", 14, 0);
	see(fgets(b, sizeof(b), f), 0);
	see(fgets(b, 3, f), 0);
	SEE(ungetc('x', f));
	SEE(getc(f));
	SEE(getc(f));
	see(fgets(b, sizeof(b), f), 0);
	shutdown(peer, SHUT_WR);
	SEE(getc(f));
	SEE(feof(f));
	SEE(fclose(f));
	SEE(fdopen(fd, "nonsense") != NULL);
}

static void test_copies(void)
{
	int pair[2], a, b;

	connect_pair(pair, true);
	a = dup(pair[0]);
	b = fcntl(pair[0], F_DUPFD_CLOEXEC, 100);
	check(a >= 0 && b >= 100 && table_has(a) && table_has(b) && conn.ref.slots == 3 &&
		      conn.ref.refs == 3,
	      "dup() and F_DUPFD make another slot");
	check(dup2(pair[0], pair[0]) == pair[0] && conn.releases == 0,
	      "dup2() onto itself is nothing");
	check(dup2(b, a) == a && conn.releases == 1 && conn.ref.slots == 3 && conn.ref.refs == 3,
	      "dup2() onto a copy releases the copy first");
	check(dup2(pair[1], a) == a && !table_has(a) && conn.releases == 2,
	      "dup2() of a foreign descriptor onto ours releases it");
	check(dup2(-1, b) < 0 && errno == EBADF && table_has(b) && conn.releases == 2,
	      "dup2() of a bad descriptor leaves ours alone");
	check(dup3(pair[0], a, O_CLOEXEC) == a && table_has(a), "dup3() makes a slot, too");
	check(close_range(90, 110, CLOSE_RANGE_CLOEXEC) == 0 && table_has(b),
	      "close_range() that closes nothing releases nothing");
	check(close_range(90, 110, 0) == 0 && !table_has(b) && conn.releases == 3,
	      "close_range() releases what it closes");
	close(a);
	close_pair(pair);
	check(conn.releases == 5 && conn.ref.refs == 0 && conn.ref.slots == 0,
	      "the last close releases the last slot");
}

static volatile bool covered; /* volatile: libc declares that dup2() calls nothing of ours */

/* The moment after the kernel's dup2(), when another thread may already write to the copy. */
static int dup2_and_look(int fd, int to)
{
	int copy = (int)syscall(SYS_dup3, fd, to, 0);

	covered = table_has(to) && !table_holds(&conn, to);
	return copy;
}

static void test_copy_covered(void)
{
	int (*kernel)(int, int) = real.dup2;
	int pair[2], other = open("/dev/null", O_WRONLY);

	connect_pair(pair, true);
	real.dup2 = dup2_and_look;
	check(dup2(pair[0], other) == other && covered && table_holds(&conn, other),
	      "dup2() of ours is never without its slot, from the kernel's copy on");
	covered = false;
	check(dup2(pair[0], other) == other && covered && table_holds(&conn, other) &&
		      conn.releases == 1 && conn.ref.refs == 2 && conn.ref.slots == 2,
	      "nor over a copy");
	check(dup2(pair[0], 1 << 19) < 0 && errno == EBADF && !table_has(1 << 19) &&
		      conn.ref.refs == 2 && conn.ref.slots == 2,
	      "a dup2() that fails leaves no slot");
	real.dup2 = kernel;
	close(other);
	close_pair(pair);
	check(conn.ref.refs == 0 && conn.ref.slots == 0, "all of it is given back");
}

static void test_double_close(void)
{
	int pair[2];

	connect_pair(pair, true);
	close_twice = true;
	close(pair[0]);
	check(kept && !table_has(pair[0]) && conn.releases == 1 && conn.ref.refs == 0,
	      "who closes what another thread is closing leaves it the slot");
	close(pair[1]);
}

static void test_stale(void)
{
	int pair[2], again;

	connect_pair(pair, true);
	syscall(SYS_close_range, pair[0], pair[0], 0); /* as stdio does */
	again = socket(AF_INET, SOCK_STREAM, 0);
	while (again >= 0 && again < pair[0])
		again = socket(AF_INET, SOCK_STREAM, 0);
	check(again == pair[0] && !table_has(again) && conn.stale == 1,
	      "a new socket does not inherit a connection closed behind our back");
	close(again);
	close(pair[1]);
}

/* A number that the kernel gives out again, by whatever call, is not ours any more. */
static void test_reborn(void)
{
	int pair[2], ends[2], listener = socket(AF_INET, SOCK_STREAM, 0), fd, caller;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(here);

	bind(listener, (struct sockaddr *)&here, n);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&here, &n);
	caller = socket(AF_INET, SOCK_STREAM, 0);
	connect(caller, (struct sockaddr *)&here, n);
	connect_pair(pair, true);
	syscall(SYS_close_range, pair[0], pair[0], 0);
	while ((fd = socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0 && ends[0] < pair[0] &&
	       ends[1] < pair[0])
		;
	check(fd == 0 && (ends[0] == pair[0] || ends[1] == pair[0]) && !table_has(pair[0]) &&
		      conn.stale == 1,
	      "socketpair() does not inherit a connection");
	close(pair[0]);
	conn = (struct conn){.ref.refs = 1};
	table_put(pair[0], &conn);
	check(accept(listener, NULL, NULL) == pair[0] && !table_has(pair[0]) && conn.stale == 1,
	      "accept() does not either");
	close(pair[0]);
	close(pair[1]);
	close(listener);
	close(caller);
}

/* Not by vfork() itself: what a child does in our memory, with the pid of another process. */
static void test_borrowed(void)
{
	int pair[2], status, child;

	connect_pair(pair, true);
	child = (int)syscall(SYS_fork); /* no atfork handler runs */
	if (child == 0) {
		bool same = close(pair[0]) == 0 && table_has(pair[0]) && !conn.releases &&
			    dup2(pair[1], pair[0]) == pair[0] && table_has(pair[0]) &&
			    socket(AF_INET, SOCK_STREAM, 0) >= 0 && close_range(3, 1000, 0) == 0 &&
			    table_has(pair[0]) && !conn.releases && conn.ref.refs == 1;

		_exit(same ? 0 : 1);
	}
	check(waitpid(child, &status, 0) == child && status == 0,
	      "a child in borrowed memory touches nothing of ours");
	child = (int)syscall(SYS_fork);
	if (child == 0)
		_exit(dup(pair[0]) < 0 && errno == EPERM && dup2(pair[0], 0) < 0 &&
				      errno == EPERM && fcntl(pair[0], F_DUPFD, 0) < 0 &&
				      errno == EPERM && dup(pair[1]) >= 0
			      ? 0
			      : 1);
	check(waitpid(child, &status, 0) == child && status == 0,
	      "nor can it make a copy, that would go untracked");
	if ((child = vfork()) == 0)
		_exit(dup2(pair[0], 0) == 0 ? 0 : 1);
	check(waitpid(child, &status, 0) == child && status == 0,
	      "a child of vfork() can, for the program it executes");
	close_pair(pair);
}

/* Its own descriptors from the third on, and new ones with the numbers of the others'. */
static void *part(void *fd)
{
	int ours = *(int *)fd, made = -1;

	if (close_range(3, 1000, CLOSE_RANGE_UNSHARE) == 0)
		while (made < ours && made < 1000)
			made = socket(AF_INET, SOCK_STREAM, 0);
	return made == ours && close(made) == 0 ? fd : NULL;
}

static void test_parting(void)
{
	pthread_t thread;
	void *done = NULL;
	int pair[2];

	connect_pair(pair, true);
	pthread_create(&thread, NULL, part, &pair[0]);
	pthread_join(thread, &done);
	check(done && table_holds(&conn, pair[0]) && !conn.releases,
	      "a thread with descriptors of its own leaves the others' alone");
	close_pair(pair);
	check(conn.releases == 1 && conn.ref.refs == 0, "which they can still close");
}

/* What reads little at a time comes from what is decrypted already, and nothing else does. */
static void test_waiting(void)
{
	char b[16] = "", *volatile nowhere = (char *)1;
	struct iovec iov = {b, 2};
	int pair[2];

	connect_pair(pair, true);
	send(pair[1], "kernel's", 8, 0);
	await(pair[0], 8);
	conn.waiting = 5;
	check(io_read(pair[0], b, 0) == 0 && conn.waiting == 5, "an empty read takes nothing");
	check(io_receive(pair[0], b, 2, MSG_PEEK) == 2 && *b == 'k' && conn.waiting == 5,
	      "nor does one that only looks");
	check(io_read(pair[0], nowhere, 1) < 0 && errno == EFAULT && conn.waiting == 5,
	      "nor one into nowhere");
	check(io_read(pair[0], b, 2) == 2 && memcmp(b, "ww", 2) == 0 && conn.waiting == 3,
	      "a small read takes what waits");
	check(io_receive(pair[0], b, 2, MSG_DONTWAIT) == 2 && conn.waiting == 1, "and a small recv()");
	check(io_read(pair[0], b, 2) == 2 && *b == 'k' && conn.waiting == 1,
	      "what needs more than waits is a receive");
	check(io_readv(pair[0], &iov, 1, 0) == 2 && *b == 'r', "and so is what has pieces");
	check(conn.ref.refs == 1, "none keeps a reference");
	table_leave(pair[0]);
	conn.waiting = 9;
	check(io_read(pair[0], b, 2) == 2 && *b == 'e', "nothing is taken from a connection that ends");
	table_vacate(pair[0], NULL);
	close_pair(pair);
}

/* ThreadSanitizer's runtime turns vfork() into fork(): its children do not live in their parent's
 * memory, so there is no telling whether they would touch what is in it. */
#ifdef __SANITIZE_THREAD__
#define VFORK_SHARES_MEMORY false
#else
#define VFORK_SHARES_MEMORY true
#endif

static void test_first_in_child_of_vfork(void)
{
	int status, child;

	if ((child = vfork()) == 0)
		_exit(process_borrowed() ? 0 : 1);
	check(waitpid(child, &status, 0) == child && status == 0, "a child of vfork() does not");
	check(!process_borrowed(), "which leaves it to its parent");
	if ((child = fork()) == 0) {
		if ((child = vfork()) == 0)
			_exit(process_borrowed() && !process_estranged() ? 0 : 1);
		_exit(waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
	}
	check(waitpid(child, &status, 0) == child && status == 0,
	      "nor does a forked child's own child of vfork()");
}

/* Before the first connection. */
static void test_first_in_child(void)
{
	int status, child;

	process_begin();
	check(!process_borrowed(), "a new process owns its memory");
	if (VFORK_SHARES_MEMORY)
		test_first_in_child_of_vfork();
	child = (int)syscall(SYS_fork);
	if (child == 0)
		_exit(!process_borrowed() && !process_borrowed() ? 0 : 1);
	check(waitpid(child, &status, 0) == child && status == 0,
	      "a forked child does, whoever forked it");
}

int main(void)
{
	test_first_in_child();
	engine = &counting;
	process_own();
	test_same(receive_edges, "receiving is as from the kernel");
	test_same(send_edges, "sending is as from the kernel");
	test_same(many, "many messages at once are as from the kernel");
	test_same(bad_pointers, "bad pointers are as from the kernel");
	test_same(files, "sendfile() is as from the kernel");
	test_same(streams, "streams are as from the kernel");
	test_waiting();
	test_partial();
	test_copies();
	test_copy_covered();
	test_double_close();
	test_stale();
	test_reborn();
	test_borrowed();
	test_parting();
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
