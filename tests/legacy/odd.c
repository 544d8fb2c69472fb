// SPDX-License-Identifier: MIT
// Calls as no program should make them, drawn from a seed, and what each of them says. usage: odd HOST PORT FIRST COUNT [gentle]
//
// Each seed is one connection and one of the situations below; in it the same calls come with every seed, in every order: lengths and pointers that
// cannot be, flags nobody needs, descriptors that do not fit. What a call answers, and the bytes it gives, is a line of output: natively and under the
// shim the same. Where a call would wait, SO_RCVTIMEO ends it; what a call can find is there before it is made.
//
// gentle: all addresses are good, for a sanitizer's runtime, which looks there before anybody else does.
#include "legacy.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { ARENA = 256 * 1024, PAGE = 4096 };

static uint64_t state;
static char *arena; /* ARENA bytes, then a page that is not there */
static volatile sig_atomic_t pipes;
static bool gentle;
static int file, directory, ends[2];

/* --- drawing */

static unsigned draw(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}
#define ONE_OF(list) list[draw(sizeof(list) / sizeof *(list))]

static size_t length(void)
{
	static const size_t small[] = {0, 1, 2, 3, 7, 100, 999, 4096, 5000, 16384, 16385, 70000};
	static const size_t large[] = {INT_MAX, 0x7ffff000, 0x7ffff001, (size_t)UINT_MAX + 1, SSIZE_MAX, (size_t)SSIZE_MAX + 1, SIZE_MAX};

	return draw(12) || gentle ? ONE_OF(small) : ONE_OF(large);
}

static const char constant[] = "this cannot be written";

/* Where n bytes may be, or not. */
static char *place(size_t n)
{
	switch (gentle ? 6 : draw(24)) {
	case 0: return NULL;
	case 1: return (char *)1;
	case 2: return (char *)-4096;
	case 3: return arena + ARENA;
	case 4: return arena + ARENA - 1 - draw(9000);
	case 5: return (char *)constant;
	default: return n <= ARENA ? arena + draw(PAGE) % (unsigned)(ARENA - n + 1) : arena;
	}
}

/* An address with nothing behind it, in the place of a good one. */
static void *bad(void *good)
{
	return gentle ? good : (void *)1;
}

static int some_flags(const int *list, size_t n)
{
	int flags = 0;

	for (unsigned i = draw(3); i; i--)
		flags |= list[draw((unsigned)n)];
	return flags;
}
#define FLAGS(list) some_flags(list, sizeof(list) / sizeof *(list))

/* --- telling */

static unsigned sum(const char *bytes, size_t n)
{
	unsigned s = 1;

	for (size_t i = 0; i < n; i++)
		s = s * 31 + (unsigned char)bytes[i];
	return s;
}

static bool went_well;

#define TELL(answer, ...) \
	do { \
		long told = (long)(answer); \
		int error = errno; \
		went_well = told >= 0; \
		printf(__VA_ARGS__); \
		tell(told, error); \
	} while (0)

static void tell(long answer, int error)
{
	if (answer < 0)
		printf(": %s", strerrorname_np(error));
	else
		printf(": %ld", answer);
	if (pipes)
		printf(" SIGPIPE %d", (int)pipes);
	pipes = 0;
	printf("\n");
}

static void arena_clean(void)
{
	memset(arena, '.', ARENA);
}

/* Of a call that failed, there may be something in it. */
static void tell_arena(void)
{
	if (went_well)
		printf("  %08x\n", sum(arena, ARENA));
}

/* --- receiving */

static const int receive_flags[] = {MSG_PEEK, MSG_PEEK, MSG_DONTWAIT, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC, MSG_CMSG_CLOEXEC, MSG_ERRQUEUE,
	MSG_NOSIGNAL, MSG_WAITFORONE, MSG_EOR, MSG_CTRUNC, MSG_DONTROUTE, MSG_MORE, 0x400000, INT_MIN};

static void do_read(int fd)
{
	size_t n = length();
	char *at = place(n);

	arena_clean();
	TELL(read(fd, at, n), "read %zu", n);
	tell_arena();
}

static void do_recv(int fd)
{
	size_t n = length();
	char *at = place(n);
	int flags = FLAGS(receive_flags);

	arena_clean();
	TELL(recv(fd, at, n, flags), "recv %zu %x", n, flags);
	tell_arena();
}

static void do_recvfrom(int fd)
{
	struct sockaddr_storage from;
	size_t n = length();
	char *at = place(n);
	int flags = FLAGS(receive_flags), odd = (int)draw(8);
	socklen_t len = odd == 0 ? (socklen_t)-1 : odd == 1 ? 3 : sizeof from, *where = odd == 2 ? bad(&len) : &len;

	memset(&from, '.', sizeof from);
	arena_clean();
	TELL(recvfrom(fd, at, n, flags, odd == 4 ? NULL : odd == 5 ? bad(&from) : (struct sockaddr *)&from, where), "recvfrom %zu %x odd %d", n, flags, odd);
	printf("  %d %08x\n", (int)len, sum((char *)&from, sizeof from));
	tell_arena();
}

static struct iovec pieces[IOV_MAX + 2];

static size_t some_pieces(void)
{
	static const size_t counts[] = {0, 1, 1, 2, 2, 3, 5, IOV_MAX, IOV_MAX + 1};
	size_t count = ONE_OF(counts), n;

	for (size_t i = 0; i < count; i++) {
		n = count > 5 ? draw(50) : draw(count) ? draw(300) : length();
		pieces[i] = (struct iovec){count > 5 ? arena + i * 64 : draw(3) ? arena + i * 20000 : place(n), n};
	}
	return count;
}

static int count_of(size_t n)
{
	return draw(20) ? (int)n : -1;
}

static struct iovec *pieces_at(void)
{
	return draw(20) || gentle ? pieces : (struct iovec *)(void *)(arena + ARENA);
}

static void do_readv(int fd)
{
	int n = count_of(some_pieces());

	arena_clean();
	TELL(readv(fd, pieces_at(), n), "readv %d", n);
	tell_arena();
}

static struct msghdr some_message(char *control, size_t room)
{
	static struct sockaddr_storage name;
	struct msghdr msg = {.msg_iovlen = some_pieces(), .msg_flags = 0x1234};

	memset(&name, '.', sizeof name);
	msg.msg_iov = pieces_at();
	msg.msg_name = draw(4) ? NULL : &name;
	msg.msg_namelen = draw(2) ? sizeof name : draw(2) ? 5 : (socklen_t)-1;
	msg.msg_control = draw(2) ? NULL : control;
	msg.msg_controllen = draw(2) ? 0 : room;
	return msg;
}

static void do_recvmsg(int fd)
{
	char control[256] = "";
	struct msghdr msg = some_message(control, sizeof control);
	int flags = FLAGS(receive_flags);

	arena_clean();
	TELL(recvmsg(fd, draw(20) ? &msg : bad(&msg), flags), "recvmsg %zu %x", msg.msg_iovlen, flags);
	printf("  name %d control %zu flags %x\n", (int)msg.msg_namelen, msg.msg_controllen, msg.msg_flags);
	tell_arena();
}

enum { MANY = 1100 };
static struct mmsghdr many[MANY];
static struct iovec each[MANY];

static unsigned some_messages(void)
{
	static const unsigned counts[] = {0, 1, 2, 3, 10, 1024, 1025, MANY};
	unsigned n = ONE_OF(counts);

	for (unsigned i = 0; i < n; i++) {
		each[i] = (struct iovec){arena + i * 100, n < 20 ? draw(100) : 1};
		many[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &each[i], .msg_iovlen = 1}, .msg_len = 77};
	}
	/* only the first may be bad: the kernel keeps what goes wrong later for the next call, whichever that is (libstarttls.8) */
	if (n && n < 20 && !draw(4) && !gentle)
		each[0].iov_base = NULL;
	return n;
}

static void tell_messages(unsigned n)
{
	unsigned lengths = 0;

	for (unsigned i = 0; i < n; i++)
		lengths = lengths * 31 + many[i].msg_len;
	printf("  %08x\n", lengths);
}

static void do_recvmmsg(int fd)
{
	static const struct timespec waits[] = {{0, 0}, {1, 0}, {0, 1000000000}, {0, -1}, {-1, 0}};
	struct timespec wait = ONE_OF(waits), *at = draw(2) ? NULL : draw(8) ? &wait : bad(&wait);
	unsigned n = some_messages();
	int flags = FLAGS(receive_flags);

	arena_clean();
	TELL(recvmmsg(fd, draw(20) ? many : bad(many), n, flags, at), "recvmmsg %u %x %s%ld", n, flags, at == &wait ? "" : "no ", wait.tv_sec);
	tell_messages(n);
	tell_arena();
}

/* --- sending */

static const int send_flags[] = {MSG_DONTWAIT, MSG_NOSIGNAL, MSG_MORE, MSG_EOR, MSG_DONTROUTE, MSG_CONFIRM, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_ERRQUEUE,
	MSG_FIN, MSG_SYN, MSG_RST, 0x400000, INT_MIN};

static void arena_fill(void)
{
	fill((unsigned char *)arena, ARENA, draw(1000));
}

/* Can n bytes be read there? */
static bool holds(const char *at, size_t n)
{
	return n == 0 || (at >= arena && at < arena + ARENA && n <= (size_t)(arena + ARENA - at));
}

/* How much of what is in front of a hole in memory goes out depends on how the kernel's own pages happen to lie: so there is nothing. */
static char *source(size_t n)
{
	char *at = place(n);

	return holds(at, n) || at == (char *)-4096 ? at : NULL;
}

static void do_write(int fd)
{
	size_t n = length();

	arena_fill();
	TELL(write(fd, source(n), n), "write %zu", n);
}

static void do_send(int fd)
{
	size_t n = length();
	int flags = FLAGS(send_flags);

	arena_fill();
	TELL(send(fd, source(n), n, flags), "send %zu %x", n, flags);
}

static void do_sendto(int fd)
{
	struct sockaddr_in to = {.sin_family = draw(2) ? AF_INET : AF_INET6};
	size_t n = length();
	int flags = FLAGS(send_flags), odd = (int)draw(6);
	socklen_t len = odd == 0 ? (socklen_t)-1 : odd == 1 ? 1000 : odd == 2 ? 1 : sizeof to;

	arena_fill();
	TELL(sendto(fd, source(n), n, flags, odd == 3 ? bad(&to) : (struct sockaddr *)&to, len), "sendto %zu %x odd %d", n, flags, odd);
}

static void source_pieces(size_t count)
{
	for (size_t i = 1; i < count && i < IOV_MAX; i++)
		if (!holds(pieces[i].iov_base, pieces[i].iov_len))
			*pieces = (struct iovec){NULL, 1};
	if (count && !holds(pieces->iov_base, pieces->iov_len))
		*pieces = (struct iovec){draw(2) ? NULL : (void *)-4096, 1};
}

static void do_writev(int fd)
{
	int n = count_of(some_pieces());

	source_pieces(n < 0 ? 0 : (size_t)n);
	arena_fill();
	TELL(writev(fd, pieces_at(), n), "writev %d", n);
}

static void do_sendmsg(int fd)
{
	char control[CMSG_SPACE(64)] = "";
	struct msghdr msg = some_message(control, sizeof control);
	struct cmsghdr *head = (struct cmsghdr *)(void *)control;
	int flags = FLAGS(send_flags), kind = (int)draw(5);

	source_pieces(msg.msg_iovlen);
	*head = (struct cmsghdr){kind == 0 ? 3 : kind == 1 ? 1000 : CMSG_LEN(4), kind == 2 ? SOL_SOCKET : kind == 3 ? IPPROTO_IP : IPPROTO_TCP, kind == 2 ? 0x7777 : 1};
	if (msg.msg_name)
		((struct sockaddr *)msg.msg_name)->sa_family = AF_INET;
	arena_fill();
	TELL(sendmsg(fd, draw(20) ? &msg : bad(&msg), flags), "sendmsg %zu %x name %d of %d control %d of %zu", msg.msg_iovlen, flags, (int)msg.msg_namelen,
	     !!msg.msg_name, kind, msg.msg_control ? msg.msg_controllen : 0);
}

static void do_sendmmsg(int fd)
{
	unsigned n = some_messages();
	int flags = FLAGS(send_flags);

	arena_fill();
	TELL(sendmmsg(fd, draw(20) ? many : bad(many), n, flags), "sendmmsg %u %x", n, flags);
	tell_messages(n);
}

static int other(int fd)
{
	int others[] = {file, directory, ends[0], ends[1], -1, 12345, fd};

	return draw(2) ? file : ONE_OF(others);
}

static void do_sendfile(int fd)
{
	static const off_t offsets[] = {0, 1, 4999, 5000, 6000, -1, LONG_MIN};
	off_t at = ONE_OF(offsets), *where = draw(3) ? &at : draw(4) ? NULL : bad(&at);
	size_t n = length();
	int in = other(fd), kind = in == file ? 0 : in == directory ? 1 : in == ends[0] ? 2 : in == ends[1] ? 3 : in == fd ? 4 : in;

	lseek(file, (off_t)draw(6000), SEEK_SET);
	TELL(sendfile(fd, in, where, n), "sendfile %d %zu %ld", kind, n, where == &at ? (long)at : -2L);
	printf("  at %ld, file at %ld\n", (long)at, (long)lseek(file, 0, SEEK_CUR));
}

/* --- asking */

static void do_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = (short)draw(0x4000)};

	TELL(poll(&p, 1, 0), "poll %x", p.events);
	printf("  %x\n", p.revents);
}

static void do_select(int fd)
{
	struct timeval now = {0, 0};
	fd_set in, out, except;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	out = except = in;
	TELL(select(fd + 1, &in, &out, &except, &now), "select");
	printf("  %d %d %d\n", !!FD_ISSET(fd, &in), !!FD_ISSET(fd, &out), !!FD_ISSET(fd, &except));
}

static void do_getsockopt(int fd)
{
	static const int options[][2] = {{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_TYPE}, {SOL_SOCKET, SO_ACCEPTCONN}, {SOL_SOCKET, SO_RCVLOWAT}, {SOL_SOCKET, SO_SNDLOWAT},
		{SOL_SOCKET, SO_DOMAIN}, {SOL_SOCKET, SO_PROTOCOL}, {SOL_SOCKET, SO_LINGER}, {SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_KEEPALIVE},
		{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_ZEROCOPY}, {SOL_SOCKET, 7777}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK}, {IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
		{IPPROTO_TCP, TCP_DEFER_ACCEPT}, {IPPROTO_TCP, TCP_INQ}, {IPPROTO_TCP, TCP_REPAIR}, {IPPROTO_TCP, 7777}, {IPPROTO_IP, IP_TOS}, {IPPROTO_UDP, 1}, {7777, 1}};
	const int *option = ONE_OF(options);
	char value[64];
	unsigned odd = draw(12);
	socklen_t n = odd == 0 ? 0 : odd == 1 ? 1 : odd == 2 ? (socklen_t)-1 : odd == 3 ? 3 : sizeof value;

	memset(value, '.', sizeof value);
	TELL(getsockopt(fd, option[0], option[1], odd == 4 ? bad(value) : value, odd == 5 ? bad(&n) : &n), "getsockopt %d %d odd %u", option[0], option[1], odd);
	printf("  %d %08x\n", (int)n, sum(value, sizeof value));
}

static void do_setsockopt(int fd)
{
	static const int options[][2] = {{SOL_SOCKET, SO_RCVLOWAT}, {SOL_SOCKET, SO_LINGER}, {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_BROADCAST},
		{SOL_SOCKET, SO_SNDLOWAT}, {SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, 7777}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_QUICKACK}, {IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
		{IPPROTO_TCP, TCP_MAXSEG}, {IPPROTO_TCP, TCP_ULP}, {IPPROTO_TCP, 7777}, {IPPROTO_IP, IP_RECVERR}, {7777, 1}};
	const int *option = ONE_OF(options);
	int value[2] = {(int)draw(3), 0};
	unsigned odd = draw(10);

	if (odd == 3)
		value[0] = -1;
	if (option[1] == SO_RCVLOWAT)
		value[0] &= 1; /* readiness does not follow it (libstarttls.8) */
	TELL(setsockopt(fd, option[0], option[1], odd == 0 ? bad(value) : value, odd == 1 ? 0 : odd == 2 ? (socklen_t)-1 : odd == 5 ? 2 : sizeof value),
	     "setsockopt %d %d %d odd %u", option[0], option[1], value[0], odd);
}

static void do_fcntl(int fd)
{
	static const int set[] = {0, O_NONBLOCK, O_NONBLOCK | O_APPEND, O_ASYNC, O_DIRECT, O_SYNC, -1};
	int flags = ONE_OF(set);

	switch (draw(8)) {
	case 0: TELL(fcntl(fd, F_GETFL), "F_GETFL"); break;
	case 1: TELL(fcntl(fd, F_SETFL, flags), "F_SETFL %x", flags); break;
	case 2: TELL(fcntl(fd, F_GETFD), "F_GETFD"); break;
	case 3: TELL(fcntl(fd, F_SETFD, flags & 1), "F_SETFD"); break;
	case 4: TELL(fcntl(fd, F_GETOWN), "F_GETOWN"); break;
	case 5: TELL(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}), "F_SETLK"); break;
	case 6: TELL(fcntl(fd, F_DUPFD, -1), "F_DUPFD -1"); break;
	case 7: TELL(fcntl(fd, 7777, 1), "7777"); break;
	}
}

static void do_ioctl(int fd)
{
	static const unsigned long requests[] = {FIONREAD, FIONREAD, 0x8905 /* SIOCATMARK */, FIOCLEX, FIONCLEX, TCGETS, FIOASYNC, 0x5411 /* TIOCOUTQ, far from settled */, 0x7777};
	unsigned long request = ONE_OF(requests);
	int value = 0, *at = draw(8) ? &value : bad(&value);

	if (request == 0x5411)
		request = FIONBIO;
	if (request == FIOCLEX || request == FIONCLEX)
		at = NULL;
	TELL(ioctl(fd, request, at), "ioctl %lx %d", request, at == &value);
	printf("  %d\n", value);
}

static void do_name(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t lens[] = {sizeof name, 4, 0, (socklen_t)-1}, n = ONE_OF(lens), *len = draw(8) ? &n : bad(&n);
	struct sockaddr *at = draw(8) ? (struct sockaddr *)&name : bad(&name);

	if (draw(2))
		TELL(getpeername(fd, at, len), "getpeername");
	else
		TELL(getsockname(fd, at, len), "getsockname");
	printf("  %d %d\n", (int)n, name.ss_family);
}

/* Calls that are for other descriptors. */
static void do_other(int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct iovec iov = {arena, 5};
	struct stat st;
	loff_t at = 0;

	switch (draw(26)) {
	case 0: TELL(connect(fd, (struct sockaddr *)&to, sizeof to), "connect"); break;
	case 1: TELL(connect(fd, (struct sockaddr *)&to, draw(20)), "connect, short"); break;
	case 2: TELL(connect(fd, bad(&to), sizeof to), "connect nowhere"); break;
	case 3: TELL(bind(fd, (struct sockaddr *)&to, sizeof to), "bind"); break;
	case 4: TELL(listen(fd, 1), "listen"); break;
	case 5: TELL(accept(fd, NULL, NULL), "accept"); break;
	case 6: TELL(dup2(fd, fd) == fd, "dup2 onto itself"); break;
	case 7: TELL(dup3(fd, fd, 0), "dup3 onto itself"); break;
	case 8: TELL(dup2(fd, -1), "dup2 to -1"); break;
	case 9: TELL(lseek(fd, 0, SEEK_CUR), "lseek"); break;
	case 10: TELL(pread(fd, arena, 5, 0), "pread"); break;
	case 11: TELL(pwrite(fd, arena, 5, 0), "pwrite"); break;
	case 12: TELL(preadv2(fd, &iov, 1, -1, (int)draw(64)), "preadv2"); break;
	case 13: TELL(fsync(fd), "fsync"); break;
	case 14: TELL(ftruncate(fd, 0), "ftruncate"); break;
	case 15: TELL(fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode), "fstat"); break;
	case 16: TELL(posix_fadvise(fd, 0, 0, 0), "posix_fadvise"); break;
	case 17: TELL(shutdown(fd, 3 + (int)draw(3)), "shutdown no way"); break;
	case 18: TELL(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, "mmap"); break;
	case 19: TELL(copy_file_range(fd, NULL, file, NULL, 5, 0), "copy_file_range"); break;
	case 20: TELL(tee(fd, ends[1], 5, SPLICE_F_NONBLOCK), "tee"); break;
	case 21: TELL(vmsplice(fd, &iov, 1, 0), "vmsplice"); break;
	case 22: TELL(splice(file, NULL, fd, NULL, 5, 0), "splice from a file"); break;
	case 23: TELL(splice(fd, &at, ends[1], NULL, 5, SPLICE_F_NONBLOCK), "splice at an offset"); break;
	case 24: TELL(splice(fd, NULL, -1, NULL, 5, 0), "splice to nothing"); break;
	case 25: TELL(sendfile(file, fd, NULL, 5), "sendfile from it"); break;
	}
}

/* --- situations */

typedef void call(int fd);

static void make(int fd, call *const *calls, size_t n, unsigned times)
{
	while (times--)
		calls[draw((unsigned)n)](fd);
}
#define MAKE(fd, calls, times) make(fd, calls, sizeof(calls) / sizeof *(calls), times)

static call *const receiving[] = {do_read, do_recv, do_recvfrom, do_readv, do_recvmsg, do_recvmmsg};
static call *const sending[] = {do_write, do_send, do_sendto, do_writev, do_sendmsg, do_sendmmsg, do_sendfile};
static call *const asking[] = {do_poll, do_select, do_getsockopt, do_setsockopt, do_fcntl, do_ioctl, do_name, do_other};
static call *const receiving_mostly[] = {do_read, do_recv, do_recv, do_recvfrom, do_readv, do_recvmsg, do_recvmmsg, do_poll, do_ioctl, do_getsockopt, do_fcntl};

static call *const asking_of_others[] = {do_getsockopt, do_setsockopt, do_name}; /* nothing that can see the greeting come */

static void wait_at_most(int fd, long us)
{
	struct timeval t = {us / 1000000, us % 1000000};

	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0, "SO_RCVTIMEO");
}

/* So that a dialogue can go on. An error that recvmmsg() has left behind is still to be told. */
static void calm(int fd)
{
	int one = 1, left;
	socklen_t n = sizeof left;

	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &left, &n) == 0, "SO_ERROR");
	printf("left: %d\n", left);
	must(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one) == 0, "SO_RCVLOWAT");
	must(fcntl(fd, F_SETFL, 0) == 0, "F_SETFL");
	wait_at_most(fd, 10000000);
}

static void await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	must(poll(&p, 1, 10000) == 1, "poll");
}

/* The peer has said something, and no more comes. */
static void listen_to(int fd)
{
	static const size_t amounts[] = {1, 5, 100, 5000, 9000, 15000};
	char text[32];

	for (int rounds = 4; rounds; rounds--) {
		snprintf(text, sizeof text, "SOURCE %zu\r\n", ONE_OF(amounts));
		ask(fd, text, "250 source");
		await(fd, POLLIN);
		wait_at_most(fd, 20000);
		MAKE(fd, receiving_mostly, 6);
		MAKE(fd, asking, 4);
		MAKE(fd, receiving, 3);
		calm(fd);
		arena_clean();
		TELL(recv(fd, arena, ARENA, MSG_DONTWAIT), "the rest of %s", text);
		tell_arena();
	}
	finish(fd);
}

/* Both ends are done, and the kernel has noticed. */
static void await_close(int fd)
{
	struct tcp_info tcp = {0};
	socklen_t n = sizeof tcp;

	for (int i = 0; i < 10000 && tcp.tcpi_state != TCP_CLOSE; i++) {
		must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &n) == 0, "TCP_INFO");
		poll(NULL, 0, 1);
	}
}

/* What is said arrives: the peer counts and sums. */
static void talk(int fd)
{
	ask(fd, "SINK\r\n", "250 sink");
	wait_at_most(fd, 20000);
	MAKE(fd, sending, 15);
	MAKE(fd, asking, 8);
	MAKE(fd, sending, 10);
	must(shutdown(fd, SHUT_WR) == 0, "shutdown");
	MAKE(fd, sending, 3);
	calm(fd);
	hear(fd, "250");
	await_close(fd);
	MAKE(fd, asking, 4);
	close(fd);
}

static void any(int fd)
{
	MAKE(fd, receiving, 4);
	MAKE(fd, asking, 8);
	MAKE(fd, sending, 3);
	MAKE(fd, receiving, 3);
	MAKE(fd, asking, 6);
}

/* The greeting is there, and not a word has been said. */
static void greeted(int fd)
{
	MAKE(fd, asking_of_others, 5);
	await(fd, POLLIN);
	wait_at_most(fd, 20000);
	MAKE(fd, receiving_mostly, 6);
	MAKE(fd, asking, 6);
	MAKE(fd, receiving, 2);
	calm(fd);
	arena_clean();
	TELL(recv(fd, arena, ARENA, MSG_DONTWAIT), "the rest of the greeting");
	tell_arena();
	ask(fd, "HELO odd.test\r\n", "250");
	finish(fd);
}

/* The peer has ended. */
static void after_end(int fd)
{
	ask(fd, "LAST\r\n", "250 last");
	await(fd, POLLRDHUP);
	wait_at_most(fd, 20000);
	any(fd);
	close(fd);
}

static void after_reset(int fd)
{
	say(fd, "RESET\r\n");
	await(fd, POLLIN);
	any(fd);
	close(fd);
}

static void after_shutdown(int fd)
{
	int how = (int)draw(3);

	ask(fd, "SINK\r\n", "250 sink");
	wait_at_most(fd, 20000);
	TELL(shutdown(fd, how), "shutdown %d", how);
	if (how)
		await_close(fd);
	any(fd);
	TELL(shutdown(fd, (int)draw(3)), "shutdown again");
	close(fd);
}

static void count_pipe(int signal)
{
	(void)signal;
	pipes++;
}

static void prepare(void)
{
	unsigned char bytes[5000];
	FILE *f = tmpfile();

	arena = mmap(NULL, ARENA + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(arena != MAP_FAILED && mprotect(arena + ARENA, PAGE, PROT_NONE) == 0, "mmap");
	fill(bytes, sizeof bytes, 0);
	must(f && fwrite(bytes, 1, sizeof bytes, f) == sizeof bytes && fflush(f) == 0, "tmpfile");
	file = fileno(f);
	directory = open("/", O_RDONLY | O_DIRECTORY);
	must(pipe2(ends, O_NONBLOCK) == 0 && write(ends[1], "in the pipe", 11) == 11, "pipe");
	signal(SIGPIPE, count_pipe);
	signal(SIGIO, SIG_IGN);
}

int main(int argc, char **argv)
{
	static void (*const situations[])(int fd) = {listen_to, talk, after_end, after_reset, after_shutdown, greeted};
	enum { SITUATIONS = sizeof situations / sizeof *situations };
	unsigned long seed, end;

	must(argc == 5 || argc == 6, "five words, or six");
	gentle = argc == 6;
	setvbuf(stdout, NULL, _IOLBF, 0);
	prepare();
	seed = strtoul(argv[3], NULL, 10);
	for (end = seed + strtoul(argv[4], NULL, 10); seed < end; seed++) {
		printf("--- seed %lu\n", seed);
		state = (seed + 1) * 0x9e3779b97f4a7c15;
		situations[seed % SITUATIONS](seed % SITUATIONS == SITUATIONS - 1 ? dial(argv) : begin(argv));
	}
	return 0;
}
