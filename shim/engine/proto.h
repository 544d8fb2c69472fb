/* SPDX-License-Identifier: MIT
 * proto: what a protocol file may see and say. A protocol is one file, proto/<name>.c, that
 * includes this header and nothing else of ours, and ends in one `struct proto`. (FTP has two
 * files, and ftp.h between them; XMPP reads its tags by xml.h.)
 *
 * The two ends are the app (the program we are loaded into) and the peer (whom it talks to). A
 * protocol is shown one whole unit at a time (a line, a packet) and answers with a move. It has no
 * word for "send the app's bytes in the clear": when the peer cannot or will not do TLS it answers
 * MOVE_NOTLS, and the policy decides, in talk.c. So a mistake in a protocol file can break that
 * protocol; it cannot leak.
 *
 * Everything is called with the connection's lock held; no I/O, no clock, no errno, no log, no
 * memory of its own. */
#ifndef STARTTLS_PROTO_H
#define STARTTLS_PROTO_H

#include "span.h"
#include <stdint.h>
#include <sys/types.h>

struct talk;

enum side { SIDE_APP, SIDE_PEER };

/* What a protocol answers when shown one whole unit. */
enum move {
	MOVE_PASS,  /* hand it to the other side as it is (only inside TLS) */
	MOVE_KEEP,  /* swallow it: it answered us, or we said something else */
	MOVE_HOLD,  /* keep it: the app's units until TLS is up; the peer's greeting until then too.
		     * Inside TLS only for the app's units: not yet; it is shown again after the
		     * peer's next unit */
	MOVE_TLS,   /* the peer agreed: handshake now */
	MOVE_DONE,  /* pass it and stop watching (inside TLS) */
	MOVE_NOTLS, /* the peer cannot or will not: policy decides */
	MOVE_OWN,   /* the app itself is upgrading, and this unit begins its ClientHello: step
		     * aside */
	MOVE_BAD,   /* not this protocol, or tampering: refuse at every level */
};

/* What went wrong, for protocols whose refusal has a code for it. */
enum cause {
	CAUSE_OTHER,       /* protocol error, tampering, deadline, peer gone */
	CAUSE_NOT_OFFERED, /* the peer does not offer TLS, or refused it */
	CAUSE_TLS,         /* handshake or certificate */
	CAUSE_POLICY,      /* the policy forbids it */
};

struct proto {
	const char *name;  /* the word in policies and logs: "smtp" */
	const char *spec;  /* "RFC 3207 section 4" */
	uint16_t ports[6]; /* zero-terminated when shorter */
	bool peer_first;   /* the peer greets before the app speaks */
	bool unasked;      /* the peer may speak at any time (IRC's NOTICE): what it says before
			    * our command has left is shown with talk_proto.asked false, where
			    * others are refused */
	uint8_t silence_s; /* not 0: peers that know no TLS say nothing at all, so after that
			    * long (or the rule's `timeout`) silence is a no, and the policy
			    * decides */
	bool implicit;     /* TLS from the first byte: no dialogue at all, so neither start, app
			    * nor peer; frame for inside() only */
	const char *inner; /* implicit: the protocol inside TLS, whose words a refusal takes;
			    * NULL: unknown */
	bool eof_delimits; /* end of stream is data's only end mark: EOF without close_notify is
			    * an error */

	bool urgent_inline; /* urgent data (send() with MSG_OOB) is to be part of the stream, as
			     * telnet's Synch in FTP may be */

	/* NULL: wait for somebody to speak. Else called once, at the start: speak first. */
	void (*start)(struct talk *t);
	/* Length in bytes of the first whole unit in `in`; 0: more is needed; -1: this is not our
	 * protocol (talk refuses; t->why says why when set). A length is never larger than in.n. */
	ssize_t (*frame)(struct talk *t, enum side from, struct span in);
	/* NULL: hold everything. Else shown the app's units until it answers MOVE_HOLD, MOVE_TLS or
	 * MOVE_NOTLS: from then on what the app says is held unread. */
	enum move (*app)(struct talk *t, struct span unit);
	enum move (*peer)(struct talk *t, struct span unit);
	/* `by app`, where the app brings TLS up itself: may it say this unit in plaintext before?
	 * Only what gives nothing away: hello, a question about capabilities, the request for TLS,
	 * goodbye. All else is the policy's to judge, and so is what no unit can be made of. NULL:
	 * nothing may. */
	bool (*harmless)(struct talk *t, struct span unit);
	/* Tell the app, in its own words and as a temporary failure, with talk_tell(); why is one
	 * printable ASCII line that starts with "libstarttls: " and holds nothing the peer said.
	 * NULL: it has no words, only end of file. What the app has said can still be looked at
	 * with talk_said(). */
	void (*refuse)(struct talk *t, enum cause cause, const char *why);
	/* What the app says answers this very connection's greeting, so another connection cannot
	 * go on with it: under `may`, too, a failed handshake is a refusal. */
	bool no_redial;

	/* Work that is left inside TLS. NULL: none; the talk ends when TLS is up. Else whole units
	 * of both sides are shown here (the app's held ones first), until it answers MOVE_DONE.
	 * `unit` is n bytes in a buffer of the talk, to be changed in place at will; for other
	 * lengths say or tell bytes of your own and answer MOVE_KEEP. Also PASS, HOLD and BAD. */
	enum move (*inside)(struct talk *t, enum side from, uint8_t *unit, size_t n);
	/* TLS has just come up, nothing has gone through it yet: the moment for words of our own to
	 * the peer. Optional. */
	void (*inside_begin)(struct talk *t);
};

enum { TALK_NONCE = 32 }; /* bytes */

/* Data connections beside this one (FTP), between the protocol and the engine. The protocol
 * announces one by its port; whatever is dialled there by that side of the two is then brought into
 * TLS as "ftp-data". */
struct talk_data {
	uint16_t port; /* set to announce; the engine takes it and puts 0. A new one replaces
			* the last */
	enum side dialled_by;
	bool transferring; /* the app has asked for a transfer, and its end is not in sight */
	bool started;      /* the peer has agreed to it; so it stays until the next one */
	bool uploading;    /* it is the app's to send */
	const char *why;   /* set by the engine before it shows a unit: this transfer's data
			    * connection was refused; else NULL */
	bool cut;          /* or it was cut short */
};

/* The part of a talk that belongs to its protocol; talk.c sets the rest up and never looks at step
 * and seen. */
struct talk_proto {
	int step;       /* where the dialogue is; 0 at the start */
	unsigned seen;  /* flags of the protocol's own */
	unsigned units; /* free counter of the protocol's own (lines of a multi-line reply …) */
	int code;       /* free number of the protocol's own (the code of a multi-line reply …) */
	bool asked;     /* all we had to say had left before the peer began the unit that is
			 * shown */
	uint8_t nonce[TALK_NONCE]; /* nobody else can guess it (IMAP tags) */
	const char *self;          /* how we name ourselves: an address literal, "[192.0.2.1]" */
	const char *host;          /* the name the app asked for, or NULL */
	bool spent;   /* set it before NOTLS when the app cannot go on in this stream, because
		       * the peer has heard too much of us: should the policy allow plaintext,
		       * the peer is dialled again first */
	bool waiting; /* inside TLS: the peer owes an answer to words of our own, and the app
		       * its greeting: the deadline runs */
	const uint8_t *peer_v4; /* the peer's address, when it is one of IPv4; else NULL */
	struct talk_data data;
	const char *why; /* set it before NOTLS, BAD or -1: an English sentence, a string
			  * constant */
};
struct talk_proto *talk_proto(struct talk *t);

/* The name that the certificate must be for, where that is not the host that the app dialled (RFC
 * 6120 section 13.7.2); the rule's `name` still wins. Copied; cut to what a name may have. */
void talk_verify_as(struct talk *t, struct span name);

/* Queue bytes of our own for the peer, in the clear. False when the buffer is full: the talk is
 * then refused as soon as the protocol returns, so the answer may be ignored. The same goes for the
 * other three below. */
bool talk_say(struct talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool talk_say_bytes(struct talk *t, struct span bytes);
/* Queue bytes of our own for the app. */
bool talk_tell(struct talk *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool talk_tell_bytes(struct talk *t, struct span bytes);
/* The greeting that the app is told once TLS is up (or the policy allowed plaintext): add to it, as
 * MOVE_HOLD adds the unit, for when the move has to say something else; or put one of our own in
 * the place of all that is held, because what the peer said before TLS is forgotten
 * (capabilities). */
bool talk_hold(struct talk *t, struct span bytes);
bool talk_greet(struct talk *t, const char *text);
/* Inside TLS: tell the app the greeting now. Without it that happens before the first unit of the
 * peer that passes. */
bool talk_release_greeting(struct talk *t);
/* What the app has said that is still held, whole and in order; valid until the protocol
 * returns. */
struct span talk_said(const struct talk *t);

/* proto/frame.c: framings that several protocols share. Each returns as struct proto.frame does. */
enum { FRAME_LINE_MAX = 4096 }; /* bytes; RFC 5321 4.5.3.1.5 asks for 512 */
/* One line up to and with its LF. -1 on NUL or when the first FRAME_LINE_MAX bytes hold no LF. */
ssize_t frame_line(struct talk *t, struct span in);

/* frame_line as the frame member of a protocol of lines. */
ssize_t frame_lines(struct talk *t, enum side from, struct span in);

/* proto/line.c: what protocols of lines share. All pure, but for the moves. */
enum { LINES_MAX = 300 }; /* of one reply, or before TLS where replies have no end of their own */
/* The line without its LF or CRLF. */
struct span line_text(struct span unit);
/* No control characters but the tab; 8-bit text passes: old servers greet in Latin-1. */
bool line_is_text(struct span line);
/* The first word of *line, up to a blank; *line is then what follows the blanks. Empty at the end,
 * or when *line begins with a blank. */
struct span line_word(struct span *line);
/* Does it end in {n} or {n+}, so that n bytes of anything follow (RFC 9051 section 4.3, RFC 5804
 * section 4)? Nothing that a server has to say before TLS needs that, and whoever counts wrong is
 * lost: refuse. */
bool line_has_literal(struct span line);
/* 100 to 599 when the line is three digits and then SP, "-" or its end; else -1. */
int line_code(struct span line);
/* Is the line one of these forms, which end in NULL? A form is words with one blank between them,
 * in any case; "?" stands for any word of printable ASCII: "EHLO ?", "QUIT". Of nothing else there
 * may be more in the line than blanks at its end. */
bool line_is_one_of(struct span unit, const char *const *forms);
/* One line more (talk_proto.units); false when that is more than LINES_MAX, with why set. */
bool line_counts(struct talk *t);
/* MOVE_NOTLS and MOVE_BAD with their reason. */
enum move move_notls(struct talk *t, const char *why);
enum move move_bad(struct talk *t, const char *why);

/* proto/list.c: the list of protocols. NULL when there is none of that name. */
const struct proto *proto_named(const char *name);

#endif
