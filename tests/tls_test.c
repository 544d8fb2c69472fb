/* SPDX-License-Identifier: MIT
 * tls_test: what the ClientHello of a verdict offers (RFC 8446 section 4.1.2), where layers may only take ciphers away; and how much a
 * handshake may take in. */
#include "check.h"
#include "tls.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sockaddr_in addr = {.sin_family = AF_INET};

/* The suites offered, in the order of preference. */
struct offer {
	size_t n;
	unsigned suites[256];
};

static bool catch_hello(void *of, struct span hello)
{
	enum { SESSION_ID = 5 + 4 + 2 + 32 };
	struct offer *offer = of;
	size_t at = SESSION_ID + 1 + hello.at[SESSION_ID];
	size_t n = (size_t)hello.at[at] << 8 | hello.at[at + 1];

	for (at += 2; n; n -= 2, at += 2)
		offer->suites[offer->n++] = (unsigned)hello.at[at] << 8 | hello.at[at + 1];
	return true;
}

static bool has(const struct offer *offer, unsigned suite)
{
	for (size_t i = 0; i < offer->n; i++)
		if (offer->suites[i] == suite)
			return true;
	return false;
}

/* What is offered under `verify` when the layers say these lists; NULL: the layer says none. "" in `why`: no session. */
static struct offer offer_for(const char *system, const char *user, const char **why)
{
	const unsigned needs = NEED_TRY | NEED_TLS | NEED_CHAIN | NEED_NAME;
	struct verdict verdict = {.needs = needs, .n_options = 2};
	struct tls_setup setup = {
		.verdict = &verdict, .addr = (const struct sockaddr *)&addr, .asked = "mx.test"};
	struct offer offer = {0};
	struct tls_wire wire = {.send = catch_hello, .of = &offer};
	struct tls *tls;

	verdict.options[LAYER_SYSTEM] = (struct rule_options){.needs = needs, .ciphers = system};
	verdict.options[LAYER_USER] = (struct rule_options){.needs = needs, .ciphers = user};
	tls = tls_new(&setup, &wire, why);
	if (tls)
		tls_handshake(tls);
	tls_free(tls);
	return offer;
}

enum { /* IANA */
       ECDHE_RSA_AES128_GCM = 0xc02f,
       ECDHE_RSA_AES256_GCM = 0xc030,
       ECDHE_RSA_CHACHA20 = 0xcca8,
       ECDH_ANON_AES128_CBC = 0xc018,
       DH_ANON_AES128_GCM = 0x00a6,
       RSA_NULL_SHA256 = 0x003b,
       TLS13_AES128_GCM = 0x1301,
       TLS13_AES256_GCM = 0x1302,
};

static void test_one_list(void)
{
	const char *why = "";
	struct offer o = offer_for("ECDHE-RSA-AES128-GCM-SHA256", NULL, &why);

	check(has(&o, ECDHE_RSA_AES128_GCM), "the list's cipher is offered");
	check(!has(&o, ECDHE_RSA_AES256_GCM), "no other is");
	check(has(&o, TLS13_AES128_GCM), "TLS 1.3 has a list of its own");
}

static void test_layers_only_take_away(void)
{
	static const char some[] = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305",
			  all[] = "ALL";
	const char *why = "";
	struct offer o = offer_for(some, all, &why);

	check(has(&o, ECDHE_RSA_AES128_GCM), "what both allow is offered (user: more)");
	check(!has(&o, ECDHE_RSA_AES256_GCM), "the user's list adds nothing to the system's");
	o = offer_for(all, some, &why);
	check(has(&o, ECDHE_RSA_CHACHA20) && !has(&o, ECDHE_RSA_AES256_GCM),
	      "the user's list takes away");
	o = offer_for("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
		      &why);
	check(has(&o, TLS13_AES256_GCM) && !has(&o, TLS13_AES128_GCM), "in TLS 1.3 too");
	why = "";
	o = offer_for("ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256",
		      "ECDHE-RSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384", &why);
	check(!o.n && *why, "nothing in common: no session, and a sentence");
}

/* With an anonymous cipher there is no certificate, so nothing would be verified (RFC 5246 section 7.4.2). */
static void test_nothing_unauthenticated(void)
{
	const char *why = "";
	struct offer o = offer_for("ALL:eNULL:@SECLEVEL=0", NULL, &why);

	check(o.n > 0, "the list is usable");
	check(!has(&o, ECDH_ANON_AES128_CBC) && !has(&o, DH_ANON_AES128_GCM),
	      "no anonymous cipher");
	check(!has(&o, RSA_NULL_SHA256), "no cipher without encryption");
	o = offer_for("ADH:@SECLEVEL=0", NULL, &why);
	check(!has(&o, DH_ANON_AES128_GCM), "not even when the list has nothing else");
}

/* A HelloRequest is to be ignored while a handshake runs (RFC 5246 section 7.4.1.1), so OpenSSL reads on, whatever their number. */
static void test_a_handshake_ends(void)
{
	static uint8_t record[TLS_HEADER + TLS_PLAIN_MAX] = {22, 3, 3, TLS_PLAIN_MAX >> 8,
							     TLS_PLAIN_MAX & 0xff};
	const unsigned needs = NEED_TRY | NEED_TLS;
	struct verdict verdict = {.needs = needs, .n_options = 1, .options[0].needs = needs};
	struct tls_setup setup = {
		.verdict = &verdict, .addr = (const struct sockaddr *)&addr, .asked = "mx.test"};
	struct offer offer = {0};
	struct tls_wire wire = {.send = catch_hello, .of = &offer};
	enum tls_result result = TLS_MORE;
	const char *why = "";
	struct tls *tls = tls_new(&setup, &wire, &why);

	for (int i = 0; tls && result == TLS_MORE && i < 1000; i++) {
		tls_feed(tls, span_of(record, sizeof record));
		result = tls_handshake(tls);
	}
	check(result == TLS_BROKEN, "a peer that sends HelloRequest for ever is given up");
	check(tls && strstr(tls_why(tls), "without end"), "and the reason says so");
	tls_free(tls);
}

int main(void)
{
	test_a_handshake_ends();
	test_one_list();
	test_layers_only_take_away();
	test_nothing_unauthenticated();
	return check_result();
}
