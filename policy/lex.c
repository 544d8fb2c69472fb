/* SPDX-License-Identifier: MIT
 * lex: words, comments, continuation lines, and what may not stand in a policy at all (UTF-8: RFC
 * 3629). */
#include "lex.h"
#include <stdint.h>
#include <string.h>

void lex_start(struct lexer *lexer, const struct text *text)
{
	*lexer = (struct lexer){.text = text, .at = text->bytes, .line = 1};
}

bool word_is(const struct word *word, const char *spelling)
{
	return word->n == strlen(spelling) && !memcmp(word->at, spelling, word->n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Add the words of one physical line, up to its comment. */
static void take_words(struct statement *s, const char *at, const char *end, unsigned line)
{
	bool first = true;

	for (;;) {
		struct word w = {.line = line};

		while (at < end && is_blank(*at))
			at++;
		if (at == end || *at == '#')
			return;
		w.at = at;
		while (at < end && !is_blank(*at))
			at++;
		w.n = (size_t)(at - w.at);
		w.indented = first && s->n > 0;
		first = false;
		if (s->n == STATEMENT_WORDS) {
			s->too_long = true;
			return;
		}
		s->words[s->n++] = w;
	}
}

bool lex_statement(struct lexer *lexer, struct statement *s)
{
	const char *end = lexer->text->bytes + lexer->text->size;

	s->n = 0;
	s->too_long = s->orphan = false;
	while (lexer->at < end) {
		const char *line = lexer->at, *first = line;
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;

		while (first < stop && is_blank(*first))
			first++;
		if (s->n && (first == line || first == stop) && (first == stop || *first != '#'))
			return true; /* the next rule, or an empty line: left for the next call */
		lexer->at = newline ? newline + 1 : end;
		if (first != stop && *first != '#') {
			if (!s->n && first != line)
				s->orphan = true;
			take_words(s, first, stop, lexer->line);
		}
		lexer->line++;
	}
	return s->n > 0;
}

/* --- bytes */

static const char windows[] = "save it with Unix line ends: sed -i 's/\\r$//' FILE";
static const char retype[] = "delete it, and type a plain space instead where one is meant";

/* Looks may not deceive: what an editor shows must be what the parser sees. */
static const struct {
	uint32_t first, last;
	const char *why, *remedy;
} forbidden[] = {
	{0x00, 0x00, "a NUL byte", "this does not look like a text file"},
	{0x0d, 0x0d, "a carriage return", windows},
	{0x00, 0x08, "a control character", "delete it"},
	{0x0b, 0x1f, "a control character", "delete it"},
	{0x7f, 0x9f, "a control character", "delete it"},
	{0xa0, 0xa0, "a no-break space", retype},
	{0x2000, 0x200d, "a blank that is neither space nor tab", retype},
	{0x200e, 0x200f, "an invisible character that turns the direction of text", "delete it"},
	{0x2028, 0x2029, "a line break of the wrong kind", "delete it"},
	{0x202a, 0x202e, "an invisible character that turns the direction of text", "delete it"},
	{0x2066, 0x2069, "an invisible character that turns the direction of text", "delete it"},
	{0x3000, 0x3000, "a blank that is neither space nor tab", retype},
	{0xfeff, 0xfeff, "a byte order mark", "save it as UTF-8 without BOM"},
};

/* Decode one character of at most n bytes; its length, or 0 when this is not UTF-8. */
static size_t decode(const unsigned char *at, size_t n, uint32_t *c)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = *at < 0x80             ? 1
			: (*at & 0xe0) == 0xc0 ? 2
			: (*at & 0xf0) == 0xe0 ? 3
			: (*at & 0xf8) == 0xf0 ? 4
					       : 0;

	if (!length || length > n)
		return 0;
	*c = length == 1 ? *at : *at & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (at[i] & 0x3fu);
	}
	if (*c < smallest[length] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return length;
}

static bool allowed(uint32_t c, const char **why, const char **remedy)
{
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
		if (c >= forbidden[i].first && c <= forbidden[i].last) {
			*why = forbidden[i].why;
			*remedy = forbidden[i].remedy;
			return false;
		}
	return true;
}

size_t lex_char(const char *at, const char *end, bool *harmless)
{
	const char *why, *remedy;
	uint32_t c;
	size_t n = decode((const unsigned char *)at, (size_t)(end - at), &c);

	*harmless = n && allowed(c, &why, &remedy);
	return n ? n : 1;
}

const char *lex_bad_byte(const struct text *text, const char **why, const char **remedy)
{
	const char *at = text->bytes, *end = at + text->size;

	while (at < end) {
		uint32_t c;
		size_t n;

		if ((*at >= ' ' && *at <= '~') || *at == '\t' || *at == '\n') {
			at++;
			continue;
		}
		n = decode((const unsigned char *)at, (size_t)(end - at), &c);
		if (!n) {
			*why = "a byte that is not UTF-8";
			*remedy = "save the file as UTF-8";
			return at;
		}
		if (!allowed(c, why, remedy))
			return at;
		at += n;
	}
	return NULL;
}
