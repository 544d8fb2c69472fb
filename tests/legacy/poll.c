// SPDX-License-Identifier: MIT
// Full duplex under poll(2), one read per wake-up.
#include "legacy.h"

#include <poll.h>

int main(int argc, char **argv)
{
	struct flow f = {0};
	struct pollfd p = {.fd = flow_begin(argv), .events = POLLIN | POLLOUT};

	(void)argc;
	while (f.in < FLOW) {
		must(poll(&p, 1, -1) == 1, "poll");
		if (p.revents & POLLOUT && !flow_write(&f, p.fd))
			p.events = POLLIN;
		if (p.revents & POLLIN)
			flow_read(&f, p.fd, true);
	}
	return flow_end(&f, p.fd);
}
