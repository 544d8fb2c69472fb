/* SPDX-License-Identifier: MIT
 * cmd_report_tally: adds up what the lines say, per destination. */
#include "cmd_report.h"
#include <search.h>
#include <string.h>

const char *const tls_words[TLS_SEEN] = {"1.3", "1.2", "other"};

static const char *name_of(const struct destination *d)
{
	return *d->to ? d->to : d->addr;
}

static int compare(const void *a, const void *b)
{
	const struct destination *one = a, *other = b;
	int order = strcmp(name_of(one), name_of(other));

	if (!order && one->port != other->port)
		order = one->port < other->port ? -1 : 1;
	return order ? order : strcmp(one->proto, other->proto);
}

static struct destination *find(struct tally *t, const struct log_line *line)
{
	const struct destination wanted = {
		.to = line->to, .addr = line->addr, .proto = line->proto, .port = line->port};
	struct destination **at = tfind(&wanted, &t->tree, compare), *made;

	if (at)
		return *at;
	made = pool_get(&t->pool, sizeof *made);
	if (!made)
		return NULL;
	made->to = pool_copy(&t->pool, line->to, strlen(line->to));
	made->addr = pool_copy(&t->pool, line->addr, strlen(line->addr));
	made->proto = pool_copy(&t->pool, line->proto, strlen(line->proto));
	made->port = line->port;
	if (t->pool.failed || !tsearch(made, &t->tree, compare))
		return NULL;
	t->destinations++;
	return made;
}

static void keep(char why[static WHY_SHOWN], const char *sentence)
{
	snprintf(why, WHY_SHOWN, "%s", sentence);
}

static enum tls_seen version(const char *tls)
{
	int i;

	for (i = 0; i < TLS_SEEN_OTHER && strcmp(tls, tls_words[i]) != 0; i++)
		;
	return (enum tls_seen)i;
}

bool tally_add(struct tally *t, const struct log_line *line)
{
	struct destination *d;

	t->lost += line->lost;
	t->said[line->said]++;
	if (line->said == SAID_BROKEN) {
		keep(t->why_broken, line->why);
		return true;
	}
	d = find(t, line);
	if (!d)
		return false;
	t->connections++;
	d->connections++;
	d->said[line->said]++;
	if (*line->tls)
		d->tls[version(line->tls)]++;
	if (line->expires)
		d->expires = line->expires;
	if (line->said == SAID_PLAINTEXT)
		keep(d->why_plaintext, line->why);
	if (line->said == SAID_REFUSED)
		keep(d->why_refused, line->why);
	return true;
}

struct visit {
	void (*see)(const struct destination *d, void *of);
	void *of;
};

static void visit(const void *node, VISIT order, void *closure)
{
	const struct visit *v = closure;

	if (order == postorder || order == leaf)
		v->see(*(struct destination *const *)node, v->of);
}

void tally_each(const struct tally *t, void (*see)(const struct destination *d, void *of), void *of)
{
	struct visit v = {see, of};

	twalk_r(t->tree, visit, &v);
}

static void nothing(void *node)
{
	(void)node;
}

void tally_free(struct tally *t)
{
	tdestroy(t->tree, nothing); /* the destinations are the pool's */
	pool_free(&t->pool);
}

long days_left(time_t expires, time_t now)
{
	return (long)(expires / 86400 - now / 86400);
}
