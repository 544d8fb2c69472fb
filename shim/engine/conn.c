/* SPDX-License-Identifier: MIT
 * conn: a connection begins. engine.h has the contracts. */
#include "conn_call.h"
#include "sys.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

/* Not strdup(): it would take from the host's malloc, and free() here may be libc's own
 * (RTLD_DEEPBIND). */
static char *copy_text(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy ? memcpy(copy, text, n) : NULL;
}

/* The four bytes of an IPv4 address, also when it is mapped into IPv6; or NULL. */
static const uint8_t *address_v4(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (addr->ss_family == AF_INET)
		return (const uint8_t *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
	if (addr->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return in6->sin6_addr.s6_addr + 12;
	return NULL;
}

struct conn *conn_open(const struct order *order, const char **why)
{
	const struct proto *proto = proto_named(order->verdict->proto);
	struct talk_setup setup = {
		.proto = proto,
		.tls_required = order->verdict->needs & NEED_TLS,
		.by_app = order->verdict->by_app,
		.self = "[127.0.0.1]", /* the real one is known once connected */
		.host = order->name,
	};
	struct conn *c;

	if (!proto) {
		*why = "this protocol is not built in yet";
		return NULL;
	}
	if (!setup.by_app && !tls_ready(order->verdict, why))
		return NULL;
	if (!sys_random(setup.nonce, sizeof setup.nonce)) {
		*why = "the kernel gives no random numbers";
		return NULL;
	}
	c = conn_take();
	if (!c) {
		*why = "out of memory";
		return NULL;
	}
	if (setup.by_app)
		c->phase = CONN_GUARD;
	record_init(&c->rec, proto->eof_delimits);
	c->verdict = *order->verdict;
	c->addr = order->addr;
	c->addr_len = order->addr_len;
	c->cookie = order->cookie;
	c->opened_ms = now_ms();
	c->name = order->name ? copy_text(order->name) : NULL;
	c->urgent_inline = proto->urgent_inline;
	c->talk = talk_new(&setup);
	if (c->talk)
		talk_proto(c->talk)->peer_v4 = address_v4(&c->addr);
	if (c->talk && (c->name || !order->name))
		return c;
	*why = "out of memory";
	conn_put(c);
	return NULL;
}

int conn_reconnect(struct conn *c, int fd, const struct sockaddr *addr, socklen_t n)
{
	conn_put(c);
	return front->connect(fd, addr,
			      n); /* the kernel knows: EALREADY, EISCONN, or 0 when it is up */
}

void conn_connected(struct conn *c, int fd)
{
	int saved = errno;

	if (conn_nested()) {
		conn_put(c);
		return;
	}
	if (c->is_data) {
		conn_data_begin(c, fd);
		return;
	}
	conn_lock(c);
	if (!conn_settled(c) && !conn_strange(c))
		conn_advance(c, fd, false);
	call_ends(c);
	errno = saved;
}
