#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wire.py PORT TO FILE [ADDRESS]: a wire tap. Listens on 127.0.0.1 PORT, passes every connection on to ADDRESS (127.0.0.1) TO and adds all that goes
by, in either direction, to FILE before it passes it on; each direction of each connection also to a FILE.N of its own. Prints a line once it listens; ends when killed."""
import itertools, socket, sys, threading

port, to, file = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "ab", buffering=0)
address = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"


numbers = itertools.count(1)


def carry(source, sink, way):
    try:
        while data := source.recv(65536):
            file.write(data)
            way.write(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in source, sink:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


with socket.create_server(("127.0.0.1", port)) as listener:
    print("listening", flush=True)
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((address, to))
        for pair in (near, far), (far, near):
            way = open(f"{sys.argv[3]}.{next(numbers)}", "wb", buffering=0)
            threading.Thread(target=carry, args=(*pair, way), daemon=True).start()
