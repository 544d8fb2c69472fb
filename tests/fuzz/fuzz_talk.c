/* SPDX-License-Identifier: MIT
 * fuzz_talk: a hostile peer, a careless app and an unlucky network against the talk (play.h), for the
 * protocols of lines.
 *
 * What the app says is marked by bit 7, which neither the peer here nor the shim ever uses: so an
 * app byte that is heard too early is seen at once, and a lost or reordered one at the end. Under
 * `by app` it says words too (words.h): those that may be heard in plaintext are not marked. */
#include "play.h"
#include "words.h"
#include "../toy.h"

/* Who plays, and how each refusal begins: with nothing of the peer before it. */
static const struct {
	const char *name, *refusal;
} parts[] = {
	{"smtp", "421 4.7."},
	{"lmtp", "421 4.7."},
	{"smtps", "421 4.7."},
	{"toy", NULL},
	{"imap", "* BYE [ALERT] libstarttls: "},
	{"pop3", "-ERR [SYS/TEMP] libstarttls: "},
	{"sieve", "BYE (TRYLATER) \"libstarttls: "},
	{"nntp", "400 libstarttls: "},
	{"irc", "ERROR :libstarttls: "},
	{"nut", "ERR FEATURE-NOT-CONFIGURED libstarttls: "},
	{"ftp", "421 libstarttls: "},
	{"ftps", "421 libstarttls: "},
	{"http", "HTTP/1.1 503 "},
	{"xmpp", "<?xml version='1.0'?><stream:stream xmlns='jabber:client'"},
};

static bool has_app_byte(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] & 0x80)
			return true;
	return false;
}

static void check_refusal(struct run *r)
{
	struct span told = buf_span(talk_to_app(r->t));

	REQUIRE(strlen(talk_why(r->t)) < 400);
	for (const char *c = talk_why(r->t); *c; c++)
		REQUIRE(*c >= ' ' && *c <= '~');
	if (!r->refusal || r->to_app.n || r->tls_up || (r->by_app && r->refusal[0] == '<'))
		return;
	if (strchr("H<", r->refusal[0])) { /* more than a line */
		REQUIRE(span_starts(told, r->refusal) && told.n <= 1024);
		return;
	}
	/* One line of the length that most protocols allow, but for ManageSieve's escapes. */
	REQUIRE(span_starts(told, r->refusal) && told.n <= (r->refusal[0] == 'B' ? 1024 : 512));
	REQUIRE(memchr(told.at, '\n', told.n) == told.at + told.n - 1);
}

/* `by app`: before its ClientHello the app says no marked byte. */
static void check_guarded(struct run *r)
{
	struct span heard = run_guarded(r);
	size_t at = 0;

	while (at < heard.n && !(heard.at[at] & 0x80))
		at++;
	REQUIRE(at == heard.n || talk_phase(r->t) == TALK_CLEAR ||
		memmem(heard.at, at, HELLO, sizeof(HELLO) - 1));
}

static void check(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	run_check(r);
	if (r->by_app)
		check_guarded(r);
	REQUIRE(phase != TALK_OWN || r->by_app);
	REQUIRE(phase == TALK_INSIDE || phase == TALK_OPEN || phase == TALK_CLEAR || r->by_app ||
		!has_app_byte(buf_span(talk_to_peer(r->t))));
	if (phase == TALK_REFUSED)
		check_refusal(r);
}

/* Single bytes, but for floods: those would take all the time. */
static size_t step_of(const struct run *r, size_t n)
{
	if (!r->single)
		return n;
	return n > 256 ? 61 : 1;
}

/* Is whatever the peer says now out of turn? */
static bool is_early(const struct run *r)
{
	return talk_phase(r->t) == TALK_HANDSHAKE ||
	       (talk_phase(r->t) == TALK_DIALOGUE && buf_len(talk_to_peer(r->t)) &&
		!r->proto->unasked);
}

static void from_peer(struct run *r, struct span s)
{
	size_t step = step_of(r, s.n);

	while (s.n) {
		bool early = is_early(r);
		size_t n = talk_from_peer(r->t, span_first(s, step));

		REQUIRE(n <= step);
		REQUIRE(!early || talk_phase(r->t) == TALK_REFUSED ||
			(r->proto->implicit && !r->required && talk_phase(r->t) == TALK_CLEAR));
		r->heard += n;
		REQUIRE(r->heard <= TALK_PEER_MAX || talk_phase(r->t) == TALK_INSIDE);
		if (!n)
			return; /* not the talk's any more */
		s = span_after(s, n);
	}
}

static void from_app(struct run *r, struct span s)
{
	size_t step = step_of(r, s.n);

	while (s.n) {
		size_t n = talk_from_app(r->t, span_first(s, step));

		REQUIRE(n <= step);
		if (!n)
			return; /* the hold is full */
		append(&r->said, span_first(s, n));
		s = span_after(s, n);
	}
}

/* The toy's words stay readable, all else is marked. */
static void mark(const struct run *r, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r->proto != &toy || !bytes[i] || !strchr("PINGLAWO\r\n{}", bytes[i]))
			bytes[i] |= 0x80;
}

static void tls_up(struct run *r)
{
	enum talk_phase before = talk_phase(r->t);

	r->tls_up |= before == TALK_HANDSHAKE;
	talk_tls_up(r->t);
	REQUIRE(before != TALK_HANDSHAKE || talk_phase(r->t) == TALK_OPEN ||
		(r->proto->inside && talk_phase(r->t) == TALK_INSIDE));
	REQUIRE(before != TALK_DIALOGUE || talk_phase(r->t) == TALK_REFUSED);
}

static void refuse(struct run *r, struct span why)
{
	char sentence[256] = "";

	memcpy(sentence, why.at, why.n);
	sentence[0] = 'x';
	talk_refuse(r->t, (enum cause)(why.n % 4), sentence);
}

/* The app's words: `by app` only. */
static void from_app_word(struct run *r, size_t which)
{
	size_t n = sizeof(app_words) / sizeof(*app_words);

	if (which % (n + 1) == n)
		from_app(r, span_of(HELLO "\xff", sizeof(HELLO)));
	else
		from_app(r, span_text(app_words[which % (n + 1)]));
}

static void event(struct run *r, uint8_t what, struct span s)
{
	uint8_t bytes[256];
	uint8_t many[1024];

	if (s.n)
		memcpy(bytes, s.at, s.n);
	switch (what % 16) {
	case 0:
	case 1:
		for (size_t i = 0; i < s.n; i++)
			bytes[i] &= 0x7f;
		from_peer(r, span_of(bytes, s.n));
		break;
	case 2:
	case 3:
		mark(r, bytes, s.n);
		from_app(r, span_of(bytes, s.n));
		break;
	case 4:
		memset(many, 0xff, sizeof(many));
		for (size_t i = 0; i < 80; i++)
			from_app(r, span_of(many, sizeof(many)));
		break;
	case 5:
		tls_up(r);
		break;
	case 6:
		talk_peer_gone(r->t);
		break;
	case 7:
		refuse(r, s);
		break;
	case 8:
		drain(&r->to_app, talk_to_app(r->t));
		break;
	case 9:
		for (size_t i = 0; i < 400; i++)
			from_peer(r, span_text(peer_words[s.n % (sizeof(peer_words) /
								 sizeof(*peer_words))]));
		break;
	case 10:
		if (s.n % 2)
			talk_too_late(r->t, "peer did not answer in time");
		else
			talk_redialled(r->t, "handshake failed");
		break;
	case 11:
		drain(&r->to_peer, talk_to_peer(r->t));
		break;
	default: /* a line, and mostly room for our answer to it */
		if (r->by_app) {
			from_app_word(r, s.n);
			break;
		}
		from_peer(r,
			  span_text(peer_words[s.n % (sizeof(peer_words) / sizeof(*peer_words))]));
		if (what & 0x80)
			drain(&r->to_peer, talk_to_peer(r->t));
	}
	check(r);
}

/* Whole and in order: the marked bytes that went out are the first that the app said. */
static void check_order(const struct run *r)
{
	size_t n = 0;

	if (r->proto == &toy || r->by_app || talk_phase(r->t) == TALK_REFUSED)
		return;
	for (size_t i = 0; i < r->to_peer.n; i++)
		if (r->to_peer.at[i] & 0x80)
			REQUIRE(n < r->said.n && r->said.at[n++] == r->to_peer.at[i]);
	REQUIRE(n == r->said.n || talk_phase(r->t) == TALK_DIALOGUE ||
		talk_phase(r->t) == TALK_HANDSHAKE || talk_phase(r->t) == TALK_INSIDE ||
		talk_phase(r->t) == TALK_REDIAL);
}

/* Where the app speaks first and in ASCII, it has. Not marked, so not counted. */
static void from_app_first(struct run *r)
{
	if (!r->refusal || r->by_app)
		return;
	if (strcmp(r->proto->name, "http") == 0)
		talk_from_app(r->t, span_text("GET / HTTP/1.0\r\n\r\n"));
	if (strcmp(r->proto->name, "xmpp") == 0)
		talk_from_app(r->t, span_text("<stream:stream to='x'>"));
}

static void play(struct run *r, uint8_t setup, struct span in)
{
	size_t part = (setup >> 1 & 0x3f) % (sizeof(parts) / sizeof(*parts));

	r->proto = parts[part].refusal ? proto_named(parts[part].name) : &toy;
	r->refusal = parts[part].refusal;
	run_begin(r, setup);
	from_app_first(r);
	run_events(r, in, event);
	drain(&r->to_peer, talk_to_peer(r->t));
	drain(&r->to_app, talk_to_app(r->t));
	check_order(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	if (!n)
		return 0;
	play_twice(at, n, play);
	REQUIRE(same(&runs[0].to_peer, &runs[1].to_peer)); /* refused or not */
	return 0;
}
