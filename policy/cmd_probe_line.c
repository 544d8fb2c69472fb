/* SPDX-License-Identifier: MIT
 * cmd_probe_line: one line for each thing that is known, "key: value", for people and for grep.
 * Servers choose much of it, so nothing that a terminal would obey goes through. */
#include "cmd_probe.h"
#include <stdarg.h>
#include <string.h>

enum { VALUE_MAX = 2 * PATH_MAX }; /* a rule of ours with its files; what servers say is shorter */

void line_bytes(const char *key, const char *value, size_t n)
{
	printf("%s: ", key);
	output_clean(stdout, value, n < VALUE_MAX ? n : VALUE_MAX);
	puts(n > VALUE_MAX ? " ..." : "");
	output_flush();
}

void line(const char *key, const char *format, ...)
{
	char text[VALUE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	line_bytes(key, text, strlen(text));
}

void line_verdict(const char *word, const char *why)
{
	bool good = !strcmp(word, "verified") || !strcmp(word, "pinned");
	enum colour which = good                       ? COLOUR_GOOD
			    : !strcmp(word, "refused") ? COLOUR_BAD
						       : COLOUR_DOUBT;

	printf("verdict: %s%s%s\n", colour(stdout, which), word, colour(stdout, COLOUR_OFF));
	output_flush();
	if (why && *why)
		line("why", "%s", why);
}
