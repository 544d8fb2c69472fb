/* SPDX-License-Identifier: MIT
 * talk_test: runs dialogues, the tests anyone can write who knows the protocol (dialogue.h). No I/O, no clock: two strings and a
 * phase. Each is run
 *
 *   cut    the bytes come in pieces of every size: nothing may be noticed of it
 *   gone   the peer is gone before each of its bytes, and instead of TLS: refused, in the protocol's words for "later"
 *
 * What comes in from one side in a row is one stream; the dialogue is run with it cut at every
 * size, and must not notice.
 *
 * talk_test [FILE...]; without, every file in tests/dialogues. App lines hold the word SECRET where
 * it must not be heard. */
#include "dialogue_run.h"
#include <glob.h>

enum { CUTS_ALL = 256, GONE_ALL = 1024 };

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
