#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ipp.py HOST PORT: ask a print server for its printers (CUPS-Get-Printers, RFC 8011) over plain HTTP/1.1, twice on one connection, and
print the status of each answer."""
import http.client, struct, sys

host, port = sys.argv[1], int(sys.argv[2])


def attribute(tag, name, value):
    return struct.pack(">BH", tag, len(name)) + name.encode() + struct.pack(">H", len(value)) + value.encode()


body = struct.pack(">BBHIB", 2, 0, 0x4002, 1, 1)
body += attribute(0x47, "attributes-charset", "utf-8") + attribute(0x48, "attributes-natural-language", "en") + b"\x03"
connection = http.client.HTTPConnection(host, port, timeout=30)
for _ in range(2):
    connection.request("POST", "/", body, {"Content-Type": "application/ipp"})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        print(answer.status, answer.reason, data.decode("latin-1").strip())
        sys.exit(1)
    print("ipp %#06x" % struct.unpack(">H", data[2:4]))
