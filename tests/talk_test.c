/* SPDX-License-Identifier: MIT
 * talk_test: runs dialogues, the tests anyone can write who knows the protocol. No I/O, no clock:
 * two strings and a phase.
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
 *   repeat 300                   the next line, 300 times
 *
 * What comes in from one side in a row is one stream; the dialogue is run with it cut at every
 * size, and must not notice. What we say leaves only where the script reaches a `p`: so a peer that
 * answers before it was asked can be written down.
 *
 * talk_test [FILE...]; without, every file in tests/dialogues. App lines hold the word SECRET where
 * it must not be heard. */
#include "talk.h"
#include "toy.h"
#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 512, CUTS_ALL = 256, GOT_MAX = 1 << 24 };

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

struct run {
	struct dialogue *d;
	struct talk *t;
	struct buf to_app, to_peer; /* what came out */
	struct buf waiting;         /* what the app is still trying to say */
	bool tls_up;
	int line;
	char data_why[256];
};

/* ---- the script */

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

/* ---- one run: what conn.c does, without I/O */

static const char *shown(struct span s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n + 5 < size && i < 100; i++)
		n += (size_t)snprintf(out + n, size - n,
				      s.at[i] < ' ' || s.at[i] > '~' ? "\\x%02x" : "%c", s.at[i]);
	out[n] = '\0';
	return out;
}

static const char *phase_word(enum talk_phase phase)
{
	static const char *const words[] = {
		[TALK_GUARD] = "guard",
		[TALK_DIALOGUE] = "dialogue",
		[TALK_HANDSHAKE] = "handshake",
		[TALK_INSIDE] = "inside",
		[TALK_OPEN] = "open",
		[TALK_CLEAR] = "clear",
		[TALK_OWN] = "own",
		[TALK_REDIAL] = "redial",
		[TALK_REFUSED] = "refused",
	};

	return words[phase];
}

/* After TLS, in allowed plaintext or in the app's own TLS bytes go past the talk. */
static bool is_through(const struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	return phase == TALK_OPEN || phase == TALK_CLEAR || phase == TALK_OWN;
}

static void take(struct buf *to, struct buf *from)
{
	buf_add(to, buf_span(from));
	buf_drop(from, buf_len(from));
}

/* The rule, seen from outside; holds after every single event. */
static bool is_safe(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);
	struct span said = buf_span(talk_to_peer(r->t));

	if (phase == TALK_CLEAR && r->d->tls_required)
		return fail(r->d, r->line, "plaintext where TLS is required");
	if ((phase == TALK_OPEN || phase == TALK_INSIDE) && !r->tls_up)
		return fail(r->d, r->line, "open without TLS");
	if (phase == TALK_HANDSHAKE && said.n)
		return fail(r->d, r->line, "handshake, and something still to say");
	if (!r->tls_up && phase != TALK_CLEAR && phase != TALK_OWN && said.n &&
	    memmem(said.at, said.n, "SECRET", 6))
		return fail(r->d, r->line, "the app is heard before TLS");
	return true;
}

static void push_app(struct run *r)
{
	while (buf_len(&r->waiting)) {
		size_t n;

		if (is_through(r) && !buf_len(talk_to_peer(r->t))) {
			take(&r->to_peer, &r->waiting);
			return;
		}
		n = talk_from_app(r->t, buf_span(&r->waiting));
		buf_drop(&r->waiting, n);
		if (!n)
			return;
	}
}

static bool push_peer(struct run *r, struct span s)
{
	size_t n = talk_from_peer(r->t, s);

	if (n > s.n ||
	    (n < s.n && (talk_phase(r->t) == TALK_DIALOGUE || talk_phase(r->t) == TALK_INSIDE)))
		return fail(r->d, r->line, "took %zu of %zu bytes", n, s.n);
	if (is_through(r) || talk_phase(r->t) == TALK_GUARD) {
		take(&r->to_app, talk_to_app(r->t));
		buf_add(&r->to_app, span_after(s, n));
	}
	return true;
}

static bool come_in(struct run *r, char op, struct span s, size_t cut)
{
	while (s.n) {
		struct span piece = span_first(s, cut);

		if (op == 'A') {
			buf_add(&r->waiting, piece);
			push_app(r);
		} else if (!push_peer(r, piece)) {
			return false;
		}
		if (!is_safe(r))
			return false;
		s = span_after(s, piece.n);
	}
	return true;
}

static void drain(struct run *r)
{
	take(&r->to_app, talk_to_app(r->t));
	take(&r->to_peer, talk_to_peer(r->t));
	push_app(r);
	take(&r->to_peer, talk_to_peer(r->t));
}

static bool come_out(struct run *r, struct buf *got, struct span want, const char *whom)
{
	struct span head = span_first(buf_span(got), want.n);
	char a[512], b[512];

	if (head.n == want.n && (!want.n || memcmp(head.at, want.at, want.n) == 0)) {
		buf_drop(got, want.n);
		return true;
	}
	return fail(r->d, r->line, "to the %s: expected \"%s\", got \"%s\"", whom,
		    shown(want, a, sizeof(a)), shown(buf_span(got), b, sizeof(b)));
}

static bool is_reason(struct run *r, struct span want)
{
	const char *why = talk_why(r->t);

	if (why && memmem(why, strlen(why), want.at, want.n))
		return true;
	return fail(r->d, r->line, "the reason is \"%s\"", why ? why : "");
}

static bool is_phase(struct run *r, struct span want)
{
	if (span_is(want, phase_word(talk_phase(r->t))))
		return true;
	return fail(r->d, r->line, "phase is %s, because \"%s\"", phase_word(talk_phase(r->t)),
		    talk_why(r->t) ? talk_why(r->t) : "");
}

/* "app 50000": and it is taken, as the engine does. */
static bool is_announced(struct run *r, struct span want)
{
	struct talk_data *data = &talk_proto(r->t)->data;
	char is[32];

	snprintf(is, sizeof(is), "%s %u", data->dialled_by == SIDE_APP ? "app" : "peer",
		 (unsigned)data->port);
	data->port = 0;
	return span_is(want, is) || fail(r->d, r->line, "announced: %s", is);
}

static bool handshake(struct run *r)
{
	if (!is_phase(r, span_text("handshake")))
		return false;
	r->tls_up = true;
	talk_tls_up(r->t);
	return true;
}

static bool do_step(struct run *r, const struct step *step, size_t cut)
{
	struct span s = buf_span(&step->bytes);
	char why[1024];

	r->line = step->line;
	switch (step->op) {
	case 'P':
	case 'A':
		return come_in(r, step->op, s, cut);
	case 'p':
		drain(r);
		return come_out(r, &r->to_peer, s, "peer");
	case 'a':
		take(&r->to_app, talk_to_app(r->t));
		return come_out(r, &r->to_app, s, "app");
	case 'T':
		return handshake(r);
	case 'F':
		snprintf(why, sizeof(why), "%.*s", (int)s.n, (const char *)s.at);
		talk_refuse(r->t, CAUSE_TLS, why);
		return true;
	case 'R':
		snprintf(why, sizeof(why), "%.*s", (int)s.n, (const char *)s.at);
		talk_redialled(r->t, why);
		return true;
	case 'X':
		talk_peer_gone(r->t);
		return true;
	case 'D':
		talk_too_late(r->t, "peer did not answer in time");
		return true;
	case 'E':
		return is_announced(r, s);
	case 'B':
		snprintf(r->data_why, sizeof(r->data_why), "%.*s", (int)s.n, (const char *)s.at);
		talk_proto(r->t)->data.why = r->data_why;
		return true;
	case 'w':
		return is_reason(r, s);
	default:
		return is_phase(r, s);
	}
}

static bool run(struct dialogue *d, size_t cut)
{
	struct talk_setup setup = {.proto = d->proto,
				   .tls_required = d->tls_required,
				   .by_app = d->by_app,
				   .self = "[192.0.2.1]",
				   .host = "mx.example"};
	struct run r = {.d = d};
	bool ok = true;

	for (size_t i = 0; i < sizeof(setup.nonce); i++)
		setup.nonce[i] = (uint8_t)i; /* so an IMAP tag is 000102… */
	r.t = talk_new(&setup);
	talk_proto(r.t)->peer_v4 = (const uint8_t[]){192, 0, 2, 7};
	r.to_app.max = r.to_peer.max = r.waiting.max = GOT_MAX;
	for (size_t i = 0; ok && i < d->n; i++)
		ok = do_step(&r, &d->steps[i], cut) && is_safe(&r);
	drain(&r);
	if (ok && buf_len(&r.to_peer))
		ok = come_out(&r, &r.to_peer, span_text("(nothing more)"), "peer");
	if (ok && buf_len(&r.to_app))
		ok = come_out(&r, &r.to_app, span_text("(nothing more)"), "app");
	buf_free(&r.to_app);
	buf_free(&r.to_peer);
	buf_free(&r.waiting);
	talk_free(r.t);
	return ok;
}

static size_t longest_input(const struct dialogue *d)
{
	size_t n = 1;

	for (size_t i = 0; i < d->n; i++)
		if (strchr("PA", d->steps[i].op) && buf_len(&d->steps[i].bytes) > n)
			n = buf_len(&d->steps[i].bytes);
	return n;
}

/* Every size up to CUTS_ALL, then doubled, then whole. */
static bool run_cut(struct dialogue *d, size_t *cut)
{
	size_t whole = longest_input(d);

	for (*cut = 1; *cut < whole; *cut = *cut < CUTS_ALL ? *cut + 1 : *cut * 2)
		if (!run(d, *cut))
			return false;
	*cut = whole;
	return run(d, whole);
}

static bool test_file(const char *file)
{
	struct dialogue *d = calloc(1, sizeof(*d));
	FILE *in = fopen(file, "r");
	size_t cut = 0;
	bool ok;

	ok = in ? parse(d, in) : fail(d, 0, "cannot be opened");
	if (in)
		fclose(in);
	ok = ok && run_cut(d, &cut);
	if (!ok)
		printf("%s:%d: cut at %zu: %s\n", file, d->error_line, cut, d->error);
	dialogue_free(d);
	return ok;
}

int main(int argc, char **argv)
{
	unsigned counts[2] = {0, 0}; /* failed, passed */
	glob_t found = {0};

	if (argc == 1)
		glob("tests/dialogues/*/*.talk", 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		counts[test_file(found.gl_pathv[i])]++;
	for (int i = 1; i < argc; i++)
		counts[test_file(argv[i])]++;
	globfree(&found);
	printf("%u passed, %u failed\n", counts[1], counts[0]);
	return counts[0] || !counts[1];
}
