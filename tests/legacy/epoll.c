// SPDX-License-Identifier: MIT
// Full duplex under epoll(7). usage: epoll HOST PORT level|edge
#include "legacy.h"

#include <sys/epoll.h>

int main(int argc, char **argv)
{
	struct flow f = {0};
	bool edge = argc > 3 && !strcmp(argv[3], "edge");
	int fd = flow_begin(argv), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | (edge ? EPOLLET : 0)};

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
	while (f.in < FLOW) {
		struct epoll_event now;

		must(epoll_wait(ep, &now, 1, -1) == 1, "epoll_wait");
		if (now.events & EPOLLOUT && !flow_write(&f, fd) && !edge) {
			e.events = EPOLLIN;
			must(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) == 0, "epoll_ctl");
		}
		if (now.events & EPOLLIN)
			flow_read(&f, fd, !edge);
	}
	close(ep);
	return flow_end(&f, fd);
}
