/* SPDX-License-Identifier: MIT
 * stream_format: formats of fwscanf(3), ISO C 7.29.2.2 with POSIX's `%n$` and `m`.
 *
 *	%5ld %2$ms %[^%]x%%   ─►   %*5ld %*ms %*[^%]x%%
 */
#include "stream_format.h"
#include <stdlib.h>
#include <string.h>

/* Copy n characters of *from. */
static void copy(const wchar_t **from, wchar_t **to, size_t n)
{
	wmemcpy(*to, *from, n);
	*to += n;
	*from += n;
}

/* How long is the set at `set`, brackets and all? `]` is one of its members when it comes first. */
static size_t set_length(const wchar_t *set)
{
	size_t n = 1;

	n += set[n] == L'^';
	n += set[n] == L']';
	n += wcscspn(set + n, L"]");
	return n + (set[n] == L']');
}

/* One conversion, from its % on. */
static void suppress(const wchar_t **from, wchar_t **to, bool gnu)
{
	size_t digits;

	copy(from, to, 1);
	if (**from == L'%') {
		copy(from, to, 1);
		return;
	}
	digits = wcsspn(*from, L"0123456789");
	if (digits && (*from)[digits] == L'$')
		*from += digits + 1;
	*from += **from == L'*';
	*(*to)++ = L'*';
	copy(from, to, wcsspn(*from, L"0123456789'IhlLjztqmw"));
	if (gnu && **from == L'a' && (*from)[1] && wcschr(L"sS[", (*from)[1]))
		copy(from, to, 1);
	copy(from, to, **from == L'[' ? set_length(*from) : **from != L'\0');
}

wchar_t *format_unstored(const wchar_t *format, bool gnu)
{
	wchar_t *made = calloc(2 * wcslen(format) + 1, sizeof(*made)), *to = made;

	while (made && *format) {
		if (*format == L'%')
			suppress(&format, &to, gnu);
		else
			copy(&format, &to, 1);
	}
	return made;
}
