// SPDX-License-Identifier: MIT
// writev, readv, sendmsg, recvmsg, sendto, recvfrom, with empty pieces too; calls of zero bytes.
#include "legacy.h"

#include <sys/uio.h>

#define PIECE(bytes, n) {.iov_base = (void *)(bytes), .iov_len = (n)}

int main(int argc, char **argv)
{
	unsigned char a[1], b[50000], c[3];
	struct iovec say_noop[] = {PIECE("NO", 2), PIECE("", 0), PIECE("OP vector\r", 10), PIECE("\n", 1)};
	struct iovec say_source[] = {PIECE("SOURCE ", 7), PIECE("50004\r\n", 7)};
	struct iovec take[] = {PIECE(a, 1), PIECE(NULL, 0), PIECE(b, sizeof b), PIECE(c, 3)};
	struct msghdr out = {.msg_iov = say_source, .msg_iovlen = 2}, in = {.msg_iov = take, .msg_iovlen = 4};
	int fd = begin(argv);

	(void)argc;
	must(writev(fd, say_noop, 4) == 13, "writev");
	hear(fd, "250 2.0.0 ok vector");
	must(sendmsg(fd, &out, 0) == 14, "sendmsg");
	hear(fd, "250");
	must(recvmsg(fd, &in, MSG_WAITALL) == 50004, "recvmsg");
	check(a, 1, 0);
	check(b, sizeof b, 1);
	check(c, 3, 50001);
	must(sendto(fd, "SOURCE 51000\r\n", 14, 0, NULL, 0) == 14, "sendto");
	hear(fd, "250");
	for (size_t at = 0; at < 50000;) {
		ssize_t n = readv(fd, (struct iovec[]){PIECE(a, 1), PIECE(b, 1000)}, 2);

		must(n > 0, "readv at %zu gave %zd", at, n);
		check(a, 1, at);
		check(b, (size_t)n - 1, at + 1);
		at += (size_t)n;
		if (at >= 50000)
			for (; at < 51000; at++) {
				must(recvfrom(fd, a, 1, 0, NULL, NULL) == 1, "recvfrom");
				check(a, 1, at);
			}
	}
	must(write(fd, "", 0) == 0, "write of nothing");
	must(send(fd, "", 0, 0) == 0, "send of nothing");
	must(read(fd, a, 0) == 0, "read of nothing");
	return finish(fd);
}
