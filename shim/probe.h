/* SPDX-License-Identifier: MIT
 * probe: where `starttls probe` meets the engine. The command has no OpenSSL, so that its other
 * verbs work where there is none; it opens libstarttls-tls.so, as the shim does, and has it do one
 * upgrade by the very code that would do it for a program: the talk, the TLS, the checks. What is
 * seen on the way is reported as it comes:
 *
 *   command ── dial ──► connected ── look ──► greeting, said, reply … ─► TLS ─► certificates ─► bye
 *                                               └─ fact("greeting", "220 mx ESMTP") …
 *
 * The probe never says more than the dialogue that leads to TLS, and goodbye: no credentials, no
 * mail. Whoever the peer turns out to be, the handshake is finished and the chain is shown; what
 * the policy makes of it is asked afterwards, of as many rules as the command likes. */
#ifndef STARTTLS_PROBE_H
#define STARTTLS_PROBE_H

#include "../policy/policy.h"

enum { PROBE_ABI = 1, PROBE_WHY = 400, PROBE_NAME = 256 };

/* A rule to be asked whether it would believe the peer. */
struct probe_question {
	const struct verdict *verdict; /* strings live for ever */
	bool believed;                 /* the answers */
	char why[PROBE_WHY];           /* why not: a sentence with its remedy; nothing in it was
					* said by the peer */
};

struct probe_order {
	const struct verdict *verdict; /* what is in force: watched, not broken, no `refuse` */
	const char *name;              /* what the app would have asked the resolver for, or NULL */
	const char *domain;            /* whom an XMPP stream is for; NULL: the name, else the
					* address */
	const struct sockaddr *addr;
	int timeout_ms; /* 0: the default, which depends on the protocol */
	struct probe_question *questions;
	size_t n_questions;
	/* Something was seen. n bytes of anything the peer likes; borrowed for the call. Keys are
	 * the lines' of starttls(1). */
	void (*fact)(void *of, const char *key, const char *value, size_t n);
	void *of;
};

struct probe_result {
	enum probe_end {
		PROBE_LOST,    /* it was silent or gone before anything was decided, or memory was
				* out: why */
		PROBE_CLEAR,   /* it has no TLS, or none that works, and what then is the policy's
				* to say: why */
		PROBE_REFUSED, /* it speaks another protocol, or out of turn, and is refused at
				* every level: why */
		PROBE_OPEN,    /* TLS is up, and the questions are answered */
	} end;
	char why[PROBE_WHY];
	bool offered;             /* the peer agreed to TLS, whatever came of it */
	char checked[PROBE_NAME]; /* OPEN: the name that was asked for, as the questions had it
				   * checked where they say none */
	char pin[65];             /* OPEN: SHA-256 of the leaf's public key, in hex; "": it showed
				   * no certificate */
	char other[PROBE_NAME];   /* OPEN: the first host name in the leaf that a rule's `name` may
				   * be; "": none */
	bool self_signed;         /* OPEN: the leaf is */
};

struct probe_engine {
	int abi;
	/* The protocol's reference ("RFC 3207 section 4"), or NULL: there is none of that name.
	 * Static. */
	const char *(*spec)(const char *proto);
	/* Can everything be used that the verdict's rules name? False: *why is a sentence
	 * (static). */
	bool (*ready)(const struct verdict *, const char **why);
	/* A connected descriptor, non-blocking and close-on-exec, for the caller to close; -1 with
	 * errno, ETIMEDOUT when timeout_ms have passed. Blocks so long. Not by the hooks, if the
	 * command itself runs under the shim. */
	int (*dial)(const struct sockaddr *addr, socklen_t n, int timeout_ms);
	/* The upgrade, on a descriptor that dial() gave. Blocks until the timeout, and one second
	 * more for the goodbye. */
	void (*look)(int fd, const struct probe_order *, struct probe_result *);
};

/* Exported by libstarttls-tls.so as "starttls_probe". NULL when abi differs. */
const struct probe_engine *starttls_probe(int abi);
typedef const struct probe_engine *starttls_probe_fn(int abi);

#endif
