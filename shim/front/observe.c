/* SPDX-License-Identifier: MIT
 * observe: rules from what happened. Names stand in a rule only where the policy would look for
 * them: as the app looked them up. A pin is written for the address, because a name may lead to
 * several hosts with a key each. */
#include "observe.h"
#include "../quiet.h"
#include "names.h"
#include "process.h"
#include "start.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char remark[] = "      # ";

struct line {
	char text[8192]; /* two file names, and what else a rule may say */
	size_t n;        /* too long: sizeof text or more */
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
	va_list args;

	if (l->n >= sizeof(l->text))
		return;
	va_start(args, format);
	l->n += (size_t)vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
	va_end(args);
}

/* --- the rule */

/* Would the parser take it for a name? */
static bool is_name(const char *name)
{
	const char *last = strrchr(name, '.');

	if (*name == '.' || *name == '-' || strstr(name, "..") ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name))
		return false;
	return isalpha((unsigned char)(last ? last[1] : *name));
}

static unsigned port_of(const struct sockaddr *addr)
{
	/* the same place in both families */
	return ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port);
}

static bool is_loopback(const struct sockaddr *addr)
{
	const uint8_t *v4 = names_address(addr);

	return addr->sa_family == AF_INET
		       ? *v4 == 127
		       : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)v4);
}

/* The app's word for the peer, or its address. */
static void put_host(struct line *l, const struct sockaddr *addr, bool by_name)
{
	char name[NAME_ROOM], text[INET6_ADDRSTRLEN];

	if (by_name && names_find(addr->sa_family, names_address(addr), name) && is_name(name) &&
	    (strcmp(name, "localhost") != 0 || is_loopback(addr)))
		put(l, " to %s", name);
	else
		put(l, " to %s",
		    inet_ntop(addr->sa_family, names_address(addr), text, sizeof(text)));
}

static void put_selectors(struct line *l, const struct event *e, bool by_name)
{
	put_host(l, e->addr, by_name);
	put(l, " port %u proto %s", port_of(e->addr), e->proto);
}

static void put_option(struct line *l, const char *word, const char *value)
{
	if (value)
		put(l, " %s %s", word, value);
}

/* What the user's own rule says besides its level. */
static void put_options(struct line *l, const struct rule_options *o, bool verified)
{
	if (verified) {
		put_option(l, "name", o->name);
		put_option(l, "ca", o->ca);
	}
	put_option(l, "cert", o->cert);
	put_option(l, "key", o->key);
	put_option(l, "ciphers", o->ciphers);
	if (o->min)
		put(l, " min 1.%d", o->min - 0x0301);
	if (o->timeout_s)
		put(l, " timeout %d", o->timeout_s);
}

/* Some of it comes from outside. */
static void put_remark(struct line *l, const char *what, const char *why)
{
	size_t from = l->n;

	put(l, "%s%s: %s", remark, what, why);
	for (; from < l->n && from < sizeof(l->text); from++)
		if (!isprint((unsigned char)l->text[from]))
			l->text[from] = '?';
}

static void put_tls(struct line *l, const struct event *e)
{
	const struct verdict *v = e->observed;
	const struct rule_options *user = &v->options[v->n_options - 1];

	put(l, "%s", e->unverified ? "fingerprint" : "verify");
	put_selectors(l, e, !e->unverified);
	if (e->unverified)
		put(l, " pin %s", e->pin);
	put_options(l, user, !e->unverified);
	if (e->unverified)
		put_remark(l, e->to ? e->to : "not verified", e->unverified);
}

/* False: there is nothing to say about it. */
static bool write_rule(struct line *l, const struct event *e)
{
	switch (e->verdict) {
	case EVENT_VERIFIED:
	case EVENT_PINNED:
	case EVENT_DANE:
	case EVENT_ENCRYPTED:
		if (e->pin) /* else the session is an earlier one's, and its rule is there */
			put_tls(l, e);
		return e->pin;
	case EVENT_PLAINTEXT:
		put(l, "may");
		put_selectors(l, e, true);
		put_remark(l, "PLAINTEXT", e->why);
		return true;
	case EVENT_OWN:
		put(l, "verify");
		put_selectors(l, e, true);
		if (e->observed->by_app)
			put(l, " by app");
		put_remark(l, "the program's own TLS", "whom it trusts is its business");
		return true;
	case EVENT_REFUSED:
		put(l, "# refused");
		put_selectors(l, e, true);
		put_remark(l, level_name(e->needs), e->why);
		return true;
	case EVENT_BROKEN:
		break;
	}
	return false;
}

/* --- the file */

/* Is there a line of these n bytes, with or without a remark behind them? */
static bool stands_there(int fd, const char *rule, size_t n)
{
	const size_t all = n + sizeof(remark) - 1;
	char bytes[1024];
	bool same = true; /* the first `at` bytes of the line */
	size_t at = 0;
	off_t offset = 0;
	long got;

	while ((got = syscall(SYS_pread64, fd, bytes, sizeof(bytes), offset)) > 0) {
		for (long i = 0; i < got; i++, at++) {
			if (same && (at == all || (at == n && bytes[i] == '\n')))
				return true;
			same = same && bytes[i] == (at < n ? rule[at] : remark[at - n]);
			if (bytes[i] == '\n') {
				same = true;
				at = SIZE_MAX;
			}
		}
		offset += got;
	}
	return false;
}

static void append(const char *path, struct line *l)
{
	const char *end = strstr(l->text, remark);
	size_t rule = end ? (size_t)(end - l->text) : l->n;
	uint64_t signals = quiet_begin();
	int fd =
		(int)syscall(SYS_openat, AT_FDCWD, path,
			     O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	l->text[l->n++] = '\n';
	if (fd >= 0) {
		syscall(SYS_flock, fd, LOCK_EX);
		if (!stands_there(fd, l->text, rule))
			syscall(SYS_write, fd, l->text, l->n);
		process_close(fd);
	}
	quiet_end(signals);
}

void observe_event(const struct event *e)
{
	const char *path = start_observe();
	struct line l = {.n = 0};
	int error = errno;

	if (path && e->observed && e->addr && e->proto && write_rule(&l, e) &&
	    l.n < sizeof(l.text) - 1)
		append(path, &l);
	errno = error;
}

void observe_none(const struct order *order)
{
	const struct event e = {.addr = (const struct sockaddr *)&order->addr,
				.proto = order->verdict->proto};
	const char *path = start_observe();
	struct line l = {.n = 0};

	if (!path || !order->verdict->observing)
		return;
	put(&l, "none");
	put_selectors(&l, &e, true);
	append(path, &l);
}
