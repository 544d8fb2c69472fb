// SPDX-License-Identifier: MIT
// Full duplex under select(2), one read per wake-up.
#include "legacy.h"

#include <sys/select.h>

int main(int argc, char **argv)
{
	struct flow f = {0};
	bool waiting = true;
	int fd = flow_begin(argv);

	(void)argc;
	while (f.in < FLOW) {
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(fd, &in);
		if (waiting)
			FD_SET(fd, &out);
		must(select(fd + 1, &in, &out, NULL, NULL) > 0, "select");
		if (FD_ISSET(fd, &out))
			waiting = flow_write(&f, fd);
		if (FD_ISSET(fd, &in))
			flow_read(&f, fd, true);
	}
	return flow_end(&f, fd);
}
