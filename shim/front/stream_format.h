/* SPDX-License-Identifier: MIT
 * stream_format: formats of fwscanf(3). */
#ifndef STARTTLS_STREAM_FORMAT_H
#define STARTTLS_STREAM_FORMAT_H

#include <stdbool.h>
#include <wchar.h>

/* The format that reads the same and stores nothing: each conversion with a `*`. gnu: `a` before
 * s, S and [ is the old word for `m`. malloc()ed; NULL: out of memory. */
wchar_t *format_unstored(const wchar_t *format, bool gnu);

#endif
