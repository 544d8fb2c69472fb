/* SPDX-License-Identifier: MIT
 * policy: what does this connection need? The language of starttls-policy(5), read once and
 * immutable afterwards.
 *
 *   /etc/starttls/policy ─┐                         ┌─ needs (a union: layers only ever add checks)
 *                         ├─ struct policy ─ decide ┤
 *   the user's policy ────┘   (or: broken)          └─ names, CAs, pins, … of each layer that spoke
 *
 * Used by the front (libc only: this library links nothing else), the engine (struct verdict only)
 * and the starttls command. Nothing here prints, exits or keeps a descriptor open. policy_load*
 * read files and may block on them (never on a FIFO or device: only regular files are read);
 * policy_decide never blocks. Neither is async-signal-safe (malloc). */
#ifndef STARTTLS_POLICY_H
#define STARTTLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What a level asks for: bits, so that layers join by union. */
enum need {
	NEED_TRY = 1,     /* attempt TLS */
	NEED_TLS = 2,     /* nothing but TLS */
	NEED_CHAIN = 4,   /* the certificate chains to a trust anchor */
	NEED_NAME = 8,    /* and is for this name */
	NEED_PIN = 16,    /* the public key is one of those listed */
	NEED_DANE = 32,   /* TLSA with DNSSEC: not built in, so refused */
	NEED_REFUSE = 64, /* never connect */
};

enum { LAYER_SYSTEM, LAYER_USER, LAYERS };

/* The level word for a set of needs ("verify"); the strongest word that they cover. Static. */
const char *level_name(unsigned needs);

/* What one rule adds to a verdict. All strings are owned by the policy, NULL when the rule does not
 * say. */
struct rule_options {
	unsigned needs;              /* what this layer's rule asks for by itself */
	const char *name;            /* the name to verify and to send as SNI */
	const char *ca, *cert, *key; /* files, absolute (ca: or a directory); a cert alone is its
				      * own key file too */
	const char *ciphers;         /* an OpenSSL cipher list */
	const uint8_t (*pins)[32];   /* SHA-256 of SPKI */
	size_t n_pins;
	int min;       /* 0x0303, 0x0304, or 0 */
	int timeout_s; /* 0: not said */
	bool by_app;
};

/* The answer for one connection. */
struct verdict {
	bool watched;       /* false: not ours, nothing below is meant */
	const char *broken; /* not NULL: the policy is broken, refuse; "file:line:col:
			     * sentence" (without a place where there is none: no memory,
			     * layers that contradict each other); static or owned by the
			     * policy */
	unsigned needs;     /* union over the layers that spoke; 0 (`none`) leaves it
			     * alone */
	const char *proto;  /* the protocol's word; static or owned by the policy */
	const char *rule;   /* "file:line" of the strictest rule that spoke, or of the
			     * first error, or "built-in" */
	int min;            /* the larger of both layers; 0: the default (TLS 1.2) */
	int timeout_s;      /* the smaller of both; 0: the default */
	bool by_app;        /* `by app` in every layer that spoke: one alone would loosen
			     * what the other asks for */
	bool observing;     /* as in the target. The last of the options is then the
			     * user's, whose `ca` and `name` would be used: tell what
			     * they would say, but go by the needs */
	size_t n_options;   /* how many of the layers below spoke; 1 where the built-in
			     * rule did */
	struct rule_options options[LAYERS]; /* each must hold */
};

/* Which connection is asked about. */
struct target {
	const struct sockaddr *addr; /* AF_INET or AF_INET6 (v4-mapped is treated as v4) */
	const char *name;            /* what the app asked the resolver for; NULL when unknown */
	const char *program;         /* absolute path of the executable, or NULL */
	uid_t uid;
	const char *proto; /* not NULL: take this protocol (explain, probe) */
	bool observing;    /* starttls run --observe: the user's layer asks for nothing,
			    * in place of the built-in rule too */
};

struct policy;

#ifndef POLICY_SYSTEM_FILE /* make SYSCONFDIR= */
#define POLICY_SYSTEM_FILE "/etc/starttls/policy"
#endif

/* Where the layers come from. NULL: that layer does not exist. */
struct policy_files {
	const char *system; /* checked for owner root and mode (not group- or
			     * other-writable) */
	const char *user;   /* the user's own */
	bool user_required; /* the user's file was named explicitly: missing is broken */
};

/* The files this process would get: /etc/starttls/policy, then $STARTTLS_POLICY, else
 * $XDG_CONFIG_HOME/starttls/policy, else ~/.config/starttls/policy; no user layer under AT_SECURE.
 * The strings are static, and overwritten by the next call. */
struct policy_files policy_files(void);

/* Read the layers. NULL only when memory or descriptors ran out, which may pass: nothing is known
 * about any connection then. A broken file makes a broken policy, whose verdicts refuse. errors,
 * when not NULL, receives every message with its caret and hint (starttls check); the shim passes
 * NULL. Keeps errno. A rule with `user NAME` asks the system's user database, which may connect to
 * a server (LDAP, SSSD): a caller that hooks connect() must not come back here from it. */
struct policy *policy_load(const struct policy_files *files, FILE *errors);

/* The same from memory, for tests and fuzzing: no owner to check, and `include` is an error. bytes
 * NULL: no such layer. */
struct policy_text {
	const char *name; /* stands for the file in messages */
	const char *bytes;
	size_t size;
};
struct policy *policy_from_text(const struct policy_text texts[LAYERS], FILE *errors);
void policy_free(struct policy *p);

/* "file:line:col: sentence" when the policy is broken, else NULL. Owned by the policy. NULL for p
 * is a broken policy: memory was out when it was loaded. */
const char *policy_broken(const struct policy *p);

/* Of one layer: its file (NULL: there is none) and how many rules it has. */
const char *policy_layer(const struct policy *p, int layer, size_t *n_rules);

/* Write a warning for each rule that is sound but may not do what its writer thinks. Returns how
 * many. */
size_t policy_lint(const struct policy *p, FILE *out);

/* Has a layer a rule for whatever no other was about? Then the built-in rule never speaks. Not for
 * NULL. */
bool policy_has_floor(const struct policy *p);

/* Does any answer depend on target.uid, on target.program? Else they need not be asked for. */
bool policy_asks_user(const struct policy *p);
bool policy_asks_program(const struct policy *p);

/* Decide. Fills *v; strings in it live as long as the policy. Makes no system call and takes no
 * memory; keeps errno. p may be NULL, as above. */
void policy_decide(const struct policy *p, const struct target *t, struct verdict *v);

/* The protocol a port stands for ("smtp" for 25), or NULL. Static. */
const char *port_proto(uint16_t port);

#endif
