/* SPDX-License-Identifier: MIT
 * span: borrowed bytes. A span owns nothing, may hold NUL, and is valid as long as what it points
 * into.
 *
 * Everything here is pure, never blocks, allocates nothing and is async-signal-safe. */
#ifndef STARTTLS_SPAN_H
#define STARTTLS_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const uint8_t *at;
	size_t n; /* bytes */
};

static inline struct span span_of(const void *at, size_t n)
{
	return (struct span){at, n};
}

/* The bytes of a C string, without its NUL. */
static inline struct span span_text(const char *text)
{
	return span_of(text, strlen(text));
}

/* What is left behind the first n bytes; n must not exceed s.n. (An empty span may point to NULL,
 * where C forbids even + 0.) */
static inline struct span span_after(struct span s, size_t n)
{
	return span_of(n ? s.at + n : s.at, s.n - n);
}

static inline struct span span_first(struct span s, size_t n)
{
	return span_of(s.at, n < s.n ? n : s.n);
}

static inline bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.at, text, s.n) == 0;
}

/* ASCII case-insensitive. */
static inline bool span_is_word(struct span s, const char *word)
{
	return s.n == strlen(word) && strncasecmp((const char *)s.at, word, s.n) == 0;
}

static inline bool span_starts(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && memcmp(s.at, text, n) == 0;
}

#endif
