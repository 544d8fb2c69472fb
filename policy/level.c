/* SPDX-License-Identifier: MIT
 * level: the levels of starttls-policy(5). Opportunistic security: RFC 7435. */
#include "level.h"
#include <string.h>

/* From the weakest to the strongest, which is also the order of the numbers. */
static const struct {
	const char *word;
	unsigned needs;
} levels[] = {
	{"none", 0},
	{"may", NEED_TRY},
	{"encrypt", NEED_TRY | NEED_TLS},
	{"verify", NEED_TRY | NEED_TLS | NEED_CHAIN | NEED_NAME},
	{"fingerprint", NEED_TRY | NEED_TLS | NEED_PIN},
	{"dane-only", NEED_TRY | NEED_TLS | NEED_DANE},
	{"refuse", NEED_REFUSE},
};

enum { N_LEVELS = sizeof levels / sizeof *levels };

const char *level_word(size_t i)
{
	return i < N_LEVELS ? levels[i].word : NULL;
}

bool level_find(const char *word, size_t n, unsigned *needs)
{
	for (size_t i = 0; i < N_LEVELS; i++)
		if (strlen(levels[i].word) == n && !memcmp(levels[i].word, word, n)) {
			*needs = levels[i].needs;
			return true;
		}
	return false;
}

const char *level_name(unsigned needs)
{
	size_t i = N_LEVELS - 1;

	while ((needs & levels[i].needs) != levels[i].needs)
		i--; /* ends at `none`, which asks for nothing */
	return levels[i].word;
}
