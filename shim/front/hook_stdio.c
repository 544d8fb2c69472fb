/* SPDX-License-Identifier: MIT
 * hook_stdio: formatted output on a descriptor. libc would write it with a write() that no hook sees. */
#include "hook.h"
#include "io.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

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
