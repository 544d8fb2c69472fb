// SPDX-License-Identifier: MIT
// A program that is linked to OpenSSL and uses it at the same time for something else: its error queue, its objects and its exit handlers are its own.
#include "legacy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

static _Atomic bool over;

/* One ClientHello after the other, into memory. */
static void *hello(void *arg)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	size_t n = 0;

	(void)arg;
	do {
		SSL *ssl = SSL_new(context);

		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		must(SSL_connect(ssl) == -1 && SSL_get_error(ssl, -1) == SSL_ERROR_WANT_READ, "SSL_connect");
		must(BIO_ctrl_pending(SSL_get_wbio(ssl)) > 100, "no ClientHello");
		SSL_free(ssl);
		n++;
	} while (!over);
	SSL_CTX_free(context);
	return n ? arg : NULL;
}

static void last_words(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	printf("OpenSSL %s at exit\n", context ? "works" : "is gone");
	SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	unsigned long first, second;

	(void)argc;
	atexit(last_words);
	must(pthread_create(&thread, NULL, hello, argv) == 0, "pthread_create");
	ERR_put_error(ERR_LIB_USER, 0, 1001, "own_tls", 1);
	ERR_put_error(ERR_LIB_USER, 0, 1002, "own_tls", 2);
	int fd = begin(argv);
	for (int i = 0; i < 200; i++) {
		char line[64];

		say(fd, "NOOP\r\n");
		for (size_t n = 0; n == 0 || line[n - 1] != '\n'; n++)
			must(read(fd, line + n, 1) == 1, "read");
	}
	finish(fd);
	over = true;
	pthread_join(thread, NULL);
	first = ERR_get_error();
	second = ERR_get_error();
	printf("errors %d, %d, then %lu\n", ERR_GET_REASON(first), ERR_GET_REASON(second), ERR_get_error());
	return 0;
}
