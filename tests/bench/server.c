/* SPDX-License-Identifier: MIT
 * server.c - the peer of the benchmark: SMTP with STARTTLS (RFC 3207), many connections, every
 * octet checked.
 *
 *   server CERT.pem KEY.pem       prints "port N", then answers each line on stdin with its
 * counters; ends with stdin
 *
 *   EHLO, HELO, MAIL, RCPT, QUIT, DATA    as usual          PING       250 at once
 *   SINK n    n octets of the pattern follow; 250 or 554    SOURCE n   n octets of the pattern come
 * back, nothing else
 *
 * Nothing forces a client to use TLS: the plain program is measured here too. What is counted is
 * what the driver judges by: sessions, sessions under TLS, resumed ones, verbs that came in the
 * clear, octets that were wrong. Each worker thread has its own epoll set; the listening socket is
 * in all of them.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#define WORKERS    2
#define ROOM       65536u
#define READ_AHEAD 70000u /* four records and their frames */

enum state { AT_LINES, AT_SINK, AT_SOURCE, AT_MAIL, AT_END };

struct session {
	int fd, epoll;
	SSL *ssl; /* null until STARTTLS */
	enum state state;
	bool secure;   /* the handshake is complete, and counted */
	bool wrong;    /* this SINK had a wrong octet */
	bool writable; /* EPOLLOUT is armed */
	bool upgrade;  /* TLS begins once the replies are out */
	uint64_t offset, left;
	size_t line_len, out_len;
	char line[1024], out[1024];
};

static struct {
	atomic_ulong sessions, secure, resumed, clear, wrong, octets;
} seen;

static SSL_CTX *context;
static int listener;

static void session_end(struct session *s)
{
	if (s->ssl) {
		if (SSL_is_init_finished(s->ssl))
			SSL_shutdown(s->ssl);
		SSL_free(s->ssl);
	}
	close(s->fd);
	free(s);
}

static void note_secure(struct session *s)
{
	if (s->secure || !SSL_is_init_finished(s->ssl))
		return;
	s->secure = true;
	seen.secure++;
	seen.resumed += SSL_session_reused(s->ssl) ? 1 : 0;
}

/* Octets (> 0), 0 when it would block, -1 at the end or at an error. */
static ssize_t ssl_result(struct session *s, int n)
{
	note_secure(s);
	if (n > 0)
		return n;
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	default:
		ERR_clear_error();
		return -1;
	}
}

static ssize_t plain_result(ssize_t n)
{
	if (n > 0)
		return n;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t session_read(struct session *s, void *room, size_t n)
{
	if (s->ssl)
		return ssl_result(s, SSL_read(s->ssl, room, (int)n));
	return plain_result(recv(s->fd, room, n, 0));
}

static ssize_t session_write(struct session *s, const void *bytes, size_t n)
{
	if (s->ssl)
		return ssl_result(s, SSL_write(s->ssl, bytes, (int)n));
	return plain_result(send(s->fd, bytes, n, MSG_NOSIGNAL));
}

static void say(struct session *s, const char *reply)
{
	size_t n = strlen(reply);

	if (s->out_len + n > sizeof s->out) { /* a client that never reads: none of ours */
		s->state = AT_END;
		return;
	}
	memcpy(s->out + s->out_len, reply, n);
	s->out_len += n;
}

/* --- verbs */

static void verb_sink(struct session *s, uint64_t n)
{
	s->state = AT_SINK;
	s->offset = 0;
	s->left = n;
	s->wrong = false;
}

static void verb_source(struct session *s, uint64_t n)
{
	s->state = AT_SOURCE;
	s->offset = 0;
	s->left = n;
}

static void verb_starttls(struct session *s)
{
	if (s->ssl) {
		say(s, "503 once is enough\r\n");
		return;
	}
	say(s, "220 go\r\n");
	s->upgrade = true;
}

static bool line_is(const char *line, const char *verb)
{
	return strncasecmp(line, verb, strlen(verb)) == 0;
}

static void session_line(struct session *s, const char *line)
{
	uint64_t n = strlen(line) > 5 ? strtoull(line + 5, NULL, 10) : 0;

	if (line_is(line, "EHLO"))
		say(s, s->ssl ? "250-bench\r\n250 8BITMIME\r\n"
			      : "250-bench\r\n250-STARTTLS\r\n250 8BITMIME\r\n");
	else if (line_is(line, "HELO") || line_is(line, "RSET") || line_is(line, "NOOP"))
		say(s, "250 ok\r\n");
	else if (line_is(line, "STARTTLS"))
		verb_starttls(s);
	else if (line_is(line, "QUIT"))
		say(s, "221 bye\r\n"), s->state = AT_END;
	else {
		seen.clear += s->secure ? 0 : 1;
		if (line_is(line, "SINK "))
			verb_sink(s, n);
		else if (line_is(line, "SOURCE "))
			verb_source(s, strtoull(line + 7, NULL, 10));
		else if (line_is(line, "DATA"))
			say(s, "354 go on\r\n"), s->state = AT_MAIL;
		else if (line_is(line, "PING") || line_is(line, "MAIL") || line_is(line, "RCPT"))
			say(s, "250 ok\r\n");
		else
			say(s, "500 what?\r\n"), seen.wrong++;
	}
}

static void mail_line(struct session *s, const char *line)
{
	if (strcmp(line, ".\r\n") != 0)
		return;
	s->state = AT_LINES;
	say(s, "250 queued\r\n");
}

/* --- what came in */

/* Nagle and delayed acknowledgements have a row of their own, with DATA; elsewhere 40 ms of waiting
 * by chance would hide what is measured. The kernel forgets this at will, so say it each time. */
static void acknowledge_at_once(struct session *s)
{
	int on = 1;

	setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static size_t take_sink(struct session *s, const char *bytes, size_t n)
{
	size_t part = smaller(n, s->left);

	acknowledge_at_once(s);

	s->wrong |= !pattern_is(bytes, part, s->offset);
	s->offset += part;
	s->left -= part;
	seen.octets += part;
	if (s->left)
		return part;
	seen.wrong += s->wrong ? 1 : 0;
	say(s, s->wrong ? "554 wrong octets\r\n" : "250 ok\r\n");
	s->state = AT_LINES;
	return part;
}

static size_t take_line(struct session *s, const char *bytes, size_t n)
{
	const char *end = memchr(bytes, '\n', n);
	size_t part = end ? (size_t)(end - bytes) + 1 : n;

	if (s->line_len + part >= sizeof s->line) {
		s->state = AT_END;
		return n;
	}
	memcpy(s->line + s->line_len, bytes, part);
	s->line_len += part;
	if (!end)
		return part;
	s->line[s->line_len] = '\0';
	s->line_len = 0;
	s->state == AT_MAIL ? mail_line(s, s->line) : session_line(s, s->line);
	return part;
}

static void take(struct session *s, const char *bytes, size_t n)
{
	while (n && s->state != AT_END) {
		size_t part = 0;

		if (s->state == AT_SOURCE ||
		    s->upgrade) { /* octets behind SOURCE or STARTTLS: injected */
			seen.wrong++;
			s->state = AT_END;
			return;
		}
		part = s->state == AT_SINK ? take_sink(s, bytes, n) : take_line(s, bytes, n);
		bytes += part;
		n -= part;
	}
}

/* --- what goes out */

/* Returns 1 when all is out, 0 when the socket is full, -1 at an error. */
static int push_replies(struct session *s)
{
	while (s->out_len) {
		ssize_t n = session_write(s, s->out, s->out_len);

		if (n <= 0)
			return (int)n;
		s->out_len -= (size_t)n;
		memmove(s->out, s->out + n, s->out_len);
	}
	return 1;
}

static int push_source(struct session *s)
{
	while (s->state == AT_SOURCE && s->left) {
		ssize_t n = session_write(s, pattern_at(s->offset), smaller(s->left, ROOM));

		if (n <= 0)
			return (int)n;
		s->offset += (uint64_t)n;
		s->left -= (uint64_t)n;
		seen.octets += (uint64_t)n;
	}
	if (s->state == AT_SOURCE)
		s->state = AT_LINES;
	return 1;
}

static void arm(struct session *s, bool writable)
{
	struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = s};

	if (s->writable == writable)
		return;
	s->writable = writable;
	epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->fd, &event);
}

static void upgrade(struct session *s)
{
	s->upgrade = false;
	s->ssl = SSL_new(context);
	SSL_set_fd(s->ssl, s->fd);
	SSL_set_accept_state(s->ssl);
}

/* False when the session is over. */
static bool session_push(struct session *s)
{
	int done = push_replies(s);

	if (done > 0)
		done = push_source(s);
	if (done > 0 && s->state == AT_END)
		return false;
	if (done > 0 && s->upgrade)
		upgrade(s);
	arm(s, done == 0);
	return done >= 0;
}

/* Read until there is no more: with read-ahead, epoll knows nothing of what OpenSSL holds. */
static bool session_run(struct session *s, char *room)
{
	for (;;) {
		ssize_t n = session_read(s, room, ROOM);

		if (n < 0)
			return false;
		if (n > 0)
			take(s, room, (size_t)n);
		if ((n > 0 || s->writable) && !session_push(s))
			return false;
		if (n == 0 || s->state == AT_SOURCE)
			return true;
	}
}

static void session_accept(int epoll)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	struct epoll_event event = {.events = EPOLLIN};
	struct session *s = NULL;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	s = calloc(1, sizeof *s);
	if (!s)
		die("server: no memory");
	s->fd = fd;
	s->epoll = epoll;
	seen.sessions++;
	event.data.ptr = s;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	say(s, "220 bench ESMTP\r\n");
	if (!session_push(s))
		session_end(s);
}

static void *worker(void *unused)
{
	struct epoll_event events[256], listening = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char *room = malloc(ROOM);

	(void)unused;
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening); /* data.ptr is null: the listener */
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;

			if (!s)
				session_accept(epoll);
			else if (!session_run(s, room))
				session_end(s);
		}
	}
	return NULL;
}

/* --- start */

static SSL_CTX *context_new(const char *cert, const char *key)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				    SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_default_read_buffer_len(c, READ_AHEAD);
	SSL_CTX_set_session_id_context(c, (const unsigned char *)"bench", 5);
	if (SSL_CTX_use_certificate_chain_file(c, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
		die("server: cannot use %s and %s", cert, key);
	return c;
}

static unsigned listen_anywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof address;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, n) || listen(listener, 8192) ||
	    getsockname(listener, (struct sockaddr *)&address, &n))
		die("server: cannot listen");
	return ntohs(address.sin_port);
}

/* Print the counters and begin again at zero. */
static void report(void)
{
	printf("sessions=%lu secure=%lu resumed=%lu clear=%lu wrong=%lu octets=%lu\n",
	       atomic_exchange(&seen.sessions, 0), atomic_exchange(&seen.secure, 0),
	       atomic_exchange(&seen.resumed, 0), atomic_exchange(&seen.clear, 0),
	       atomic_exchange(&seen.wrong, 0), atomic_exchange(&seen.octets, 0));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char line[64];

	if (argc != 3)
		die("usage: server CERT.pem KEY.pem");
	signal(SIGPIPE, SIG_IGN); /* OpenSSL's own socket BIO has no MSG_NOSIGNAL */
	allow_many_files();
	pattern_make();
	context = context_new(argv[1], argv[2]);
	printf("port %u\n", listen_anywhere());
	fflush(stdout);
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&thread, NULL, worker, NULL))
			die("server: no thread");
	while (fgets(line, sizeof line, stdin))
		report();
	return 0;
}
