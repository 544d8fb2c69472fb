# SPDX-License-Identifier: MIT
# collector: a log server far away, inside TLS: it takes one connection and says nothing. usage: collector.py CERTIFICATE TLS-VERSION OUTPUT
# Prints its port, and then how the connection ended.
#
#   program  Finished, "line 1…", close  ──►           the window is small: most of it waits in the sender's kernel,
#                          ◄── tickets (TLS 1.3)       which throws it away and sends RST should these find the socket closed
import socket, ssl, sys, time

LATENCY = 0.3

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[2]]
listener = socket.create_server(("127.0.0.1", 0))
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
print(listener.getsockname()[1], flush=True)
raw, _ = listener.accept()
raw.settimeout(30)
received, sealed = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(received, sealed, server_side=True)


def call(function, *arguments):
    """What OpenSSL answers once it has what it wants; from then on its own words are underway for a while."""
    while True:
        try:
            return function(*arguments)
        except ssl.SSLWantReadError:
            raw.sendall(sealed.read())
            bytes = raw.recv(65536)
            time.sleep(LATENCY if function == tls.do_handshake else 0)
            received.write(bytes) if bytes else received.write_eof()


try:
    call(tls.do_handshake)
    raw.sendall(sealed.read())
    with open(sys.argv[3], "wb") as output:
        while bytes := call(tls.read, 65536):
            output.write(bytes)
    print("close_notify")
except ssl.SSLZeroReturnError:
    print("close_notify")
except OSError as error:
    print(type(error).__name__, error)
