/* SPDX-License-Identifier: MIT
 * engine: where the two objects meet. The front (libstarttls.so, libc only) is in every process; it
 * opens the engine (libstarttls-tls.so, links OpenSSL) at the first watched connection and calls it
 * through the struct below. The engine calls back through struct front, because every libc socket
 * function it called by name would land in our own hooks. */
#ifndef STARTTLS_ENGINE_H
#define STARTTLS_ENGINE_H

#include "../policy/policy.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

enum { ENGINE_ABI = 7 };

/* The head of every struct conn. Conns live in memory that is never given back, only used again, so
 * refs may be read through a stale pointer; whoever finds 0 has lost the race with the last close.
 * Each table slot holds one reference, and each call in progress. */
struct conn_ref {
	_Atomic uint32_t refs;
	_Atomic uint32_t slots; /* table slots among them; kept by table_put and table_remove */
};
struct conn;

/* One line of the log (policy.md, "The log line"). Strings are borrowed for the call; NULL: leave
 * the field out. */
struct event {
	enum event_verdict {
		EVENT_VERIFIED,
		EVENT_PINNED,
		EVENT_DANE,
		EVENT_ENCRYPTED,
		EVENT_PLAINTEXT,
		EVENT_REFUSED,
		EVENT_OWN,
		EVENT_BROKEN
	} verdict;
	const char *to, *proto, *tls, *cipher, *rule, *why;
	const struct sockaddr *addr; /* NULL: none */
	unsigned needs;
	long ms;        /* from connect to the verdict; < 0: leave out */
	time_t expires; /* when the peer's certificate ends; 0: it has shown none */
	/* While somebody observes (verdict.observing), else NULL: what was asked for; the peer's
	 * key as a rule has it in `pin` (NULL: it has shown none, or in an earlier session); and
	 * why `verify` would not hold (NULL: it would). */
	const struct verdict *observed;
	const char *pin, *unverified;
};

/* What the front offers the engine. */
struct front {
	/* Write one log line; keeps errno; never blocks for long; takes no lock of the table. */
	void (*log)(const struct event *);
	/* Drop every slot that still points to this conn (the connection went on in plaintext),
	 * with their references. */
	void (*forget)(struct conn *);
	/* Put `end`, a relay's, which is consumed, in the place of all descriptors of this process
	 * for this conn; their slots go. */
	void (*replace)(struct conn *, int end);
	/* Is fd still a descriptor of this conn? Another thread may have closed it, and the number
	 * be somebody else's. */
	bool (*holds)(struct conn *, int fd);
	/* The libc functions underneath the hooks: they may block, and are cancellation points. */
	int (*poll)(struct pollfd *, nfds_t, int);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
};

/* What the front knows at connect(). */
struct order {
	const struct verdict *verdict; /* strings in it live for ever; the struct is copied */
	const char *name;              /* what the app asked for; borrowed; NULL when unknown */
	struct sockaddr_storage addr;  /* the peer */
	socklen_t addr_len;
	uint64_t cookie; /* the socket's SO_COOKIE: which one it is, whatever number
			  * it has in which process */
};

/* The name that a relay's end of the socket pair is bound to: abstract, so that the program behind
 * a relay can be told whom it talks to by whoever asks getpeername(), without any state. */
#define RELAY_MARK "starttls relay"
struct relay_name {
	char abstract, mark[sizeof RELAY_MARK];
	uint64_t cookie;           /* of the connection's real socket */
	uint32_t serial;           /* there may be several relays for one of them */
	uint8_t own[28], peer[28]; /* struct sockaddr_in or sockaddr_in6 */
} __attribute__((packed));

/* The engine's functions. `fd` is the descriptor the app used in this very call: conns keep none of
 * their own. Every function that takes a conn consumes one reference, given by table_get(). All may
 * block exactly when the same call on a plain TCP socket may, that is never on a non-blocking
 * descriptor; none is async-signal-safe; none changes errno on success. */
struct engine {
	int abi;
	/* A conn with one reference, or NULL: *why is then a sentence (static). Called before
	 * connect(). */
	struct conn *(*open)(const struct order *, const char **why);
	/* FTP: how many control connections have announced a data connection; while it is 0 nobody
	 * needs to ask. */
	const _Atomic unsigned *announced;
	/* Has one announced the connection that the app is about to make to order->addr (own NULL),
	 * or has accepted from there on `own`? Then a conn with one reference; or NULL: *why NULL:
	 * not announced, so it is the policy's; else it must not be, and why. verdict and name of
	 * the order need not be filled in. */
	struct conn *(*open_data)(struct order *, const struct sockaddr *own, const char **why);
	/* connect() on a descriptor that is already ours. Returns as connect(2). */
	int (*reconnect)(struct conn *, int fd, const struct sockaddr *, socklen_t);
	/* The app learns that its connection is up: connect() returned 0, or SO_ERROR is 0. Where
	 * we are the first to speak, we do, because the app may now wait for the peer without
	 * calling us again. Never blocks; takes nothing from the kernel. */
	void (*connected)(struct conn *, int fd);
	/* As recvmsg(2) and sendmsg(2): bytes, 0 at end of stream, -1 with errno. msg->msg_name and
	 * msg_control are ignored on sending and emptied on receiving. ECONNABORTED once
	 * refused. */
	ssize_t (*receive)(struct conn *, int fd, struct msghdr *, int flags);
	ssize_t (*transmit)(struct conn *, int fd, const struct msghdr *, int flags);
	/* As recv(2) without flags for n > 0 bytes, if more than that wait as plaintext; else 0:
	 * ask receive(). Takes no reference and needs none: c may be any conn there ever was. Never
	 * blocks. */
	size_t (*receive_waiting)(struct conn *, int fd, void *bytes, size_t n);
	/* The process is about to fork(), and until TLS is up a connection cannot be shared: bring
	 * it up, or be refused, as a read would, but for some seconds at most. Nothing on a
	 * descriptor that does not block. */
	void (*bring_up)(struct conn *, int fd);
	/* As shutdown(2): close_notify, then FIN. */
	int (*shutdown)(struct conn *, int fd, int how);
	/* FIONREAD: bytes the app can read now, never 0 while the descriptor is readable. Returns 0
	 * or -1 with errno. */
	int (*readable)(struct conn *, int fd, int *bytes);
	/* poll(2) says readable: would a read have something for the app now (data, its end, an
	 * error)? If not, what made it readable has been dealt with. */
	bool (*ready)(struct conn *, int fd);
	/* SO_RCVLOWAT, kept here because the kernel counts the bytes of records: a blocking call
	 * waits for that many. bytes > 0 sets it. Returns what is in force. */
	int (*low_water)(struct conn *, int bytes);
	/* A slot goes away: fd is about to be closed or replaced. Consumes two references: the
	 * caller's and the slot's. fd -1: there is no such descriptor any more, so nothing can be
	 * sent. With the last slot: what is sealed is sent, close_notify, tickets are drained (else
	 * the kernel would answer with RST). The caller then closes fd. */
	void (*release)(struct conn *, int fd);
	/* Around fork(), from pthread_atfork handlers. */
	void (*fork_prepare)(void);
	void (*fork_parent)(void);
	void (*fork_child)(void);
	/* The process ends by exit() and fd is still open: as release, but without blocking; the
	 * slot stays. */
	void (*finish)(struct conn *, int fd);
	/* The process ends by _exit() and fd is still open: tickets are drained, for which it may
	 * wait one round trip; nothing else is done. Async-signal-safe; keeps the reference. */
	void (*exits)(struct conn *, int fd);
	/* The conn whose socket fd is, whatever the table says, with a reference; NULL: not one of
	 * ours. */
	struct conn *(*owner)(int fd);
	/* Hand the connection over to a relay (relay.h), because a program that knows nothing of us
	 * goes on with it. Returns a new descriptor, close-on-exec, to be put in the place of all
	 * of this process's; -1 with errno. With `later`, and while other processes have the
	 * connection too, the relay does nothing before that program speaks. Works in a vfork()
	 * child too. */
	int (*relay)(struct conn *, int fd, bool later);
	/* The descriptors that are left to nobody end with exec(): leave what is shared with other
	 * processes; or come back, exec() has failed. */
	void (*exec)(bool leaving);
	/* When tick() has to be called at the latest, even if no descriptor becomes ready: ms of
	 * CLOCK_MONOTONIC; INT64_MAX: there is nothing to do. */
	const _Atomic int64_t *due;
	/* Refuse peers that are late, and go on with handshakes that the app does not wait for;
	 * their descriptors become ready. Never blocks. */
	void (*tick)(void);
};

/* The one symbol libstarttls-tls.so exports, "starttls_engine". NULL when abi differs. */
const struct engine *starttls_engine(int abi, const struct front *front);
typedef const struct engine *starttls_engine_fn(int abi, const struct front *front);

#endif
