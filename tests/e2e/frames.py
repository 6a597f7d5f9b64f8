"""A WebSocket client on bare sockets (RFC 6455): it can send what no library would, and hides nothing."""

import base64
import hashlib
import os
import struct
import zlib

import client

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(bytes(range(16))).decode()
HANDSHAKE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", KEY)]
DEFLATE = ("Sec-WebSocket-Extensions", "permessage-deflate")


def changed(*changes, drop=()):
    """The headers of a handshake with some replaced, added or left out."""
    names = {name.lower() for name, _ in changes} | {name.lower() for name in drop}
    return [one for one in HANDSHAKE if one[0].lower() not in names] + list(changes)


def accept_of(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x11\x22\x33\x44", length=None, form=None):
    """The bytes of one frame. `length`: what it says to have; `form`: 0, 2 or 8 bytes to say it in."""
    length = len(payload) if length is None else length
    form = form if form is not None else 0 if length < 126 else 2 if length < 65536 else 8
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    head += {0: lambda: bytes([bit | length]), 2: lambda: struct.pack("!BH", bit | 126, length),
             8: lambda: struct.pack("!BQ", bit | 127, length)}[form]()
    if mask:
        payload = bytes(a ^ b for a, b in zip(payload, mask * (len(payload) // 4 + 1)))
    return head + mask + payload


def closing(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def deflated(data, bits=15, final=False):
    """A message's payload by RFC 7692, 7.2.1."""
    packer = zlib.compressobj(wbits=-bits)
    if final:
        return packer.compress(data) + packer.flush(zlib.Z_FINISH) + b"\0"
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(payload):
    return zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff")


class Socket(client.Connection):
    """A connection that has shaken hands, unless told not to."""

    def __init__(self, address, target="/", headers=(), shake=True, drop=(), **options):
        super().__init__(address, **options)
        self.head = None
        if shake:
            self.send_request("GET", target, changed(*headers, drop=drop))
            self.head = self.read_head()
            assert self.head.status == 101, self.head

    def read_frame(self):
        """(opcode, payload, fin, rsv), or None at the end."""
        head = self._exactly(2)
        if len(head) < 2:
            assert head == b"", "cut within a frame"
            return None
        assert head[1] & 0x80 == 0, "a server masks nothing"
        size = head[1] & 0x7f
        if size == 126:
            size = struct.unpack("!H", self._exactly(2))[0]
            assert size > 125, "a length longer than need be"
        elif size == 127:
            size = struct.unpack("!Q", self._exactly(8))[0]
            assert size > 65535, "a length longer than need be"
        payload = self._exactly(size)
        assert len(payload) == size, "cut within a frame"
        return head[0] & 0x0f, payload, head[0] >= 0x80, head[0] >> 4 & 7

    def read_message(self):
        """(opcode, bytes), joined and inflated; pings and pongs are passed over. Of a close (CLOSE, code, reason)."""
        kind, parts, packed = None, [], False
        while True:
            opcode, payload, fin, rsv = self.read_frame() or (None, None, None, None)
            if opcode is None:
                return None
            if opcode in (PING, PONG):
                continue
            if opcode == CLOSE:
                assert fin and rsv == 0
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                return CLOSE, code, payload[2:].decode()
            assert (opcode == CONTINUE) == (kind is not None)
            if kind is None:
                kind, packed = opcode, rsv == 4
                assert rsv in (0, 4)
            else:
                assert rsv == 0
            parts.append(payload)
            if fin:
                data = b"".join(parts)
                return kind, inflated(data) if packed else data

    def send_text(self, text, **how):
        self.send(frame(TEXT, text.encode(), **how))

    def expect(self, *message):
        got = self.read_message()
        assert got == message, f"{got} instead of {message}"

    def expect_close(self, code, reason=None):
        """The server says close, and then closes."""
        got = self.read_message()
        assert got is not None and got[0] == CLOSE and got[1] == code, got
        if reason is not None:
            assert got[2] == reason
        assert self.read_frame() is None

    def finish(self):
        """A good end, begun by the client."""
        self.send(closing(1000))
        self.expect(CLOSE, 1000, "")
        assert self.read_frame() is None
        self.close()


def random_text(size):
    return base64.b64encode(os.urandom(size))[:size].decode()
