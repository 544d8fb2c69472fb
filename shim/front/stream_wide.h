/* SPDX-License-Identifier: MIT
 * stream_wide: wide characters on streams of ours (stream.h), which to libc are streams of bytes
 * only.
 *
 *   fputws ─► wcrtomb ─► fwrite ─┐                        ┌─ getc ─► mbrtowc ─► fgetws
 *   fwprintf ─► in memory ───────┴─► stream of bytes ◄────┴─ getc ─► a file in memory ─► fwscanf
 *
 * As in libc, a stream takes on an orientation with its first use, and a wide one converts by the
 * locale of that moment. Unlike there, the functions for bytes do not fail on a wide stream; C
 * leaves open what they do.
 *
 * Contracts are those of the libc functions, for `file` a stream of ours. All lock it. None is
 * async-signal-safe. */
#ifndef STARTTLS_STREAM_WIDE_H
#define STARTTLS_STREAM_WIDE_H

#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

/* What there is to know of a stream; zeroes at first. */
struct wide {
	bool oriented;
	locale_t locale;       /* of the moment when it was; 0: out of memory then, the thread's
				* own */
	char part[MB_LEN_MAX]; /* of a character whose other bytes have not come yet, or never
				* will */
	size_t parts;
};

/* The stream has no orientation any more. */
void wide_reset(struct wide *w);

int wide_orient(FILE *file, int mode);
wint_t wide_get(FILE *file);
wint_t wide_unget(wint_t c, FILE *file);
wchar_t *wide_get_line(wchar_t *text, int n, FILE *file);
wint_t wide_put(wchar_t c, FILE *file);
int wide_put_text(const wchar_t *text, FILE *file);

/* With flag as __vfwprintf_chk, without as vfwprintf. */
int wide_print(FILE *file, int flag, const wchar_t *format, va_list args);

/* As vfwscanf, carried out by `scan`, which is one of libc's, with the old or the new meaning of
 * `a` (stream_format.h). It may be called several times, when what it scans comes in pieces; only
 * the last call stores anything. */
int wide_scan(FILE *file, int (*scan)(FILE *, const wchar_t *, va_list), bool gnu,
	      const wchar_t *format, va_list args);

#endif
