/* SPDX-License-Identifier: MIT
 * data: the list of transfers: as long as there are FTP control connections inside TLS, and no
 * longer. */
#include "data.h"
#include "calm.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

struct transfer {
	struct transfer *next; /* while its control connection is open */
	unsigned refs;
	struct announcement announcement; /* port 0: none */
	unsigned number;                  /* of that announcement */
	struct verdict verdict;
	char name[256];
	bool started, uploading, failed, cut;
	char why[320], told[320];
	struct conn *conn;
	int fd;
};

_Atomic unsigned data_announced;

static struct calm lock = CALM_INITIALIZER;
static struct transfer *all;

struct transfer *transfer_new(void)
{
	struct transfer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->refs = 1;
	calm_take(&lock);
	t->next = all;
	all = t;
	calm_give(&lock);
	return t;
}

/* With the lock held. Returns the session that nobody needs any more. */
static struct tls_session *withdraw(struct transfer *t)
{
	struct tls_session *session = t->announcement.session;

	if (t->announcement.port)
		atomic_fetch_sub(&data_announced, 1);
	t->announcement = (struct announcement){.port = 0};
	return session;
}

void transfer_announce(struct transfer *t, const struct announcement *a)
{
	struct tls_session *session;

	calm_take(&lock);
	session = withdraw(t);
	t->announcement = *a;
	t->number++;
	t->verdict = *a->verdict;
	t->verdict.proto = "ftp-data";
	snprintf(t->name, sizeof t->name, "%s", a->name ? a->name : "");
	t->failed = t->started = false;
	atomic_fetch_add(&data_announced, 1);
	calm_give(&lock);
	tls_session_free(session);
}

void transfer_end(struct transfer *t)
{
	struct tls_session *session;
	struct transfer **at = &all;

	calm_take(&lock);
	session = withdraw(t);
	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	calm_give(&lock);
	tls_session_free(session);
	transfer_drop(t);
}

void transfer_drop(struct transfer *t)
{
	bool last;

	calm_take(&lock);
	last = --t->refs == 0;
	calm_give(&lock);
	if (last)
		free(t);
}

static uint16_t port_of(const struct sockaddr *addr)
{
	/* the same place in both families */
	return ntohs(((const struct sockaddr_in *)(const void *)addr)->sin_port);
}

/* As IPv6, so that ::ffff:192.0.2.7 and 192.0.2.7 are the same. */
static struct in6_addr host_of(const struct sockaddr *addr)
{
	struct in6_addr host = IN6ADDR_ANY_INIT;

	if (addr->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
	host.s6_addr[10] = host.s6_addr[11] = 0xff;
	memcpy(host.s6_addr + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
	return host;
}

/* Who dials the app's port may be anybody who can reach it: TLS tells. */
static bool matches(const struct announcement *a, const struct sockaddr *peer,
		    const struct sockaddr *own)
{
	struct in6_addr here, there;

	if (!a->port || a->dialled_by != (own ? SIDE_PEER : SIDE_APP) ||
	    a->port != port_of(own ? own : peer))
		return false;
	if (own || a->anywhere)
		return true;
	here = host_of(peer);
	there = host_of((const struct sockaddr *)&a->peer);
	return memcmp(&here, &there, sizeof here) == 0;
}

bool data_find(const struct sockaddr *peer, const struct sockaddr *own, struct data_order *found)
{
	struct transfer *t;

	calm_take(&lock);
	for (t = all; t && !matches(&t->announcement, peer, own); t = t->next)
		;
	if (t) {
		t->refs++;
		found->transfer = t;
		found->verdict = t->verdict;
		memcpy(found->name, t->name, sizeof found->name);
		found->session = tls_session_more(t->announcement.session);
		found->number = t->number;
	}
	calm_give(&lock);
	return t;
}

bool transfer_is(struct transfer *t, unsigned number)
{
	bool is;

	calm_take(&lock);
	is = t->number == number;
	calm_give(&lock);
	return is;
}

void transfer_follow(struct transfer *t, const struct talk_data *data)
{
	calm_take(&lock);
	t->started = data->started;
	t->uploading = data->uploading;
	calm_give(&lock);
}

bool transfer_failed(struct transfer *t, const char **why, bool *cut)
{
	bool failed;

	calm_take(&lock);
	failed = t->failed;
	memcpy(t->told, t->why, sizeof t->told);
	*why = t->told;
	*cut = t->cut;
	calm_give(&lock);
	return failed;
}

void transfer_fail(struct transfer *t, const char *why, bool cut)
{
	calm_take(&lock);
	if (!t->failed)
		snprintf(t->why, sizeof t->why, "%s", why);
	t->cut = t->failed ? t->cut : cut;
	t->failed = true;
	calm_give(&lock);
}

void transfer_forgive(struct transfer *t)
{
	calm_take(&lock);
	t->failed = false;
	calm_give(&lock);
}

bool transfer_started(struct transfer *t)
{
	bool started;

	calm_take(&lock);
	started = t->started;
	calm_give(&lock);
	return started;
}

bool transfer_uploads(struct transfer *t)
{
	bool uploads;

	calm_take(&lock);
	uploads = t->started && t->uploading;
	calm_give(&lock);
	return uploads;
}

struct conn *transfer_attach(struct transfer *t, struct conn *c, int fd)
{
	struct conn *was;

	calm_take(&lock);
	was = t->conn;
	t->conn = c;
	t->fd = fd;
	calm_give(&lock);
	return was;
}

struct conn *transfer_detach(struct transfer *t, const struct conn *only, int *fd)
{
	struct conn *was = NULL;

	calm_take(&lock);
	if (!only || t->conn == only) {
		was = t->conn;
		*fd = t->fd;
		t->conn = NULL;
	}
	calm_give(&lock);
	return was;
}

int transfer_attached(struct transfer *t)
{
	int fd;

	calm_take(&lock);
	fd = t->conn ? t->fd : -1;
	calm_give(&lock);
	return fd;
}

void data_fork_prepare(void)
{
	calm_take(&lock);
}

void data_fork_done(void)
{
	calm_give(&lock);
}
