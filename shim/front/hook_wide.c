/* SPDX-License-Identifier: MIT
 * hook_wide: every function for wide characters on a stream. On streams that are not ours:
 * libc's. */
#include "hook.h"
#include "stream.h"
#include "stream_wide.h"

extern int __fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...);
extern int __vfwprintf_chk(FILE *file, int flag, const wchar_t *format, va_list args);
extern int __wprintf_chk(int flag, const wchar_t *format, ...);
extern int __vwprintf_chk(int flag, const wchar_t *format, va_list args);
extern wchar_t *__fgetws_chk(wchar_t *text, size_t room, int n, FILE *file);
extern wchar_t *__fgetws_unlocked_chk(wchar_t *text, size_t room, int n, FILE *file);

HOOK int fwide(FILE *file, int mode)
{
	return stream_is(file) ? wide_orient(file, mode) : real.fwide(file, mode);
}

/* --- characters */

HOOK wint_t fgetwc(FILE *file)
{
	return stream_is(file) ? wide_get(file) : real.fgetwc(file);
}
HOOK_ALIAS(getwc, fgetwc);

HOOK wint_t fgetwc_unlocked(FILE *file)
{
	return stream_is(file) ? wide_get(file) : real.fgetwc_unlocked(file);
}
HOOK_ALIAS(getwc_unlocked, fgetwc_unlocked);

HOOK wint_t getwchar(void)
{
	return fgetwc(stdin);
}

HOOK wint_t getwchar_unlocked(void)
{
	return fgetwc_unlocked(stdin);
}

HOOK wint_t ungetwc(wint_t c, FILE *file)
{
	return stream_is(file) ? wide_unget(c, file) : real.ungetwc(c, file);
}

HOOK wint_t fputwc(wchar_t c, FILE *file)
{
	return stream_is(file) ? wide_put(c, file) : real.fputwc(c, file);
}
HOOK_ALIAS(putwc, fputwc);

HOOK wint_t fputwc_unlocked(wchar_t c, FILE *file)
{
	return stream_is(file) ? wide_put(c, file) : real.fputwc_unlocked(c, file);
}
HOOK_ALIAS(putwc_unlocked, fputwc_unlocked);

HOOK wint_t putwchar(wchar_t c)
{
	return fputwc(c, stdout);
}

HOOK wint_t putwchar_unlocked(wchar_t c)
{
	return fputwc_unlocked(c, stdout);
}

/* --- lines */

HOOK wchar_t *fgetws(wchar_t *text, int n, FILE *file)
{
	return stream_is(file) ? wide_get_line(text, n, file) : real.fgetws(text, n, file);
}

HOOK wchar_t *fgetws_unlocked(wchar_t *text, int n, FILE *file)
{
	return stream_is(file) ? wide_get_line(text, n, file) : real.fgetws_unlocked(text, n, file);
}

static SLOW wchar_t *get_line_checked(wchar_t *text, size_t room, int n, FILE *file)
{
	if (n > 0 && (size_t)n > room)
		__chk_fail();
	return wide_get_line(text, n, file);
}

HOOK wchar_t *__fgetws_chk(wchar_t *text, size_t room, int n, FILE *file)
{
	return stream_is(file) ? get_line_checked(text, room, n, file)
			       : real.__fgetws_chk(text, room, n, file);
}

HOOK wchar_t *__fgetws_unlocked_chk(wchar_t *text, size_t room, int n, FILE *file)
{
	return stream_is(file) ? get_line_checked(text, room, n, file)
			       : real.__fgetws_unlocked_chk(text, room, n, file);
}

HOOK int fputws(const wchar_t *text, FILE *file)
{
	return stream_is(file) ? wide_put_text(text, file) : real.fputws(text, file);
}

HOOK int fputws_unlocked(const wchar_t *text, FILE *file)
{
	return stream_is(file) ? wide_put_text(text, file) : real.fputws_unlocked(text, file);
}

/* --- formatted output */

HOOK int vfwprintf(FILE *file, const wchar_t *format, va_list args)
{
	return stream_is(file) ? wide_print(file, 0, format, args)
			       : real.vfwprintf(file, format, args);
}

HOOK int __vfwprintf_chk(FILE *file, int flag, const wchar_t *format, va_list args)
{
	return stream_is(file) ? wide_print(file, flag, format, args)
			       : real.__vfwprintf_chk(file, flag, format, args);
}

HOOK int vwprintf(const wchar_t *format, va_list args)
{
	return vfwprintf(stdout, format, args);
}

HOOK int __vwprintf_chk(int flag, const wchar_t *format, va_list args)
{
	return __vfwprintf_chk(stdout, flag, format, args);
}

HOOK int fwprintf(FILE *file, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, vfwprintf(file, format, args));
}

HOOK int __fwprintf_chk(FILE *file, int flag, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __vfwprintf_chk(file, flag, format, args));
}

HOOK int wprintf(const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, vfwprintf(stdout, format, args));
}

HOOK int __wprintf_chk(int flag, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __vfwprintf_chk(stdout, flag, format, args));
}

/* --- formatted input: each function as often as there were C standards with another idea of it.
 * Under the first one's names the headers give us those of the second. */

extern int gnu_vfwscanf(FILE *file, const wchar_t *format, va_list args) __asm__("vfwscanf");
extern int gnu_vwscanf(const wchar_t *format, va_list args) __asm__("vwscanf");
extern int gnu_fwscanf(FILE *file, const wchar_t *format, ...) __asm__("fwscanf");
extern int gnu_wscanf(const wchar_t *format, ...) __asm__("wscanf");
extern int __isoc99_vfwscanf(FILE *file, const wchar_t *format, va_list args);
extern int __isoc99_vwscanf(const wchar_t *format, va_list args);
extern int __isoc99_fwscanf(FILE *file, const wchar_t *format, ...);
extern int __isoc99_wscanf(const wchar_t *format, ...);
extern int __isoc23_vfwscanf(FILE *file, const wchar_t *format, va_list args);
extern int __isoc23_vwscanf(const wchar_t *format, va_list args);
extern int __isoc23_fwscanf(FILE *file, const wchar_t *format, ...);
extern int __isoc23_wscanf(const wchar_t *format, ...);

HOOK int gnu_vfwscanf(FILE *file, const wchar_t *format, va_list args)
{
	return stream_is(file) ? wide_scan(file, real.vfwscanf, true, format, args)
			       : real.vfwscanf(file, format, args);
}

HOOK int gnu_vwscanf(const wchar_t *format, va_list args)
{
	return gnu_vfwscanf(stdin, format, args);
}

HOOK int gnu_fwscanf(FILE *file, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, gnu_vfwscanf(file, format, args));
}

HOOK int gnu_wscanf(const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, gnu_vfwscanf(stdin, format, args));
}

HOOK int __isoc99_vfwscanf(FILE *file, const wchar_t *format, va_list args)
{
	return stream_is(file) ? wide_scan(file, real.__isoc99_vfwscanf, false, format, args)
			       : real.__isoc99_vfwscanf(file, format, args);
}

HOOK int __isoc99_vwscanf(const wchar_t *format, va_list args)
{
	return __isoc99_vfwscanf(stdin, format, args);
}

HOOK int __isoc99_fwscanf(FILE *file, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __isoc99_vfwscanf(file, format, args));
}

HOOK int __isoc99_wscanf(const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __isoc99_vfwscanf(stdin, format, args));
}

HOOK int __isoc23_vfwscanf(FILE *file, const wchar_t *format, va_list args)
{
	return stream_is(file) ? wide_scan(file, real.__isoc23_vfwscanf, false, format, args)
			       : real.__isoc23_vfwscanf(file, format, args);
}

HOOK int __isoc23_vwscanf(const wchar_t *format, va_list args)
{
	return __isoc23_vfwscanf(stdin, format, args);
}

HOOK int __isoc23_fwscanf(FILE *file, const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __isoc23_vfwscanf(file, format, args));
}

HOOK int __isoc23_wscanf(const wchar_t *format, ...)
{
	HOOK_VARIADIC(format, __isoc23_vfwscanf(stdin, format, args));
}
