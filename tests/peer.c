// SPDX-License-Identifier: MIT
// peer: options, listening, one thread per connection.
//
//   $ peer --cert good.pem --journal DIR --mailbox DIR --require-tls
//   40123 4711                       <- port and pid; the peer listens from then on, in the background
//
// SIGTERM: no new connections; the live ones end first. While DIR/lock is locked, the journal is being written: `flock DIR/lock true`
// waits for the end.
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct behaviour behave = {
	.bind = "127.0.0.1", .proto = "smtp", .name = "peer.test", .starttls_reply = "220 2.0.0 go", .offer_text = "250-STARTTLS\r\n",
	.tickets = 2,
};
SSL_CTX *tls_context;

/* --- options */

static const char *const steps[STEPS] = {
	"never", "connect", "greeting", "ehlo", "offer", "starttls", "go", "hello", "handshake", "open", "mail", "rcpt", "data", "body",
	"dot", "quit",
};

enum kind { TEXT, NUMBER, FLAG, STEP, VERSION };

#define TO(field) offsetof(struct behaviour, field)
static const struct opt {
	const char *name;
	enum kind kind;
	size_t field;
	const char *help;
} opts[] = {
	{"bind", TEXT, TO(bind), "address to listen on (127.0.0.1)"},
	{"port", NUMBER, TO(port), "port (0: any)"},
	{"proto", TEXT, TO(proto), "smtp, lmtp, or tls (smtp with TLS from the first byte)"},
	{"name", TEXT, TO(name), "name in the greeting"},
	{"cert", TEXT, TO(cert), "PEM file with key, certificate and chain; without it there is no TLS"},
	{"journal", TEXT, TO(journal), "directory for N.wire, N.tls, N.talk, N.facts"},
	{"mailbox", TEXT, TO(mailbox), "directory for mail, byte for byte, dots unstuffed"},
	{"tls-min", VERSION, TO(tls_min), "1.0 to 1.3"},
	{"tls-max", VERSION, TO(tls_max), "1.0 to 1.3"},
	{"tickets", NUMBER, TO(tickets), "TLS 1.3 session tickets (2)"},
	{"record", NUMBER, TO(record), "plaintext bytes per TLS record, 512 to 16384"},
	{"keyupdate-every", NUMBER, TO(keyupdate_every), "a KeyUpdate before every Nth thing said"},
	{"require-tls", FLAG, TO(require_tls), "530 to MAIL in the clear"},
	{"auth-inside-tls-only", FLAG, TO(auth_inside_tls_only), "538 to AUTH in the clear"},
	{"no-offer", FLAG, TO(no_offer), "EHLO does not list STARTTLS"},
	{"offer-text", TEXT, TO(offer_text), "the EHLO line that offers it (250-STARTTLS CR LF)"},
	{"greeting", TEXT, TO(greeting), "instead of 220"},
	{"starttls-reply", TEXT, TO(starttls_reply), "instead of 220; TLS starts only with a 220"},
	{"inject-before-220", TEXT, TO(inject_before), "in the EHLO reply, ahead of its last line"},
	{"inject-behind-220", TEXT, TO(inject_behind), "in the segment of the 220"},
	{"inject-later", TEXT, TO(inject_later), "between ClientHello and ServerHello"},
	{"garbage-instead-of-ServerHello", FLAG, TO(garbage), "text where TLS is expected"},
	{"alert", FLAG, TO(alert), "a fatal alert instead of ServerHello"},
	{"dribble", FLAG, TO(dribble), "one byte per segment"},
	{"no-close-notify", FLAG, TO(no_close_notify), "end with a bare FIN"},
	{"reset-at", STEP, TO(reset_at), "RST at a step"},
	{"close-at", STEP, TO(close_at), "FIN at a step"},
	{"stall-at", STEP, TO(stall_at), "silence from a step on"},
	{"attack", TEXT, TO(attack), attacks},
	{"foreground", FLAG, TO(foreground), "do not go into the background"},
};

static void usage(void)
{
	fputs("usage: peer [--option [value]] …\n", stderr);
	for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
		fprintf(stderr, "  --%-32s %s\n", opts[i].name, opts[i].help);
	fputs("steps:", stderr);
	for (size_t i = 1; i < STEPS; i++)
		fprintf(stderr, " %s", steps[i]);
	fputs("\n", stderr);
	exit(64);
}

static enum step step_of(const char *word)
{
	for (size_t i = 1; i < STEPS; i++)
		if (!strcmp(steps[i], word))
			return (enum step)i;
	usage();
	return STEP_NEVER;
}

static long version_of(const char *word)
{
	if (strlen(word) != 3 || strncmp(word, "1.", 2) != 0 || word[2] < '0' || word[2] > '3')
		usage();
	return TLS1_VERSION + (word[2] - '0');
}

static void set(const struct opt *o, const char *value)
{
	void *field = (char *)&behave + o->field;

	switch (o->kind) {
	case TEXT: *(const char **)field = value; break;
	case NUMBER: *(long *)field = strtol(value, NULL, 10); break;
	case FLAG: *(bool *)field = true; break;
	case STEP: *(enum step *)field = step_of(value); break;
	case VERSION: *(long *)field = version_of(value); break;
	}
}

static const struct opt *find(const char *arg)
{
	for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
		if (!strncmp(arg, "--", 2) && !strcmp(opts[i].name, arg + 2))
			return &opts[i];
	fprintf(stderr, "peer: unknown option %s\n", arg);
	usage();
	return NULL;
}

static void parse(char **args)
{
	while (*args) {
		const struct opt *o = find(*args++);

		if (o->kind != FLAG && !*args)
			usage();
		set(o, o->kind == FLAG ? NULL : *args++);
	}
}

/* --- starting */

static void die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	exit(69);
}

static SSL_CTX *context_new(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	/* Old versions too: what the shim accepts is what the tests are about. */
	if (!c || !SSL_CTX_set_cipher_list(c, "DEFAULT:@SECLEVEL=0") || !SSL_CTX_set_min_proto_version(c, (int)behave.tls_min) ||
	    !SSL_CTX_set_max_proto_version(c, (int)behave.tls_max) || !SSL_CTX_use_certificate_chain_file(c, behave.cert) ||
	    !SSL_CTX_use_PrivateKey_file(c, behave.cert, SSL_FILETYPE_PEM)) {
		fprintf(stderr, "peer: cannot use %s\n", behave.cert);
		exit(69);
	}
	SSL_CTX_set_num_tickets(c, (size_t)behave.tickets);
	SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (behave.record)
		SSL_CTX_set_max_send_fragment(c, behave.record);
	return c;
}

static int listen_on(const char *address, long port, long *bound)
{
	char service[16];
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *a;
	struct sockaddr_storage self;
	socklen_t n = sizeof self;
	int on = 1;

	snprintf(service, sizeof service, "%ld", port);
	if (getaddrinfo(address, service, &hints, &a) != 0)
		die(address);
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)&self, &n) < 0)
		die("listen");
	freeaddrinfo(a);
	*bound = ntohs(self.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&self)->sin6_port
	                                          : ((struct sockaddr_in *)&self)->sin_port);
	return fd;
}

/* Inherited by the child that serves; gone with it. */
static int journal_lock(void)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/lock", behave.journal);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		die(path);
	return fd;
}

/* The parent says where we are and goes; the child keeps no descriptor of whoever started us, so that nobody waits for our end. */
static void go_background(int listener, int lock, long port)
{
	pid_t pid = behave.foreground ? getpid() : fork();

	if (pid != 0) {
		printf("%ld %d\n", port, (int)pid);
		fflush(stdout);
		if (behave.foreground)
			return;
		_exit(pid < 0);
	}
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < 256; fd++)
		if (fd != listener && fd != lock)
			close(fd);
	setsid();
}

/* --- serving */

static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t live_less = PTHREAD_COND_INITIALIZER;
static unsigned live, count;

static void live_add(int by)
{
	pthread_mutex_lock(&live_lock);
	live += (unsigned)by;
	pthread_cond_signal(&live_less);
	pthread_mutex_unlock(&live_lock);
}

static void *serve(void *arg)
{
	struct session *s = arg;

	if (io_begin(s))
		smtp_serve(s);
	io_finish(s);
	free(s);
	live_add(-1);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = *(int *)arg, fd, on = 1;
	pthread_t thread;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR || errno == ECONNABORTED) {
		struct session *s = fd < 0 ? NULL : calloc(1, sizeof *s);

		if (!s)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		s->fd = fd;
		s->number = ++count;
		live_add(1);
		if (pthread_create(&thread, NULL, serve, s) != 0)
			die("pthread_create");
		pthread_detach(thread);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	sigset_t ends;
	pthread_t acceptor;
	int signal_number;
	struct timespec deadline;

	(void)argc;
	parse(argv + 1);
	if (behave.cert)
		tls_context = context_new();
	else
		behave.no_offer = true;
	int listener = listen_on(behave.bind, behave.port, &behave.port);
	go_background(listener, behave.journal ? journal_lock() : -1, behave.port);

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&acceptor, NULL, accept_all, &listener) != 0)
		die("pthread_create");
	sigwait(&ends, &signal_number);

	shutdown(listener, SHUT_RDWR);
	pthread_join(acceptor, NULL);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 5;
	pthread_mutex_lock(&live_lock);
	while (live > 0 && pthread_cond_timedwait(&live_less, &live_lock, &deadline) == 0)
		;
	pthread_mutex_unlock(&live_lock);
	_exit(live > 0);
}
