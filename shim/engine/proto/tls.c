/* SPDX-License-Identifier: MIT
 * tls: TLS from the first byte (RFC 8314 section 3 and kin).
 *
 *   app                    shim                  peer
 *   connect ─────────────► ClientHello ────────►       the talk starts with the handshake
 *   "EHLO box" ──────────► inside TLS ─────────►       nothing is edited
 *
 * Only a refusal needs to know which protocol is inside: smtps refuses in the words of smtp, `tls`
 * has none: reading and writing fail with ECONNABORTED. ftps is not here but in ftp.c: it has data
 * connections. */
#include "../proto.h"

/* Whatever is inside may end its data by closing (HTTP/1.0, finger): a missing close_notify could
 * be a truncation. */
const struct proto proto_tls = {
	.name = "tls",
	.spec = "RFC 8446",
	.implicit = true,
	.eof_delimits = true,
};

const struct proto proto_smtps = {
	.name = "smtps",
	.spec = "RFC 8314 section 3.3",
	.ports = {465},
	.peer_first = true,
	.implicit = true,
	.inner = "smtp",
};

const struct proto proto_imaps = {
	.name = "imaps",
	.spec = "RFC 8314 section 3.2",
	.ports = {993},
	.peer_first = true,
	.implicit = true,
	.inner = "imap",
};

const struct proto proto_pop3s = {
	.name = "pop3s",
	.spec = "RFC 8314 section 3.1",
	.ports = {995},
	.peer_first = true,
	.implicit = true,
	.inner = "pop3",
};

const struct proto proto_nntps = {
	.name = "nntps",
	.spec = "RFC 8143",
	.ports = {563},
	.peer_first = true,
	.implicit = true,
	.inner = "nntp",
};

const struct proto proto_ldaps = {
	.name = "ldaps",
	.spec = "RFC 4513",
	.ports = {636},
	.implicit = true,
	.inner = "ldap",
};
