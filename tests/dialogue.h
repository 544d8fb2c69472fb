/* SPDX-License-Identifier: MIT
 * dialogue: the script of talk_test: a protocol, a level, and what each side says.
 *
 *   proto smtp   level encrypt   levels: may, encrypt, verify; and `by app` behind it
 *   P 220 mx ESMTP               comes in from the peer (A: from the app)
 *   p EHLO [192.0.2.1]           must come out to the peer (a: to the app)
 *   Px 32 32 30                  the same in hex; P- is a line without its CRLF; so for A, p and a
 *   T                            TLS comes up (F why: it fails, R why: and the peer is redialled)
 *   X                            the peer closes (D: the deadline passes)
 *   E app 50000                  the protocol announces a data connection, dialled by the app (or peer) to this port
 *   B why                        the data connection is refused
 *   end open                     the phase: or inside, refused, clear, own, guard, handshake, redial, dialogue
 *   why "not offer"              what the reason must contain
 *   repeat 300                   the next line, 300 times */
#ifndef STARTTLS_TEST_DIALOGUE_H
#define STARTTLS_TEST_DIALOGUE_H

#include "buf.h"
#include "toy.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 512, GOT_MAX = 1 << 24 };

struct step {
	char op; /* as in the script; 'e' end, 'w' why */
	int line;
	struct buf bytes;
};

struct dialogue {
	const struct proto *proto;
	bool tls_required, by_app, ends;
	struct step steps[STEPS_MAX];
	size_t n;
	char error[600];
	int error_line;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct dialogue *d, int line,
						       const char *fmt, ...)
{
	va_list args;

	if (!*d->error) {
		va_start(args, fmt);
		vsnprintf(d->error, sizeof(d->error), fmt, args);
		va_end(args);
		d->error_line = line;
	}
	return false;
}

static bool hex(struct buf *b, const char *s)
{
	unsigned byte;
	int n;

	for (; sscanf(s, " %2x%n", &byte, &n) == 1; s += n)
		buf_add(b, span_of(&(uint8_t){(uint8_t)byte}, 1));
	return s[strspn(s, " ")] == '\0';
}

/* The step to add to: consecutive input of one side is one stream, and so is a repeated line. */
static struct step *step_for(struct dialogue *d, char op, int line)
{
	struct step *last = d->n ? &d->steps[d->n - 1] : NULL;

	if (last && last->op == op && (strchr("PA", op) || last->line == line))
		return last;
	if (d->n == STEPS_MAX)
		return NULL;
	last = &d->steps[d->n++];
	*last = (struct step){.op = op, .line = line, .bytes.max = GOT_MAX};
	return last;
}

static bool header(struct dialogue *d, const char *s, int line)
{
	char proto[32], level[32];

	int n = 0;

	if (sscanf(s, "proto %31s level %31s%n", proto, level, &n) != 2 ||
	    (s[n] && strcmp(s + n, " by app") != 0))
		return fail(d, line, "a dialogue begins with: proto NAME level LEVEL");
	d->proto = strcmp(proto, toy.name) == 0              ? &toy
		   : strcmp(proto, toy_that_stays.name) == 0 ? &toy_that_stays
							     : proto_named(proto);
	if (!d->proto)
		return fail(d, line, "no protocol \"%s\"", proto);
	d->by_app = s[n];
	d->tls_required = strcmp(level, "may") != 0;
	if (d->tls_required && strcmp(level, "encrypt") != 0 && strcmp(level, "verify") != 0)
		return fail(d, line, "no level \"%s\"", level);
	return true;
}

/* op and the text behind it; `s` is without comment and trailing blanks. */
static bool add_step(struct dialogue *d, const char *s, int line)
{
	bool is_end = strncmp(s, "end ", 4) == 0, is_why = strncmp(s, "why \"", 5) == 0;
	char op = is_end ? 'e' : is_why ? 'w' : s[0], form = is_end || is_why ? '-' : s[1];
	const char *text = strchr(s, ' ') ? strchr(s, ' ') + 1 : "";
	struct step *step;

	if (!strchr("PApaTFRXDEBew", op) || (form && !strchr(" x-", form)))
		return fail(d, line, "not understood: %s", s);
	step = step_for(d, op, line);
	if (!step)
		return fail(d, line, "too many lines");
	if (form == 'x')
		return hex(&step->bytes, text) || fail(d, line, "not hex: %s", text);
	buf_add(&step->bytes, span_of(text + is_why, strlen(text) - (is_why ? 2 : 0)));
	if (strchr("PApa", op) && form != '-')
		buf_add(&step->bytes, span_text("\r\n"));
	d->ends |= is_end;
	return true;
}

static void strip(char *s)
{
	for (char *c = s; *c; c++)
		if (*c == '#' && (c == s || isspace((unsigned char)c[-1])))
			*c = '\0';
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]); n--)
		s[n - 1] = '\0';
}

static bool parse(struct dialogue *d, FILE *in)
{
	char s[8192];
	int times = 1;
	bool ok = true;

	for (int line = 1; ok && fgets(s, sizeof(s), in); line++) {
		strip(s);
		if (!*s)
			continue;
		if (!d->proto) {
			ok = header(d, s, line);
		} else if (sscanf(s, "repeat %d", &times) != 1) {
			for (; ok && times; times--)
				ok = add_step(d, s, line);
			times = 1;
		}
	}
	if (ok && !d->ends)
		return fail(d, 0, "no \"end PHASE\" line");
	return ok;
}

static void dialogue_free(struct dialogue *d)
{
	for (size_t i = 0; i < d->n; i++)
		buf_free(&d->steps[i].bytes);
	free(d);
}

#endif
