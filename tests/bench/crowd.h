/* SPDX-License-Identifier: MIT
 * crowd.h - workloads of many connections: in one loop, opened one after the other, held idle.
 */
#ifndef CROWD_H
#define CROWD_H

#include "bulk.h"

/* --- many connections in one epoll loop */

static struct link *many_links(uint64_t count)
{
	struct link *l = calloc(count, sizeof *l);

	if (!l)
		die("no memory");
	return l;
}

static void watch(int set, struct link *l, int change)
{
	struct epoll_event event = {.events = (uint32_t)l->events, .data.ptr = l};

	if (epoll_ctl(set, change, l->fd, &event))
		die("epoll_ctl");
}

/* Open all of them at once from one loop, each up to its first reply behind the opening dialogue.
 */
static void open_many(int set, struct link *l, uint64_t count)
{
	struct epoll_event events[256];
	uint64_t ready = 0;

	for (uint64_t i = 0; i < count; i++) {
		link_connect(&l[i], SOCK_NONBLOCK);
		l[i].events = POLLIN;
		watch(set, &l[i], EPOLL_CTL_ADD);
	}
	while (ready < count) {
		int n = epoll_wait(set, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct link *one = events[i].data.ptr;
			short before = one->events;

			if (link_step(one))
				ready++;
			else if (one->events != before)
				watch(set, one, EPOLL_CTL_MOD);
		}
	}
}

static void answer_pings(int set, uint64_t replies, uint64_t unsent)
{
	struct epoll_event events[256];

	while (replies) {
		int n = epoll_wait(set, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct link *l = events[i].data.ptr;

			if (!link_reply(l, '2'))
				continue;
			replies--;
			if (!unsent)
				continue;
			unsent--;
			link_say(l, "PING\r\n");
		}
	}
}

static void run_many(const uint64_t *number)
{
	uint64_t count = number[0], replies = number[1];
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct link *l = many_links(count);

	for (uint64_t i = 0; i < count; i++) {
		link_open(&l[i]);
		set_nonblocking(&l[i]);
		l[i].events = POLLIN;
		watch(set, &l[i], EPOLL_CTL_ADD);
	}
	meter_begin();
	for (uint64_t i = 0; i < count; i++)
		link_say(&l[i], "PING\r\n");
	answer_pings(set, replies, replies - count);
	meter_end(replies);
}

static void run_far(const uint64_t *number)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct link *l = many_links(number[0]);

	meter_begin();
	open_many(set, l, number[0]);
	meter_end(number[0]);
}

/* --- opening connections */

static void run_connects(const uint64_t *number)
{
	struct link l;

	link_open(&l); /* the first one loads libraries and makes contexts */
	link_quit(&l);
	meter_begin();
	for (uint64_t i = 0; i < number[0]; i++) {
		link_open(&l);
		link_quit(&l);
	}
	meter_end(number[0]);
}

/* From before connect() to the first reply inside TLS; the driver knows how long one trip takes.
 * Taken from the second connection, so that loading libraries does not look like a trip. */
static void run_trips(const uint64_t *number)
{
	struct link l;

	(void)number;
	link_open(&l);
	link_quit(&l);
	meter_begin();
	link_open(&l);
	meter_end(1);
	link_quit(&l);
}

static uint64_t resident_octets(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		die("/proc/self/statm");
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define WARM 16u /* connections that pay for what is paid once */

/* Memory per idle connection. Holds them until a line comes on stdin, so that the driver can look
 * at stunnel meanwhile. */
static void run_hold(const uint64_t *number)
{
	struct link *l = many_links(number[0] + WARM);
	uint64_t before = 0;

	memset(l, 1, (number[0] + WARM) * sizeof *l); /* our own pages are not the subject */
	for (uint64_t i = 0; i < number[0] + WARM; i++) {
		if (i == WARM)
			before = resident_octets();
		link_open(&l[i]);
		pings(&l[i], 1, NULL);
	}
	printf("wall=0 cpu=0 amount=%lu\n", (resident_octets() - before) / number[0]);
	fflush(stdout);
	(void)getchar();
}

#endif
