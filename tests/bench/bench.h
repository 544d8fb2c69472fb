/* SPDX-License-Identifier: MIT
 * bench.h - what the server and the clients of the benchmark agree on: the octets, the clocks, how
 * to fail.
 *
 * Every octet that is carried is known: octet i of a stream is pattern[i % PATTERN_PERIOD]. The
 * period is prime and the table is longer than it by the largest window, so that a check of any
 * window is one memcmp.
 */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATTERN_PERIOD 65521u
#define PATTERN_WINDOW 65536u

static uint8_t pattern[PATTERN_PERIOD + PATTERN_WINDOW];

static inline void pattern_make(void)
{
	uint32_t x = 2463534242u; /* xorshift32: incompressible enough, and the same everywhere */

	for (size_t i = 0; i < sizeof pattern; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pattern[i] = i < PATTERN_PERIOD ? (uint8_t)x : pattern[i - PATTERN_PERIOD];
	}
}

/* The octets from offset on; PATTERN_WINDOW of them may be used. */
static inline const uint8_t *pattern_at(uint64_t offset)
{
	return pattern + offset % PATTERN_PERIOD;
}

static inline bool pattern_is(const void *bytes, size_t n, uint64_t offset)
{
	return memcmp(bytes, pattern_at(offset), n) == 0;
}

/* Say why on stderr and exit with 1: a benchmark run is either right or worth nothing. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(saved));
	exit(1);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline void allow_many_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
