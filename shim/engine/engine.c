/* SPDX-License-Identifier: MIT
 * engine: the one door of libstarttls-tls.so; engine.h has every contract. */
#include "conn.h"
#include "relay.h"

const struct front *front;

static const struct engine engine = {
	.abi = ENGINE_ABI,
	.open = conn_open,
	.announced = &data_announced,
	.open_data = conn_data_open,
	.reconnect = conn_reconnect,
	.connected = conn_connected,
	.receive = conn_receive,
	.receive_waiting = conn_receive_waiting,
	.transmit = conn_transmit,
	.bring_up = conn_bring_up,
	.shutdown = conn_shutdown,
	.readable = conn_readable,
	.ready = conn_ready,
	.low_water = conn_low_water,
	.release = conn_release,
	.fork_prepare = conn_fork_prepare,
	.fork_parent = conn_fork_parent,
	.fork_child = conn_fork_child,
	.finish = conn_finish,
	.exits = conn_exits,
	.owner = conn_owner,
	.relay = relay_start,
	.exec = conn_exec,
	.due = &conn_due,
	.tick = conn_tick,
};

__attribute__((visibility("default"))) const struct engine *
starttls_engine(int abi, const struct front *callbacks)
{
	if (abi != ENGINE_ABI)
		return NULL;
	front = callbacks;
	conn_linger = relay_linger;
	conn_finish_elsewhere = relay_finish;
	record_own();
	return &engine;
}
