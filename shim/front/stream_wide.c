/* SPDX-License-Identifier: MIT
 * stream_wide: conversion between wide characters and the bytes of a stream; stream_wide.h has the
 * picture. */
#include "stream_wide.h"
#include "real.h"
#include "stream.h"
#include "stream_format.h"
#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What ferror() looks at in FILE._flags, the same since glibc's first version. */
enum { ERROR_SEEN = 0x20 };

void wide_reset(struct wide *w)
{
	if (w->locale)
		freelocale(w->locale);
	*w = (struct wide){.oriented = false};
}

int wide_orient(FILE *file, int mode)
{
	struct wide *w = stream_wide(file);
	int error = errno, result;

	flockfile(file);
	if (!w->oriented && file->_mode == 0 && mode > 0) {
		w->oriented = true;
		w->locale = duplocale(uselocale(NULL));
		file->_mode = -1; /* to libc it is a stream of bytes */
	} else if (!w->oriented && mode < 0) {
		file->_mode = -1;
	}
	result = w->oriented ? 1 : file->_mode;
	funlockfile(file);
	errno = error;
	return result;
}

/* Lock the stream and convert as it does. NULL, and nothing is locked: it is one of bytes. */
static struct wide *enter(FILE *file, locale_t *was)
{
	struct wide *w = stream_wide(file);

	if (wide_orient(file, 1) < 0)
		return NULL;
	flockfile(file);
	*was = uselocale(w->locale);
	return w;
}

static void leave(FILE *file, locale_t was)
{
	uselocale(was);
	funlockfile(file);
}

static void fail(FILE *file, int error)
{
	file->_flags |= ERROR_SEEN;
	errno = error;
}

/* As in libc, bytes that are no character stay in the way until the stream is closed. */
static wint_t get(FILE *file, struct wide *w)
{
	wchar_t c;
	size_t n = (size_t)-2;
	int byte;

	do {
		if (w->parts)
			n = mbrtowc(&c, w->part, w->parts, &(mbstate_t){0});
		if (n != (size_t)-2)
			break;
		byte = getc_unlocked(file);
		if (byte == EOF && w->parts && feof_unlocked(file))
			fail(file, EILSEQ);
		if (byte == EOF)
			return WEOF;
		w->part[w->parts++] = (char)byte;
	} while (w->parts < sizeof(w->part));
	if (n > sizeof(w->part)) {
		fail(file, EILSEQ);
		return WEOF;
	}
	w->parts = 0;
	return (wint_t)c;
}

wint_t wide_get(FILE *file)
{
	locale_t was;
	struct wide *w = enter(file, &was);
	wint_t c = WEOF;

	if (w) {
		c = get(file, w);
		leave(file, was);
	}
	return c;
}

wchar_t *wide_get_line(wchar_t *text, int n, FILE *file)
{
	locale_t was;
	struct wide *w = n > 0 ? enter(file, &was) : NULL;
	int i = 0, before, error = errno;
	bool failed;
	wint_t c = 0;

	if (!w)
		return NULL;
	before = file->_flags & ERROR_SEEN;
	file->_flags &= ~ERROR_SEEN;
	while (i < n - 1 && c != L'\n' && (c = get(file, w)) != WEOF)
		text[i++] = (wchar_t)c;
	/* What has come before EAGAIN is the app's all the same, as from libc. */
	failed = ferror_unlocked(file) && errno != EAGAIN;
	file->_flags |= before;
	leave(file, was);
	if ((!i && n > 1) || failed)
		return NULL;
	text[i] = L'\0';
	if (c != WEOF)
		errno = error;
	return text;
}

/* A character that the locale does not have, by others that it has: so do libc's wide streams, but
 * not wcrtomb(). Returns how many bytes, 0 when there is no way. */
static size_t transliterate(wchar_t c, char *bytes, size_t room)
{
	char set[64], *from = (char *)&c, *to = bytes;
	size_t left = sizeof(c), space = room;
	iconv_t how;

	if (snprintf(set, sizeof(set), "%s//TRANSLIT", nl_langinfo(CODESET)) >= (int)sizeof(set))
		return 0;
	how = iconv_open(set, "WCHAR_T");
	if (how == (iconv_t)-1)
		return 0;
	if (iconv(how, &from, &left, &to, &space) == (size_t)-1)
		space = room;
	iconv_close(how);
	return room - space;
}

enum { CHAR_ROOM = 64 };

static bool put(FILE *file, const wchar_t *text, size_t n)
{
	char bytes[512];
	size_t used = 0, one = 0, i;

	for (i = 0; i < n; i++, used += one) {
		if (used + CHAR_ROOM > sizeof(bytes)) {
			if (fwrite_unlocked(bytes, 1, used, file) < used)
				return false;
			used = 0;
		}
		one = wcrtomb(bytes + used, text[i], &(mbstate_t){0});
		if (one == (size_t)-1)
			one = transliterate(text[i], bytes + used, CHAR_ROOM);
		if (!one)
			break;
	}
	if (used && fwrite_unlocked(bytes, 1, used, file) < used)
		return false;
	if (i < n)
		fail(file, EILSEQ);
	return i == n;
}

/* Keeps errno when all is well. */
static bool put_all(FILE *file, const wchar_t *text, size_t n)
{
	int error = errno;
	locale_t was;
	bool done;

	if (!enter(file, &was))
		return false;
	done = put(file, text, n);
	leave(file, was);
	if (done)
		errno = error;
	return done;
}

wint_t wide_put(wchar_t c, FILE *file)
{
	return put_all(file, &c, 1) ? (wint_t)c : WEOF;
}

int wide_put_text(const wchar_t *text, FILE *file)
{
	return put_all(file, text, wcslen(text)) ? 1 : -1;
}

int wide_print(FILE *file, int flag, const wchar_t *format, va_list args)
{
	wchar_t *text = NULL;
	size_t n = 0;
	FILE *memory;
	int printed, error;

	if (wide_orient(file, 1) < 0 || !(memory = open_wmemstream(&text, &n)))
		return -1;
	printed = flag ? real.__vfwprintf_chk(memory, flag, format, args)
		       : real.vfwprintf(memory, format, args);
	error = errno;
	if (fclose(memory) != 0)
		return -1;
	errno = error;
	if (n && !put_all(file, text, n))
		printed = -1;
	free(text);
	return printed;
}

/* Bytes of the stream that the next call will see again. */
static bool push(FILE *file, const char *bytes, size_t n)
{
	while (n && ungetc((unsigned char)bytes[n - 1], file) != EOF)
		n--;
	return !n;
}

wint_t wide_unget(wint_t c, FILE *file)
{
	char bytes[MB_LEN_MAX];
	locale_t was;
	struct wide *w;
	size_t n;
	bool done;

	if (c == WEOF || !(w = enter(file, &was)))
		return WEOF;
	n = wcrtomb(bytes, (wchar_t)c, &(mbstate_t){0});
	done = n != (size_t)-1 && push(file, w->part, w->parts) && push(file, bytes, n);
	if (done)
		w->parts = 0;
	leave(file, was);
	return done ? c : WEOF;
}

/* --- scanning: libc scans a copy of what has come, in a file of its own. When it would have read
 * on, more is fetched, and it begins anew; what it has not used goes back. So it waits for the peer
 * exactly when it would have waited at the stream itself. Until all is there nothing is stored: %m
 * would allocate each time. */

struct scan {
	FILE *from, *copy;
	char *bytes;
	size_t n, room;
};

static bool add(struct scan *s, char byte)
{
	size_t room = s->room ? s->room * 2 : 256;
	char *bytes = s->n < s->room ? s->bytes : realloc(s->bytes, room);

	if (!bytes)
		return false;
	if (s->n == s->room)
		s->room = room;
	s->bytes = bytes;
	s->bytes[s->n++] = byte;
	return true;
}

/* One byte, for which it may wait, and what else is there of the line. False: there is no more. */
static bool fetch(struct scan *s)
{
	size_t had = s->n;
	int c;

	do {
		c = getc_unlocked(s->from);
	} while (c != EOF && add(s, (char)c) && c != '\n' &&
		 s->from->_IO_read_ptr < s->from->_IO_read_end);
	return s->n > had && pwrite(fileno(s->copy), s->bytes + had, s->n - had, (off_t)had) ==
				     (ssize_t)(s->n - had);
}

static FILE *open_copy(void)
{
	int fd = memfd_create("scan", MFD_CLOEXEC);
	FILE *copy = fd < 0 ? NULL : real.fdopen(fd, "r");

	if (!copy && fd >= 0)
		close(fd);
	else if (copy)
		real.fwide(copy, 1);
	return copy;
}

int wide_scan(FILE *file, int (*scan)(FILE *, const wchar_t *, va_list), bool gnu,
	      const wchar_t *format, va_list args)
{
	struct scan s = {.from = file};
	int found = EOF, error;
	bool more = true;
	wchar_t *trial;
	struct wide *w;
	locale_t was;
	va_list again;
	long used;

	w = enter(file, &was);
	if (!w)
		return EOF;
	s.copy = open_copy();
	while (w->parts) /* back into the stream: there they are bytes like others */
		if (ungetc((unsigned char)w->part[--w->parts], file) == EOF)
			break;
	uselocale(was);
	trial = s.copy ? format_unstored(format, gnu) : NULL;
	for (bool first = true; trial && (first || (feof(s.copy) && more)); first = false) {
		more = first || fetch(&s);
		rewind(s.copy);
		va_copy(again, args);
		scan(s.copy, trial, again);
		va_end(again);
	}
	if (trial) {
		rewind(s.copy);
		found = scan(s.copy, format, args);
	}
	error = errno;
	free(trial);
	used = s.copy ? ftell(s.copy) : 0;
	if (used >= 0 && (size_t)used < s.n)
		push(file, s.bytes + used, s.n - (size_t)used);
	if (s.copy) {
		if (ferror(s.copy))
			file->_flags |= ERROR_SEEN;
		fclose(s.copy);
	}
	free(s.bytes);
	funlockfile(file);
	errno = error;
	return found;
}
