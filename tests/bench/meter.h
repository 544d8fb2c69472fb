/* SPDX-License-Identifier: MIT
 * meter.h - what a workload is measured by: begin, end, and the one line that is printed.
 */
#ifndef METER_H
#define METER_H

#include "link.h"

static struct {
	uint64_t wall, cpu;
} started;

static void meter_begin(void)
{
	started.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	started.wall = clock_ns(CLOCK_MONOTONIC);
}

static void meter_end(uint64_t amount)
{
	uint64_t wall = clock_ns(CLOCK_MONOTONIC) - started.wall;
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - started.cpu;

	printf("wall=%lu cpu=%lu amount=%lu\n", wall, cpu, amount);
	fflush(stdout);
}

#endif
