/* SPDX-License-Identifier: MIT
 * talk_test: runs dialogues, the tests anyone can write who knows the protocol (dialogue.h). No I/O, no clock: two strings and a
 * phase. Each is run
 *
 *   cut    the bytes come in pieces of every size: nothing may be noticed of it
 *   gone   the peer is gone before each of its bytes, and instead of TLS: refused, in the protocol's words for "later"
 *
 * What comes in from one side in a row is one stream; the dialogue is run with it cut at every
 * size, and must not notice. What we say leaves only where the script reaches a `p`: so a peer that
 * answers before it was asked can be written down.
 *
 * talk_test [FILE...]; without, every file in tests/dialogues. App lines hold the word SECRET where
 * it must not be heard. */
#include "dialogue.h"
#include "talk.h"
#include <glob.h>

enum { CUTS_ALL = 256, GONE_ALL = 1024 };

struct run {
	struct dialogue *d;
	struct talk *t;
	struct buf to_app, to_peer; /* what came out */
	struct buf waiting;         /* what the app is still trying to say */
	bool tls_up;
	int line;
	char data_why[256];
};

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

static struct run run_new(struct dialogue *d)
{
	static const uint8_t peer[] = {192, 0, 2, 7};
	struct talk_setup setup = {.proto = d->proto,
				   .tls_required = d->tls_required,
				   .by_app = d->by_app,
				   .self = "[192.0.2.1]",
				   .host = "mx.example"};
	struct run r = {.d = d};

	for (size_t i = 0; i < sizeof(setup.nonce); i++)
		setup.nonce[i] = (uint8_t)i; /* so an IMAP tag is 000102… */
	r.t = talk_new(&setup);
	talk_proto(r.t)->peer_v4 = peer;
	r.to_app.max = r.to_peer.max = r.waiting.max = GOT_MAX;
	return r;
}

static void run_free(struct run *r)
{
	buf_free(&r->to_app);
	buf_free(&r->to_peer);
	buf_free(&r->waiting);
	talk_free(r->t);
}

/* ---- cut */

static bool run(struct dialogue *d, size_t cut)
{
	struct run r = run_new(d);
	bool ok = true;

	for (size_t i = 0; ok && i < d->n; i++)
		ok = do_step(&r, &d->steps[i], cut) && is_safe(&r);
	drain(&r);
	if (ok && buf_len(&r.to_peer))
		ok = come_out(&r, &r.to_peer, span_text("(nothing more)"), "peer");
	if (ok && buf_len(&r.to_app))
		ok = come_out(&r, &r.to_app, span_text("(nothing more)"), "app");
	run_free(&r);
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

/* ---- gone */

/* What says "later" (the RFCs', not the code's); NULL where there are no words. */
static struct span words_for_later(const struct proto *proto)
{
	static const struct {
		const char *proto;
		struct span words;
	} table[] = {
#define WORDS(s) {(const uint8_t *)(s), sizeof(s) - 1}
		{"smtp", WORDS("421 4.")}, /* RFC 5321 section 4.2.3 */
		{"lmtp", WORDS("421 4.")},
		{"imap", WORDS("* BYE ")},           /* RFC 9051 section 7.1.5 */
		{"pop3", WORDS("-ERR [SYS/TEMP] ")}, /* RFC 3206 section 4 */
		{"nntp", WORDS("400 ")},             /* RFC 3977 section 3.2.1 */
		{"sieve", WORDS("BYE (TRYLATER) ")}, /* RFC 5804 section 1.3 */
		{"ftp", WORDS("421 ")},              /* RFC 959 section 4.2.2 */
		{"ftps", WORDS("421 ")},
		{"http", WORDS("HTTP/1.1 503 ")}, /* RFC 9110 section 15.6.4 */
		{"irc", WORDS("ERROR :")},        /* RFC 2812 section 3.7.4 */
		{"nut", WORDS("ERR ")},           /* RFC 9271 */
		{"xmpp",
		 WORDS("<stream:error><remote-connection-failed ")}, /* RFC 6120 section 4.9.3.15 */
		{"xmpp-server", WORDS("<stream:error><remote-connection-failed ")},
		{"ldap", WORDS("\x0a\x01\x34")}, /* unavailable(52): RFC 4511 section 4.1.9 */
		{"mysql", WORDS("\xff\x13\x04#08S01")},     /* ERR_Packet, ER_HANDSHAKE_ERROR */
		{"pgsql", WORDS("SFATAL\0VFATAL\0C08001")}, /* ErrorResponse, class 08 */
#undef WORDS
	};
	const char *name = proto->inner ? proto->inner : proto->name;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].proto, name) == 0)
			return table[i].words;
	return span_of(NULL, 0);
}

static bool has(struct span s, struct span words)
{
	return !words.n || memmem(s.at, s.n, words.at, words.n);
}

/* Nobody is there: refused, whatever the level, and the app knows; unless the talk was over. */
static bool is_told_of_loss(struct run *r)
{
	enum talk_phase before = talk_phase(r->t);
	struct span words = words_for_later(r->d->proto), told;
	char is[512];

	talk_peer_gone(r->t);
	if (before != TALK_DIALOGUE && before != TALK_HANDSHAKE)
		return is_phase(r, span_text(phase_word(before)));
	told = buf_span(talk_to_app(r->t));
	if (!is_phase(r, span_text("refused")) ||
	    !is_reason(r, span_text("peer closed the connection before TLS")))
		return false;
	if (buf_len(talk_to_peer(r->t)))
		return fail(r->d, r->line, "refused, and something still to say");
	if (has(told, words) && (!words.n || has(told, span_text(talk_why(r->t)))))
		return true;
	return fail(r->d, r->line, "no word for later: \"%s\"", shown(told, is, sizeof(is)));
}

/* The peer's places: before each of its bytes, and where its TLS should begin. */
static size_t places(const struct step *step)
{
	return step->op == 'P' ? buf_len(&step->bytes) : step->op == 'T';
}

/* As the script has it up to the peer's place `at`; then nobody is there, and the app goes on. */
static bool run_gone(struct dialogue *d, size_t at)
{
	struct run r = run_new(d);
	const struct step *step = d->steps;
	bool ok = true;

	for (; ok && at >= places(step); at -= places(step), step++)
		ok = do_step(&r, step, GOT_MAX) && is_safe(&r);
	r.line = step->line;
	ok = ok &&
	     (step->op == 'T' || come_in(&r, 'P', span_first(buf_span(&step->bytes), at), at)) &&
	     is_told_of_loss(&r) && come_in(&r, 'A', span_text("SECRET\r\n"), GOT_MAX);
	run_free(&r);
	return ok;
}

/* Everywhere, or in what is longer at the first GONE_ALL places. */
static bool run_all_gone(struct dialogue *d, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += places(&d->steps[i]);
	for (*at = 0; *at < n && *at < GONE_ALL; ++*at)
		if (!run_gone(d, *at))
			return false;
	return true;
}

static bool test_file(const char *file)
{
	struct dialogue *d = calloc(1, sizeof(*d));
	FILE *in = fopen(file, "r");
	const char *how = "read to";
	size_t n = 0;
	bool ok;

	ok = in ? parse(d, in) : fail(d, 0, "cannot be opened");
	if (in)
		fclose(in);
	if (ok) {
		how = "cut at";
		ok = run_cut(d, &n);
	}
	if (ok) {
		how = "peer gone at";
		ok = run_all_gone(d, &n);
	}
	if (!ok)
		printf("%s:%d: %s %zu: %s\n", file, d->error_line, how, n, d->error);
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
