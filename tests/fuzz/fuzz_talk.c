/* SPDX-License-Identifier: MIT
 * fuzz_talk: a hostile peer, a careless app and an unlucky network against the talk.
 *
 *   input   [ setup ] [ event | length | bytes ] [ event | length | bytes ] …
 *   twice   as it is, and cut into single bytes: all that comes out must be the same
 *
 * What the app says is marked by bit 7, which neither the peer here nor the shim ever uses: so an
 * app byte that is heard too early is seen at once, and a lost or reordered one at the end. Under
 * `by app` it says words too (app_lines): those that may be heard in plaintext are not marked. */
#include "talk.h"
#include "../toy.h"
#include <sanitizer/allocator_interface.h>
#include <stdlib.h>

enum { EVENTS_MAX = 64, OUT_MAX = 1 << 22, MEMORY_MAX = 1 << 21 };

#define REQUIRE(truth) \
	do { \
		if (!(truth)) \
			abort(); \
	} while (0)

struct stream {
	size_t n;
	uint8_t at[OUT_MAX];
};

struct run {
	struct talk *t;
	const struct proto *proto;
	const char *refusal; /* how it begins; NULL: anything */
	bool required, single, tls_up, by_app;
	size_t memory; /* in use before the talk */
	size_t heard;  /* bytes that the talk took of the peer */
	struct stream to_peer, to_app, said;
};

static struct run runs[2];

#define ZERO_TAG "00000000000000000000000000000000"

/* What a peer says that means well, or nearly: to get deep without guessing. */
static const char *const lines[] = {
	"220 mx ESMTP\r\n",
	"220-mx\r\n",
	"250-mx\r\n",
	"250 STARTTLS\r\n",
	"250-STARTTLS\r\n",
	"250 AUTH\r\n",
	"220 go\r\n",
	"454 no\r\n",
	"421 busy\r\n",
	"500 what\r\n",
	"YES\r\n",
	"NO\r\n",
	"WAIT\r\n",
	"HELLO\r\n",
	"GREET\r\n",
	"FLOODP\r\n",
	"250-starttls\n",
	"{....}",
	"220",
	"2",
	/* imap; the nonce is zero */
	"* OK hello\r\n",
	"* CAPABILITY IMAP4rev1 STARTTLS\r\n",
	ZERO_TAG " OK done\r\n",
	ZERO_TAG " NO\r\n",
	"* PREAUTH\r\n",
	"* BYE\r\n",
	"* LIST {5}\r\n",
	"+ go on\r\n",
	/* pop3 */
	"+OK <1.2@mx>\r\n",
	"STLS\r\n",
	".\r\n",
	"-ERR what\r\n",
	"+OKAY\r\n",
	/* sieve */
	"\"STARTTLS\"\r\n",
	"OK\r\n",
	"BYE\r\n",
	/* nntp */
	"200 news\r\n",
	"101 list\r\n",
	"\"VERSION\" \"1.0\"\r\n",
	"STARTTLS\r\n",
	"MODE-READER\r\n",
	"382 go\r\n",
	"580 no\r\n",
	/* irc, nut */
	":irc NOTICE * :hello\r\n",
	":irc 670 * :go\r\n",
	":irc 421 * :what\r\n",
	"ERROR :no\r\n",
	"OK STARTTLS\n",
	"ERR UNKNOWN-COMMAND\n",
	/* ftp */
	"220 ftp\r\n",
	"234 go\r\n",
	"200 ok\r\n",
	"530 log in first\r\n",
	"230 in\r\n",
	"227 (1,2,3,4,5,6)\r\n",
	"229 (|||99|)\r\n",
	"150 here\r\n",
	"226-\r\n",
	"226 done\r\n",
	/* http, xmpp: their apps speak first, and only ASCII is theirs */
	"HTTP/1.1 101 x\r\nUpgrade: TLS/1.0\r\n\r\n",
	"HTTP/1.1 426 x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
	"<?xml version='1.0'?><stream:stream version='1.0'>",
	"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
	"<stream:features/>",
	"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	"<failure/>",
};

#define HELLO "\x16\x03\x01\x00\x05\x01"

/* What an app says under `by app`: marked where it must not be heard. */
static const char *const app_lines[] = {
	"EHLO box\r\n",
	"STARTTLS\r\n",
	"NOOP\r\n",
	"quit\n",
	"MAIL FROM:<\xff>\r\n",
	"AUTH PLAIN \xff\r\n",
	"NOOP \xff\r\n",
	"EHLO \xff\r\n",
	"EHLO a \xff\r\n",
	"a CAPABILITY\r\n",
	"a STARTTLS\r\n",
	"a LOGIN joe \xff\r\n",
	"\xff CAPABILITY\r\n",
	"a NOOP {1}\r\n\xff",
	"CAPA\r\n",
	"STLS\r\n",
	"USER \xff\r\n",
	"CAPABILITIES\r\n",
	"MODE READER\r\n",
	"CAP LS 302\r\n",
	"NICK \xff\r\n",
	"VER\n",
	"AUTH TLS\r\n",
	"FEAT\r\n",
	"CLNT \xff\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: TLS/1.0\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.0\r\nCookie: \xff\r\n\r\n",
	"GET /\xff HTTP/1.1\r\nUpgrade: TLS/1.0\r\n\r\n",
	"<?xml version='1.0'?><stream:stream to='a'>",
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\xff</starttls>",
	"<auth>\xff</auth>",
	"</stream:stream>",
};

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

static void append(struct stream *s, struct span bytes)
{
	REQUIRE(bytes.n <= OUT_MAX - s->n);
	if (bytes.n)
		memcpy(s->at + s->n, bytes.at, bytes.n);
	s->n += bytes.n;
}

static void drain(struct stream *s, struct buf *b)
{
	append(s, buf_span(b));
	buf_drop(b, buf_len(b));
}

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

	REQUIRE(buf_len(talk_to_peer(r->t)) == 0);
	REQUIRE(talk_why(r->t) && *talk_why(r->t) && strlen(talk_why(r->t)) < 400);
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

/* `by app`: the peer hears what the app says and nothing else; before its ClientHello no marked byte. */
static void check_guarded(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);
	struct span more = buf_span(talk_to_peer(r->t));
	size_t n = r->to_peer.n + more.n, at = 0;

	REQUIRE(phase == TALK_GUARD || phase == TALK_OWN || phase == TALK_CLEAR ||
		phase == TALK_REFUSED);
	REQUIRE(n <= r->said.n && (n == r->said.n || phase == TALK_GUARD || phase == TALK_REFUSED));
	REQUIRE(!memcmp(r->said.at, r->to_peer.at, r->to_peer.n));
	REQUIRE(!more.n || !memcmp(r->said.at + r->to_peer.n, more.at, more.n));
	while (at < n && !(r->said.at[at] & 0x80))
		at++;
	REQUIRE(at == n || phase == TALK_CLEAR || memmem(r->said.at, at, HELLO, sizeof(HELLO) - 1));
}

static void check(struct run *r)
{
	enum talk_phase phase = talk_phase(r->t);

	if (r->by_app)
		check_guarded(r);
	REQUIRE(phase != TALK_OPEN || r->tls_up);
	REQUIRE(phase != TALK_CLEAR || !r->required);
	REQUIRE(phase != TALK_OWN || r->by_app);
	REQUIRE(phase != TALK_HANDSHAKE || buf_len(talk_to_peer(r->t)) == 0);
	REQUIRE(phase != TALK_INSIDE || r->tls_up);
	REQUIRE(phase != TALK_REDIAL || !r->required);
	REQUIRE(phase == TALK_INSIDE || phase == TALK_OPEN || phase == TALK_CLEAR || r->by_app ||
		!has_app_byte(buf_span(talk_to_peer(r->t))));
	REQUIRE(buf_len(talk_to_peer(r->t)) <= TALK_SAY_MAX + TALK_HELD_MAX);
	REQUIRE(buf_len(talk_to_app(r->t)) <= TALK_TELL_MAX + 4096);
	REQUIRE(__sanitizer_get_current_allocated_bytes() < r->memory + MEMORY_MAX);
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
	size_t n = sizeof(app_lines) / sizeof(*app_lines);

	if (which % (n + 1) == n)
		from_app(r, span_of(HELLO "\xff", sizeof(HELLO)));
	else
		from_app(r, span_text(app_lines[which % (n + 1)]));
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
			from_peer(r, span_text(lines[s.n % (sizeof(lines) / sizeof(*lines))]));
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
		from_peer(r, span_text(lines[s.n % (sizeof(lines) / sizeof(*lines))]));
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
	r->required = setup & 1;
	r->by_app = setup & 0x80;
	r->tls_up = false;
	r->to_peer.n = r->to_app.n = r->said.n = r->heard = 0;
	r->memory = __sanitizer_get_current_allocated_bytes();
	r->t = talk_new(&(struct talk_setup){.proto = r->proto,
					     .tls_required = r->required,
					     .by_app = r->by_app,
					     .self = "[192.0.2.1]"});
	REQUIRE(r->t);
	from_app_first(r);
	for (int i = 0; i < EVENTS_MAX && in.n >= 2; i++) {
		struct span s = span_first(span_after(in, 2), in.at[1]);

		event(r, in.at[0], s);
		in = span_after(in, 2 + s.n);
	}
	drain(&r->to_peer, talk_to_peer(r->t));
	drain(&r->to_app, talk_to_app(r->t));
	check_order(r);
}

static bool same(const struct stream *a, const struct stream *b)
{
	return a->n == b->n && memcmp(a->at, b->at, a->n) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct run *whole = &runs[0], *single = &runs[1];
	const char *why[2];

	if (!n)
		return 0;
	whole->single = false;
	single->single = true;
	play(whole, at[0], span_of(at + 1, n - 1));
	play(single, at[0], span_of(at + 1, n - 1));

	why[0] = talk_why(whole->t);
	why[1] = talk_why(single->t);
	REQUIRE(talk_phase(whole->t) == talk_phase(single->t));
	REQUIRE(!why[0] == !why[1] && (!why[0] || strcmp(why[0], why[1]) == 0));
	REQUIRE(same(&whole->to_peer, &single->to_peer));
	REQUIRE(same(&whole->to_app, &single->to_app));
	REQUIRE(same(&whole->said, &single->said) || talk_phase(whole->t) == TALK_REFUSED);
	talk_free(whole->t);
	talk_free(single->t);
	return 0;
}
