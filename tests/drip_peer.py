#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""drip_peer.py CERTIFICATE JOURNAL: servers that are in no hurry. Each CASE of each protocol has a port; all its server says is prompt, but for one STEP
on the way to TLS, which comes in drops, each soon enough for who gives every drop a time of its own:

  bytes   one at a time         lines   a reply of very many lines, one at a time         silent   never
  busy    the handshake fails, and who dials again is not answered: the kernel drops what comes for a full backlog
  later   the same, but for a while only; then it is spoken to in the clear

Prints "PROTO STEP HOW PORT" for each case, then an empty line. When a connection has ended: "PROTO STEP HOW DROPS of ALL" into JOURNAL."""
import socket, ssl, sys, threading, time

GAP = 0.25  # seconds between drops
LINES = 200  # as many as there may be, and more
CLIENT_FIRST = "nut irc xmpp http ldap pgsql".split()


def is_dialling(port, guests):
    """Does somebody else who calls that port get no answer?"""
    with open("/proc/net/tcp") as table:
        rows = [row.split() for row in table][1:]
    ends = [[int(end.split(":")[1], 16) for end in row[1:3]] for row in rows if row[3] == "02"]  # SYN_SENT
    return any(called == port and caller not in guests for caller, called in ends)


class Peer:
    def __init__(self, sock, proto, step, how, listener):
        self.sock, self.proto, self.step, self.how, self.listener = sock, proto, step, how, listener
        self.tls = self.into = None
        self.dropped = self.all = 0

    def hear(self, upto=b"\n"):
        got = b""
        while not got.endswith(upto):
            byte = self.read(1)
            if not byte:
                raise EOFError
            got += byte
        return got

    def read(self, n):
        while self.tls:
            try:
                return self.tls.read(n)
            except ssl.SSLWantReadError:
                piece = self.sock.recv(65536)
                if not piece:
                    return b""
                self.into.write(piece)
        return self.sock.recv(n)

    def say(self, step, text, line=b""):
        """line: what the long form of the reply has many of, ahead of the text"""
        if step != self.step:
            self.sock.sendall(self.sealed(text))
        elif self.how == "silent":
            self.drip([])
        elif self.how == "lines":
            self.drip([self.sealed(line) for _ in range(LINES)] + [self.sealed(text)])
        else:
            sealed = self.sealed(text)
            self.drip([sealed[i:i + 1] for i in range(len(sealed))])

    def sealed(self, text):
        if not self.tls:
            return text
        self.tls.write(text)
        return self.out.read()

    def drip(self, drops):
        self.all = len(drops)
        if not drops:
            while self.sock.recv(65536):
                pass
            raise EOFError
        for drop in drops:
            time.sleep(GAP)
            self.sock.sendall(drop)
            self.dropped += 1

    def be_busy(self):
        guests = [socket.socket() for _ in range(3)]
        busy.append((self.listener, guests))
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(self.listener.getsockname())
        self.sock.recv(65536)
        self.sock.sendall(b"this is no ServerHello\r\n")
        if self.how == "busy":
            self.drip([])
        own = {guest.getsockname() for guest in guests}
        while not is_dialling(self.listener.getsockname()[1], {port for _, port in own}):
            time.sleep(0.01)
        for guest in guests:  # those that are not answered either: at once with them the backlog would run over again
            guest.close()
        self.sock, address = self.listener.accept()
        while address in own:
            self.sock, address = self.listener.accept()
        heard = self.sock.recv(4096) if self.proto in CLIENT_FIRST else b""
        self.sock.sendall(b"later, behind %d\r\n" % len(heard))
        raise EOFError

    def start_tls(self):
        if self.how in ("busy", "later"):
            self.be_busy()
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.into, self.out, server_side=True)
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            if self.out.pending:
                self.say("handshake", self.out.read())
            if not done:
                piece = self.sock.recv(65536)
                if not piece:
                    raise EOFError
                self.into.write(piece)
        self.tls = tls


def smtp(p, hello=b"EHLO"):
    p.say("greeting", b"220 mail.test at your service\r\n", b"220-wait\r\n")
    p.hear()
    p.say("offer", b"250-mail.test\r\n250 STARTTLS\r\n", b"250-X\r\n")
    p.hear()
    p.say("go", b"220 now comes the handshake\r\n", b"220-wait\r\n")
    p.start_tls()


def imap(p):
    p.say("greeting", b"* OK mail.test at your service\r\n")
    tag = p.hear().split()[0]
    p.say("offer", b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + b" OK done\r\n", b"* X\r\n")
    tag = p.hear().split()[0]
    p.say("go", tag + b" OK now comes the handshake\r\n", b"* X\r\n")
    p.start_tls()


def pop3(p):
    p.say("greeting", b"+OK mail.test at your service\r\n")
    p.hear()
    p.say("offer", b"+OK this is what I can do\r\nSTLS\r\n.\r\n")
    p.hear()
    p.say("go", b"+OK now comes the handshake\r\n")
    p.start_tls()


def sieve(p):
    old = b'"IMPLEMENTATION" "ancient"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\nOK\r\n'
    p.say("greeting", old, b'"X"\r\n')
    p.hear()
    p.say("go", b'OK "now comes the handshake"\r\n')
    p.start_tls()
    p.hear()
    p.hear()
    p.say("inside", old + b"NO\r\n", b'"X"\r\n')


def nntp(p):
    p.say("greeting", b"200 mail.test at your service\r\n")
    p.hear()
    p.say("offer", b"101 this is what I can do\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n")
    p.hear()
    p.say("go", b"382 now comes the handshake\r\n")
    p.start_tls()


def ftp(p):
    p.say("greeting", b"220 mail.test at your service\r\n", b"220-wait\r\n")
    p.hear()
    p.say("go", b"234 now comes the handshake\r\n", b"234-wait\r\n")
    p.start_tls()
    protect(p)


def protect(p):
    p.hear()
    p.say("inside", b"200 that is understood\r\n", b"200-wait\r\n")
    p.hear()
    p.say("inside2", b"200 that is understood\r\n", b"200-wait\r\n")


def ftps(p):
    p.start_tls()
    p.say("greeting", b"220 mail.test at your service\r\n", b"220-wait\r\n")
    protect(p)


def nut(p):
    p.hear()
    p.say("go", b"OK STARTTLS\n")
    p.start_tls()


def irc(p):
    p.hear()
    p.say("go", b":mail.test 670 * :now comes the handshake\r\n", b":mail.test NOTICE * :wait\r\n")
    p.start_tls()


def xmpp(p):
    p.hear(b">")
    p.hear(b">")
    p.say("header", b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='mail.test' id='1' version='1.0'>")
    p.say("offer", b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>")
    p.hear(b">")
    p.say("go", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    p.start_tls()


def http(p):
    p.hear(b"\r\n\r\n")
    p.say("go", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n", b"HTTP/1.1 100 wait\r\n\r\n")
    p.start_tls()
    p.say("inside", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 100 wait\r\n\r\n")


def ldap(p):
    p.sock.recv(4096)
    p.say("go", bytes.fromhex("30 0f 02 04 7f ff ff f0 78 07 0a 01 00 04 00 04 00"))
    p.start_tls()


def pgsql(p):
    p.sock.recv(8)
    p.say("go", b"S")
    p.start_tls()


def mysql(p):
    p.say("greeting", bytes.fromhex("51 00 00 00 0a 31 30 2e 31 31 2d 4d 61 72 69 61 44 42 00 01 00 00 00 73 61 6c 74 73 61 6c 74 00"
                                    "fe ff 2d 02 00 ff 81 15 00 00 00 00 00 00 1d 00 00 00") + b"saltsaltsalt\0mysql_native_password\0")
    p.sock.recv(36, socket.MSG_WAITALL)
    p.start_tls()


def wrapped(p):
    p.start_tls()


# protocol, how it goes, and which of its steps come in bytes, in lines, never; all but MySQL's can be dialled again
TABLE = [
    ("smtp", smtp, "greeting offer go handshake", "greeting offer go", "greeting offer go handshake"),
    ("lmtp", smtp, "greeting offer go handshake", "greeting offer go", "greeting offer go handshake"),
    ("imap", imap, "greeting offer go handshake", "offer go", "greeting offer go handshake"),
    ("pop3", pop3, "greeting offer go handshake", "", "greeting offer go handshake"),
    ("sieve", sieve, "greeting go handshake inside", "greeting inside", "greeting go handshake inside"),
    ("nntp", nntp, "greeting offer go handshake", "", "greeting offer go handshake"),
    ("ftp", ftp, "greeting go handshake inside inside2", "greeting go inside inside2", "greeting go handshake inside inside2"),
    ("ftps", ftps, "handshake greeting inside", "greeting inside inside2", "handshake greeting inside inside2"),
    ("nut", nut, "go handshake", "", "go handshake"),
    ("irc", irc, "go handshake", "go", "go handshake"),
    ("xmpp", xmpp, "header offer go handshake", "", "header offer go handshake"),
    ("http", http, "go handshake inside", "go inside", "go handshake inside"),
    ("ldap", ldap, "go handshake", "", "go handshake"),
    ("pgsql", pgsql, "handshake", "", "go handshake"),
    ("mysql", mysql, "greeting handshake", "", "greeting handshake"),
    ("imaps", wrapped, "handshake", "", "handshake"),
]


def serve(listener, proto, dialogue, step, how):
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    p = Peer(sock, proto, step, how, listener)
    try:
        dialogue(p)
        p.read(1)
    except (OSError, EOFError):
        pass
    with lock:
        print(proto, step, how, p.dropped, "of", p.all, file=journal, flush=True)
    p.sock.close()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
journal, lock = open(sys.argv[2], "w"), threading.Lock()
busy = []  # listening to the end, with their guests
for proto, dialogue, *steps in TABLE:
    for how, those in zip(("bytes", "lines", "silent", "busy", "later"), steps + 2 * ["" if proto == "mysql" else "redial"]):
        for step in those.split():
            listener = socket.create_server(("127.0.0.1", 0), backlog=0 if "redial" in step else None)
            threading.Thread(target=serve, args=(listener, proto, dialogue, step, how)).start()
            print(proto, step, how, listener.getsockname()[1])
print(flush=True)
