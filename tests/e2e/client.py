"""A small HTTP/1.1 client on bare sockets: it sends any bytes and hides nothing of what comes back."""

import errno
import json
import socket
import struct

from waiting import SLOW

TIMEOUT_S = 20 * SLOW


class Closed(Exception):
    """The server closed the connection where a response should have begun."""


class Response:
    """One response as it came over the wire."""

    def __init__(self, version, status, reason, headers):
        self.version, self.status, self.reason, self.headers = version, status, reason, headers
        self.body = b""
        self.cut = False  # it ended before its framing said so
        self.trailers = []  # what came behind a chunked body
        self.interim = []  # the 1xx responses before it

    def header(self, name):
        """The value of a header, or None; several are joined."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}{' CUT' if self.cut else ''}>"


def request(method, target, headers=(), body=None, version="1.1", host="test"):
    """The bytes of one request. A body gets its Content-Length unless `headers` frame it."""
    lines = [f"{method} {target} HTTP/{version}"]
    names = {name.lower() for name, _ in headers}
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*pieces, trailers=""):
    """Pieces as a chunked body with its end."""
    parts = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join(parts) + b"0\r\n" + trailers.encode() + b"\r\n"


def connect_socket(address, receive_bytes=None):
    """A connected socket for `http://host:port`, `http://[v6]:port` or `unix:/path`."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        place = address[len("unix:"):]
    else:
        host, _, port = address[len("http://"):].rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        place = (host, int(port))
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(TIMEOUT_S)
    sock.connect(place)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Connection:
    """One connection. Every read has a deadline, so a server that says nothing is a failure."""

    def __init__(self, address, receive_bytes=None):
        self.sock = connect_socket(address, receive_bytes)
        self.buffer = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Close with a reset instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end_sending(self):
        """Send a FIN and go on reading."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # the server was faster
                raise

    def send(self, data):
        self.sock.sendall(data)

    def send_request(self, method, target, headers=(), body=None, **options):
        self.send(request(method, target, headers, body, **options))

    def receive(self, size=65536):
        """Some bytes, b"" at the end; a reset counts as an end."""
        if self.buffer:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return data
        if self.ended:
            return b""
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.ended = data == b""
        return data

    def receive_all(self):
        """Everything until the server closes."""
        parts = []
        while data := self.receive():
            parts.append(data)
        return b"".join(parts)

    def is_closed(self):
        """Wait until the server closes; False when it says something instead."""
        return self.receive() == b""

    def _fill(self):
        data = self.buffer
        self.buffer = b""
        more = self.receive()
        self.buffer = data + more
        return more != b""

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._fill():
                return None
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def _exactly(self, size):
        while len(self.buffer) < size and self._fill():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _head(self):
        line = self._line()
        if line is None:
            raise Closed(f"closed instead of a response; left over: {self.buffer!r}")
        version, _, rest = line.partition(" ")
        status, _, reason = rest.partition(" ")
        headers = []
        while line := self._line():
            name, colon, value = line.partition(":")
            assert colon == ":", f"a header without a colon: {line!r}"
            headers.append((name, value.strip(" ")))
        assert line is not None, "cut inside a head"
        return Response(version, int(status), reason, headers)

    def read_head(self):
        """The head of the next final response; `interim` has those before it."""
        interim = []
        while True:
            response = self._head()
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                return response
            interim.append(response)

    def read_chunk(self):
        """The next chunk of a chunked body, b"" for the last, None when it was cut."""
        line = self._line()
        if line is None:
            return None
        size = int(line, 16)
        if size == 0:
            self.trailers = []
            while (line := self._line()) not in ("", None):
                name, _, value = line.partition(":")
                self.trailers.append((name.lower(), value.strip()))
            return b"" if line == "" else None
        data = self._exactly(size + 2)
        if len(data) < size + 2:
            return None
        assert data.endswith(b"\r\n"), "a chunk without its end"
        return data[:-2]

    def _chunks(self, response):
        parts = []
        while chunk := self.read_chunk():
            parts.append(chunk)
        response.cut = chunk is None
        response.trailers = [] if response.cut else self.trailers
        return b"".join(parts)

    def read_body(self, response, to_head=False):
        """The body that belongs to a head read before."""
        length = response.header("content-length")
        if to_head or response.status in (204, 304):
            return response
        if response.header("transfer-encoding") == "chunked":
            assert length is None, "a length beside a transfer coding"
            response.body = self._chunks(response)
        elif length is not None:
            response.body = self._exactly(int(length))
            response.cut = len(response.body) < int(length)
        else:
            response.body = self.receive_all()
        return response

    def read(self, to_head=False):
        """The next whole response. `to_head`: the request was HEAD."""
        return self.read_body(self.read_head(), to_head)


def fetch(address, method, target, headers=(), body=None, **options):
    """One request on a connection of its own. `Connection: close` unless `headers` say otherwise."""
    if not any(name.lower() == "connection" for name, _ in headers):
        headers = [*headers, ("Connection", "close")]
    with Connection(address) as connection:
        try:
            connection.send_request(method, target, headers, body, **options)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before everything was sent
        return connection.read(to_head=method == "HEAD")
