/* SPDX-License-Identifier: MIT
 * conn_data: what FTP asks of a conn beside moving bytes. A control connection (c->transfer, and a
 * talk that goes on inside TLS) announces data connections and hears of their failure; a data
 * connection (c->is_data) resumes its session and reports.
 *
 *   control: look at 150 ─► started ─► kick ─► data: handshake
 *
 * Surprising: the app waits for the peer's first byte of data, the peer for our ClientHello, and
 * for the rest of the handshake before it listens to an ABOR, though the app will never read what
 * it has asked for. So once the transfer has begun the calls on the control connection drive the
 * handshake, too. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>

/* May what its talk says announce data connections? */
static bool has_data(const struct conn *c)
{
	return !c->is_data && c->talk;
}

void conn_data_before(struct conn *c)
{
	struct talk_data *data;

	if (!c->transfer || !has_data(c))
		return;
	data = &talk_proto(c->talk)->data;
	if (!transfer_failed(c->transfer, &data->why, &data->cut))
		data->why = NULL;
}

static void forget_conn(struct transfer *t, const struct conn *only)
{
	int fd;
	struct conn *was = transfer_detach(t, only, &fd);

	if (was)
		conn_put(was);
}

static void announce(struct conn *c, struct talk_data *data)
{
	struct announcement a = {
		.port = data->port,
		.dialled_by = data->dialled_by,
		.anywhere = data->dialled_by == SIDE_APP && !talk_proto(c->talk)->peer_v4,
		.peer = c->addr,
		.verdict = &c->verdict,
		.name = c->name,
		.session = tls_session_of(c->rec.tls),
	};

	data->port = 0;
	forget_conn(c->transfer, NULL);
	transfer_announce(c->transfer, &a);
}

bool conn_data_after(struct conn *c)
{
	struct talk_data *data;

	if (!has_data(c))
		return true;
	data = &talk_proto(c->talk)->data;
	if (data->port && !c->transfer)
		c->transfer = transfer_new();
	if (!c->transfer)
		return !data->port; /* out of memory: what was announced would go in the clear */
	if (data->why && !data->transferring)
		transfer_forgive(c->transfer);
	if (data->port)
		announce(c, data);
	transfer_follow(c->transfer, data);
	return true;
}

struct conn *conn_data_open(struct order *order, const struct sockaddr *own, const char **why)
{
	struct data_order found;
	struct conn *c;

	*why = NULL;
	if (!data_find((const struct sockaddr *)&order->addr, own, &found))
		return NULL;
	order->verdict = &found.verdict;
	order->name = *found.name ? found.name : NULL;
	c = conn_open(order, why);
	order->verdict = NULL;
	order->name = NULL;
	if (!c) {
		transfer_fail(found.transfer, *why, false);
		tls_session_free(found.session);
		transfer_drop(found.transfer);
		return NULL;
	}
	c->is_data = true;
	c->transfer = found.transfer;
	c->resumed = found.session;
	c->announcement = found.number;
	return c;
}

static bool is_early(const struct conn *c)
{
	return c->phase == CONN_TALK || c->phase == CONN_SHAKE;
}

/* A data connection, and not one that the app never used and has replaced. */
static bool is_current(const struct conn *c)
{
	return c->is_data && transfer_is(c->transfer, c->announcement);
}

bool conn_data_is_begun(const struct conn *c)
{
	return is_current(c) && is_early(c) && transfer_started(c->transfer);
}

/* Say ClientHello, if the connection is there; and go on. True: there is more to do. */
static bool drive(struct conn *c, int fd, bool read_ok)
{
	int saved = errno;
	bool more;

	conn_lock(c);
	if (is_early(c) && !conn_strange(c))
		conn_advance(c, fd, read_ok);
	more = is_early(c);
	if (conn_data_is_begun(c))
		conn_due_soon();
	conn_unlock(c);
	errno = saved;
	return more;
}

void conn_data_begin(struct conn *c, int fd)
{
	struct conn *was = c;

	if (drive(c, fd, false))
		was = transfer_attach(c->transfer, c, fd);
	if (was)
		conn_put(was);
}

static bool is_socket_of(const struct conn *c, int fd)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof cookie;
	int saved = errno;
	bool is =
		sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0 && cookie == c->cookie;

	errno = saved;
	return is;
}

void conn_data_kick(struct conn *control)
{
	struct conn *c, *was;
	int fd;

	if (control->is_data || !transfer_started(control->transfer))
		return;
	c = transfer_detach(control->transfer, NULL, &fd);
	if (!c)
		return;
	was = c;
	if (is_socket_of(c, fd) && drive(c, fd, true))
		was = transfer_attach(control->transfer, c, fd);
	if (was)
		conn_put(was);
}

int conn_data_pending(const struct conn *control)
{
	if (control->is_data || !control->transfer || !transfer_started(control->transfer))
		return -1;
	return transfer_attached(control->transfer);
}

void conn_data_failed(struct conn *c, const char *why, bool cut)
{
	if (is_current(c))
		transfer_fail(c->transfer, why, cut);
}

bool conn_data_owes_end(const struct conn *c)
{
	return is_current(c) && is_early(c) && transfer_uploads(c->transfer);
}

void conn_data_wipe(struct conn *c)
{
	if (!c->transfer)
		return;
	tls_session_free(c->resumed);
	if (c->is_data) {
		transfer_drop(c->transfer);
	} else {
		forget_conn(c->transfer, NULL);
		transfer_end(c->transfer);
	}
}

void conn_data_closed(struct conn *c)
{
	if (c->is_data)
		forget_conn(c->transfer, c);
}
