# SPDX-License-Identifier: MIT
"""A scripted MySQL 8: caching_sha2_password, which MariaDB does not have, over TLS only.

    mysql8.py DIR CERTIFICATE PASSWORD [fast]     prints its port; the key pair for the password goes to DIR; serves one connection

The dialogue, and what it insists on, up to the first command, which it answers with OK:

    #0 greeting   #1 SSLRequest   TLS   #2 HandshakeResponse   #3 01 04: full authentication (with `fast` 01 03, which is all)
    #4 02: the client, which believes that it is not on TLS, wants the key   #5 the key   #6 password, encrypted   #7 OK
"""
import os, socket, ssl, struct, subprocess, sys

directory, certificate, password = sys.argv[1:4]
fast = sys.argv[4:] == ["fast"]
key = os.path.join(directory, "rsa.key")
salt = bytes(range(65, 85))
CLIENT_SSL = 0x800


def openssl(*args, **more):
    return subprocess.run(("openssl",) + args, check=True, capture_output=True, **more).stdout


def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        assert more, "the client is gone"
        data += more
    return data


def read(s, number):
    head = exactly(s, 4)
    assert head[3] == number, "packet %d where %d is due" % (head[3], number)
    return exactly(s, int.from_bytes(head[:3], "little"))


def write(s, number, payload):
    s.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


def xor(data, with_):
    return bytes(b ^ with_[i % len(with_)] for i, b in enumerate(data))


OK = b"\0\0\0\2\0\0\0"
openssl("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
s = listener.accept()[0]
s.settimeout(60)
low, high = 0xF7FF | CLIENT_SSL, 0xDFFF
write(s, 0, b"\x0a8.0.99-scripted\0" + struct.pack("<I", 7) + salt[:8] + b"\0" + struct.pack("<HBHHB", low, 45, 2, high, 21)
      + bytes(10) + salt[8:] + b"\0caching_sha2_password\0")
request = read(s, 1)
assert len(request) == 32 and struct.unpack("<I", request[:4])[0] & CLIENT_SSL, "no SSLRequest"
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
s = context.wrap_socket(s, server_side=True)
number = 2
response = read(s, number)
assert response[:32] == request, "HandshakeResponse and SSLRequest differ"
if fast:
    write(s, 3, b"\1\3")
    write(s, 4, OK)
else:
    write(s, 3, b"\1\4")
    assert read(s, 4) == b"\2", "the client does not ask for the key"
    write(s, 5, b"\1" + openssl("pkey", "-in", key, "-pubout"))
    sealed = read(s, 6)
    plain = openssl("pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt", "rsa_padding_mode:oaep", input=sealed)
    assert xor(plain, salt) == password.encode() + b"\0", "wrong password"
    write(s, 7, OK)
while True:
    command = read(s, 0)
    if command[:1] == b"\1":  # COM_QUIT
        break
    write(s, 1, OK)
