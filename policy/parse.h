/* SPDX-License-Identifier: MIT
 * parse: from statements to rules, with every complaint at the spot.
 *
 *   layers.c  the layers ─► read.c: read_file ─► parse.c: parse_text ─┐
 *                                   ▲                                 │
 *                                   └──────── read_include ◄──────────┘
 *
 *   lex.c     cuts a text into statements of words
 *   parse.c   the loop: LEVEL to HOSTS { WORD VALUE }
 *   value.c   one function per word that selects: reads its value
 *   option.c  and per word that asks for something
 *   complain.c  says what is wrong, with the line and a caret; the first breaks the policy
 */
#ifndef STARTTLS_PARSE_H
#define STARTTLS_PARSE_H

#include "lex.h"
#include "rule.h"
#include <stdio.h>

/* The reading of one layer: shared by its file and all that it includes. */
struct reading {
	struct policy *policy;
	int layer;        /* LAYER_SYSTEM or LAYER_USER: whose files are to be trusted */
	FILE *errors;     /* or NULL */
	unsigned printed; /* complaints so far */
	size_t files, bytes;
};

/* The reading of one file. */
struct parser {
	struct reading *reading;
	const struct text *text;
	const struct parser *includer; /* NULL: the layer's own file */
	const char *include_at;        /* where in its text this file is included */
	unsigned depth;
	bool from_memory; /* there is no file that an include could be relative to */
	dev_t dev;        /* which file this is, to find loops */
	ino_t ino;
	bool muted;               /* one complaint per statement: the rest follows from the first */
	bool hinting;             /* the last complaint was printed, so its hint is too */
	const struct word *level; /* of the rule being read */
	const struct word *values[WORDS]; /* of the rule being read, NULL when not said */
};

static inline struct pool *parser_pool(const struct parser *p)
{
	return &p->reading->policy->pool;
}

/* --- parse.c */

/* Read the parser's text to its end. Complains; errors never stop it. */
void parse_text(struct parser *p);

/* The i-th word that stands before a value, NULL behind the last. */
const char *rule_word(size_t i);

/* --- read.c */

/* The statement `include PATH`. */
void read_include(struct parser *p, const struct word *path);

/* --- value.c */

/* Read one item of a list into its slot. On false it has complained. */
typedef bool item_reader(struct parser *p, const struct word *item, void *slot);

/* Read all items into an array of slots. NULL, and a count of 0, when one is bad: half a list would
 * narrow what a broken policy refuses. */
void *read_list(struct parser *p, const struct word *list, size_t slot, item_reader *read,
		size_t *n);

/* Digits only, at most max. False otherwise; does not complain. */
bool number_parse(const struct word *word, unsigned max, unsigned *number);

/* --- value.c for selectors, option.c for options: read the value of one word into the rule;
 * complain when it is none */

void take_hosts(struct parser *p, struct rule *r, const struct word *value);
void take_ports(struct parser *p, struct rule *r, const struct word *value);
void take_protos(struct parser *p, struct rule *r, const struct word *value);
void take_programs(struct parser *p, struct rule *r, const struct word *value);
void take_users(struct parser *p, struct rule *r, const struct word *value);
void take_name(struct parser *p, struct rule *r, const struct word *value);
void take_pins(struct parser *p, struct rule *r, const struct word *value);
void take_ca(struct parser *p, struct rule *r, const struct word *value);
void take_cert(struct parser *p, struct rule *r, const struct word *value);
void take_key(struct parser *p, struct rule *r, const struct word *value);
void take_min(struct parser *p, struct rule *r, const struct word *value);
void take_ciphers(struct parser *p, struct rule *r, const struct word *value);
void take_timeout(struct parser *p, struct rule *r, const struct word *value);
void take_by(struct parser *p, struct rule *r, const struct word *value);

/* Can the files that the rule names be read? Complains. */
void check_files(struct parser *p, const struct rule *r);

/* --- complain.c */

/* Something is wrong: the policy is broken from here on. `at` points into the parser's text, or is
 * NULL for the file as a whole. Only the first complaint of a statement is kept. */
__attribute__((format(printf, 3, 4))) void complain(struct parser *p, const char *at,
						    const char *format, ...);

/* As complain, but the policy stays sound. */
__attribute__((format(printf, 3, 4))) void caution(struct parser *p, const char *at,
						   const char *format, ...);

/* What to do about the last complaint or warning. */
__attribute__((format(printf, 2, 3))) void hint(struct parser *p, const char *format, ...);

/* A word for use in a message: short, printable. Use as quote(word).text, which lives to the end of
 * the full expression. */
struct quoted {
	char text[72];
};
struct quoted quote(const struct word *word);

/* --- hint.c */

/* The word of a list (item(0), item(1), … NULL) that was probably meant, or NULL. */
const char *did_you_mean(const struct word *word, const char *(*item)(size_t));

#endif
