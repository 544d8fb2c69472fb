/* SPDX-License-Identifier: MIT
 * xml: tags, their names and attributes, by counting quotes. Picture and contract: xml.h. */
#include "xml.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span without_prefix(struct span name)
{
	const uint8_t *colon = name.n ? memchr(name.at, ':', name.n) : NULL;

	return colon ? span_after(name, (size_t)(colon - name.at) + 1) : name;
}

/* Offset of the '>' that ends the tag at the start of `in`; 0: it is not there yet. */
static size_t end_of_tag(struct span in)
{
	uint8_t quote = 0;

	for (size_t i = 1; i < in.n; i++) {
		if (quote)
			quote = in.at[i] == quote ? 0 : quote;
		else if (in.at[i] == '"' || in.at[i] == '\'')
			quote = in.at[i];
		else if (in.at[i] == '>')
			return i;
	}
	return 0;
}

int xml_tag(struct span in, struct xml_tag *tag)
{
	size_t end, from, to;

	if (in.n > 1 && in.at[1] == '!')
		return -1;
	end = end_of_tag(in);
	if (!end)
		return 0;
	tag->n = end + 1;
	tag->kind = in.at[1] == '/'         ? XML_CLOSES
		    : in.at[1] == '?'       ? XML_DECLARATION
		    : in.at[end - 1] == '/' ? XML_EMPTY
					    : XML_OPENS;
	from = tag->kind == XML_CLOSES || tag->kind == XML_DECLARATION ? 2 : 1;
	for (to = from; to < end && !is_blank(in.at[to]) && in.at[to] != '/'; to++)
		if (in.at[to] == '<' || in.at[to] == '=' || in.at[to] == '"')
			return -1;
	tag->name = without_prefix(span_of(in.at + from, to - from));
	tag->inside = span_of(in.at + to, end - to);
	if (!tag->name.n ||
	    (tag->kind == XML_DECLARATION && !span_starts(span_after(in, 2), "xml")))
		return -1;
	return 1;
}

struct span xml_attribute(const struct xml_tag *tag, const char *name)
{
	struct span s = tag->inside;

	while (s.n) {
		const uint8_t *quote, *end;
		size_t n = 0;

		while (s.n && (is_blank(*s.at) || *s.at == '/'))
			s = span_after(s, 1);
		while (n < s.n && !is_blank(s.at[n]) && s.at[n] != '=')
			n++;
		for (quote = s.at + n; quote < s.at + s.n && *quote != '"' && *quote != '\'';
		     quote++)
			if (*quote != '=' && !is_blank(*quote))
				return span_of(NULL, 0);
		if (quote == s.at + s.n)
			break;
		end = memchr(quote + 1, *quote, (size_t)(s.at + s.n - quote) - 1);
		if (!end)
			break;
		if (span_is(span_first(s, n), name))
			return span_of(quote + 1, (size_t)(end - quote) - 1);
		s = span_after(s, (size_t)(end - s.at) + 1);
	}
	return span_of(NULL, 0);
}

size_t xml_text_end(struct span in, size_t at, bool blank_only)
{
	while (at < in.n && in.at[at] != '<' && (!blank_only || is_blank(in.at[at])))
		at++;
	return at;
}
