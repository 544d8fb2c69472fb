/* SPDX-License-Identifier: MIT
 * line: what protocols of lines share: the parts of a line, a limit on their number, and the two
 * moves that need a reason. Contracts: proto.h.
 *
 *   "STLS  now\r\n" ─ line_text ─► "STLS  now" ─ line_word ─► "STLS", "now" */
#include "../proto.h"

struct span line_text(struct span unit)
{
	if (unit.n && unit.at[unit.n - 1] == '\n')
		unit.n--;
	if (unit.n && unit.at[unit.n - 1] == '\r')
		unit.n--;
	return unit;
}

bool line_is_text(struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
			return false;
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct span line_word(struct span *line)
{
	struct span all = *line;
	size_t n = 0, next;

	while (n < all.n && !is_blank(all.at[n]))
		n++;
	for (next = n; next < all.n && is_blank(all.at[next]); next++)
		;
	*line = span_after(all, next);
	return span_first(all, n);
}

/* A word that may stand for "?". */
static bool is_plain(struct span word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.at[i] <= ' ' || word.at[i] > '~')
			return false;
	return word.n;
}

static bool has_form(struct span line, struct span form)
{
	while (form.n) {
		struct span want = line_word(&form), word = line_word(&line);
		bool any = span_is(want, "?");

		if (any ? !is_plain(word)
			: word.n != want.n || strncasecmp((const char *)word.at,
							  (const char *)want.at, want.n) != 0)
			return false;
	}
	return !line.n;
}

bool line_is_one_of(struct span unit, const char *const *forms)
{
	for (; *forms; forms++)
		if (has_form(line_text(unit), span_text(*forms)))
			return true;
	return false;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

bool line_has_literal(struct span line)
{
	size_t n = line.n;

	if (!n || line.at[--n] != '}')
		return false;
	if (n && line.at[n - 1] == '+')
		n--;
	while (n && is_digit(line.at[n - 1]))
		n--;
	return n && line.at[n - 1] == '{';
}

int line_code(struct span s)
{
	if (s.n < 3 || s.at[0] < '1' || s.at[0] > '5' || !is_digit(s.at[1]) || !is_digit(s.at[2]))
		return -1;
	if (s.n > 3 && s.at[3] != ' ' && s.at[3] != '-')
		return -1;
	return (s.at[0] - '0') * 100 + (s.at[1] - '0') * 10 + (s.at[2] - '0');
}

bool line_counts(struct talk *t)
{
	struct talk_proto *p = talk_proto(t);

	if (++p->units <= LINES_MAX)
		return true;
	p->why = "server sent a reply without end";
	return false;
}

enum move move_notls(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_NOTLS;
}

enum move move_bad(struct talk *t, const char *why)
{
	talk_proto(t)->why = why;
	return MOVE_BAD;
}
