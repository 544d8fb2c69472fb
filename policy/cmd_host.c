/* SPDX-License-Identifier: MIT
 * host: the words HOST[:PORT] and PROTO of a command line. What is wrong with them is said together
 * with what would be right. */
#include "command.h"
#include "level.h"
#include "parse.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int wrong_words(const char *verb, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "starttls %s: ", verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_WRONG_USE;
}

int wrong_option(const char *verb, int c, char **argv, const char *known)
{
	const char letter[] = {'-', (char)optopt, '\0'}, *word = argv[optind - 1];
	bool valued = !strncmp(word, "--", 2) && strchr(word, '=');

	if (c == ':')
		return wrong_words(verb,
				   "option '%s' needs a value; `starttls %s --help` shows which",
				   word, verb);
	if (optopt && valued)
		return wrong_words(verb, "option '%.*s' takes no value", (int)strcspn(word, "="),
				   word);
	/* Of several letters in one word getopt() has got as far as the bad one, and not behind the
	 * word. */
	return wrong_words(verb, "unknown option '%s'; there are %s",
			   optopt > 0 && optopt < OPTION_LONG ? letter : word, known);
}

static int parse_port(const char *verb, const char *text, unsigned *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > 65535)
		return wrong_words(
			verb,
			"'%s' is not a port: a number from 1 to 65535, as in mx.example.com:25",
			text);
	*port = (unsigned)n;
	return 0;
}

/* Several colons are an IPv6 address, maybe with a zone: fe80::1%eth0. */
static bool is_address(const char *host)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");

	if (n >= sizeof text)
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

int host_parse_word(const char *verb, char *word, const char **host, unsigned *port)
{
	static const char which[] = "which host? HOST[:PORT], as in mx.example.com:25";
	static const char brackets[] = "'%s' is not [ADDRESS]:PORT, as in [2001:db8::1]:25";
	char *colon = strchr(word, ':'), *end;

	*host = word;
	if (strstr(word, "://"))
		return wrong_words(verb, "'%s' is a URL: HOST[:PORT], as in mx.example.com:25",
				   word);
	if (*word == '[') {
		end = strchr(word, ']');
		if (!end || (end[1] && end[1] != ':'))
			return wrong_words(verb, brackets, word);
		*end = '\0';
		*host = word + 1;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(colon + 1, ':')) {
		return is_address(word) ? 0 : wrong_words(verb, brackets, word);
	}
	if (colon)
		*colon = '\0';
	if (!**host)
		return wrong_words(verb, which);
	return colon ? parse_port(verb, colon + 1, port) : 0;
}

static bool is_number(const char *word)
{
	return *word && !word[strspn(word, "0123456789")];
}

const char *too_much(const char *word)
{
	return is_number(word) ? "; a port stands behind a colon, as in mx.example.com:25"
			       : "; a protocol is said by --proto";
}

int proto_parse_word(const char *verb, const char *proto)
{
	struct word word = {.at = proto, .n = strlen(proto)};
	const char *meant;

	if (proto_find(proto, strlen(proto)) != PROTO_NONE)
		return 0;
	if (is_number(proto))
		return wrong_words(verb,
				   "'%s' is no protocol; a port stands behind a colon: HOST:%s",
				   proto, proto);
	meant = did_you_mean(&word, proto_word);
	if (meant)
		return wrong_words(verb, "unknown protocol '%s'; did you mean '%s'?", proto, meant);
	fprintf(stderr, "starttls %s: unknown protocol '%s'; there are:", verb, proto);
	for (size_t i = 0; proto_word(i); i++)
		fprintf(stderr, " %s", proto_word(i));
	fputc('\n', stderr);
	return EXIT_WRONG_USE;
}

unsigned proto_first_port(const char *proto)
{
	int i = proto_find(proto, strlen(proto));
	unsigned port = 1;

	if (proto_on_port(i, 1)) /* `tls` may be anywhere */
		return 0;
	while (!proto_on_port(i, (uint16_t)port))
		port++;
	return port;
}
