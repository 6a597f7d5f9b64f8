"""A server that tests write themselves: whom guests ask."""

import socket
import ssl
import struct
import threading

from waiting import SLOW, wait_until

TIMEOUT_S = 20 * SLOW


class Peer:
    """One connection that a guest has made."""

    def __init__(self, sock):
        self.socket = sock
        self.socket.settimeout(TIMEOUT_S)
        self.unread = b""
        self.head = b""

    def _more(self):
        data = self.socket.recv(65536)
        self.unread += data
        return bool(data)

    def read_head(self):
        """The request line as words, or None at the end."""
        while b"\r\n\r\n" not in self.unread:
            if not self._more():
                return None
        self.head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return self.head.decode("latin-1").split("\r\n")[0].split(" ")

    def header(self, name):
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def read(self, size):
        """Exactly `size` bytes, or what there was before the end."""
        while len(self.unread) < size and self._more():
            pass
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    def read_chunk(self):
        """One chunk of a chunked body; b"" is the last one."""
        while b"\r\n" not in self.unread:
            if not self._more():
                raise EOFError
        line, _, self.unread = self.unread.partition(b"\r\n")
        data = self.read(int(line, 16) + 2)
        return data[:-2]

    def read_body(self):
        if self.header("Transfer-Encoding") == "chunked":
            return b"".join(iter(self.read_chunk, b""))
        return self.read(int(self.header("Content-Length") or 0))

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, body=b"", status="200 OK", headers=()):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def wait_end(self):
        """Until the other side has gone."""
        try:
            while self.socket.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass

    def reset(self):
        """Close with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Origin:
    """Serves every connection with `behave(peer)` in a thread of its own, then closes it."""

    def __init__(self, behave, tls=None, receive_bytes=None):
        self.behave, self.tls = behave, tls
        self.listener = self._listen(receive_bytes)
        self.port = self.listener.getsockname()[1]
        self.made = self.ended = 0
        self.failures = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _listen(self, receive_bytes):
        listener = socket.socket()
        if receive_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        return listener

    def url(self, path="/", host="127.0.0.1", scheme=None):
        return f"{scheme or ('https' if self.tls else 'http')}://{host}:{self.port}{path}"

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.made += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock.settimeout(TIMEOUT_S)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            self.behave(Peer(sock))
        except (OSError, EOFError):
            pass  # the guest has gone
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(repr(failure))
        finally:
            sock.close()
            with self.lock:
                self.ended += 1

    def wait_ended(self, count):
        wait_until(lambda: self.ended >= count, what=lambda: f"{count} connections ended, not {self.ended}")

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(10)
        assert not self.failures, self.failures


def each(behave):
    """behave(peer, method, target) for every request of a connection."""
    def serve(peer):
        while True:
            line = peer.read_head()
            if line is None:
                return
            behave(peer, line[0], line[1])
    return serve


def server_context(certificate, key, http2=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if http2:
        context.set_alpn_protocols(["h2", "http/1.1"])
    return context
