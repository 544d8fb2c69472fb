/* SPDX-License-Identifier: MIT
 * parse: words and values alternate, so this is one loop.
 *
 *   LEVEL   to HOSTS   port 587   min 1.3
 *           ╰─ word    ╰─ word    ╰─ word, each with the value behind it
 *
 * After a complaint the loop goes on without complaining: what can still be read of the rule says
 * which connections it was about, and those must be refused, not let through because of a slip of
 * the pen. */
#include "parse.h"
#include "level.h"
#include <string.h>

/* What the level must look at for a word to have an effect; a word without effect is an error,
 * because its writer believes in it. */
enum { ALWAYS = 0, WITH_TLS = NEED_TRY };

static const struct {
	const char *word;
	void (*take)(struct parser *p, struct rule *r, const struct word *value);
	unsigned needs;
	bool list;
} words[WORDS] = {
	[WORD_TO] = {"to", take_hosts, ALWAYS, true},
	[WORD_PORT] = {"port", take_ports, ALWAYS, true},
	[WORD_PROTO] = {"proto", take_protos, ALWAYS, true},
	[WORD_PROGRAM] = {"program", take_programs, ALWAYS, true},
	[WORD_USER] = {"user", take_users, ALWAYS, true},
	[WORD_NAME] = {"name", take_name, NEED_NAME, false},
	[WORD_PIN] = {"pin", take_pins, NEED_PIN, true},
	[WORD_CA] = {"ca", take_ca, NEED_CHAIN, false},
	[WORD_CERT] = {"cert", take_cert, WITH_TLS, false},
	[WORD_KEY] = {"key", take_key, WITH_TLS, false},
	[WORD_MIN] = {"min", take_min, WITH_TLS, false},
	[WORD_CIPHERS] = {"ciphers", take_ciphers, WITH_TLS, false},
	[WORD_TIMEOUT] = {"timeout", take_timeout, WITH_TLS, false},
	[WORD_BY] = {"by", take_by, WITH_TLS, false},
};

const char *rule_word(size_t i)
{
	return i < WORDS ? words[i].word : NULL;
}

static size_t find_word(const struct word *word)
{
	size_t i = 0;

	while (i < WORDS && !word_is(word, words[i].word))
		i++;
	return i;
}

static const char *end_of(const struct word *word)
{
	return word->at + word->n;
}

/* --- the head: LEVEL to */

static void unknown_level(struct parser *p, const struct word *word)
{
	const char *meant = did_you_mean(word, level_word);

	if (find_word(word) < WORDS) {
		complain(p, word->at, "a rule begins with its level, not with '%s'",
			 quote(word).text);
		hint(p, "as in: verify to any; a line that continues the one above begins with a "
			"blank");
		return;
	}
	complain(p, word->at, "unknown level '%s'", quote(word).text);
	if (meant)
		hint(p, "did you mean '%s'?", meant);
	else
		hint(p, "the levels are: none may encrypt verify fingerprint dane-only refuse");
}

static void read_level(struct parser *p, const struct word *word, struct rule *r)
{
	p->level = word;
	r->needs = NEED_REFUSE; /* until we know better */
	if (!level_find(word->at, word->n, &r->needs)) {
		unknown_level(p, word);
	} else if (r->needs & NEED_DANE) {
		complain(p, word->at, "'dane-only' is not built in");
		hint(p, "use 'verify', or 'fingerprint' with a pin");
	}
}

/* Make sure that `to` comes next. Returns the index of the first word to go on with. */
static size_t read_direction(struct parser *p, const struct statement *s)
{
	const struct word *next = &s->words[1];

	if (s->n > 1 && word_is(next, "to"))
		return 1;
	if (s->n > 1 && word_is(next, "from")) {
		complain(p, next->at,
			 "'from' rules are reserved for server mode, which is not built yet");
		hint(p, "rules for the connections a program makes are written with 'to'");
		return 3; /* its hosts are not those that we connect to */
	}
	complain(p, s->n > 1 ? next->at : end_of(&s->words[0]),
		 "a rule needs 'to' behind its level");
	hint(p, "as in: %s to any", quote(&s->words[0]).text);
	return s->n > 1 && find_word(next) == WORDS ? 2 : 1;
}

/* --- the loop */

/* Returns the place of the word that was meant, or WORDS. */
static size_t unknown_word(struct parser *p, const struct word *word)
{
	const char *meant = did_you_mean(word, rule_word);
	unsigned needs;
	size_t i = 0;

	if (level_find(word->at, word->n, &needs) && word->indented) {
		complain(p, word->at, "'%s' in a line that continues the rule above",
			 quote(word).text);
		hint(p, "begin the line without a blank, so that it is a rule of its own");
		return WORDS;
	}
	complain(p, word->at, "unknown word '%s'", quote(word).text);
	if (word->at[0] == ',' || end_of(word - 1)[-1] == ',')
		hint(p, "no blanks around the commas of a list");
	else if (meant)
		hint(p, "did you mean '%s'?", meant);
	else if (level_find(word->at, word->n, &needs))
		hint(p, "one rule on one line");
	else
		hint(p, "the words are: to port proto program user name pin ca cert key min "
			"ciphers timeout by");
	while (i < WORDS && (!meant || strcmp(meant, words[i].word) != 0))
		i++;
	return i;
}

/* May this word stand here? */
static void check_word(struct parser *p, const struct word *word, size_t i, const struct rule *r)
{
	unsigned needs = words[i].needs;

	if (rule_says(r, (enum rule_word)i)) {
		complain(p, word->at, "'%s' is said twice in this rule", words[i].word);
		if (words[i].list)
			hint(p, "put all values behind one '%s', with commas", words[i].word);
	} else if (needs == WITH_TLS && !(r->needs & needs)) {
		complain(p, word->at, "'%s' has no effect at the level '%s'", words[i].word,
			 level_name(r->needs));
		hint(p, "delete it, or choose a level with TLS");
	} else if (needs && !(r->needs & needs)) {
		complain(p, word->at, "the level '%s' does not check '%s'", level_name(r->needs),
			 words[i].word);
		hint(p, "'%s' belongs to the level '%s'", words[i].word,
		     needs == NEED_PIN ? "fingerprint" : "verify");
	}
}

/* Read the word s->words[at] and its value. Returns the index of the next word. */
static size_t read_pair(struct parser *p, const struct statement *s, size_t at, struct rule *r)
{
	const struct word *word = &s->words[at], *value = at + 1 < s->n ? word + 1 : NULL;
	size_t i = find_word(word);
	bool value_is_word = value && find_word(value) < WORDS;

	if (i == WORDS)
		i = unknown_word(p, word);
	if (i == WORDS)
		return value && !value_is_word ? at + 2 : at + 1;
	check_word(p, word, i, r);
	if (!value) {
		complain(p, end_of(word), "'%s' needs a value", words[i].word);
	} else if (value_is_word) {
		complain(p, value->at, "'%s' needs a value before the word '%s'", words[i].word,
			 quote(value).text);
		if (i == WORD_TO)
			hint(p, "for a host of that name write '%s.'", quote(value).text);
		return at + 1;
	} else if (!rule_says(r, (enum rule_word)i)) {
		r->said |= 1u << i;
		p->values[i] = value;
		words[i].take(p, r, value);
	}
	return at + 2;
}

/* --- what only the whole rule can tell */

static bool on_port(uint32_t protos, uint16_t port)
{
	for (int i = 0; i < 32; i++)
		if (protos >> i & 1 && proto_on_port(i, port))
			return true;
	return false;
}

/* With several protocols and ports, each port must tell by itself which it is. */
static void check_protos(struct parser *p, const struct rule *r)
{
	if (!(r->protos & (r->protos - 1)))
		return;
	for (size_t i = 0; i < r->n_ports; i++)
		for (unsigned port = r->ports[i].first; port <= r->ports[i].last; port++) {
			if (on_port(r->protos, (uint16_t)port))
				continue;
			complain(p, p->values[WORD_PROTO]->at,
				 "which of these protocols is spoken on port %u?", port);
			hint(p, "write one rule for each protocol");
			return;
		}
}

static void check_rule(struct parser *p, struct rule *r)
{
	if (r->needs & NEED_PIN && !rule_says(r, WORD_PIN)) {
		complain(p, p->level->at, "'fingerprint' needs a 'pin'");
		hint(p, "as in: fingerprint to 192.0.2.7 pin sha256:…");
	}
	if (rule_says(r, WORD_KEY) && !rule_says(r, WORD_CERT)) {
		complain(p, p->values[WORD_KEY]->at, "a 'key' without its 'cert'");
		hint(p, "the key belongs to a certificate: cert FILE key FILE");
	}
	if (!rule_says(r, WORD_KEY))
		r->options.key = r->options.cert; /* one file with both */
	check_protos(p, r);
	if (!p->muted)
		check_files(p, r);
	/* Broken: a port that was named is refused even if we cannot tell what was to be spoken
	 * there. */
	if (rule_says(r, WORD_PROTO) && !r->protos && r->n_ports)
		r->protos = 1u << proto_find("tls", 3);
}

static void read_rule(struct parser *p, const struct statement *s)
{
	struct policy *policy = p->reading->policy;
	struct layer *layer = &policy->layers[p->reading->layer];
	struct rule *r = pool_get(&policy->pool, sizeof *r);
	size_t i;

	if (!r)
		return;
	r->where = pool_print(&policy->pool, "%s:%u", p->text->name, s->words[0].line);
	memset(p->values, 0, sizeof p->values);
	read_level(p, &s->words[0], r);
	for (i = read_direction(p, s); i < s->n;)
		i = read_pair(p, s, i, r);
	check_rule(p, r);
	*layer->end = r;
	layer->end = &r->next;
	layer->n_rules++;
}

/* --- statements */

static void check_words(struct parser *p, const struct statement *s)
{
	if (s->orphan) {
		complain(p, s->words[0].at,
			 "this line continues a rule, but there is none above it");
		hint(p, "begin a rule without a blank; an empty line ends the rule above");
	}
	if (s->too_long)
		complain(p, s->words[0].at, "a rule of more than %d words", STATEMENT_WORDS);
	for (size_t i = 0; i < s->n; i++) {
		const char *hash = memchr(s->words[i].at, '#', s->words[i].n);

		if (hash) {
			complain(p, hash, "'#' within a word");
			hint(p, "put a blank before a comment");
		}
	}
}

static void read_statement(struct parser *p, const struct statement *s)
{
	bool include = word_is(&s->words[0], "include");

	check_words(p, s);
	if (!include) {
		read_rule(p, s);
	} else if (s->n < 2) {
		complain(p, end_of(&s->words[0]), "'include' needs a file");
	} else if (s->n > 2) {
		complain(p, s->words[2].at, "'include' takes one file or pattern");
		hint(p, "write one 'include' for each");
	} else if (!p->muted) {
		read_include(p, &s->words[1]);
	}
}

void parse_text(struct parser *p)
{
	const char *why, *remedy, *bad = lex_bad_byte(p->text, &why, &remedy);
	struct statement s;
	struct lexer lexer;

	if (bad) {
		complain(p, bad, "%s cannot stand in a policy", why);
		hint(p, "%s", remedy);
	}
	lex_start(&lexer, p->text);
	while (lex_statement(&lexer, &s)) {
		p->muted = bad;
		read_statement(p, &s);
	}
}
