#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sieve_client.py HOST SCRIPT FETCHED: a plain program that speaks RFC 5804 and knows nothing of TLS. Logs in as joe (secret), puts the script
there, makes it active, and reads it back."""
import base64, socket, sys
s = socket.create_connection((sys.argv[1], 4190), 60)
f = s.makefile("rb")

def reply():
    lines = []
    while True:
        line = f.readline()
        if not line:
            sys.exit("end of file")
        if line.startswith(b"{"):
            lines.append(f.read(int(line.strip(b"{}+\r\n"))))
            f.readline()
        elif line.startswith((b"OK", b"NO", b"BYE")):
            return line, lines
        else:
            lines.append(line)

def say(command):
    s.sendall(command)
    line, lines = reply()
    if not line.startswith(b"OK"):
        sys.exit(line.decode())
    return lines

status, greeting = reply()
if not status.startswith(b"OK"):
    sys.exit(status.decode())
if not any(line.startswith(b'"SASL" "PLAIN') for line in greeting):
    sys.exit("no way to log in")
say(b'AUTHENTICATE "PLAIN" "' + base64.b64encode(b"\0joe\0secret") + b'"\r\n')
script = open(sys.argv[2], "rb").read()
say(b'PUTSCRIPT "mine" {%d+}\r\n%s\r\n' % (len(script), script))
say(b'SETACTIVE "mine"\r\n')
assert b'"mine" ACTIVE\r\n' in say(b"LISTSCRIPTS\r\n")
open(sys.argv[3], "wb").write(say(b'GETSCRIPT "mine"\r\n')[0])
say(b"LOGOUT\r\n")
