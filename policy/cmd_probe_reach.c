/* SPDX-License-Identifier: MIT
 * cmd_probe_reach: from the host's name to the peer, as a program would go: all the addresses in
 * the resolver's order, each with the rule that is about it, until one answers. All within the
 * timeout. */
#include "cmd_probe.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_TIMEOUT_S = 60 };

/* --- addresses */

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void too_slow(int signal)
{
	static const char text[] = "starttls probe: the resolver did not answer in time\n";

	(void)signal;
	syscall(SYS_write, STDERR_FILENO, text, sizeof text - 1);
	_exit(EXIT_UNREACHABLE);
}

/* NULL when there are none, having said so. Resolvers have time-outs of their own, longer ones
 * maybe. */
struct addrinfo *probe_resolve(struct probing *p)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST},
			*list = NULL;
	char port[8];
	int error;

	p->start_ms = now_ms();
	snprintf(port, sizeof port, "%u", p->port);
	if (getaddrinfo(p->host, port, &hints, &list) == 0)
		return list;
	p->name = p->host;
	hints.ai_flags &= ~AI_NUMERICHOST;
	signal(SIGALRM, too_slow);
	alarm((unsigned)(p->timeout_s ? p->timeout_s : DEFAULT_TIMEOUT_S));
	error = getaddrinfo(p->host, port, &hints, &list);
	alarm(0);
	if (!error)
		return list;
	fprintf(stderr, "starttls probe: '%s' does not resolve: %s\n", p->host,
		error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
	return NULL;
}

/* No program is known, so rules with `program` do not match; the protocol is taken as said, else as
 * the policy or the port has it. */
struct verdict probe_decide(const struct probing *p, const struct sockaddr *addr, const char *proto)
{
	struct target t = {.addr = addr, .name = p->name, .uid = geteuid(), .proto = proto};
	struct verdict v;

	policy_decide(p->policy, &t, &v);
	return v;
}

/* --- one address */

static void show_fact(void *of, const char *key, const char *value, size_t n)
{
	(void)of;
	line_bytes(key, value, n);
}

/* A rule has to say `proto` before the shim does what was done here. */
static void show_hypothesis(const struct probing *p, const struct sockaddr *addr)
{
	struct verdict real = probe_decide(p, addr, NULL);

	if (!real.watched)
		line("note",
		     "only once a rule says 'proto %s' for it: as it stands, libstarttls does not "
		     "touch port %u",
		     p->proto, p->port);
	else if (strcmp(real.proto, p->proto) != 0)
		line("note",
		     "only once a rule says 'proto %s' for it: as it stands, libstarttls takes it "
		     "for %s",
		     p->proto, real.proto);
}

/* fd is connected. timeout_ms as in struct probe_order. Returns the exit code. */
static int look(struct probing *p, const struct sockaddr *addr, int fd, int timeout_ms)
{
	struct probe_question questions[PROBE_QUESTIONS];
	struct verdict room[PROBE_QUESTIONS];
	struct probe_result result;
	struct probe_order order = {
		.verdict = &p->verdict,
		.name = p->name,
		.domain = p->domain,
		.addr = addr,
		.timeout_ms = timeout_ms,
		.questions = questions,
		.n_questions = rule_questions(p, questions, room),
		.fact = show_fact,
	};

	p->engine->look(fd, &order, &result);
	if (result.end == PROBE_LOST) {
		fprintf(stderr, "starttls probe: %s port %u: %s\n", p->host, p->port, result.why);
		return EXIT_UNREACHABLE;
	}
	show_hypothesis(p, addr);
	return rule_verdict(p, &result, questions, order.n_questions);
}

static void show_address(struct probing *p, const struct addrinfo *a)
{
	if (getnameinfo(a->ai_addr, a->ai_addrlen, p->address, sizeof p->address, NULL, 0,
			NI_NUMERICHOST))
		strcpy(p->address, "?");
	line("address", "%s port %u", p->address, p->port);
	p->address[strcspn(p->address, "%")] = '\0'; /* rules know no zones */
}

/* --- all of them, until one answers */

static int count(const struct addrinfo *list)
{
	int n = 0;

	for (; list; list = list->ai_next)
		n++;
	return n;
}

/* Dial; what is left of the time is shared with the addresses to come, so that one that swallows
 * all packets leaves some to the others. */
static int dial(const struct probing *p, const struct addrinfo *a, long long left_ms)
{
	int fd = -1;

	errno = ETIMEDOUT;
	if (left_ms > 0)
		fd = p->engine->dial(a->ai_addr, a->ai_addrlen, (int)(left_ms / count(a)));
	if (fd < 0)
		line("unreachable", "%s", strerror(errno));
	return fd;
}

int probe_all(struct probing *p, const struct addrinfo *list)
{
	long long left;
	int code = EXIT_UNREACHABLE, refused, fd, said;

	for (; list; list = list->ai_next) {
		show_address(p, list);
		p->verdict = probe_decide(p, list->ai_addr, p->proto);
		if (!rule_permits(p, &refused)) {
			code = refused;
			continue;
		}
		said = p->timeout_s ? p->timeout_s : p->verdict.timeout_s;
		left = p->start_ms + (said ? said : DEFAULT_TIMEOUT_S) * 1000LL - now_ms();
		fd = dial(p, list, left);
		if (fd < 0)
			continue;
		left = p->start_ms + said * 1000LL - now_ms();
		code = look(p, list->ai_addr, fd, !said ? 0 : left > 0 ? (int)left : 1);
		close(fd);
		return code;
	}
	if (code == EXIT_UNREACHABLE)
		fprintf(stderr, "starttls probe: nobody can be reached at %s port %u\n", p->host,
			p->port);
	return code;
}
