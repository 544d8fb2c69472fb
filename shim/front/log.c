/* SPDX-License-Identifier: MIT
 * log: the form of a line. Where it goes: log_send.c. */
#include "log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LAST_FIELDS = 56 }; /* room that a long sentence leaves to what stands behind it */

static const char *const words[] = {
	[EVENT_VERIFIED] = "verified",
	[EVENT_PINNED] = "pinned",
	[EVENT_DANE] = "dane",
	[EVENT_ENCRYPTED] = "encrypted",
	[EVENT_PLAINTEXT] = "plaintext",
	[EVENT_REFUSED] = "refused",
	[EVENT_OWN] = "own",
	[EVENT_BROKEN] = "broken",
};

/* A line under construction; what does not fit is dropped. */
struct line {
	char *text;
	size_t n, room;
};

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->n, l->room - l->n, format, args);
	va_end(args);
	if (n > 0)
		l->n += (size_t)n < l->room - l->n ? (size_t)n : l->room - l->n - 1;
}

/* Text from outside must not end the value, the line, or a terminal's patience. */
static void put_clean(struct line *l, const char *text, bool quoted)
{
	for (; *text && l->n + 1 < l->room; text++) {
		bool fits = *text > ' ' && *text < 0x7f && *text != '"';

		if (quoted && (*text == ' ' || *text == '"'))
			l->text[l->n++] = *text == ' ' ? ' ' : '\'';
		else
			l->text[l->n++] = fits ? *text : '?';
	}
	l->text[l->n] = 0;
}

static void put_field(struct line *l, const char *name, const char *value)
{
	if (!value)
		return;
	put(l, " %s=", name);
	put_clean(l, value, false);
}

static void put_address(struct line *l, const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
	char text[INET6_ADDRSTRLEN] = "";

	if (addr && addr->sa_family == AF_INET &&
	    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)))
		put(l, " addr=%s port=%u", text, (unsigned)ntohs(v4->sin_port));
	if (addr && addr->sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)))
		put(l, " addr=%s port=%u", text, (unsigned)ntohs(v6->sin6_port));
}

static void put_why(struct line *l, const char *why)
{
	if (l->room - l->n <= LAST_FIELDS)
		return;
	l->room -= LAST_FIELDS;
	put(l, " why=\"");
	put_clean(l, why, true);
	l->room += LAST_FIELDS;
	put(l, "\"");
}

static void put_date(struct line *l, time_t when)
{
	struct tm day;

	if (gmtime_r(&when, &day))
		put(l, " expires=%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

size_t log_format(const struct event *e, unsigned lost, char *line, size_t n)
{
	struct line l = {line, 0, n};

	put(&l, "starttls %s", words[e->verdict]);
	put_field(&l, "to", e->to);
	put_address(&l, e->addr);
	put_field(&l, "proto", e->proto);
	put_field(&l, "tls", e->tls);
	put_field(&l, "cipher", e->cipher);
	if (e->needs)
		put_field(&l, "need", level_name(e->needs));
	put_field(&l, "rule", e->rule);
	if (e->ms >= 0)
		put(&l, " ms=%ld", e->ms);
	if (e->why)
		put_why(&l, e->why);
	if (e->expires)
		put_date(&l, e->expires);
	if (lost)
		put(&l, " lost=%u", lost);
	return l.n;
}

size_t log_head(char *line, size_t n)
{
	struct line l = {line, 0, n};

	put_clean(&l, program_invocation_short_name, false);
	put(&l, "[%d]: ", (int)getpid());
	return l.n;
}
