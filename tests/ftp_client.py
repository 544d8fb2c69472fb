#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ftp_client.py HOST PORT get|put|empty|abort|abort-polling|abort-blocking|wait|wait-get|wait-put|list: one transfer with ftplib, without TLS of its own; every reply of the server is printed. Exit 1 and
the error's name when ftplib raises one."""
import ftplib, io, sys

host, port, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ftp = ftplib.FTP()


def reply():
    """The transfer's last reply, whatever the data connection made of it."""
    try:
        print("last reply:", ftp.getresp())
    except ftplib.Error as error:
        print("last reply:", error)


try:
    ftp.connect(host, port, timeout=None if what.startswith("wait") or what == "abort-blocking" else 30)  # None: it blocks in recv()
    ftp.login("joe", "x")
    ftp.voidcmd("TYPE I")
    if what.startswith("abort"):
        data = ftp.transfercmd("RETR big")
        if what == "abort":
            data.recv(1000)
            data.close()
        print(ftp.abort())
        reply()
        print(ftp.pwd())
        sys.exit()
    what = what.removeprefix("wait-")
    data = ftp.transfercmd({"get": "RETR x", "list": "LIST"}.get(what, "STOR x"))
    try:
        if what in ("get", "list"):
            while piece := data.recv(8192):
                print("data:", piece)
        elif what == "put":
            data.sendall(b"contents" * 1000)
        data.close()
        print("data: end")
    except OSError as error:
        print("data:", type(error).__name__)
        data.close()
    reply()
    ftp.quit()
except ftplib.all_errors as error:
    print(type(error).__name__, error)
    sys.exit(1)
