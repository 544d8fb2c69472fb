/* SPDX-License-Identifier: MIT
 * ftp.h: what the two halves of FTP's file share: ftp.c, the dialogue, and ftp_data.c, the data
 * connections that it speaks of. No other protocol includes this. */
#ifndef STARTTLS_PROTO_FTP_H
#define STARTTLS_PROTO_FTP_H

#include "../proto.h"

enum {                       /* talk_proto.seen */
       FTP_APP_MIDLINE = 1,  /* the app's last unit was a line's beginning */
       FTP_PEER_MIDLINE = 2, /* so was the peer's */
       FTP_LOGGED_IN = 4,
       FTP_REPLACED = 8,       /* the reply under way is dropped, the app has our own */
       FTP_ASKED_PASSIVE = 16, /* the app has asked for a port to dial, and not been told one */
};

/* One line of the peer's. */
struct ftp_line {
	int code;         /* of the reply it belongs to */
	bool last;        /* of its reply */
	struct span text; /* behind the code */
};

/* Inside TLS, once nothing of our own is unanswered. The app says this: does it announce a data
 * connection, or begin a transfer? False: the peer must not hear it, and the app has been told
 * so. */
bool ftp_data_command(struct talk *t, struct span line);
/* The peer says this: it may announce one, agree to a transfer, or end it. PASS; or KEEP when the
 * app has been told something else. */
enum move ftp_data_reply(struct talk *t, const struct ftp_line *line);
/* May a client take this unit for a 227, 228 or 229, whatever we take it for? */
bool ftp_data_is_passive(struct span unit);
/* Tell the app which port to dial, if it has asked and `line` names one. KEEP. */
enum move ftp_data_passive(struct talk *t, const struct ftp_line *line);

#endif
