/* SPDX-License-Identifier: MIT
 * cmd_report: what the parts of `starttls report` share.
 *
 *   cmd_report_line.c   one line of a log, as libstarttls wrote it and a syslog kept it
 *   cmd_report_tally.c  what all lines say of each destination
 *   cmd_report_print.c  the table for people, JSON, a textfile for Prometheus' node_exporter
 *   cmd_report.c        arguments and files */
#ifndef STARTTLS_CMD_REPORT_H
#define STARTTLS_CMD_REPORT_H

#include "pool.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* In the order of the table's columns of words. */
enum said {
	SAID_VERIFIED,
	SAID_PINNED,
	SAID_DANE,
	SAID_ENCRYPTED,
	SAID_OWN,
	SAID_PLAINTEXT,
	SAID_REFUSED,
	SAID_BROKEN, /* a policy, not a connection */
	SAIDS
};
extern const char *const said_words[SAIDS];

/* A line taken apart. Strings point into the line; "" when the field is not there. */
struct log_line {
	enum said said;
	const char *to, *addr, *proto, *tls, *why;
	unsigned port;  /* 0: none */
	time_t expires; /* 0: none */
	unsigned long lost;
};

/* Take `line` (no newline; it is written into) apart. False: it is not one of ours. What stands
 * before it is a syslog's or journal's own head, or nothing. */
bool log_line_parse(char *line, struct log_line *parts);

enum tls_seen { TLS_SEEN_1_3, TLS_SEEN_1_2, TLS_SEEN_OTHER, TLS_SEEN };
extern const char *const tls_words[TLS_SEEN];
enum { WHY_SHOWN = 240 };

/* All that was said of one destination: a name (or an address that had none), a port, a
 * protocol. */
struct destination {
	const char *to, *proto; /* to: "" when there was no name */
	const char *addr;       /* the first one seen */
	unsigned port;
	unsigned long connections, said[SAIDS], tls[TLS_SEEN];
	time_t expires; /* of the certificate, as last seen; 0: none seen */
	char why_plaintext[WHY_SHOWN], why_refused[WHY_SHOWN]; /* the last ones */
};

struct tally {
	struct pool pool;
	void *tree; /* of struct destination, tsearch(3) */
	size_t destinations;
	unsigned long connections, said[SAIDS], lost;
	char why_broken[WHY_SHOWN];
};

/* False: out of memory. */
bool tally_add(struct tally *t, const struct log_line *line);
void tally_free(struct tally *t);
/* Call `see` for each destination, by name, port and protocol. */
void tally_each(const struct tally *t, void (*see)(const struct destination *d, void *of),
		void *of);

/* Whole days from today (UTC) to the day the certificate ends; negative when that is over. */
long days_left(time_t expires, time_t now);

void print_table(const struct tally *t, time_t now, FILE *out);
void print_json(const struct tally *t, time_t now, FILE *out);
void print_prometheus(const struct tally *t, time_t now, FILE *out);

#endif
