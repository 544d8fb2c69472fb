/* SPDX-License-Identifier: MIT
 * tls_bio: OpenSSL's way in and out. It reads from the one record that is lent and writes to the
 * wire; it makes no system call, so it can neither raise SIGPIPE nor land in our own hooks
 * (OpenSSL's socket BIO does both). */
#include "tls_local.h"
#include <stdatomic.h>

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

/* Made at first use; again at the next one when memory was out. */
static BIO_METHOD *get_method(void)
{
	static BIO_METHOD *_Atomic method;
	BIO_METHOD *made, *there = atomic_load(&method);

	if (there)
		return there;
	made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "starttls");
	if (made && BIO_meth_set_read_ex(made, lend) && BIO_meth_set_write_ex(made, take) &&
	    BIO_meth_set_ctrl(made, control) &&
	    atomic_compare_exchange_strong(&method, &there, made))
		return made;
	BIO_meth_free(made);
	return there; /* another thread's, if any */
}

BIO *bio_for(struct tls *t)
{
	BIO_METHOD *method = get_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	if (bio) {
		BIO_set_data(bio, t);
		BIO_set_init(bio, 1);
	}
	return bio;
}
