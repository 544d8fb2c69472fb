/* SPDX-License-Identifier: MIT
 * hook_stdio: libc's own reads and writes, which no hook sees: formatted output on a descriptor, and streams.
 *
 *   fdopen(fd) ─► a stream of fopencookie(3) whose reads and writes are ours; fileno() says fd as ever
 *
 * glibc cannot turn such a stream to wide characters (fwide, fgetws) or reopen it (freopen); neither is hooked yet. */
#include "hook.h"
#include "io.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

HOOK int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vdprintf_chk(fd, flag, format, args);
	va_end(args);
	return n;
}

static ssize_t stream_read(void *cookie, char *bytes, size_t n)
{
	return io_read((int)(intptr_t)cookie, bytes, n);
}

/* Returns less than n when not all of it could be sent, and never a negative number: libc takes either for an error. */
static ssize_t stream_write(void *cookie, const char *bytes, size_t n)
{
	ssize_t sent = 0;
	size_t done = 0;

	for (; done < n && sent >= 0; done += sent > 0 ? (size_t)sent : 0)
		sent = io_transmit((int)(intptr_t)cookie, bytes + done, n - done, 0);
	return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *at, int whence)
{
	(void)cookie;
	(void)at;
	(void)whence;
	errno = ESPIPE;
	return -1;
}

static int stream_close(void *cookie)
{
	return close((int)(intptr_t)cookie);
}

static SLOW FILE *open_stream(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = {
		.read = stream_read,
		.write = stream_write,
		.seek = stream_seek,
		.close = stream_close,
	};
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);

	if (stream)
		stream->_fileno = fd;
	return stream;
}

HOOK FILE *fdopen(int fd, const char *mode)
{
	return table_has(fd) ? open_stream(fd, mode) : real.fdopen(fd, mode);
}
