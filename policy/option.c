/* SPDX-License-Identifier: MIT
 * option: what may stand behind the words that ask for something. */
#include "parse.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void take_name(struct parser *p, struct rule *r, const struct word *value)
{
	bool digits = true;
	size_t n;

	if (memchr(value->at, ',', value->n)) {
		complain(p, value->at, "one name is expected, not a list");
		return;
	}
	for (size_t i = 0; i < value->n; i++)
		digits = digits &&
			 (value->at[i] == '.' || (value->at[i] >= '0' && value->at[i] <= '9'));
	if (digits || memchr(value->at, ':', value->n)) {
		complain(p, value->at, "'%s' is not a name", quote(value).text);
		hint(p, "without 'name' the name that the program asked for is verified, else the "
			"address");
		return;
	}
	if (host_name_check(p, value, &n))
		r->options.name = pool_copy(parser_pool(p), value->at, n);
}

static int hex_digit(char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_pin(struct parser *p, const struct word *item, void *slot)
{
	uint8_t *pin = slot;
	static const char kind[] = "sha256:";
	const size_t skip = sizeof kind - 1;

	if (item->n < skip || memcmp(item->at, kind, skip) != 0) {
		complain(p, item->at, "'%s' is not a pin", quote(item).text);
		hint(p, "write 'sha256:' and the hash of the public key, 64 hexadecimal digits");
		return false;
	}
	for (size_t i = skip; i < item->n; i++) {
		int digit = hex_digit(item->at[i]);

		if (digit < 0) {
			complain(p, item->at + i, "a pin is written in hexadecimal digits");
			hint(p, "no colons between the bytes, and not base64");
			return false;
		}
		if (i - skip < 64)
			pin[(i - skip) / 2] = (uint8_t)(pin[(i - skip) / 2] << 4 | digit);
	}
	if (item->n - skip != 64) {
		complain(p, item->at, "a SHA-256 pin has 64 hexadecimal digits, this one has %zu",
			 item->n - skip);
		return false;
	}
	return true;
}

void take_pins(struct parser *p, struct rule *r, const struct word *value)
{
	r->options.pins =
		read_list(p, value, sizeof *r->options.pins, read_pin, &r->options.n_pins);
}

/* A relative path would mean another file in every process. */
static const char *take_file(struct parser *p, const struct word *value)
{
	if (value->at[0] == '/')
		return pool_copy(parser_pool(p), value->at, value->n);
	complain(p, value->at, "'%s' is not an absolute path", quote(value).text);
	hint(p, "write it from the root, as in /etc/ssl/corp.pem");
	return NULL;
}

void take_ca(struct parser *p, struct rule *r, const struct word *value)
{
	r->options.ca = take_file(p, value);
}

void take_cert(struct parser *p, struct rule *r, const struct word *value)
{
	r->options.cert = take_file(p, value);
}

void take_key(struct parser *p, struct rule *r, const struct word *value)
{
	r->options.key = take_file(p, value);
}

void take_min(struct parser *p, struct rule *r, const struct word *value)
{
	if (word_is(value, "1.2")) {
		r->options.min = 0x0303;
	} else if (word_is(value, "1.3")) {
		r->options.min = 0x0304;
	} else {
		complain(p, value->at, "'%s' is no TLS version to begin with", quote(value).text);
		hint(p, "min is 1.2 or 1.3; older ones are never spoken (RFC 8996)");
	}
}

void take_ciphers(struct parser *p, struct rule *r, const struct word *value)
{
	r->options.ciphers = pool_copy(parser_pool(p), value->at, value->n);
}

void take_timeout(struct parser *p, struct rule *r, const struct word *value)
{
	unsigned seconds;

	if (number_parse(value, 3600, &seconds) && seconds > 0) {
		r->options.timeout_s = (int)seconds;
		return;
	}
	complain(p, value->at, "'%s' is not a number of seconds from 1 to 3600", quote(value).text);
}

void take_by(struct parser *p, struct rule *r, const struct word *value)
{
	if (word_is(value, "app")) {
		r->options.by_app = true;
	} else if (!word_is(value, "shim")) {
		complain(p, value->at, "'%s' cannot do the TLS", quote(value).text);
		hint(p, "'by shim': libstarttls does it (so it is without 'by'); 'by app': the "
			"program "
			"does its own and is watched");
	}
}

/* --- files that the engine will open: better refused now, with a line number, than at the first
 * connection */

enum { WRONG_TYPE = -1 };

/* 0, an errno, or WRONG_TYPE. Opening a device may move something, so it looks first. */
static int try_file(const char *path, bool or_directory)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode) && !(or_directory && S_ISDIR(st.st_mode)))
		return WRONG_TYPE;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_file(struct parser *p, enum rule_word word, const char *path, bool or_directory)
{
	int error = path ? try_file(path, or_directory) : 0;

	if (!error)
		return;
	complain(p, p->values[word]->at, "cannot read '%s': %s", quote(p->values[word]).text,
		 error == WRONG_TYPE ? "it is not a file" : strerrordesc_np(error));
	if (error == EACCES && word != WORD_CA && p->reading->layer == LAYER_SYSTEM)
		hint(p, "limit the rule to those who may: user NAME");
}

void check_files(struct parser *p, const struct rule *r)
{
	/* A key that only its owner can read must not break the policy of everybody else. */
	if (!rule_for_user(r, geteuid()))
		return;
	check_file(p, WORD_CA, r->options.ca, true);
	check_file(p, WORD_CERT, r->options.cert, false);
	if (rule_says(r, WORD_KEY))
		check_file(p, WORD_KEY, r->options.key, false);
}
