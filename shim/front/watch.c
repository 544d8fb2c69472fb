/* SPDX-License-Identifier: MIT
 * watch: the policy, asked at connect(). Everything that is not certain ends in a refusal. */
#include "watch.h"
#include "../quiet.h"
#include "adopt.h"
#include "ask.h"
#include "copies.h"
#include "engine_open.h"
#include "inherit.h"
#include "log.h"
#include "names.h"
#include "observe.h"
#include "process.h"
#include "real.h"
#include "slot.h"
#include "table.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is asked about one connection. */
struct dial {
	struct order order;
	struct verdict verdict;
	char name[NAME_ROOM];
};

static bool is_tcp(int fd)
{
	int proto = 0;
	socklen_t n = sizeof(proto);

	return real.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &n) == 0 &&
	       (proto == IPPROTO_TCP || proto == IPPROTO_MPTCP);
}

bool watch_is_tcp(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) && is_tcp(fd);
}

/* What is known beforehand; len is no more than there is room for. */
static void fill(struct dial *d, const struct sockaddr *addr, socklen_t len)
{
	memset(d, 0, sizeof(*d));
	memcpy(&d->order.addr, addr, len);
	d->order.addr_len = len;
	d->order.verdict = &d->verdict;
}

/* Ask the policy about a connection to addr, and fill d with what it says. False: leave it
 * alone. */
static bool ours(struct dial *d, int fd, const struct sockaddr *addr, socklen_t len)
{
	int error = errno;
	bool is;

	if (ask_busy || len > sizeof(d->order.addr))
		return false;
	fill(d, addr, len);
	if (names_find(addr->sa_family, names_address(addr), d->name))
		d->order.name = d->name;
	ask_policy(&d->order, &d->verdict);
	is = d->verdict.watched && is_tcp(fd);
	if (is && !d->verdict.needs && !d->verdict.broken) {
		observe_none(&d->order);
		is = false;
	}
	errno = error;
	return is;
}

static int refuse(const struct dial *d, const char *why)
{
	const struct event e = {
		.verdict = EVENT_REFUSED,
		.to = d->order.name,
		.proto = d->verdict.proto,
		.rule = d->verdict.rule,
		.why = why,
		.addr = (const struct sockaddr *)&d->order.addr,
		.needs = d->verdict.needs,
		.ms = -1,
		.observed = d->verdict.observing ? &d->verdict : NULL,
	};

	log_event(&e);
	observe_event(&e);
	errno = EACCES;
	return -1;
}

/* The administrator must hear of a broken policy once, loudly; each connection it costs is a
 * refusal like others. */
static int refuse_broken(const struct dial *d)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	const struct event e = {.verdict = EVENT_BROKEN, .why = d->verdict.broken, .ms = -1};

	if (!atomic_flag_test_and_set(&told))
		log_event(&e);
	return refuse(d, d->verdict.broken);
}

void watch_give_up_copies(int fd)
{
	for (int copy = copies_next(fd, 0); copy >= 0; copy = copies_next(fd, copy + 1)) {
		slot_released(copy, slot_release(copy));
		inherit_show(copy);
	}
}

/* fd is not to be ours after all, nor its copies. */
static void give_up(int fd)
{
	watch_give_up_copies(fd);
	slot_released(fd, slot_release(fd));
	inherit_show(fd);
}

/* Put c behind fd and the copies of it, with the caller's reference, or end it. */
static bool put(int fd, struct conn *c)
{
	if (!adopt(fd, c)) {
		engine_end(c, -1);
		return false;
	}
	for (int copy = copies_next(fd, 0); copy >= 0; copy = copies_next(fd, copy + 1)) {
		if (adopt(slot_fresh(copy), table_more(c)))
			continue;
		table_drop(c);
		give_up(fd);
		return false;
	}
	return true;
}

/* The kernel must say "readable" from the first byte on, for a record is not what the app counts: a
 * low-water mark is ours to keep. */
static void take_low_water(int fd, struct conn *c)
{
	int bytes = 1, one = 1;
	socklen_t n = sizeof(bytes);

	if (real.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &n) < 0 || bytes <= 1)
		return;
	real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	engine->low_water(table_more(c), bytes);
}

/* What the app says must not wait in the kernel for a SYN that waits for it: the peer may be the
 * one to speak first. And who looks at what has come begins at the front. */
static void reset_options(int fd)
{
	int no = 0, off = -1;

	real.setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &no, sizeof(no));
	real.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off));
}

/* The conn for this connection, in the table; or NULL with *why. */
static struct conn *open_conn(int fd, struct dial *d, const char **why)
{
	socklen_t n = sizeof(d->order.cookie);
	const struct engine *e;
	struct conn *c = NULL;
	uint64_t signals;
	int cancel;

	if (process_borrowed()) {
		*why = "the program connects in a child made by vfork() or without the C library";
		return NULL;
	}
	signals = quiet_begin();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ask_busy = true;
	real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &d->order.cookie, &n);
	if ((e = engine_get(why)) && (c = e->open(&d->order, why)))
		take_low_water(fd, c);
	reset_options(fd);
	if (c && !put(fd, c)) {
		c = NULL;
		*why = (unsigned)fd < TABLE_FDS ? "out of memory"
						: "the descriptor's number is too large";
	}
	ask_busy = false;
	pthread_setcancelstate(cancel, NULL);
	quiet_end(signals);
	return c;
}

void watch_connected(int fd)
{
	struct conn *c = process_borrowed() ? NULL : table_get(fd);

	if (c)
		engine->connected(c, fd);
}

/* Other threads may use fd at once, so it is in the table before the kernel connects it. */
static int connect_watched(int fd, const struct sockaddr *addr, socklen_t len, struct dial *d)
{
	const char *why;
	int error = errno;

	if (!open_conn(fd, d, &why))
		return refuse(d, why);
	errno = error;
	if (real.connect(fd, addr, len) == 0) {
		watch_connected(fd);
		return 0;
	}
	if (errno != EINPROGRESS && errno != EINTR && errno != EALREADY)
		give_up(fd);
	return -1;
}

/* Has an FTP control connection of ours announced this one (engine.h, open_data)? Then a conn, in
 * the table; or NULL, with *why or without. The policy is not asked: the control connection's rule
 * holds. */
static struct conn *open_data(int fd, struct dial *d, const struct sockaddr *own, const char **why)
{
	socklen_t n = sizeof(d->order.cookie);
	struct conn *c;
	uint64_t signals;
	int cancel;

	*why = NULL;
	if (ask_busy || process_borrowed() || !is_tcp(fd))
		return NULL;
	signals = quiet_begin();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	ask_busy = true;
	real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &d->order.cookie, &n);
	c = engine->open_data(&d->order, own, why);
	if (c)
		reset_options(fd);
	if (c && !put(fd, c)) {
		c = NULL;
		*why = "out of memory, or the descriptor's number is too large";
	}
	ask_busy = false;
	pthread_setcancelstate(cancel, NULL);
	quiet_end(signals);
	return c;
}

/* connect(2), and the handshake as soon as may be: the peer waits for our word. */
static int connect_data(int fd, const struct sockaddr *addr, socklen_t len)
{
	int result = real.connect(fd, addr, len), error = errno;

	if (result == 0 || error == EINPROGRESS)
		watch_connected(fd);
	else if (error != EINTR && error != EALREADY)
		give_up(fd);
	errno = error;
	return result;
}

/* May there be a connection at all? 0, or -1 as from refuse(). */
static int permit(const struct dial *d)
{
	if (d->verdict.broken && ask_readable())
		return refuse_broken(d);
	if (d->verdict.broken)
		return refuse(d, d->verdict.broken);
	if (d->verdict.needs & NEED_REFUSE)
		return refuse(d, "the policy refuses this destination");
	if (d->verdict.needs & NEED_DANE)
		return refuse(d, "dane-only is not built in");
	return 0;
}

int watch_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct dial d;
	const char *why = NULL;
	int error = errno;

	if (watch_announced() && len <= sizeof(d.order.addr)) {
		fill(&d, addr, len);
		if (open_data(fd, &d, NULL, &why)) {
			errno = error;
			return connect_data(fd, addr, len);
		}
		if (why)
			return refuse(&d, why);
	}
	errno = error;
	if (!ours(&d, fd, addr, len))
		return real.connect(fd, addr, len);
	return permit(&d) < 0 ? -1 : connect_watched(fd, addr, len, &d);
}

void watch_arrived(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct dial d;
	const char *why;

	if (!ours(&d, fd, addr, len))
		return;
	if (permit(&d) < 0 || (!open_conn(fd, &d, &why) && refuse(&d, why) < 0))
		real.shutdown(fd, SHUT_RDWR);
}

int watch_accepted(int fd)
{
	struct sockaddr_storage peer = {0}, own = {0};
	socklen_t n = sizeof(peer), own_len = sizeof(own);
	int error = errno;
	const char *why = NULL;
	struct dial d;

	if (fd < 0 || real.getpeername(fd, (struct sockaddr *)&peer, &n) < 0 ||
	    !watch_family((struct sockaddr *)&peer, n) ||
	    real.getsockname(fd, (struct sockaddr *)&own, &own_len) < 0) {
		errno = error;
		return fd;
	}
	fill(&d, (struct sockaddr *)&peer, n);
	if (open_data(fd, &d, (struct sockaddr *)&own, &why)) {
		watch_connected(fd);
	} else if (why) {
		refuse(&d, why);
		real.close(fd);
		errno = ECONNABORTED;
		return -1;
	}
	errno = error;
	return fd;
}

bool watch_would(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct dial d;

	return watch_family(addr, len) && ours(&d, fd, addr, len);
}
