/* SPDX-License-Identifier: MIT
 * hint: did you mean? First the words that other programs use for the same thing, then the nearest
 * spelling. */
#include "parse.h"
#include <string.h>

/* Postfix, firewalls, /etc/services, and what people say. */
static const struct {
	const char *elsewhere, *here;
} synonyms[] = {
	{"secure", "verify"},     {"dane", "dane-only"},
	{"plaintext", "none"},    {"plain", "none"},
	{"off", "none"},          {"deny", "refuse"},
	{"block", "refuse"},      {"reject", "refuse"},
	{"drop", "refuse"},       {"allow", "may"},
	{"opportunistic", "may"}, {"require", "encrypt"},
	{"mandatory", "encrypt"}, {"pinned", "fingerprint"},
	{"submission", "smtp"},   {"submissions", "smtps"},
	{"postgres", "pgsql"},    {"postgresql", "pgsql"},
	{"mariadb", "mysql"},     {"managesieve", "sieve"},
	{"ipp", "http"},          {"jabber", "xmpp"},
	{"ups", "nut"},           {"ssl", "tls"},
	{"exe", "program"},       {"app", "program"},
	{"uid", "user"},          {"protocol", "proto"},
	{"ports", "port"},        {"host", "to"},
	{"cafile", "ca"},         {"certificate", "cert"},
	{"sni", "name"},          {"minimum", "min"},
	{"cipher", "ciphers"},    {"spki", "pin"},
};

enum { LONGEST = 16 }; /* no word of the language is longer */

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits from a to b: insert, delete, change, or swap two neighbours (optimal string alignment). */
static unsigned distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned d[LONGEST + 1][LONGEST + 1];

	for (unsigned i = 0; i <= an; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= bn; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= an; i++)
		for (size_t j = 1; j <= bn; j++) {
			char x = ascii_lower(a[i - 1]), y = b[j - 1];

			d[i][j] = smaller(d[i - 1][j] + 1, d[i][j - 1] + 1);
			d[i][j] = smaller(d[i][j], d[i - 1][j - 1] + (x != y));
			if (i > 1 && j > 1 && x == b[j - 2] && ascii_lower(a[i - 2]) == y)
				d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[an][bn];
}

static const char *synonym(const struct word *word)
{
	for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
		if (word_is(word, synonyms[i].elsewhere))
			return synonyms[i].here;
	return NULL;
}

static size_t common_start(const struct word *word, const char *item)
{
	size_t n = 0;

	while (n < word->n && item[n] && ascii_lower(word->at[n]) == item[n])
		n++;
	return n;
}

const char *did_you_mean(const struct word *word, const char *(*item)(size_t))
{
	const char *same = synonym(word), *best = NULL;
	unsigned best_distance = 3; /* two edits are a slip, three are another word */
	size_t best_start = 0; /* people begin words right: 'prot' is rather 'proto' than 'port' */

	for (size_t i = 0; same && item(i); i++)
		if (!strcmp(item(i), same))
			return item(i);
	if (word->n > LONGEST)
		return NULL;
	for (size_t i = 0; item(i); i++) {
		size_t n = strlen(item(i)), start = common_start(word, item(i));
		unsigned d = distance(word->at, word->n, item(i), n);

		if (d >= n || (n <= 3 && d > 1))
			continue;
		if (d < best_distance || (d == best_distance && best && start > best_start)) {
			best = item(i);
			best_distance = d;
			best_start = start;
		}
	}
	return best;
}
