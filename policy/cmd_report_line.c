/* SPDX-License-Identifier: MIT
 * cmd_report_line: one line of the log (libstarttls(8), "LOG"), whoever kept it:
 *
 *   legacy-mailer[4711]: starttls verified to=…                                  STARTTLS_LOG=FILE
 *   Nov 20 12:00:00 host legacy-mailer[4711]: starttls verified to=…             syslog, journalctl
 *   2026-11-20T12:00:00.123456+01:00 host legacy-mailer[4711]: starttls …        with new stamps
 *
 * A log is full of what strangers made others write. A line is ours only if our word stands right
 * behind the first "[pid]: ", where no message of somebody else's can begin. */
#include "cmd_report.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const said_words[SAIDS] = {"verified", "pinned",    "dane",    "encrypted",
				       "own",      "plaintext", "refused", "broken"};

/* "[4711]: " with the head of the message before it: what is behind, or NULL. */
static char *message(char *line)
{
	char *colon = strstr(line, ": "), *digit = colon;

	if (!colon || colon == line || *--digit != ']')
		return NULL;
	while (digit > line && isdigit((unsigned char)digit[-1]))
		digit--;
	return *digit != ']' && digit > line + 1 && digit[-1] == '[' ? colon + 2 : NULL;
}

/* Cut the next word off *rest; a value in quotes belongs to it, blanks and all. NULL at the end. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " "), *end;

	if (!*word)
		return NULL;
	end = word + strcspn(word, " \"");
	if (*end == '"')
		end += 1 + strcspn(end + 1, "\"");
	end += strcspn(end, " ");
	*rest = *end ? end + 1 : end;
	*end = 0;
	return word;
}

static bool find_verdict(const char *word, enum said *said)
{
	for (int i = 0; i < SAIDS; i++)
		if (!strcmp(word, said_words[i])) {
			*said = (enum said)i;
			return true;
		}
	return false;
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	return n && !*end && n <= max ? n : 0;
}

static time_t date(const char *text)
{
	struct tm day = {0};
	const char *end = strptime(text, "%Y-%m-%d", &day);

	return end && !*end ? timegm(&day) : 0;
}

static const char *unquoted(char *value)
{
	size_t n = strlen(value);

	if (n < 2 || value[0] != '"' || value[n - 1] != '"')
		return value;
	value[n - 1] = 0;
	return value + 1;
}

static void set_field(struct log_line *parts, const char *name, char *value)
{
	static const struct {
		const char *name;
		size_t at;
	} texts[] = {
		{"to", offsetof(struct log_line, to)},
		{"addr", offsetof(struct log_line, addr)},
		{"proto", offsetof(struct log_line, proto)},
		{"tls", offsetof(struct log_line, tls)},
		{"why", offsetof(struct log_line, why)},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!strcmp(name, texts[i].name))
			*(const char **)((char *)parts + texts[i].at) = unquoted(value);
	if (!strcmp(name, "port"))
		parts->port = (unsigned)number(value, 65535);
	if (!strcmp(name, "expires"))
		parts->expires = date(value);
	if (!strcmp(name, "lost"))
		parts->lost = number(value, 1000000000);
}

bool log_line_parse(char *line, struct log_line *parts)
{
	char *rest = message(line), *word, *equals;

	*parts = (struct log_line){.to = "", .addr = "", .proto = "", .tls = "", .why = ""};
	if (!rest || !(word = next_word(&rest)) || strcmp(word, "starttls") != 0 ||
	    !(word = next_word(&rest)) || !find_verdict(word, &parts->said))
		return false;
	while ((word = next_word(&rest))) {
		equals = strchr(word, '=');
		if (!equals)
			continue;
		*equals = 0;
		set_field(parts, word, equals + 1);
	}
	return parts->said == SAID_BROKEN || *parts->to || *parts->addr;
}
