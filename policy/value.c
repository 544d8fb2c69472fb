/* SPDX-License-Identifier: MIT
 * value: what may stand behind each word. Every take_… reads one value into the rule, or complains
 * at the very item. */
#include "level.h"
#include "parse.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pool *pool_of(struct parser *p)
{
	return &p->reading->policy->pool;
}

/* --- lists */

static size_t count_items(const struct word *list)
{
	size_t n = 1;

	for (size_t i = 0; i < list->n; i++)
		n += list->at[i] == ',';
	return n;
}

/* Read one item of a list into its slot. On false it has complained. */
typedef bool item_reader(struct parser *p, const struct word *item, void *slot);

static bool empty_item(struct parser *p, const char *at)
{
	complain(p, at, "an item of this list is empty");
	hint(p, "one comma between two items, and no blanks around it: a,b,c");
	return false;
}

/* Read all items into an array of slots. NULL, and a count of 0, when one is bad: half a list would
 * narrow what a broken policy refuses. */
static void *read_list(struct parser *p, const struct word *list, size_t slot, item_reader *read,
		       size_t *n)
{
	const char *at = list->at, *end = at + list->n;
	char *slots = pool_array(pool_of(p), count_items(list), slot);

	*n = 0;
	for (size_t i = 0; slots; i++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct word item = {.at = at, .n = (size_t)((comma ? comma : end) - at)};

		if (!item.n)
			slots = empty_item(p, comma ? at : at - 1) ? slots : NULL;
		else if (!read(p, &item, slots + i * slot))
			slots = NULL;
		if (slots && !comma)
			*n = i + 1;
		if (!comma)
			break;
		at = comma + 1;
	}
	return *n ? slots : NULL;
}

/* --- numbers */

bool number_parse(const struct word *word, unsigned max, unsigned *number)
{
	uint64_t n = 0;

	for (size_t i = 0; i < word->n; i++) {
		if (word->at[i] < '0' || word->at[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(word->at[i] - '0');
		if (n > max)
			return false;
	}
	*number = (unsigned)n;
	return word->n > 0;
}

/* --- selectors */

static bool read_host(struct parser *p, const struct word *item, void *slot)
{
	return host_parse(p, item, slot);
}

void take_hosts(struct parser *p, struct rule *r, const struct word *value)
{
	r->hosts = read_list(p, value, sizeof *r->hosts, read_host, &r->n_hosts);
}

static bool port_parse(struct parser *p, const struct word *word, uint16_t *port)
{
	unsigned number;
	int proto = proto_find(word->at, word->n);

	if (number_parse(word, 65535, &number) && number > 0) {
		*port = (uint16_t)number;
		return true;
	}
	if (word->n)
		complain(p, word->at, "'%s' is not a port from 1 to 65535", quote(word).text);
	else
		complain(p, word->at, "a port is missing at this end of the range");
	if (proto != PROTO_NONE)
		hint(p, "for a protocol write: proto %s", proto_word((size_t)proto));
	return false;
}

static bool read_range(struct parser *p, const struct word *item, void *slot)
{
	struct range *range = slot;
	const char *dash = memchr(item->at, '-', item->n);
	struct word first = *item, last = *item;

	if (dash) {
		first.n = (size_t)(dash - item->at);
		last.n = item->n - first.n - 1;
		last.at = dash + 1;
	}
	if (!port_parse(p, &first, &range->first) || !port_parse(p, &last, &range->last))
		return false;
	if (range->first > range->last) {
		complain(p, item->at, "the range '%s' runs backwards", quote(item).text);
		hint(p, "write the smaller port first: %u-%u", range->last, range->first);
		return false;
	}
	return true;
}

void take_ports(struct parser *p, struct rule *r, const struct word *value)
{
	r->ports = read_list(p, value, sizeof *r->ports, read_range, &r->n_ports);
}

static bool read_proto(struct parser *p, const struct word *item, void *slot)
{
	int proto = proto_find(item->at, item->n);
	const char *meant = did_you_mean(item, proto_word);

	*(int *)slot = proto;
	if (proto != PROTO_NONE)
		return true;
	complain(p, item->at, "unknown protocol '%s'", quote(item).text);
	if (meant)
		hint(p, "did you mean '%s'?", meant);
	else
		hint(p, "starttls-policy(5) lists the protocols; 'tls' wraps any other");
	return false;
}

void take_protos(struct parser *p, struct rule *r, const struct word *value)
{
	size_t n;
	const int *protos = read_list(p, value, sizeof *protos, read_proto, &n);

	for (size_t i = 0; i < n; i++)
		r->protos |= 1u << protos[i];
}

static bool read_program(struct parser *p, const struct word *item, void *slot)
{
	if (item->at[0] != '/') {
		complain(p, item->at, "'%s' is not the full path of a program", quote(item).text);
		hint(p, "write it from the root, as in /usr/bin/msmtp or /opt/erp/bin/*");
		return false;
	}
	return (*(const char **)slot = pool_copy(pool_of(p), item->at, item->n));
}

void take_programs(struct parser *p, struct rule *r, const struct word *value)
{
	const char *const *slot = NULL;

	r->programs = read_list(p, value, sizeof *slot, read_program, &r->n_programs);
}

/* 0, or an errno; ENOENT: there is none. */
static int find_user(const char *name, uid_t *uid)
{
	struct passwd entry, *found = NULL;
	char *buffer = NULL;
	size_t size = 1024;
	int error = ERANGE;

	while (error == ERANGE && size <= 1 << 20) {
		char *larger = realloc(buffer, size *= 2);

		if (larger)
			buffer = larger;
		error = larger ? getpwnam_r(name, &entry, buffer, size, &found) : ENOMEM;
	}
	if (found)
		*uid = entry.pw_uid;
	else if (!error || error == ESRCH)
		error = ENOENT;
	free(buffer);
	return error;
}

/* Names become numbers here, so that deciding needs no look-up. */
static bool read_user(struct parser *p, const struct word *item, void *slot)
{
	const char *name;
	int error;

	if (number_parse(item, (uid_t)-2, slot)) /* (uid_t)-1 is nobody's */
		return true;
	name = pool_copy(pool_of(p), item->at, item->n);
	error = name ? find_user(name, slot) : ENOMEM;
	if (error == ENOENT) {
		complain(p, item->at, "there is no user '%s'", quote(item).text);
		hint(p, "write a login name or a number");
	} else if (error) {
		complain(p, item->at, "cannot look up the user '%s': %s", quote(item).text,
			 strerrordesc_np(error));
		hint(p, "a number needs no look-up");
	}
	return !error;
}

void take_users(struct parser *p, struct rule *r, const struct word *value)
{
	r->users = read_list(p, value, sizeof *r->users, read_user, &r->n_users);
}

/* --- options */

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
		r->options.name = pool_copy(pool_of(p), value->at, n);
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
		return pool_copy(pool_of(p), value->at, value->n);
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
	r->options.ciphers = pool_copy(pool_of(p), value->at, value->n);
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
