// SPDX-License-Identifier: MIT
// forward: what ends TLS between a foreign suite's client and the same suite's server (turn.h has the picture).
//
//   $ forward CERT.pem REPORT COMMAND …     TLS towards the client, plaintext towards the server
//   $ forward -        REPORT COMMAND …     plaintext on both sides: what differs then is the detour's doing and not TLS's
//
// COMMAND runs with TURN_PORT set; its exit code is ours. REPORT then says "N connections, N inside TLS, N bare, N truncated": bare are
// those that began with something else than a ClientHello.
//
// One thread per connection, each end's FIN, reset and pace handed on to the other.
#include "turn.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/tcp.h>

enum { ROOM = 16 * 1024 };

static SSL_CTX *context; /* NULL: plaintext */
static atomic_uint seen, secured, bare, truncated;

/* One direction: bytes read and not yet written. */
struct flow {
	unsigned char bytes[ROOM];
	size_t at, end;
	bool eof, passed_on; /* the reading end has finished; the writing end was told */
};

struct session {
	int app, server;
	SSL *ssl;
	bool shaken;
	short want; /* what TLS waits for on app, besides what the flows ask for */
	struct flow up, down;
};

static void die(const char *what)
{
	perror(what);
	exit(70);
}

/* --- the client's side: -1 broken, -2 not now, 0 end, else bytes */
enum { BROKEN = -1, LATER = -2 };

static ssize_t plain_result(ssize_t n)
{
	return n < 0 ? errno == EAGAIN || errno == EINTR ? LATER : BROKEN : n;
}

static ssize_t tls_result(struct session *s, int n)
{
	int error = SSL_get_error(s->ssl, n);

	if (n > 0)
		return n;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		s->want |= error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
		return LATER;
	}
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		truncated += s->shaken;
		return 0;
	}
	return BROKEN;
}

static ssize_t app_read(struct session *s, void *bytes, size_t n)
{
	ERR_clear_error();
	return s->ssl ? tls_result(s, SSL_read(s->ssl, bytes, (int)n))
		      : plain_result(recv(s->app, bytes, n, 0));
}

static ssize_t app_write(struct session *s, const void *bytes, size_t n)
{
	ERR_clear_error();
	return s->ssl ? tls_result(s, SSL_write(s->ssl, bytes, (int)n))
		      : plain_result(send(s->app, bytes, n, MSG_NOSIGNAL));
}

static void app_finish(struct session *s)
{
	if (s->ssl && s->shaken)
		SSL_shutdown(s->ssl);
	shutdown(s->app, SHUT_WR);
}

/* The handshake, as far as it goes. Before the client has said anything its FIN is a FIN. */
static ssize_t shake(struct session *s)
{
	unsigned char first;
	ssize_t n;

	if (!s->ssl || s->shaken)
		return 1;
	n = recv(s->app, &first, 1, MSG_PEEK);
	if (n <= 0)
		return plain_result(n);
	if (first != 0x16 && !SSL_get_state(s->ssl)) {
		bare++;
		return BROKEN;
	}
	ERR_clear_error();
	n = tls_result(s, SSL_accept(s->ssl));
	if (n > 0) {
		s->shaken = true;
		secured++;
	}
	return n;
}

/* --- moving bytes; each returns false when the connection is broken */

static bool up_step(struct session *s)
{
	struct flow *f = &s->up;
	ssize_t n;

	if (!f->eof && f->at == f->end) {
		n = app_read(s, f->bytes, ROOM);
		if (n == BROKEN)
			return false;
		f->eof = n == 0;
		f->at = 0;
		f->end = n > 0 ? (size_t)n : 0;
	}
	if (f->at < f->end) {
		n = plain_result(send(s->server, f->bytes + f->at, f->end - f->at, MSG_NOSIGNAL));
		if (n == BROKEN)
			return false;
		f->at += n > 0 ? (size_t)n : 0;
	}
	if (f->eof && f->at == f->end && !f->passed_on) {
		f->passed_on = true;
		shutdown(s->server, SHUT_WR);
	}
	return true;
}

static bool down_step(struct session *s)
{
	struct flow *f = &s->down;
	ssize_t n;

	if (!f->eof && f->at == f->end) {
		n = plain_result(recv(s->server, f->bytes, ROOM, 0));
		if (n == BROKEN)
			return false;
		f->eof = n == 0;
		f->at = 0;
		f->end = n > 0 ? (size_t)n : 0;
	}
	if (f->at < f->end) {
		n = app_write(s, f->bytes + f->at, f->end - f->at);
		if (n == BROKEN || n == 0)
			return false;
		f->at += n > 0 ? (size_t)n : 0;
	}
	if (f->eof && f->at == f->end && !f->passed_on) {
		f->passed_on = true;
		app_finish(s);
	}
	return true;
}

static bool moves(const struct flow *f)
{
	return !f->eof && f->at == f->end;
}

/* Wait until something can be done. A connection of which both ends are silent for an hour is given up. */
static bool await(struct session *s, bool shaken)
{
	struct pollfd p[2] = {{.fd = s->app, .events = s->want}, {.fd = s->server}};

	if (!shaken || moves(&s->up))
		p[0].events |= POLLIN;
	if (s->down.at < s->down.end)
		p[0].events |= POLLOUT;
	if (shaken && moves(&s->down))
		p[1].events |= POLLIN;
	if (s->up.at < s->up.end)
		p[1].events |= POLLOUT;
	s->want = 0;
	for (int i = 0; i < 2; i++)
		if (!p[i].events) /* or its hang-up, known already, would be reported for ever */
			p[i].fd = -1;
	return poll(p, 2, 3600 * 1000) > 0 &&
	       !(p[0].revents & POLLERR && !(p[0].revents & POLLIN)) &&
	       !(p[1].revents & POLLERR && !(p[1].revents & POLLIN));
}

static bool carry(struct session *s)
{
	ssize_t n;

	while ((n = shake(s)) == LATER)
		if (!await(s, false))
			return false;
	/* Finished without a word of the program's, be it by a reset that our ServerHello met. */
	if (n <= 0) {
		shutdown(s->server, SHUT_WR);
		return true;
	}
	while (!s->up.passed_on || !s->down.passed_on) {
		if (!up_step(s) || !down_step(s))
			return false;
		if (s->up.passed_on && s->down.passed_on)
			break;
		if (s->ssl && moves(&s->up) && SSL_pending(s->ssl) > 0)
			continue;
		if (!await(s, true))
			return false;
	}
	return true;
}

/* --- a connection's two ends */

static void set_nonblocking(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* As seen by the forwarder, whose listener is IPv6: plain IPv4 again when it is that. */
static void unmap(union address *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = a->in6.sin6_port};

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	memcpy(&in.sin_addr, a->in6.sin6_addr.s6_addr + 12, 4);
	a->in = in;
}

static int dial(int app)
{
	union address to, from;
	socklen_t n = sizeof to, m = sizeof from;
	int on = 1, fd;
	unsigned port;

	if (getsockname(app, &to.sa, &n) < 0 || getpeername(app, &from.sa, &m) < 0)
		return -1;
	unmap(&to);
	port = turn_read(&to, TURN_TO);
	fd = port ? socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	from.sa.sa_family = to.sa.sa_family;
	turn_write(&from, TURN_FROM, ntohs(from.in6.sin6_port));
	from.in.sin_port = 0;
	if (to.sa.sa_family == AF_INET) {
		to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to.in.sin_port = htons((in_port_t)port);
	} else {
		to.in6.sin6_addr = in6addr_loopback;
		to.in6.sin6_port = htons((in_port_t)port);
	}
	n = to.sa.sa_family == AF_INET ? sizeof to.in : sizeof to.in6;
	if (bind(fd, &from.sa, n) == 0 && connect(fd, &to.sa, n) == 0)
		return fd;
	close(fd);
	return -1;
}

static void *serve(void *arg)
{
	struct linger now = {1, 0};
	struct session *s = arg;
	bool whole = false;

	seen++;
	s->server = dial(s->app);
	s->ssl = context ? SSL_new(context) : NULL;
	if (s->server >= 0 && (s->ssl || !context)) {
		set_nonblocking(s->app);
		set_nonblocking(s->server);
		if (s->ssl)
			SSL_set_fd(s->ssl, s->app);
		whole = carry(s);
	}
	if (!whole) {
		setsockopt(s->app, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		setsockopt(s->server, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	}
	close(s->app);
	if (s->server >= 0)
		close(s->server);
	SSL_free(s->ssl);
	ERR_clear_error();
	free(s);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = *(int *)arg, fd;
	pthread_t thread;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR ||
	       errno == ECONNABORTED || errno == EMFILE) {
		struct session *s = fd < 0 ? NULL : calloc(1, sizeof *s);

		if (!s)
			continue;
		s->app = fd;
		if (pthread_create(&thread, NULL, serve, s) != 0)
			die("pthread_create");
		pthread_detach(thread);
	}
	return NULL;
}

/* --- starting */

static SSL_CTX *context_new(const char *cert)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c || SSL_CTX_use_certificate_chain_file(c, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(c, cert, SSL_FILETYPE_PEM) != 1)
		die(cert);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return c;
}

static int listen_anywhere(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	socklen_t n = sizeof any;
	int off = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char port[16];

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, n) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &n) < 0)
		die("listen");
	snprintf(port, sizeof port, "%d", ntohs(any.sin6_port));
	setenv("TURN_PORT", port, 1);
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t acceptor;
	int listener, status = 0;
	pid_t pid;
	FILE *report;

	if (argc < 4) {
		fputs("usage: forward CERT.pem|- REPORT COMMAND …\n", stderr);
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(argv[1], "-") != 0)
		context = context_new(argv[1]);
	listener = listen_anywhere();
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[3], argv + 3);
		die(argv[3]);
	}
	if (pid < 0 || pthread_create(&acceptor, NULL, accept_all, &listener) != 0)
		die("fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	report = fopen(argv[2], "w");
	if (!report)
		die(argv[2]);
	fprintf(report, "%u connections, %u inside TLS, %u bare, %u truncated\n", seen, secured,
		bare, truncated);
	fclose(report);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
