/* SPDX-License-Identifier: MIT
 * tls_context: OpenSSL's start, and what all sessions of one rule share: trust anchors, versions,
 * ciphers, client certificate, and the sessions that may be resumed.
 *
 * The library context is our own. The system's openssl.cnf is honoured and never loosened: `min`
 * can only raise what it says. OpenSSL must not tidy up at exit (NO_ATEXIT): the host's own atexit
 * handlers may still send through us. */
#include "calm.h"
#include "tls_local.h"
#include <errno.h>
#include <openssl/conf.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SESSIONS = 64 };

/* Contexts and sessions; held for memory work only, but for the first context. */
static struct calm lock = CALM_INITIALIZER;
static struct tls_context *contexts;
static OSSL_LIB_CTX *library;
static _Atomic bool dead;
static struct session {
	struct tls_context *context;
	SSL_SESSION *session;
	char peer_key[PEER_KEY_MAX];
} sessions[SESSIONS];
static unsigned next_session;

bool context_dead(void)
{
	return atomic_load_explicit(&dead, memory_order_relaxed);
}

static void mark_dead(void)
{
	atomic_store(&dead, true);
}

static bool library_start(const char **why)
{
	char *config;
	bool good = true;

	if (library)
		return true;
	if (!OPENSSL_init_ssl(0, NULL) || !OPENSSL_atexit(mark_dead)) {
		*why = "OpenSSL does not start";
		return false;
	}
	library = OSSL_LIB_CTX_new();
	config = CONF_get1_default_config_file();
	if (library && config && access(config, R_OK) == 0)
		good = OSSL_LIB_CTX_load_config(library, config) == 1;
	OPENSSL_free(config);
	if (library && good)
		return true;
	*why = library ? "OpenSSL's configuration file (openssl.cnf) has an error"
		       : "out of memory for OpenSSL";
	OSSL_LIB_CTX_free(library);
	library = NULL;
	return false;
}

static bool is_directory(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

/* Trust anchors of a rule: its `ca`, else the system's directory, looked up by hash (a bundle of
 * 140 CAs is never parsed for one). */
static bool anchors_load(X509_STORE *store, const char *ca, const char **why)
{
	const char *file = secure_getenv(X509_get_default_cert_file_env());

	if (!ca) {
		X509_LOOKUP *dir = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());

		if (dir && X509_LOOKUP_add_dir(dir, NULL, X509_FILETYPE_DEFAULT) == 1 &&
		    (!file || X509_STORE_load_file_ex(store, file, library, NULL) == 1))
			return true;
		*why = "the system's trust anchors cannot be read";
		return false;
	}
	X509_STORE_set_flags(
		store,
		X509_V_FLAG_PARTIAL_CHAIN); /* what the administrator names is an anchor, root or
					     * not */
	/* X509_STORE_load_path() takes any file for a directory, one in which it will find
	 * nothing. */
	if (is_directory(ca) ? X509_STORE_load_path(store, ca) == 1
			     : X509_STORE_load_file_ex(store, ca, library, NULL) == 1)
		return true;
	*why = "the rule's `ca` holds no certificate that can be read";
	return false;
}

/* Each layer that asks for a chain brings its anchors; the same ones twice are checked once. */
static bool anchors_set(struct tls_context *c, const char **why)
{
	const struct rule_options *first = NULL, *o;
	size_t i;

	for (i = 0; i < c->verdict.n_options; i++) {
		o = &c->verdict.options[i];
		if (!(o->needs & NEED_CHAIN))
			continue;
		if (!first) {
			first = o;
			if (!anchors_load(SSL_CTX_get_cert_store(c->ctx), o->ca, why))
				return false;
		} else if (!first->ca != !o->ca || (o->ca && strcmp(first->ca, o->ca) != 0)) {
			c->also = X509_STORE_new();
			if (!c->also || !anchors_load(c->also, o->ca, why))
				return false;
		}
	}
	return true;
}

static bool anchors_observe(struct tls_context *c, const char **why)
{
	const struct verdict *v = &c->verdict;

	if (!v->observing)
		return true;
	c->observed = X509_STORE_new();
	return c->observed && anchors_load(c->observed, v->options[v->n_options - 1].ca, why);
}

/* TLS 1.3 suites and older ciphers have lists of their own in OpenSSL; the rule has one. only: what
 * it does not name is not to be offered, else a list that names no TLS 1.3 suite leaves those as
 * they are, and the other way round. */
static bool ciphers_set(SSL_CTX *ctx, const char *list, bool only)
{
	/* Where nobody is authenticated nothing would be verified, at whatever security level. */
	static const char never[] = ":!aNULL:!eNULL";
	size_t n = strlen(list) + sizeof never + 1;
	char *copy = calloc(1, n), *old = calloc(1, n), *new = calloc(1, n), *word, *rest;
	bool good = copy && old && new;

	if (good)
		strcpy(copy, list); /* not strdup(): see engine_open.h, RTLD_DEEPBIND */
	for (word = good ? strtok_r(copy, ": ,", &rest) : NULL; word;
	     word = strtok_r(NULL, ": ,", &rest)) {
		char *to = strncmp(word, "TLS_", 4) == 0 ? new : old;

		if (*to)
			strcat(to, ":");
		strcat(to, word);
	}
	if (good && *old)
		strcat(old, never);
	good = good && (!*old || SSL_CTX_set_cipher_list(ctx, old) == 1) &&
	       (!*new || SSL_CTX_set_ciphersuites(ctx, new) == 1) &&
	       (*old || !only || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1) &&
	       (*new || !only || SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1);
	free(copy);
	free(old);
	free(new);
	return good;
}

static bool has_cipher(const STACK_OF(SSL_CIPHER) * all, const SSL_CIPHER *cipher)
{
	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
		if (sk_SSL_CIPHER_value(all, i) == cipher)
			return true;
	return false;
}

/* The second layer's list: what is in both, for a layer may only take away. */
static bool ciphers_join(SSL_CTX *ctx, const char *list)
{
	enum { NAME = 64 };
	STACK_OF(SSL_CIPHER) *before = sk_SSL_CIPHER_dup(SSL_CTX_get_ciphers(ctx)), *now;
	bool good = before && ciphers_set(ctx, list, false);
	char *both;

	now = SSL_CTX_get_ciphers(ctx);
	both = calloc((size_t)sk_SSL_CIPHER_num(now) + 1, NAME);
	for (int i = 0; good && both && i < sk_SSL_CIPHER_num(now); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(now, i);

		if (has_cipher(before, cipher) && strlen(SSL_CIPHER_get_name(cipher)) < NAME - 1)
			strcat(strcat(both, ":"), SSL_CIPHER_get_name(cipher));
	}
	good = good && both && *both && ciphers_set(ctx, both, true);
	free(both);
	sk_SSL_CIPHER_free(before);
	return good;
}

/* The security level is openssl.cnf's business: a list may raise it ("@SECLEVEL=3"), never lower
 * it. */
static bool ciphers_of_layers(SSL_CTX *ctx, const struct verdict *v)
{
	int level = SSL_CTX_get_security_level(ctx);
	bool good = true, said = false;

	for (size_t i = 0; i < v->n_options && good; i++) {
		const char *list = v->options[i].ciphers;

		if (!list)
			continue;
		good = said ? ciphers_join(ctx, list) : ciphers_set(ctx, list, false);
		said = true;
		if (SSL_CTX_get_security_level(ctx) < level)
			SSL_CTX_set_security_level(ctx, level);
		level = SSL_CTX_get_security_level(ctx);
	}
	return good;
}

static bool options_set(struct tls_context *c, const char **why)
{
	size_t i;

	*why = "the rule's `ciphers` holds no cipher that OpenSSL knows (and that the system's "
	       "policy allows, too)";
	if (!ciphers_of_layers(c->ctx, &c->verdict))
		return false;
	*why = "the rule's `cert` and `key` cannot be read, or do not belong together";
	for (i = 0; i < c->verdict.n_options; i++) {
		const struct rule_options *o = &c->verdict.options[i];
		const char *key = o->key ? o->key : o->cert;

		if (o->cert && (SSL_CTX_use_certificate_chain_file(c->ctx, o->cert) != 1 ||
				SSL_CTX_use_PrivateKey_file(c->ctx, key, SSL_FILETYPE_PEM) != 1 ||
				SSL_CTX_check_private_key(c->ctx) != 1))
			return false;
	}
	return true;
}

static int session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);
	struct session *slot;

	t->tickets++;
	if (t->guest || !SSL_SESSION_is_resumable(session))
		return 0;
	calm_take(&lock);
	slot = &sessions[next_session++ % SESSIONS];
	SSL_SESSION_free(slot->session);
	slot->session = session;
	slot->context = t->context;
	memcpy(slot->peer_key, t->peer_key, sizeof slot->peer_key);
	calm_give(&lock);
	return 1; /* the reference is ours now */
}

SSL_SESSION *context_session(struct tls_context *context, const char *peer_key)
{
	SSL_SESSION *found = NULL;
	size_t i;

	calm_take(&lock);
	for (i = 0; i < SESSIONS && !found; i++) {
		struct session *s = &sessions[(next_session - 1 - i) % SESSIONS];

		if (!s->session || s->context != context || strcmp(s->peer_key, peer_key) != 0)
			continue;
		found = s->session;
		if (SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION)
			s->session = NULL;
		else
			SSL_SESSION_up_ref(found);
	}
	calm_give(&lock);
	return found;
}

static void context_drop(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	X509_STORE_free(c->also);
	X509_STORE_free(c->observed);
	free(c);
}

static struct tls_context *context_new(const struct verdict *v, const char **why)
{
	struct tls_context *c = calloc(1, sizeof *c);
	int min = v->min > TLS1_2_VERSION ? v->min : TLS1_2_VERSION;

	*why = "out of memory for TLS";
	if (!c)
		return NULL;
	c->verdict = *v;
	c->ctx = SSL_CTX_new_ex(library, NULL, TLS_client_method());
	if (!c->ctx || !anchors_set(c, why) || !anchors_observe(c, why) || !options_set(c, why)) {
		context_drop(c);
		return NULL;
	}
	if (SSL_CTX_get_min_proto_version(c->ctx) < min)
		SSL_CTX_set_min_proto_version(c->ctx, min);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, verify_peer, NULL);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, session_keep);
	return c;
}

/* Strings of verdicts live as long as the policy, so the same rule has the same pointers. */
static bool same_options(const struct verdict *a, const struct verdict *b)
{
	size_t i;

	if (a->needs != b->needs || a->observing != b->observing || a->min != b->min ||
	    a->n_options != b->n_options)
		return false;
	for (i = 0; i < a->n_options; i++) {
		const struct rule_options *x = &a->options[i], *y = &b->options[i];

		if (x->needs != y->needs || x->name != y->name || x->ca != y->ca ||
		    x->cert != y->cert || x->key != y->key || x->ciphers != y->ciphers ||
		    x->pins != y->pins)
			return false;
	}
	return true;
}

struct tls_context *context_for(const struct verdict *v, const char **why)
{
	struct errors *hosts;
	struct tls_context *c = NULL;
	int saved = errno;

	calm_take(&lock);
	*why = "the program has shut OpenSSL down";
	/* Before anything else of OpenSSL: even looking at its errors would have it tidy up at
	 * exit. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	hosts = errors_aside();
	if (!context_dead() && library_start(why)) {
		for (c = contexts; c && !same_options(&c->verdict, v); c = c->next)
			;
		if (!c) {
			c = context_new(v, why);
			if (c) {
				c->next = contexts;
				contexts = c;
			}
		}
	}
	errors_back(hosts);
	calm_give(&lock);
	errno = saved;
	return c;
}

bool tls_ready(const struct verdict *verdict, const char **why)
{
	return context_for(verdict, why) != NULL;
}

void tls_fork_prepare(void)
{
	calm_take(&lock);
}

void tls_fork_done(void)
{
	calm_give(&lock);
}
