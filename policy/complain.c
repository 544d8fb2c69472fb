/* SPDX-License-Identifier: MIT
 * complain: messages that point at the spot.
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
	BEFORE = 36,      /* characters of it before the spot, when it is longer than that */
};

struct place {
	const char *line, *end, *at; /* the line, and the spot in it */
	unsigned number, column;     /* from 1; the column in characters */
};

static struct place find(const struct text *text, const char *at)
{
	struct place place = {.line = text->bytes, .number = 1, .column = 1};
	const char *end = text->bytes + text->size, *newline;
	bool harmless;

	while ((newline = memchr(place.line, '\n', (size_t)(at - place.line)))) {
		place.line = newline + 1;
		place.number++;
	}
	newline = memchr(at, '\n', (size_t)(end - at));
	place.end = newline ? newline : end;
	place.at = at;
	for (const char *c = place.line; c < at; c += lex_char(c, end, &harmless))
		place.column++;
	return place;
}

struct quoted quote(const struct word *word)
{
	const char *end = word->at + word->n;
	size_t room = sizeof(struct quoted) - sizeof "...", filled = 0;
	struct quoted q = {""};
	bool harmless;

	for (const char *c = word->at; c < end;) {
		size_t n = lex_char(c, end, &harmless), width = harmless ? n : 1;

		if (filled + width > room) {
			strcpy(q.text + filled, "...");
			break;
		}
		memcpy(q.text + filled, harmless ? c : "?", width);
		filled += width;
		c += n;
	}
	return q;
}

/* The line, and a caret below the spot; tabs stay tabs, so that the caret is below it in any
 * terminal. */
static void show(FILE *out, const struct place *place)
{
	const char *first = place->line, *end = place->end;
	unsigned skipped = 0, blanks = 0;
	char below[LINE_SHOWN] = "";
	bool harmless;
	size_t n;

	if (end - first > LINE_SHOWN)
		for (; place->column - skipped > BEFORE; skipped++)
			first += lex_char(first, end, &harmless);
	if (end - first > LINE_SHOWN)
		end = first + LINE_SHOWN;
	fputs("  ", out);
	for (const char *c = first; c < end; c += n) {
		n = lex_char(c, end, &harmless);
		if (harmless || *c == '\t')
			fwrite(c, n, 1, out);
		else
			fputc('?', out);
		if (c < place->at)
			below[blanks++] = *c == '\t' ? '\t' : ' ';
	}
	fprintf(out, "\n  %.*s^\n", (int)blanks, below);
}

static void print(struct parser *p, const char *kind, const char *where, const struct place *place,
		  const char *sentence)
{
	FILE *out = p->reading->errors;

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
	struct pool *pool = parser_pool(p);
	const struct text *text = p->text;
	const char *where = text->name, *line = where;
	struct place place;

	/* A file with an error in each line must not be searched for each of them. */
	if (p->reading->policy->broken && (!p->reading->errors || p->reading->printed > MESSAGES))
		return;
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

/* Nothing more is said once muted, and a hint belongs to the message before it. */
static void say(struct parser *p, const char *kind, const char *at, const char *format,
		va_list args)
{
	char sentence[512];

	p->hinting = false;
	if (p->muted)
		return;
	vsnprintf(sentence, sizeof sentence, format, args);
	report(p, kind, at, sentence);
}

void complain(struct parser *p, const char *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(p, "error", at, format, args);
	va_end(args);
	p->muted = true;
}

void caution(struct parser *p, const char *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(p, "warning", at, format, args);
	va_end(args);
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
