/* SPDX-License-Identifier: MIT
 * peer: the other end of every test: an SMTP or LMTP server with real TLS that misbehaves on demand.
 *
 *   peer.c       options, listening, one thread per connection
 *   peer_io.c    bytes in and out, clear or inside TLS; the journal; misbehaving at a step
 *   peer_smtp.c  the dialogue, a table of verbs
 *   peer_attack.c  inside TLS: what no honest server sends
 *
 * Journal, per connection N (counted from 1):
 *   N.wire   every byte that arrived, as an eavesdropper would see it (ciphertext included)
 *   N.tls    what arrived inside TLS, decrypted
 *   N.talk   both directions for a human: printable text, long chunks cut short
 *   N.facts  "tls TLSv1.3 CIPHER sni=NAME", "mail FILE", "end close_notify|fin|reset|none" */
#ifndef STARTTLS_TESTS_PEER_H
#define STARTTLS_TESTS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Where --reset-at, --close-at and --stall-at strike. The peer does what is left of the dash, then misbehaves instead of the rest. */
enum step {
	STEP_NEVER,
	STEP_CONNECT,   /* accepted - before the greeting */
	STEP_GREETING,  /* half of the greeting */
	STEP_EHLO,      /* EHLO read - no answer */
	STEP_OFFER,     /* half of the EHLO reply */
	STEP_STARTTLS,  /* STARTTLS read - no answer */
	STEP_GO,        /* 220 sent - ClientHello not read */
	STEP_HELLO,     /* ClientHello read - no answer */
	STEP_HANDSHAKE, /* half of the ServerHello flight */
	STEP_OPEN,      /* handshake done - first command not read */
	STEP_MAIL,      /* MAIL read - no answer; and so on */
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,      /* first bytes of the mail read */
	STEP_DOT,       /* whole mail read (and thrown away) - no answer */
	STEP_QUIT,
	STEPS
};

/* How this peer behaves; written once by main. */
struct behaviour {
	const char *bind, *proto, *cert, *journal, *mailbox, *name;
	const char *greeting, *offer_text, *starttls_reply, *inject_behind, *inject_before, *inject_later, *ready, *attack;
	long port, tls_min, tls_max, tickets, keyupdate_every, record;
	bool no_offer, require_tls, auth_inside_tls_only, garbage, alert, dribble, no_close_notify, foreground;
	enum step reset_at, close_at, stall_at;
};
extern struct behaviour behave;
extern SSL_CTX *tls_context;

struct session {
	int fd;
	unsigned number;
	SSL *ssl;                       /* NULL in the clear */
	bool reset;                     /* end with RST */
	FILE *wire, *tls, *talk, *facts;
	unsigned char in[32 * 1024];    /* arrived, not yet taken by the dialogue */
	size_t in_at, in_end;
	long sends;                     /* for --keyupdate-every */
	const char *end;                /* how the other end finished */
	bool extended, mail;            /* greeted with EHLO or LHLO; MAIL accepted */
	unsigned recipients, mails;
};

/* --- peer_io.c. Functions that return bool say "go on"; false ends the session. */
bool io_begin(struct session *s);
void io_finish(struct session *s);
/* Say bytes, or a formatted text; inside TLS once that is up. */
bool io_say(struct session *s, const void *bytes, size_t n);
bool io_sayf(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Some bytes (> 0), or 0 when the other end is finished. */
size_t io_read(struct session *s, void *bytes, size_t n);
/* One line without its CR LF, cut to size. */
bool io_line(struct session *s, char *line, size_t size);
/* The handshake; bytes that the app sent ahead of it count as its ClientHello. */
bool io_start_tls(struct session *s);
/* Misbehave if this is the step for it. half, if any, is said first, up to its middle. */
bool io_step(struct session *s, enum step step, const char *half);
/* The stream of SOURCE: byte number i. And the sum that SINK answers with (FNV-1a). */
unsigned char pattern(size_t i);
uint32_t sum_add(uint32_t sum, const unsigned char *bytes, size_t n);
enum { SUM_START = 0x811c9dc5U & 0x7fffffff };

/* For peer_attack.c: raw bytes to the wire; what OpenSSL has sealed, all of it or half. */
bool wire_send(struct session *s, const void *bytes, size_t n);
bool tls_flush(struct session *s, bool half);

/* --- peer_attack.c: does what --attack says, once TLS is up. False: the session ends here. */
bool attack(struct session *s);
extern const char attacks[]; /* their names, for --attack's help */

/* --- peer_smtp.c */
void smtp_serve(struct session *s);

#endif
