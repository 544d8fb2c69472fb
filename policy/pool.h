/* SPDX-License-Identifier: MIT
 * pool: memory that lives as long as the policy. Taken in small pieces while the files are read,
 * given back all at once. */
#ifndef STARTTLS_POOL_H
#define STARTTLS_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct pool {
	struct pool_chunk *chunks;
	bool failed; /* memory ran out once: what was built is not complete */
};

/* Note that something failed with this errno; and if it was for want of memory or descriptors,
 * which passes, that counts as above. */
void pool_blame(struct pool *pool, int error);

/* n zeroed bytes, aligned for anything; NULL, and failed set, when memory is out. */
void *pool_get(struct pool *pool, size_t n);

/* The same for count things of n bytes each; a product that overflows is memory that is out. */
void *pool_array(struct pool *pool, size_t count, size_t n);

/* n bytes and a NUL behind them. */
char *pool_copy(struct pool *pool, const char *bytes, size_t n);

__attribute__((format(printf, 2, 3))) char *pool_print(struct pool *pool, const char *format, ...);

void pool_free(struct pool *pool);

#endif
