/* SPDX-License-Identifier: MIT
 * delay.c - a peer far away, on a machine without netem: everything is DELAY milliseconds later,
 * each way.
 *
 *   delay tun ADDRESS MS     a TUN device of ADDRESS/30 that turns each packet round: source and
 * destination change places, so whoever connects to the next address reaches this host, a trip
 * later. TCP itself is delayed: SYN, Nagle and delayed acknowledgements cost what they cost on a
 * wire. Needs CAP_NET_ADMIN. delay relay PORT MS      a relay in user space to 127.0.0.1:PORT:
 * needs no rights, but connecting costs no trip.
 *
 *   client ──► 198.18.0.2 ──► tun: .1 → .2 becomes .2 → .1, later ──► server on 198.18.0.1
 *
 * Swapping the two addresses leaves every checksum right. Prints "ADDRESS PORT", PORT 0 meaning
 * that of the server; ends with stdin. As the delay is the same for all, one queue in order of
 * arrival is enough.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#define ROOM      65536u
#define MAX_PAIRS 1024

struct later {
	struct later *next;
	uint64_t due;
	int to;
	size_t n; /* 0: end of stream */
	char bytes[];
};

static struct later *first, **last = &first;
static uint64_t delay_ns;

static void later_add(int to, const char *bytes, size_t n)
{
	struct later *item = malloc(sizeof *item + n);

	if (!item)
		die("delay: no memory");
	*item = (struct later){.due = clock_ns(CLOCK_MONOTONIC) + delay_ns, .to = to, .n = n};
	memcpy(item->bytes, bytes, n);
	*last = item;
	last = &item->next;
}

static void later_deliver(struct later *item)
{
	size_t done = 0;

	if (item->n == 0)
		shutdown(item->to, SHUT_WR);
	while (done < item->n) {
		ssize_t n = write(item->to, item->bytes + done, item->n - done);

		if (n < 0)
			return; /* the other end has gone: TCP will tell */
		done += (size_t)n;
	}
}

/* Deliver what is due; wait at most until the next is, or until something comes in. */
static void wait_for(struct pollfd *set, nfds_t count)
{
	struct timespec wait = {.tv_sec = 3600};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	while (first && first->due <= now) {
		struct later *item = first;

		first = item->next;
		last = first ? last : &first;
		later_deliver(item);
		free(item);
	}
	if (first)
		wait = (struct timespec){.tv_nsec = (long)(first->due - now)};
	if (ppoll(set, count, &wait, NULL) < 0)
		die("delay: ppoll");
	if (set[0].revents)
		exit(0);
}

/* --- packets */

static void interface_up(const char *name, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strcpy(request.ifr_name, name);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(fd, SIOCSIFADDR, &request))
		die("delay: address");
	inet_pton(AF_INET, "255.255.255.252", &in->sin_addr);
	if (ioctl(fd, SIOCSIFNETMASK, &request) || ioctl(fd, SIOCGIFFLAGS, &request))
		die("delay: netmask");
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("delay: up");
	close(fd);
}

static int tun_open(const char *address)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die("delay: no TUN device");
	interface_up(request.ifr_name, address);
	return fd;
}

static void swap_addresses(char *packet)
{
	char source[4];

	memcpy(source, packet + 12, 4);
	memcpy(packet + 12, packet + 16, 4);
	memcpy(packet + 16, source, 4);
}

static void run_tun(const char *address)
{
	int fd = tun_open(address);
	struct pollfd set[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	struct in_addr next;
	char packet[ROOM];

	inet_pton(AF_INET, address, &next);
	next.s_addr = htonl(ntohl(next.s_addr) + 1);
	printf("%s 0\n", inet_ntoa(next));
	fflush(stdout);
	for (;;) {
		ssize_t n = 0;

		wait_for(set, 2);
		if (!set[1].revents)
			continue;
		n = read(fd, packet, sizeof packet);
		if (n < 20 || (packet[0] & 0xf0) != 0x40)
			continue;
		swap_addresses(packet);
		later_add(fd, packet, (size_t)n);
	}
}

/* --- streams */

static struct pollfd ends[2 + 2 * MAX_PAIRS]; /* stdin, the listener, then pairs side by side */
static nfds_t used = 2;

static int loopback_socket(int port, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (use(fd, (struct sockaddr *)&a, sizeof a))
		die("delay: 127.0.0.1:%d", port);
	return fd;
}

static void set_nodelay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void pair_add(int listener, int port)
{
	int near = accept(listener, NULL, NULL), far = loopback_socket(port, connect);

	if (near < 0 || used + 2 > sizeof ends / sizeof *ends)
		die("delay: too many connections");
	set_nodelay(near);
	set_nodelay(far);
	ends[used++] = (struct pollfd){.fd = near, .events = POLLIN};
	ends[used++] = (struct pollfd){.fd = far, .events = POLLIN};
}

static void end_read(nfds_t i)
{
	char room[ROOM];
	ssize_t n = read(ends[i].fd, room, sizeof room);

	later_add(ends[i ^ 1].fd, room, n > 0 ? (size_t)n : 0);
	if (n <= 0)
		ends[i].fd = -1 - ends[i].fd; /* poll() passes over it; the fd stays open for what
						 is still due */
}

static void run_relay(int port)
{
	int listener = loopback_socket(0, bind);
	struct sockaddr_in a;
	socklen_t n = sizeof a;

	if (listen(listener, 1024) || getsockname(listener, (struct sockaddr *)&a, &n))
		die("delay: listen");
	printf("127.0.0.1 %u\n", ntohs(a.sin_port));
	fflush(stdout);
	ends[0] = (struct pollfd){.fd = 0, .events = POLLIN};
	ends[1] = (struct pollfd){.fd = listener, .events = POLLIN};
	for (;;) {
		nfds_t before = used;

		wait_for(ends, used);
		for (nfds_t i = 2; i < before; i++)
			if (ends[i].fd >= 0 && ends[i].revents)
				end_read(i);
		if (ends[1].revents)
			pair_add(listener, port);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: delay tun ADDRESS MS | delay relay PORT MS");
	allow_many_files();
	delay_ns = strtoull(argv[3], NULL, 10) * 1000000u;
	if (strcmp(argv[1], "tun") == 0)
		run_tun(argv[2]);
	run_relay(atoi(argv[2]));
	return 0;
}
