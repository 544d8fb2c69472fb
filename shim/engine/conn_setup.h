/* SPDX-License-Identifier: MIT
 * conn_setup: what the files of the set-up share (conn_setup.c has the picture). With the lock
 * held; nothing blocks. */
#ifndef STARTTLS_CONN_SETUP_H
#define STARTTLS_CONN_SETUP_H

#include "conn.h"

/* conn_setup.c: is it too late? The clock runs only while the peer owes an answer. */
bool conn_deadline_over(struct conn *c);
/* Then refuse, or go on in plaintext: whatever follows from that. False: there is time, or it is no
 * matter of time any more. */
bool conn_late(struct conn *c, int fd);

/* conn_talk.c: go on with the dialogue. WAIT_NONE: something happened, look again. */
enum wait conn_talk_step(struct conn *c, int fd, bool read_ok);
/* Send what the talk has to say, in the clear. 0: all of it; EAGAIN: not yet all; or the kernel's
 * errno: never. */
int conn_send_words(struct conn *c, int fd);
/* Act on where the talk stands now. */
void conn_follow_talk(struct conn *c, int fd);
/* Plaintext by leave of the policy: what is left of ours goes out first, then the connection is the
 * kernel's alone. */
enum wait conn_clear_step(struct conn *c, int fd);

/* conn_shake.c: begin the handshake, or refuse; go on with it. */
void conn_start_handshake(struct conn *c, int fd);
enum wait conn_handshake_step(struct conn *c, int fd, bool read_ok);

/* conn_redial.c: dial the peer again; has it answered? On a descriptor that blocks this takes up to
 * one tick of the kernel's clock. */
enum wait conn_redial_step(struct conn *c, int fd);
/* It has not: refuse. */
void conn_redial_too_late(struct conn *c, int fd);

/* conn_guard.c: send what the app said and may be heard. WAIT_OUT: the kernel takes no more now. */
enum wait conn_guard_step(struct conn *c, int fd);

/* conn_inside.c: the watcher (record.h) of a talk that goes on inside TLS. */
bool conn_look_inside(void *of, struct span opened, struct buf *plain);

/* conn_verdict.c */
void conn_log(const struct conn *c, enum event_verdict verdict, const char *why);
/* The talk's sentence, without our name in front: the log line has it already. */
const char *conn_why(const struct conn *c);
/* The talk has refused. The kernel says end of file from now on to whoever polls, so the app comes
 * and reads its words. */
void conn_refused(struct conn *c, int fd);
/* The peer is gone; error: the kernel's, or 0 for its end of file. */
void conn_peer_gone(struct conn *c, int fd, int error);
/* Is this how a connect() fails that was still under way? A reset is not: then the peer was there,
 * and the app shall have a sentence. */
bool conn_never_connected(const struct conn *c, int error);
/* The connection broke before the peer said a word: what the kernel says is the answer, as without
 * us. */
void conn_broke_early(struct conn *c, int error);

#endif
