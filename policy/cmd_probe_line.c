/* SPDX-License-Identifier: MIT
 * cmd_probe_line: one line for each thing that is known, "key: value", for people and for grep. Servers choose much of it, so nothing that a
 * terminal would obey goes through. Colours only where there is a terminal, and nobody who does not want them (no-color.org). */
#include "cmd_probe.h"
#include "lex.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_MAX = 1000 };

static bool colourful(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && terminal && strcmp(terminal, "dumb") != 0;
}

static void put_key(const char *key)
{
	printf(colourful() ? "\033[1m%s:\033[0m " : "%s: ", key);
}

void line_bytes(const char *key, const char *value, size_t n)
{
	const char *end = value + (n < VALUE_MAX ? n : VALUE_MAX);

	put_key(key);
	while (value < end) {
		bool harmless;
		size_t length = lex_char(value, end, &harmless);

		if (harmless && *value != '\n' && *value != '\r')
			fwrite(value, 1, length, stdout);
		else
			for (size_t i = 0; i < length; i++)
				printf("\\x%02x", (unsigned char)value[i]);
		value += length;
	}
	puts(n > VALUE_MAX ? " ..." : "");
	fflush(stdout);
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
	const char *colour = good ? "32" : !strcmp(word, "refused") ? "31" : "33";

	put_key("verdict");
	if (colourful())
		printf("\033[%sm%s\033[0m\n", colour, word);
	else
		puts(word);
	fflush(stdout);
	if (why && *why)
		line("why", "%s", why);
}
