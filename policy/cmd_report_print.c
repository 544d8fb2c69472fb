/* SPDX-License-Identifier: MIT
 * cmd_report_print: the three forms of a report. What came from a file is cleaned: the reader sits
 * at a terminal, or is a parser. */
#include "cmd_report.h"
#include "command.h"
#include <string.h>

enum { SOON = 30 }; /* days before its end that a certificate is worth a line */

/* --- for people */

static const char *s(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static const char *clean(const char *text, char *room, size_t n)
{
	size_t i;

	for (i = 0; text[i] && i + 1 < n; i++)
		room[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
	room[i] = 0;
	return room;
}

/* "smtp.example.com:587", "[2001:db8::5]:25" */
static const char *title(const struct destination *d, char *room, size_t n)
{
	bool bare_v6 = !*d->to && strchr(d->addr, ':');
	char name[200], port[16] = "";

	clean(*d->to ? d->to : d->addr, name, sizeof name);
	if (d->port)
		snprintf(port, sizeof port, ":%u", d->port);
	snprintf(room, n, bare_v6 ? "[%s]%s" : "%s%s", name, port);
	return room;
}

struct list {
	char text[160];
	size_t n;
};

static void list_add(struct list *l, const char *word, unsigned long count)
{
	int n;

	if (!count)
		return;
	n = snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s %lu", l->n ? ", " : "", word,
		     count);
	l->n += n > 0 && (size_t)n < sizeof l->text - l->n ? (size_t)n : 0;
}

struct table {
	FILE *out;
	time_t now;
	int width; /* of the first column */
	enum said wanted;
};

static void measure(const struct destination *d, void *of)
{
	struct table *table = of;
	char name[256];
	int n = (int)strlen(title(d, name, sizeof name));

	table->width = n > table->width ? n : table->width;
}

static void print_certificate(const struct destination *d, const struct table *table)
{
	long days = days_left(d->expires, table->now);

	if (!d->expires)
		fputs("-\n", table->out);
	else if (days < 0)
		fprintf(table->out, "ended %ld day%s ago\n", -days, s((unsigned long)-days));
	else
		fprintf(table->out, "%ld day%s%s\n", days, s((unsigned long)days),
			days <= SOON ? " !" : "");
}

static void print_row(const struct destination *d, void *of)
{
	const struct table *table = of;
	struct list verdicts = {0}, versions = {0};
	char name[256], proto[24];

	for (int i = 0; i < SAIDS; i++)
		list_add(&verdicts, said_words[i], d->said[i]);
	for (int i = 0; i < TLS_SEEN; i++)
		list_add(&versions, tls_words[i], d->tls[i]);
	fprintf(table->out, "%-*s  %-11s  %11lu  %-27s  %-14s  ", table->width,
		title(d, name, sizeof name), clean(d->proto, proto, sizeof proto), d->connections,
		verdicts.text, versions.n ? versions.text : "-");
	print_certificate(d, table);
}

static void print_reason(const struct destination *d, void *of)
{
	const struct table *table = of;
	const char *why = table->wanted == SAID_PLAINTEXT ? d->why_plaintext : d->why_refused;
	char name[256], proto[24], sentence[WHY_SHOWN];

	if (d->said[table->wanted])
		fprintf(table->out, "  %s %s, %lu of %lu: %s\n", title(d, name, sizeof name),
			clean(d->proto, proto, sizeof proto), d->said[table->wanted],
			d->connections,
			*why ? clean(why, sentence, sizeof sentence) : "no reason given");
}

static void print_reasons(const struct tally *t, struct table *table, enum said said,
			  const char *what)
{
	bool red = said == SAID_PLAINTEXT;

	if (!t->said[said])
		return;
	fprintf(table->out, "\n%s%s: %lu connection%s%s\n",
		red ? colour(table->out, COLOUR_BAD) : "", what, t->said[said], s(t->said[said]),
		red ? colour(table->out, COLOUR_OFF) : "");
	table->wanted = said;
	tally_each(t, print_reason, table);
}

void print_table(const struct tally *t, time_t now, FILE *out)
{
	struct table table = {.out = out, .now = now, .width = (int)strlen("destination")};
	char sentence[WHY_SHOWN];

	if (!t->connections && !t->said[SAID_BROKEN])
		fputs("there is no line of libstarttls in this\n", out);
	tally_each(t, measure, &table);
	if (t->destinations)
		fprintf(out, "%-*s  %-11s  %11s  %-27s  %-14s  %s\n", table.width, "destination",
			"protocol", "connections", "verdicts", "TLS", "certificate");
	tally_each(t, print_row, &table);
	if (t->destinations)
		fprintf(out, "\n%lu connection%s to %zu destination%s\n", t->connections,
			s(t->connections), t->destinations, s(t->destinations));
	print_reasons(t, &table, SAID_PLAINTEXT, "plaintext left to eliminate");
	print_reasons(t, &table, SAID_REFUSED, "refused");
	if (t->said[SAID_BROKEN])
		fprintf(out, "\nthe policy was broken for %lu process%s: %s\n",
			t->said[SAID_BROKEN], t->said[SAID_BROKEN] == 1 ? "" : "es",
			clean(t->why_broken, sentence, sizeof sentence));
	if (t->lost)
		fprintf(out,
			"\n%lu more line%s were too many for syslog: the numbers are too low\n",
			t->lost, s(t->lost));
}

/* --- for programs */

/* A string of JSON (RFC 8259 section 7), or a label's value: both know these two escapes, and
 * nothing else is left in the text. */
static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text >= ' ' && *text < 0x7f ? *text : '?', out);
	}
	putc('"', out);
}

static void json_text(FILE *out, const char *name, const char *text)
{
	fprintf(out, ", \"%s\": ", name);
	put_string(out, text);
}

static void json_counts(FILE *out, const char *name, const char *const words[],
			const unsigned long counts[], int n)
{
	fprintf(out, ", \"%s\": {", name);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s\"%s\": %lu", i ? ", " : "", words[i], counts[i]);
	putc('}', out);
}

struct json {
	FILE *out;
	time_t now;
	bool more;
};

static void json_certificate(const struct destination *d, const struct json *json)
{
	char day[16] = "";
	struct tm tm;

	if (!d->expires || !gmtime_r(&d->expires, &tm)) {
		fputs(", \"expires\": null, \"days_left\": null", json->out);
		return;
	}
	strftime(day, sizeof day, "%Y-%m-%d", &tm);
	json_text(json->out, "expires", day);
	fprintf(json->out, ", \"days_left\": %ld", days_left(d->expires, json->now));
}

static void json_destination(const struct destination *d, void *of)
{
	struct json *json = of;
	FILE *out = json->out;

	fputs(json->more ? ",\n  {\"to\": " : "\n  {\"to\": ", out);
	json->more = true;
	put_string(out, d->to);
	json_text(out, "addr", d->addr);
	fprintf(out, ", \"port\": %u", d->port);
	json_text(out, "proto", d->proto);
	fprintf(out, ", \"connections\": %lu", d->connections);
	json_counts(out, "verdicts", said_words, d->said, SAID_BROKEN);
	json_counts(out, "tls", tls_words, d->tls, TLS_SEEN);
	json_certificate(d, json);
	json_text(out, "why_plaintext", d->why_plaintext);
	json_text(out, "why_refused", d->why_refused);
	putc('}', out);
}

void print_json(const struct tally *t, time_t now, FILE *out)
{
	struct json json = {.out = out, .now = now};

	fputs("{\"destinations\": [", out);
	tally_each(t, json_destination, &json);
	fprintf(out, "%s], \"connections\": %lu", json.more ? "\n" : "", t->connections);
	json_counts(out, "verdicts", said_words, t->said, SAID_BROKEN);
	fprintf(out, ", \"broken_policies\": %lu", t->said[SAID_BROKEN]);
	json_text(out, "why_broken", t->why_broken);
	fprintf(out, ", \"lines_lost\": %lu}\n", t->lost);
}

static void labels(FILE *out, const char *metric, const struct destination *d)
{
	fprintf(out, "starttls_%s{to=", metric);
	put_string(out, *d->to ? d->to : d->addr);
	fprintf(out, ",port=\"%u\",proto=", d->port);
	put_string(out, d->proto);
}

static void prometheus_verdicts(const struct destination *d, void *of)
{
	for (int i = 0; i < SAID_BROKEN; i++) {
		labels(of, "connections", d);
		fprintf(of, ",verdict=\"%s\"} %lu\n", said_words[i], d->said[i]);
	}
}

static void prometheus_versions(const struct destination *d, void *of)
{
	for (int i = 0; i < TLS_SEEN; i++) {
		labels(of, "tls_connections", d);
		fprintf(of, ",version=\"%s\"} %lu\n", tls_words[i], d->tls[i]);
	}
}

static void prometheus_certificate(const struct destination *d, void *of)
{
	if (!d->expires)
		return;
	labels(of, "certificate_not_after_seconds", d);
	fprintf(of, "} %lld\n", (long long)d->expires);
}

static void metric(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP starttls_%s %s\n# TYPE starttls_%s gauge\n", name, help, name);
}

void print_prometheus(const struct tally *t, time_t now, FILE *out)
{
	(void)now;
	metric(out, "connections", "Connections in the log, by destination and verdict.");
	tally_each(t, prometheus_verdicts, out);
	metric(out, "tls_connections", "Connections in the log, by destination and TLS version.");
	tally_each(t, prometheus_versions, out);
	metric(out, "certificate_not_after_seconds",
	       "The day the destination's certificate ends, as last seen, in seconds since 1970.");
	tally_each(t, prometheus_certificate, out);
	metric(out, "broken_policies", "Processes that found the policy broken.");
	fprintf(out, "starttls_broken_policies %lu\n", t->said[SAID_BROKEN]);
	metric(out, "log_lines_lost",
	       "Lines that were too many for syslog and are not counted here.");
	fprintf(out, "starttls_log_lines_lost %lu\n", t->lost);
}
