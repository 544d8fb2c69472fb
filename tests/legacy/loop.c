// SPDX-License-Identifier: MIT
// An event loop of every kind, that touches its descriptor only when the kernel says it is ready: connecting, a dialogue, much in,
// much out, and the end. usage: loop HOST PORT WAY [short]
//
// With `short`, a read that gets less than it asked for is taken for "nothing more is there" (epoll(7) says so).
#include "legacy.h"

#include <linux/io_uring.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { MUCH = 300 * 1000, PATIENCE_S = 10 };

static short ready;       // what the loop knows: POLLIN, POLLOUT, POLLRDHUP
static bool short_drains; // see above
static int loop_fd = -1, inner_fd = -1;

static void alarmed(int number)
{
	(void)number;
}

// Signals come only while it sleeps, and often.
static void begin_pselect(int fd)
{
	struct sigaction action = {.sa_handler = alarmed};
	struct itimerval often = {{0, 3000}, {0, 3000}};
	sigset_t set;

	(void)fd;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static short selected(int fd, short want, bool signals)
{
	struct timespec patience = {PATIENCE_S, 0};
	fd_set in, out;
	sigset_t none;
	int n;

	sigemptyset(&none);
	do {
		FD_ZERO(&in);
		FD_ZERO(&out);
		if (want & POLLIN)
			FD_SET(fd, &in);
		if (want & POLLOUT)
			FD_SET(fd, &out);
		n = signals ? pselect(fd + 1, &in, &out, NULL, &patience, &none)
			    : select(fd + 1, &in, &out, NULL, &(struct timeval){PATIENCE_S, 0});
	} while (n < 0 && errno == EINTR);
	must(n > 0, "select gave %d", n);
	return (short)((FD_ISSET(fd, &in) ? POLLIN : 0) | (FD_ISSET(fd, &out) ? POLLOUT : 0));
}

static short wait_select(int fd, short want)
{
	return selected(fd, want, false);
}

static short wait_pselect(int fd, short want)
{
	return selected(fd, want, true);
}

static short wait_poll(int fd, short want)
{
	struct pollfd p = {.fd = fd, .events = want};

	must(poll(&p, 1, PATIENCE_S * 1000) == 1, "poll");
	return p.revents;
}

static short wait_ppoll(int fd, short want)
{
	struct pollfd p = {.fd = fd, .events = want};
	struct timespec patience = {PATIENCE_S, 0};

	must(ppoll(&p, 1, &patience, NULL) == 1, "ppoll");
	return p.revents;
}

// --- epoll; its event bits are poll's
static void epoll_begin(int fd, uint32_t how, bool nested)
{
	struct epoll_event e = {.events = how};

	inner_fd = loop_fd = epoll_create1(EPOLL_CLOEXEC);
	must(epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
	if (!nested)
		return;
	e.events = EPOLLIN | (how & EPOLLET);
	loop_fd = epoll_create1(EPOLL_CLOEXEC);
	must(epoll_ctl(loop_fd, EPOLL_CTL_ADD, inner_fd, &e) == 0, "epoll_ctl");
}

static void begin_level(int fd)
{
	epoll_begin(fd, 0, false);
}

static void begin_edge(int fd)
{
	epoll_begin(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, false);
}

static void begin_nested(int fd)
{
	epoll_begin(fd, 0, true);
}

static void begin_nested_edge(int fd)
{
	epoll_begin(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, true);
}

static short wait_edge(int fd, short want)
{
	struct epoll_event e;

	(void)fd;
	(void)want;
	must(epoll_wait(loop_fd, &e, 1, PATIENCE_S * 1000) == 1, "no edge");
	if (inner_fd != loop_fd)
		must(epoll_wait(inner_fd, &e, 1, 0) == 1, "the outer epoll said there was an edge");
	return (short)e.events;
}

static short wait_level(int fd, short want)
{
	struct epoll_event e = {.events = (uint32_t)want};

	must(epoll_ctl(inner_fd, EPOLL_CTL_MOD, fd, &e) == 0, "epoll_ctl");
	return wait_edge(fd, want);
}

// EPOLLEXCLUSIVE cannot be modified, only added.
static short wait_exclusive(int fd, short want)
{
	struct epoll_event e = {.events = (uint32_t)(want & ~POLLRDHUP) | EPOLLEXCLUSIVE};

	must(epoll_ctl(inner_fd, EPOLL_CTL_DEL, fd, NULL) == 0, "epoll_ctl");
	must(epoll_ctl(inner_fd, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
	return wait_edge(fd, want);
}

// EPOLLONESHOT does not fit a short.
static short wait_once(int fd, short want)
{
	struct epoll_event e = {.events = (uint32_t)want | EPOLLONESHOT};

	must(epoll_ctl(inner_fd, EPOLL_CTL_MOD, fd, &e) == 0, "epoll_ctl");
	return wait_edge(fd, want);
}

// --- io_uring, one poll at a time
static struct {
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void *ring_map(size_t n, uint64_t what)
{
	void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, loop_fd,
			(off_t)what);

	must(at != MAP_FAILED, "mmap");
	return at;
}

static void begin_uring(int fd)
{
	struct io_uring_params p = {0};
	char *sq, *cq;

	(void)fd;
	loop_fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	must(loop_fd >= 0, "this kernel forbids io_uring");
	sq = ring_map(p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = ring_map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static short wait_uring(int fd, short want)
{
	unsigned tail = *ring.sq_tail, at = tail & *ring.sq_mask, head = *ring.cq_head;

	ring.sqes[at] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = fd, .poll32_events = (uint32_t)want};
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, loop_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1,
	     "io_uring_enter");
	must(__atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) != head, "no completion");
	int result = ring.cqes[head & *ring.cq_mask].res;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	must(result > 0, "poll by io_uring gave %d", result);
	return (short)result;
}

static void begin_nothing(int fd)
{
	(void)fd;
}

static const struct way {
	const char *word;
	void (*begin)(int fd);
	short (*wait)(
		int fd,
		short want); // what is ready; may be something else than what was wanted when `edge`
	bool edge;           // says each thing once
	bool deaf;           // knows nothing of POLLRDHUP
} ways[] = {
	{"select", begin_nothing, wait_select, false, true},
	{"pselect", begin_pselect, wait_pselect, false, true},
	{"poll", begin_nothing, wait_poll, false, false},
	{"ppoll", begin_nothing, wait_ppoll, false, false},
	{"level", begin_level, wait_level, false, false},
	{"edge", begin_edge, wait_edge, true, false},
	{"oneshot", begin_level, wait_once, false, false},
	{"exclusive", begin_level, wait_exclusive, false, true},
	{"nested", begin_nested, wait_level, false, false},
	{"nested-edge", begin_nested_edge, wait_edge, true, false},
	{"uring", begin_uring, wait_uring, false, false},
};
static const struct way *way;

// --- the loop's user

static void await(int fd, short want)
{
	if (!way->edge)
		ready = 0;
	while (!(ready & (want | POLLHUP | POLLERR)))
		ready |= way->wait(fd, want);
}

// As read(2) on a blocking descriptor.
static ssize_t read_ready(int fd, void *bytes, size_t n)
{
	for (;;) {
		await(fd, POLLIN);
		ssize_t got = read(fd, bytes, n);

		if (got < 0 && errno == EAGAIN)
			ready &= (short)~POLLIN;
		else if (short_drains && got > 0 && (size_t)got < n && !(ready & POLLRDHUP))
			ready &= (short)~POLLIN;
		if (got >= 0 || errno != EAGAIN)
			return got;
	}
}

static void write_ready(int fd, const unsigned char *bytes, size_t n)
{
	for (size_t at = 0; at < n;) {
		await(fd, POLLOUT);
		ssize_t sent = write(fd, bytes + at, n - at);

		if (sent < 0 && errno == EAGAIN)
			ready &= (short)~POLLOUT;
		must(sent > 0 || errno == EAGAIN, "write at %zu gave %zd", at, sent);
		at += sent > 0 ? (size_t)sent : 0;
	}
}

// Print what arrives up to the end of a line.
static void hear_ready(int fd, const char *wanted)
{
	char line[2048];
	size_t n = 0;

	while (n == 0 || line[n - 1] != '\n') {
		ssize_t got = read_ready(fd, line + n, sizeof line - n);

		must(got > 0, "read gave %zd where '%s' was awaited", got, wanted);
		n += (size_t)got;
	}
	line[strcspn(line, "\r")] = '\0';
	printf("%s\n", line);
	must(!strncmp(line, wanted, strlen(wanted)), "'%s' was awaited", wanted);
}

static void ask_ready(int fd, const char *text, const char *wanted)
{
	write_ready(fd, (const unsigned char *)text, strlen(text));
	hear_ready(fd, wanted);
}

static int connect_ready(char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *a;
	socklen_t n = sizeof(int);
	int error = -1;

	must(getaddrinfo(argv[1], argv[2], &hints, &a) == 0, "cannot resolve %s", argv[1]);
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0),
	    result = connect(fd, a->ai_addr, a->ai_addrlen);
	must(result == 0 || errno == EINPROGRESS, "connect");
	freeaddrinfo(a);
	way->begin(fd);
	await(fd, POLLOUT);
	must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0, "SO_ERROR is %d",
	     error);
	return fd;
}

static void much_in(int fd)
{
	unsigned char bytes[9001];
	size_t at = 0;

	write_ready(fd, (const unsigned char *)"SOURCE 300000\r\n", 15);
	char line[8] = "";
	for (size_t n = 0;
	     n == 0 || line[0] != '\n';) // the reply, byte by byte: the pattern follows at once
		n += read_ready(fd, line, 1) == 1;
	while (at < MUCH) {
		size_t room = MUCH - at < sizeof bytes ? MUCH - at : sizeof bytes;
		ssize_t got = read_ready(fd, bytes, room);

		must(got > 0, "read at %zu gave %zd", at, got);
		check(bytes, (size_t)got, at);
		at += (size_t)got;
	}
	printf("%zu bytes in\n", at);
}

static void much_out(int fd)
{
	static unsigned char bytes[MUCH];

	fill(bytes, MUCH, 0);
	ask_ready(fd, "SINK 300000\r\n", "250");
	write_ready(fd, bytes, MUCH);
	hear_ready(fd, "250 300000");
}

int main(int argc, char **argv)
{
	char c;

	for (size_t i = 0; argc > 3 && i < sizeof ways / sizeof *ways; i++)
		if (!strcmp(argv[3], ways[i].word))
			way = &ways[i];
	must(way, "which way?");
	short_drains = argc > 4;
	int fd = connect_ready(argv);
	hear_ready(fd, "220");
	ask_ready(fd, "HELO legacy.test\r\n", "250");
	much_in(fd);
	much_out(fd);
	ask_ready(fd, "NOOP still here\r\n", "250");
	if (way->deaf) {
		ask_ready(fd, "QUIT\r\n", "221");
	} else { // the peer's end is waited for with the reply unread
		write_ready(fd, (const unsigned char *)"QUIT\r\n", 6);
		await(fd, POLLRDHUP);
		printf("the peer has finished\n");
		hear_ready(fd, "221");
	}
	must(read_ready(fd, &c, 1) == 0, "no end of file");
	must(close(fd) == 0, "close");
	printf("done\n");
	return 0;
}
