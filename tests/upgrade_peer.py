# SPDX-License-Identifier: MIT
# upgrade_peer CERTIFICATE: an HTTP server that upgrades (RFC 2817), answers one request with what has no length but the end of the stream, and ends it
# by a bare FIN. Prints its port.
import socket
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])


def request(conn):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += conn.recv(4096) or sys.exit("the client is gone")


with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    conn, _ = server.accept()
request(conn)
conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n")
tls = context.wrap_socket(conn, server_side=True)
tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
request(tls)
tls.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf of the file")
tls.shutdown(socket.SHUT_WR)  # of the socket: nothing is said in TLS
