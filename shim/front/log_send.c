/* SPDX-License-Identifier: MIT
 * log_send: where a line goes. RFC 3164 for syslog, which every /dev/log understands, rsyslog's and
 * journald's. */
#include "log.h"
#include "../quiet.h"
#include "process.h"
#include "start.h"
#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static _Atomic unsigned lost; /* lines that syslog was not told, since the last that it was */

bool log_admits(_Atomic int64_t *paid_until, int64_t now_ms)
{
	int64_t was = atomic_load(paid_until), next;

	do {
		next = (was > now_ms ? was : now_ms) + LOG_INTERVAL_MS;
		if (next - now_ms > (int64_t)LOG_BURST * LOG_INTERVAL_MS)
			return false;
	} while (!atomic_compare_exchange_weak(paid_until, &was, next));
	return true;
}

static bool admits(enum event_verdict verdict)
{
	static _Atomic int64_t paid_until;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return verdict == EVENT_BROKEN ||
	       log_admits(&paid_until, (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static int severity(enum event_verdict verdict)
{
	switch (verdict) {
	case EVENT_PLAINTEXT:
		return LOG_WARNING;
	case EVENT_REFUSED:
		return LOG_ERR;
	case EVENT_BROKEN:
		return LOG_CRIT;
	default:
		return LOG_INFO;
	}
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

/* "<22>Nov 20 12:00:00 ". Months in English, whatever the program's locale. */
static size_t syslog_head(const struct event *e, char *line, size_t n)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm t;

	localtime_r(&now, &t);
	return (size_t)snprintf(line, n, "<%d>%.3s %2d %02d:%02d:%02d ",
				facility(e->proto) | severity(e->verdict), months + 3 * t.tm_mon,
				t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

/* A datagram, or, where /dev/log is a stream, a line that ends with NUL. As syslog(3) does, but
 * never waiting. */
static bool syslog_send(const char *line, size_t n)
{
	const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	long sent = -1;

	for (size_t i = 0; sent < 0 && i < sizeof types / sizeof *types; i++) {
		int fd = (int)syscall(SYS_socket, AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK,
				      0);
		bool wrong_type;

		if (fd < 0)
			return false;
		wrong_type = syscall(SYS_connect, fd, &log, sizeof log) < 0 && errno == EPROTOTYPE;
		if (!wrong_type)
			sent = syscall(SYS_sendto, fd, line, n + (size_t)i, MSG_NOSIGNAL, NULL, 0);
		process_close(fd);
		if (!wrong_type)
			break;
	}
	return sent >= 0;
}

static void to_syslog(const struct event *e)
{
	char line[LOG_LINE];
	unsigned before;
	size_t n;

	if (!admits(e->verdict)) {
		lost++;
		return;
	}
	before = atomic_exchange(&lost, 0);
	n = syslog_head(e, line, sizeof line);
	n += log_head(line + n, sizeof line - n);
	n += log_format(e, before, line + n, sizeof line - n);
	if (!syslog_send(line, n))
		lost += before + 1;
}

static void to_fd(const struct event *e, int fd)
{
	char line[LOG_LINE];
	size_t n = log_head(line, sizeof line);

	n += log_format(e, 0, line + n, sizeof line - 1 - n);
	line[n++] = '\n';
	/* in one piece, so that lines of several processes do not mix */
	syscall(SYS_write, fd, line, n);
}

static void to_file(const struct event *e, const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			      0600);

	if (fd < 0)
		return;
	to_fd(e, fd);
	process_close(fd);
}

void log_event(const struct event *e)
{
	const char *to = start_log();
	uint64_t signals = quiet_begin();
	int error = errno;

	if (!to)
		to_syslog(e);
	else if (strcmp(to, "stderr") != 0 && strcmp(to, "off") != 0)
		to_file(e, to);
	else if (*to == 's' && !table_has(2)) /* a log line is no part of a connection on fd 2 */
		to_fd(e, 2);
	errno = error;
	quiet_end(signals);
}
