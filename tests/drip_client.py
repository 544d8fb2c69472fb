#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""drip_client.py MANNER FILE: a program with a connection to each of drip_peer.py's ports, all at once; FILE has its lines. It says what is first said in that
protocol, and prints "PROTO STEP HOW: " and what it was told up to the end. MANNER is how it waits for that, without any time-out of its own:

  blocking   a thread each, in recv()
  threads    two each: one in recv() before the other says the first word
  poll, select, epoll   one loop for all, descriptors that do not block"""
import os, select, socket, sys, threading

FIRST = {
    "nut": b"VER\n",
    "irc": b"NICK joe\r\nUSER joe 0 * :joe\r\n",
    "xmpp": b"<?xml version='1.0'?><stream:stream to='mail.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    "http": b"GET / HTTP/1.1\r\nHost: mail.test\r\n\r\n",
    "ldap": bytes.fromhex("30 0c 02 01 01 60 07 02 01 03 04 00 80 00"),
    "pgsql": bytes.fromhex("00 00 00 12 00 03 00 00") + b"user\0joe\0\0",
}
MYSQL = bytes.fromhex("25 00 00 01 85 a6 3f 20 00 00 00 01 2d") + bytes(23) + b"joe\0\0"


class Connection:
    def __init__(self, line):
        self.case, _, port = line.strip().rpartition(" ")
        self.proto = self.case.split()[0]
        self.told = b""
        self.socket = socket.create_connection(("127.0.0.1", int(port)))

    def begin(self):
        if self.proto in FIRST:
            self.socket.sendall(FIRST[self.proto])

    def hears(self):
        """False: no more"""
        try:
            piece = self.socket.recv(4096)
        except BlockingIOError:
            return True
        except OSError as error:
            piece, self.told = b"", self.told + str(error).encode()
        if self.proto == "mysql" and not self.told and piece[4:5] == b"\n":
            self.socket.sendall(MYSQL)
        self.told += piece
        if not piece:
            os.write(1, f"{self.case}: {self.told!r}\n".encode())
            self.socket.close()
        return bool(piece)

    def runs(self):
        if manner == "blocking":
            self.begin()
        while self.hears():
            pass


def loop(connections):
    left = {c.socket.fileno(): c for c in connections}
    epoll, poll = select.epoll(), select.poll()
    for fd, c in left.items():
        c.socket.setblocking(False)
        epoll.register(fd, select.EPOLLIN)
        poll.register(fd, select.POLLIN)
        c.begin()
    while left:
        if manner == "select":
            ready = select.select(list(left), [], [])[0]
        else:
            ready = [fd for fd, _ in (poll if manner == "poll" else epoll).poll()]
        for fd in ready:
            if not left[fd].hears():
                poll.unregister(fd)
                del left[fd]


manner = sys.argv[1]
connections = [Connection(line) for line in open(sys.argv[2]) if line.strip()]
if manner in ("poll", "select", "epoll"):
    loop(connections)
for c in connections if manner in ("blocking", "threads") else ():
    threading.Thread(target=c.runs).start()
if manner == "threads":
    for c in connections:
        threading.Thread(target=c.begin).start()
