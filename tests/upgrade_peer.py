# SPDX-License-Identifier: MIT
# upgrade_peer CERTIFICATE cut|far: an HTTP server that upgrades (RFC 2817) and answers one request. Prints its port.
#   cut    what has no length but the end of the stream, which it ends by a bare FIN
#   far    its answer to OPTIONS takes a while; then it says how many bytes of body came
#   silent its answer to OPTIONS never comes
import socket
import ssl
import sys
import time

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])


def request(conn):
    got = b""
    while b"\r\n\r\n" not in got:
        got += conn.recv(4096) or sys.exit("the client is gone")
    return got.split(b"\r\n\r\n", 1)


with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    conn, _ = server.accept()
request(conn)
conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n")
tls = context.wrap_socket(conn, server_side=True)
if sys.argv[2] == "far":
    time.sleep(0.3)
if sys.argv[2] == "silent":
    tls.recv(1)
    sys.exit()
tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
header, body = request(tls)
if sys.argv[2] == "cut":
    tls.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf of the file")
    tls.shutdown(socket.SHUT_WR)  # of the socket: nothing is said in TLS
    sys.exit()
n, whole = len(body), int(header.lower().split(b"content-length:")[1].split()[0])
while n < whole:
    n += len(tls.recv(65536) or sys.exit("the client is gone"))
print(n, flush=True)
tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%d" % (len(str(n)), n))
tls.recv(1)
