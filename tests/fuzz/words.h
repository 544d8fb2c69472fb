/* SPDX-License-Identifier: MIT
 * words.h: what peers and apps say in protocols of lines, for fuzz_talk to get deep without guessing. */
#ifndef STARTTLS_FUZZ_WORDS_H
#define STARTTLS_FUZZ_WORDS_H

#define ZERO_TAG "00000000000000000000000000000000"

/* What a peer says that means well, or nearly. */
static const char *const peer_words[] = {
	"220 mx ESMTP\r\n",
	"220-mx\r\n",
	"250-mx\r\n",
	"250 STARTTLS\r\n",
	"250-STARTTLS\r\n",
	"250 AUTH\r\n",
	"220 go\r\n",
	"454 no\r\n",
	"421 busy\r\n",
	"500 what\r\n",
	"YES\r\n",
	"NO\r\n",
	"WAIT\r\n",
	"HELLO\r\n",
	"GREET\r\n",
	"FLOODP\r\n",
	"250-starttls\n",
	"{....}",
	"220",
	"2",
	/* imap; the nonce is zero */
	"* OK hello\r\n",
	"* CAPABILITY IMAP4rev1 STARTTLS\r\n",
	ZERO_TAG " OK done\r\n",
	ZERO_TAG " NO\r\n",
	"* PREAUTH\r\n",
	"* BYE\r\n",
	"* LIST {5}\r\n",
	"+ go on\r\n",
	/* pop3 */
	"+OK <1.2@mx>\r\n",
	"STLS\r\n",
	".\r\n",
	"-ERR what\r\n",
	"+OKAY\r\n",
	/* sieve */
	"\"STARTTLS\"\r\n",
	"OK\r\n",
	"BYE\r\n",
	/* nntp */
	"200 news\r\n",
	"101 list\r\n",
	"\"VERSION\" \"1.0\"\r\n",
	"STARTTLS\r\n",
	"MODE-READER\r\n",
	"382 go\r\n",
	"580 no\r\n",
	/* irc, nut */
	":irc NOTICE * :hello\r\n",
	":irc 670 * :go\r\n",
	":irc 421 * :what\r\n",
	"ERROR :no\r\n",
	"OK STARTTLS\n",
	"ERR UNKNOWN-COMMAND\n",
	/* ftp */
	"220 ftp\r\n",
	"234 go\r\n",
	"200 ok\r\n",
	"530 log in first\r\n",
	"230 in\r\n",
	"227 (1,2,3,4,5,6)\r\n",
	"229 (|||99|)\r\n",
	"150 here\r\n",
	"226-\r\n",
	"226 done\r\n",
	/* http, xmpp: their apps speak first, and only ASCII is theirs */
	"HTTP/1.1 101 x\r\nUpgrade: TLS/1.0\r\n\r\n",
	"HTTP/1.1 426 x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
	"<?xml version='1.0'?><stream:stream version='1.0'>",
	"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
	"<stream:features/>",
	"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	"<failure/>",
};

#define HELLO "\x16\x03\x01\x00\x05\x01"

/* What an app says under `by app`: marked where it must not be heard. */
static const char *const app_words[] = {
	"EHLO box\r\n",
	"STARTTLS\r\n",
	"NOOP\r\n",
	"quit\n",
	"MAIL FROM:<\xff>\r\n",
	"AUTH PLAIN \xff\r\n",
	"NOOP \xff\r\n",
	"EHLO \xff\r\n",
	"EHLO a \xff\r\n",
	"a CAPABILITY\r\n",
	"a STARTTLS\r\n",
	"a LOGIN joe \xff\r\n",
	"\xff CAPABILITY\r\n",
	"a NOOP {1}\r\n\xff",
	"CAPA\r\n",
	"STLS\r\n",
	"USER \xff\r\n",
	"CAPABILITIES\r\n",
	"MODE READER\r\n",
	"CAP LS 302\r\n",
	"NICK \xff\r\n",
	"VER\n",
	"AUTH TLS\r\n",
	"FEAT\r\n",
	"CLNT \xff\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: TLS/1.0\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.0\r\nCookie: \xff\r\n\r\n",
	"GET /\xff HTTP/1.1\r\nUpgrade: TLS/1.0\r\n\r\n",
	"<?xml version='1.0'?><stream:stream to='a'>",
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\xff</starttls>",
	"<auth>\xff</auth>",
	"</stream:stream>",
};

#endif
