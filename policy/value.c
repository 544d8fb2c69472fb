/* SPDX-License-Identifier: MIT
 * value: lists and numbers, and what may stand behind the words that select. Every take_… reads one
 * value into the rule, or complains at the very item. */
#include "level.h"
#include "parse.h"
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* --- lists */

static size_t count_items(const struct word *list)
{
	size_t n = 1;

	for (size_t i = 0; i < list->n; i++)
		n += list->at[i] == ',';
	return n;
}

static bool empty_item(struct parser *p, const char *at)
{
	complain(p, at, "an item of this list is empty");
	hint(p, "one comma between two items, and no blanks around it: a,b,c");
	return false;
}

void *read_list(struct parser *p, const struct word *list, size_t slot, item_reader *read,
		size_t *n)
{
	const char *at = list->at, *end = at + list->n;
	char *slots = pool_array(parser_pool(p), count_items(list), slot);

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
	return (*(const char **)slot = pool_copy(parser_pool(p), item->at, item->n));
}

void take_programs(struct parser *p, struct rule *r, const struct word *value)
{
	const char *const *slot = NULL;

	p->reading->policy->asks_program = true;
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
	name = pool_copy(parser_pool(p), item->at, item->n);
	error = name ? find_user(name, slot) : ENOMEM;
	if (error == ENOENT) {
		complain(p, item->at, "there is no user '%s'", quote(item).text);
		hint(p, "write a login name or a number");
	} else if (error) {
		pool_blame(parser_pool(p), error);
		complain(p, item->at, "cannot look up the user '%s': %s", quote(item).text,
			 strerrordesc_np(error));
		hint(p, "a number needs no look-up");
	}
	return !error;
}

void take_users(struct parser *p, struct rule *r, const struct word *value)
{
	p->reading->policy->asks_user = true;
	r->users = read_list(p, value, sizeof *r->users, read_user, &r->n_users);
}
