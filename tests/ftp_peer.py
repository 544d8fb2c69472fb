#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ftp_peer.py CERTIFICATE HOW [DATA-CERTIFICATE]: an FTP server that is faithful on the control connection and not on the data connections:

  good    it does all it should          plain   data in the clear, although PROT P was agreed
  silent  no word inside TLS at all
  later   a login before PBSZ, and then no word
  mute    no word on data connections
  deaf    nor on the control connection, to a transfer
  over    nor there, and its 226 comes with the 150
  cut     FIN without close_notify       other   another certificate there (DATA-CERTIFICATE), and no resumption

and that says 226 whatever happens. Prints its port; serves one client; then prints what it received of an upload."""
import socket, ssl, sys

certificate, how = sys.argv[1:3]


def context(file):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(file)
    return made


tls = context(certificate)
other = context(sys.argv[3]) if how == "other" else tls
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
control, _ = listener.accept()
control.sendall(b"220 ready\r\n")
assert control.recv(100) == b"AUTH TLS\r\n"
control.sendall(b"234 go\r\n")
control = tls.wrap_socket(control, server_side=True)
lines = control.makefile("rb")
passive, silent = None, how == "silent"


def transfer(upload):
    data, _ = passive.accept()
    got = b""
    try:
        if how in ("mute", "over"):
            while data.recv(65536):
                pass
            return got
        if how != "plain":
            data = other.wrap_socket(data, server_side=True)
        if upload:
            while piece := data.recv(65536):
                got += piece
        else:
            data.sendall(b"half of it\r\n")
            if how == "good":
                data.unwrap()
    except OSError:
        pass
    data.close()
    return got


for line in lines:
    if silent:
        continue
    word = line.split()[0].upper()
    answer = b"200 ok"
    if how == "later" and word == b"PBSZ":
        answer = b"503 log in first"
    if word == b"USER":
        answer = b"331 password"
    elif word == b"PASS":
        answer = b"230 in"
        silent = how == "later"
    elif word == b"PASV":
        passive = socket.create_server(("127.0.0.1", 0))
        port = passive.getsockname()[1]
        answer = b"227 here (127,0,0,1,%d,%d)" % (port >> 8, port & 255)
    elif word in (b"RETR", b"STOR", b"LIST") and how == "deaf":
        continue
    elif word in (b"RETR", b"STOR", b"LIST"):
        control.sendall(b"150 go\r\n" + (b"226 done\r\n" if how == "over" else b""))
        received = transfer(word == b"STOR")
        if word == b"STOR":
            print("received", len(received), flush=True)
        if how == "over":
            continue
        answer = b"226 done"
    elif word == b"QUIT":
        answer = b"221 bye"
    control.sendall(answer + b"\r\n")
    if word == b"QUIT":
        break
