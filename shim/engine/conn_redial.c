/* SPDX-License-Identifier: MIT
 * conn_redial: `may`, and the handshake failed: the peer is dialled again in place, on the
 * descriptor that the app has, its place in every epoll set included (connect(2) to AF_UNSPEC, then
 * to the peer). The one part of the set-up that may block. */
#include "conn_setup.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>

/* The thread that dials was cancelled: another may. */
static void stop_dialling(void *of)
{
	struct conn *c = of;

	conn_lock(c);
	c->dialling = false;
	conn_unlock(c);
}

static int dial_again(struct conn *c, int fd)
{
	int result;

	pthread_cleanup_push(stop_dialling, c);
	result = front->connect(fd, (const struct sockaddr *)&c->addr, c->addr_len);
	pthread_cleanup_pop(0);
	return result < 0 && errno != EINPROGRESS && errno != EINTR ? errno : 0;
}

static void redialled(struct conn *c, int fd, const char *why, int error)
{
	c->dialling = false;
	if (c->phase != CONN_REDIAL)
		return;
	talk_redialled(c->talk, why);
	c->heard = false;
	if (error)
		conn_broke_early(c, error);
	else
		conn_follow_talk(c, fd);
}

/* Another thread dials; or this one does, and was interrupted. */
static int wait_for_dialler(const struct conn *c, int fd)
{
	if (c->dialler != gettid() && conn_may_wait(fd, 0))
		return front->poll(NULL, 0, 10) < 0 ? -1 : 0;
	errno = EAGAIN;
	return -1;
}

int conn_redial(struct conn *c, int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	bool mine;
	char why[320];
	int error;

	conn_lock(c);
	if (c->dialling && c->dialler == gettid() && conn_place_left(c->dials_at))
		c->dialling = false;
	mine = c->phase == CONN_REDIAL && !c->dialling;
	if (!mine) {
		bool busy = c->dialling;

		conn_unlock(c);
		return busy ? wait_for_dialler(c, fd) : 0;
	}
	c->dialling = true;
	c->dialler = gettid();
	c->dials_at = (struct place){__builtin_frame_address(0), (const char *)conn_redial + 1};
	snprintf(why, sizeof why, "%s",
		 talk_phase(c->talk) == TALK_REDIAL   ? talk_why(c->talk)
		 : c->rec.tls && *tls_why(c->rec.tls) ? tls_why(c->rec.tls)
						      : "TLS handshake failed");
	record_again(&c->rec);
	sys_connect(fd, &nobody, sizeof nobody);
	conn_unlock(c);
	error = dial_again(c, fd);
	conn_lock(c);
	redialled(c, fd, why, error);
	conn_unlock(c);
	return 0;
}
