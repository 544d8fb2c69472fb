/* SPDX-License-Identifier: MIT
 * tls_bio: OpenSSL's way in and out. It reads from the one record that is lent and writes to the
 * wire; it makes no system call, so it can neither raise SIGPIPE nor land in our own hooks
 * (OpenSSL's socket BIO does both). */
#include "tls_local.h"
#include <pthread.h>

static int lend(BIO *bio, char *bytes, size_t n, size_t *got)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!t->in.n) {
		t->starved = true;
		BIO_set_retry_read(bio);
		return 0;
	}
	*got = n < t->in.n ? n : t->in.n;
	memcpy(bytes, t->in.at, *got);
	t->in = span_after(t->in, *got);
	return 1;
}

static int take(BIO *bio, const char *bytes, size_t n, size_t *written)
{
	struct tls *t = BIO_get_data(bio);

	if (!t->wire.send(t->wire.of, span_of(bytes, n))) {
		t->stuck = true;
		return 0;
	}
	*written = n;
	return 1;
}

static long control(BIO *bio, int what, long n, void *arg)
{
	(void)bio, (void)n, (void)arg;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "starttls");

	if (m && BIO_meth_set_read_ex(m, lend) && BIO_meth_set_write_ex(m, take) &&
	    BIO_meth_set_ctrl(m, control))
		method = m;
}

BIO *bio_for(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_method);
	bio = method ? BIO_new(method) : NULL;
	if (bio) {
		BIO_set_data(bio, t);
		BIO_set_init(bio, 1);
	}
	return bio;
}
