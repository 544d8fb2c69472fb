/* SPDX-License-Identifier: MIT
 * lex: from bytes to the words of one statement. A statement is a line together with the lines that
 * continue it:
 *
 *   fingerprint  to 192.0.2.7   port 25        # words[0..4]
 *       pin sha256:9f86…                       # words[5..6], the first of them is `indented`
 *
 * Lines of only a comment are passed over; an empty line ends the statement. Words point into the
 * text, with no NUL. */
#ifndef STARTTLS_LEX_H
#define STARTTLS_LEX_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	const char *name; /* of the file, for messages and verdicts */
	const char *bytes;
	size_t size;
};

struct word {
	const char *at;
	size_t n;
	unsigned line;
	bool indented; /* the first word of a continuation line */
};

/* No word may be said twice in a rule, so an honest one has far fewer. */
enum { STATEMENT_WORDS = 64 };

struct statement {
	struct word words[STATEMENT_WORDS];
	size_t n;
	bool too_long; /* words behind the last one were dropped */
	bool orphan;   /* it began with a blank, but there was nothing above it to continue */
};

struct lexer {
	const struct text *text;
	const char *at;
	unsigned line; /* of `at`, from 1 */
};

void lex_start(struct lexer *lexer, const struct text *text);

/* The next statement, of one word at least; false at the end of the text. */
bool lex_statement(struct lexer *lexer, struct statement *s);

/* The first byte that no policy may contain, with what is wrong and what to do (static), or NULL.
 */
const char *lex_bad_byte(const struct text *text, const char **why, const char **remedy);

/* The length of the character at `at` (1 for a byte that is none), and whether a terminal may be
 * shown it. */
size_t lex_char(const char *at, const char *end, bool *harmless);

/* Is this word spelled so? */
bool word_is(const struct word *word, const char *spelling);

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
