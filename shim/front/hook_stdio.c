/* SPDX-License-Identifier: MIT
 * hook_stdio: libc's own reads and writes, which no hook sees: formatted output on a descriptor,
 * and streams.
 *
 *   fdopen(fd)               ─► a stream of ours (stream.h) when fd is ours or may become so
 *   stdin, stdout, stderr    ─► replaced when descriptor 0, 1 or 2 becomes ours (adopt.c) */
#include "hook.h"
#include "io.h"
#include "stream.h"
#include "watch.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

extern FILE *_IO_fdopen(int fd, const char *mode);
extern int __vasprintf_chk(char **text, int flag, const char *format, va_list args);
extern int __dprintf_chk(int fd, int flag, const char *format, ...);
extern int __vdprintf_chk(int fd, int flag, const char *format, va_list args);

/* Like libc's, this says -1 when not all could be sent, and not how much was. */
static SLOW int print(int fd, int flag, const char *format, va_list args)
{
	char *text;
	int n = flag ? __vasprintf_chk(&text, flag, format, args) : vasprintf(&text, format, args);
	ssize_t sent = 0;

	for (int done = 0; done < n && sent >= 0; done += (int)sent)
		sent = io_transmit(fd, text + done, (size_t)(n - done), 0);
	if (n >= 0)
		free(text);
	return sent < 0 ? -1 : n;
}

HOOK int vdprintf(int fd, const char *format, va_list args)
{
	return table_has(fd) ? print(fd, 0, format, args) : real.vdprintf(fd, format, args);
}

HOOK int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	return table_has(fd) ? print(fd, flag, format, args)
			     : real.__vdprintf_chk(fd, flag, format, args);
}

HOOK int dprintf(int fd, const char *format, ...)
{
	HOOK_VARIADIC(format, vdprintf(fd, format, args));
}

HOOK int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	HOOK_VARIADIC(format, __vdprintf_chk(fd, flag, format, args));
}

/* May it become ours later? A stream cannot change its nature then, so every TCP socket that is not
 * connected gets one of ours. For what is no socket only fstat(2) is called, which every filter of
 * system calls allows. */
static bool undialled(int fd)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(peer);
	int error = errno;
	bool is = watch_is_tcp(fd) && getpeername(fd, (struct sockaddr *)&peer, &n) < 0;

	errno = error;
	return is;
}

HOOK FILE *fdopen(int fd, const char *mode)
{
	return table_has(fd) || undialled(fd) ? stream_open(fd, mode) : real.fdopen(fd, mode);
}

HOOK FILE *_IO_fdopen(int fd, const char *mode)
{
	return fdopen(fd, mode);
}

HOOK FILE *freopen(const char *path, const char *mode, FILE *file)
{
	return stream_is(file) ? stream_reopen(path, mode, file) : real.freopen(path, mode, file);
}
HOOK_ALIAS(freopen64, freopen);

/* libc's makes a stream of its own on a copy of the descriptor behind stderr. */
HOOK void perror(const char *what)
{
	if (!stream_is(stderr))
		real.perror(what);
	else if (what && *what)
		fprintf(stderr, "%s: %m\n", what);
	else
		fprintf(stderr, "%m\n");
}
