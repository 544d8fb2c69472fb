/* SPDX-License-Identifier: MIT
 * report: complaints that point at the spot.
 *
 *   policy:1:12: error: host bits are set in '10.0.0.1/8'
 *     verify  to 10.0.0.1/8
 *                ^
 *   hint: write the network address, or drop the prefix for one host
 *
 * What is shown of a policy is cleaned first: the file may be anything, and the reader sits at a
 * terminal. */
#include "parse.h"
#include <stdarg.h>
#include <string.h>

enum {
	MESSAGES = 20,    /* nobody reads more, and a megabyte of garbage stays quick */
	LINE_SHOWN = 150, /* bytes of the line */
	BEFORE = 60,      /* bytes of it before the spot, when it is longer than that */
};

struct place {
	const char *line; /* its first byte */
	size_t line_n, offset;
	unsigned number, column; /* from 1; the column in characters */
};

static bool is_inside(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80; /* a byte within a UTF-8 character */
}

static struct place find(const struct text *text, const char *at)
{
	struct place place = {.line = text->bytes, .number = 1, .column = 1};
	const char *end = text->bytes + text->size, *newline;

	while ((newline = memchr(place.line, '\n', (size_t)(at - place.line)))) {
		place.line = newline + 1;
		place.number++;
	}
	newline = memchr(at, '\n', (size_t)(end - at));
	place.line_n = (size_t)((newline ? newline : end) - place.line);
	place.offset = (size_t)(at - place.line);
	for (const char *c = place.line; c < at; c++)
		if (!is_inside(*c))
			place.column++;
	return place;
}

static char printable(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

struct quoted quote(const struct word *word)
{
	struct quoted q;
	size_t n = word->n, room = sizeof q.text - sizeof "...";

	if (n > room)
		for (n = room; n && is_inside(word->at[n]);)
			n--;
	for (size_t i = 0; i < n; i++)
		q.text[i] = printable(word->at[i]);
	strcpy(q.text + n, n < word->n ? "..." : "");
	return q;
}

/* The line, and a caret below the spot; tabs stay tabs, so that the caret is below it in any
 * terminal. */
static void show(FILE *out, const struct place *place)
{
	size_t first = 0, n;
	const char *line = place->line;

	if (place->line_n > LINE_SHOWN && place->offset > BEFORE)
		for (first = place->offset - BEFORE; first && is_inside(line[first]);)
			first--;
	n = place->line_n - first > LINE_SHOWN ? LINE_SHOWN : place->line_n - first;
	fputs("  ", out);
	for (size_t i = first; i < first + n; i++)
		fputc(line[i] == '\t' ? '\t' : printable(line[i]), out);
	fputs("\n  ", out);
	for (size_t i = first; i < place->offset; i++)
		if (!is_inside(line[i]))
			fputc(line[i] == '\t' ? '\t' : ' ', out);
	fputs("^\n", out);
}

static void print(struct parser *p, const char *kind, const char *where, const struct place *place,
		  const char *sentence)
{
	FILE *out = p->reading->errors;

	p->hinting = false;
	if (!out || p->reading->printed > MESSAGES)
		return;
	if (p->reading->printed++ == MESSAGES) {
		fprintf(out, "%s: error: and more that is not shown\n", p->text->name);
		return;
	}
	fprintf(out, "%s: %s: %s\n", where, kind, sentence);
	if (place)
		show(out, place);
	p->hinting = true;
}

static void report(struct parser *p, const char *kind, const char *at, const char *sentence)
{
	struct pool *pool = &p->reading->policy->pool;
	const struct text *text = p->text;
	const char *where = text->name, *line = where;
	struct place place;

	if (!at && p->includer) {
		at = p->include_at;
		text = p->includer->text;
		sentence = pool_print(pool, "%s: %s", p->text->name, sentence);
	}
	if (at) {
		place = find(text, at);
		line = pool_print(pool, "%s:%u", text->name, place.number);
		where = pool_print(pool, "%s:%u:%u", text->name, place.number, place.column);
	}
	if (!line || !where || !sentence)
		return; /* memory is out, and that breaks the policy in the end */
	print(p, kind, where, at ? &place : NULL, sentence);
	if (*kind == 'e' && !p->reading->policy->broken) {
		p->reading->policy->broken = pool_print(pool, "%s: %s", where, sentence);
		p->reading->policy->broken_at = line;
	}
}

void complain(struct parser *p, const char *at, const char *format, ...)
{
	char sentence[512];
	va_list args;

	p->hinting = false;
	if (p->muted)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	report(p, "error", at, sentence);
	p->muted = true;
}

void caution(struct parser *p, const char *at, const char *format, ...)
{
	char sentence[512];
	va_list args;

	p->hinting = false;
	if (p->muted)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	report(p, "warning", at, sentence);
}

void hint(struct parser *p, const char *format, ...)
{
	va_list args;

	if (!p->hinting)
		return;
	fputs("hint: ", p->reading->errors);
	va_start(args, format);
	vfprintf(p->reading->errors, format, args);
	va_end(args);
	fputc('\n', p->reading->errors);
	p->hinting = false;
}
