"""TLS clients: one on a socket, and one whose bytes a test carries itself."""

import socket
import ssl

import client
from waiting import SLOW


def context(authority, certificate=None, alpn=None, least=None, most=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(authority)
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which Python sets
    if certificate is not None:
        made.load_cert_chain(*certificate)
    if alpn is not None:
        made.set_alpn_protocols(alpn)
    if least is not None:
        made.minimum_version = least
    if most is not None:
        made.maximum_version = most
    return made


def bare(address, receive_bytes=None):
    """The socket below."""
    return client.connect_socket(address.replace("https://", "http://", 1), receive_bytes)


class Connection(client.Connection):
    """As client.Connection, by TLS. A connection that ends without TLS' goodbye is an ssl.SSLError."""

    def __init__(self, address, made, name="localhost", receive_bytes=None, session=None):
        self.buffer, self.ended = b"", False
        under = bare(address, receive_bytes)
        try:
            self.sock = made.wrap_socket(under, server_hostname=name, session=session,
                                         suppress_ragged_eofs=False)
        except BaseException:
            under.close()
            raise


class Carried:
    """TLS over a socket, where the test decides what is sent when."""

    def __init__(self, address, made, name="localhost"):
        self.sock = bare(address)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = made.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def to_send(self):
        """What TLS wants to be sent, which is then the test's to send."""
        return self.outgoing.read()

    def flush(self):
        data = self.to_send()
        if data:
            self.sock.sendall(data)

    def fetch(self):
        """Take what came from the socket; False at its end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return data != b""

    def _until_done(self, step):
        while True:
            try:
                result = step()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.fetch()

    def first_flight(self):
        """The ClientHello."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.to_send()

    def second_flight(self):
        """What ends the handshake, once the first was sent."""
        while True:
            try:
                self.tls.do_handshake()
                return self.to_send()
            except ssl.SSLWantReadError:
                data = self.to_send()
                if data:
                    return data  # of TLS 1.2
                assert self.fetch(), "the server has closed"

    def shake(self):
        self._until_done(self.tls.do_handshake)

    def send(self, data):
        self.tls.write(data)
        self.flush()

    def end_sending(self):
        """Say goodbye and go on reading."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def receive_all(self):
        """Everything up to the server's goodbye; its lack is an ssl.SSLError."""
        parts = []
        while True:
            try:
                data = self._until_done(lambda: self.tls.read(65536))
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                return b"".join(parts)
            parts.append(data)


def is_closed(sock):
    """Wait until the server closes; False when it says something."""
    sock.settimeout(20 * SLOW)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
