/* SPDX-License-Identifier: MIT
 * log: formatting and sending one line per verdict. RFC 3164 for syslog, which every /dev/log understands. */
#include "log.h"
#include "start.h"
#include "table.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *word;
	int severity;
} verdicts[] = {
	[EVENT_VERIFIED] = {"verified", LOG_INFO},
	[EVENT_PINNED] = {"pinned", LOG_INFO},
	[EVENT_DANE] = {"dane", LOG_INFO},
	[EVENT_ENCRYPTED] = {"encrypted", LOG_INFO},
	[EVENT_PLAINTEXT] = {"plaintext", LOG_WARNING},
	[EVENT_REFUSED] = {"refused", LOG_ERR},
	[EVENT_OWN] = {"own", LOG_INFO},
	[EVENT_BROKEN] = {"broken", LOG_CRIT},
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

size_t log_format(const struct event *e, char *line, size_t n)
{
	struct line l = {line, 0, n};

	put(&l, "starttls %s", verdicts[e->verdict].word);
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
	if (e->why) {
		put(&l, " why=\"");
		l.room--; /* for the closing quote */
		put_clean(&l, e->why, true);
		l.room++;
		put(&l, "\"");
	}
	return l.n;
}

static int facility(const char *proto)
{
	static const char *const mail[] = {"smtp",  "smtps", "lmtp",  "imap",
					   "imaps", "pop3",  "pop3s", "sieve"};

	for (size_t i = 0; proto && i < sizeof(mail) / sizeof(*mail); i++)
		if (strcmp(proto, mail[i]) == 0)
			return LOG_MAIL;
	return LOG_DAEMON;
}

static void put_head(struct line *l)
{
	put_clean(l, program_invocation_short_name, false);
	put(l, "[%d]: ", (int)getpid());
}

static void to_syslog(const struct event *e)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char text[LOG_LINE];
	struct line l = {text, 0, sizeof(text)};
	time_t now = time(NULL);
	struct tm t;
	int fd;

	localtime_r(&now, &t);
	put(&l, "<%d>%.3s %2d %02d:%02d:%02d ", facility(e->proto) | verdicts[e->verdict].severity,
	    months + 3 * t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
	put_head(&l);
	l.n += log_format(e, text + l.n, sizeof(text) - l.n);
	fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	syscall(SYS_sendto, fd, text, l.n, MSG_NOSIGNAL, &log, sizeof(log));
	syscall(SYS_close, fd);
}

static void to_fd(const struct event *e, int fd)
{
	char text[LOG_LINE];
	struct line l = {text, 0, sizeof(text) - 1};

	put_head(&l);
	l.n += log_format(e, text + l.n, l.room - l.n);
	text[l.n++] = '\n';
	syscall(SYS_write, fd, text,
		l.n); /* in one piece, so that lines of several processes do not mix */
}

static void to_file(const struct event *e, const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			      0600);

	if (fd < 0)
		return;
	to_fd(e, fd);
	syscall(SYS_close, fd);
}

void log_event(const struct event *e)
{
	const char *to = start_log();
	int error = errno;

	if (!to)
		to_syslog(e);
	else if (strcmp(to, "stderr") != 0 && strcmp(to, "off") != 0)
		to_file(e, to);
	else if (*to == 's' && !table_has(2)) /* a log line is no part of a connection on fd 2 */
		to_fd(e, 2);
	errno = error;
}
