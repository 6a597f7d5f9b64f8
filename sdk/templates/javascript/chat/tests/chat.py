#!/usr/bin/env python3
"""`mote test` starts the app on a free port, and says by MOTE_URL where it is."""

import base64
import json
import os
import socket
import struct
import urllib.parse
import urllib.request

ADDRESS = urllib.parse.urlsplit(os.environ["MOTE_URL"])


class Client:
    """A WebSocket (RFC 6455), as much of it as is needed here."""

    def __init__(self):
        self.socket = socket.create_connection((ADDRESS.hostname, ADDRESS.port), timeout=30)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /socket HTTP/1.1\r\nHost: {ADDRESS.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        assert self.file.readline().startswith(b"HTTP/1.1 101"), "no WebSocket"
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        assert len(data) < 126
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + masked)

    def receive(self):
        """The next message, as JSON."""
        kind, size = self.file.read(2)
        assert kind == 0x81, f"a frame {kind:#x}"
        if size == 126:
            size = struct.unpack("!H", self.file.read(2))[0]
        return json.loads(self.file.read(size))

    def wait_for(self, **wanted):
        while True:
            message = self.receive()
            if all(message[key] == value for key, value in wanted.items()):
                return message


page = urllib.request.urlopen(os.environ["MOTE_URL"] + "/", timeout=30).read().decode()
assert "__NAME__" in page

ann, bob = Client(), Client()
ann.wait_for(kind="here", here=2)
bob.wait_for(kind="here", here=2)
ann.send("ann\nhello, \"bob\"")
for one in (ann, bob):
    said = one.wait_for(kind="said")
    assert (said["name"], said["text"]) == ("ann", 'hello, "bob"'), said
bob.socket.close()
bob.file.close()
ann.wait_for(kind="here", here=1)
