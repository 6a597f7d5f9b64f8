"""An HTTP/2 client on bare sockets: python3-h2 for what it should be, hyperframe for what it should not."""

import socket
import struct

import client
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from hyperframe.frame import PingFrame, SettingsFrame
from waiting import SLOW

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 20 * SLOW


class Answer:
    """What came of one stream."""

    def __init__(self):
        self.status, self.headers, self.body = None, [], b""
        self.interim = []
        self.trailers = []
        self.ended = False
        self.reset = None  # its code

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:100]!r} ended {self.ended} reset {self.reset}>"


class Connection:
    """One connection. Every read has a deadline."""

    def __init__(self, address, window=None, gives_credit=True, receive_bytes=None):
        self.sock = client.connect_socket(address, receive_bytes)
        self.sock.settimeout(TIMEOUT_S)
        self.h2 = h2.connection.H2Connection(config=h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        if window is not None:
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.gives_credit = gives_credit
        self.answers = {}
        self.goaway = None  # code
        self.closed = False
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset_socket(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def flush(self):
        self.send(self.h2.data_to_send())

    def send(self, data):
        """Any bytes; a server that has closed already is no error here."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def headers(self, method, path, extra=(), authority="test"):
        lines = [(":method", method), (":path", path), (":scheme", "http"), (":authority", authority)]
        return [line for line in lines if line[1] is not None] + list(extra)

    def begin(self, method, path, extra=(), end=True, authority="test"):
        """Send a request's head; returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, self.headers(method, path, extra, authority), end_stream=end)
        self.flush()
        return stream

    def body(self, stream, data, end=True):
        """Send a body as the credit allows."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room > 0:
                self.h2.send_data(stream, data[:room])
                data = data[room:]
                self.flush()
            elif not self.turn() or self.answers[stream].reset is not None:
                return
        if end:
            self.h2.end_stream(stream)
        self.flush()

    def turn(self):
        """Take what comes. False: the server has closed."""
        if self.closed:
            return False
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            self.take(event)
        self.flush()
        return True

    def take(self, event):
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)
            return
        answer = self.answers.get(getattr(event, "stream_id", None))
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.headers = list(event.headers)
            answer.status = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = list(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.gives_credit and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            # A whole answer may be followed by a reset that says: no more of your body.
            answer.reset = int(event.error_code)

    def until(self, condition):
        while not condition():
            assert self.turn(), f"the server closed; GOAWAY {self.goaway}, {self.answers}"

    def read(self, stream):
        answer = self.answers[stream]
        self.until(lambda: answer.ended or answer.reset is not None)
        return answer

    def fetch(self, method, path, extra=(), body=None, authority="test"):
        stream = self.begin(method, path, extra, body is None, authority)
        if body is not None:
            self.body(stream, body)
        return self.read(stream)

    def ping(self):
        """Wait until the server has seen everything that was sent."""
        seen = []
        take = self.take
        self.take = lambda event: seen.append(event) if isinstance(event, h2.events.PingAckReceived) else take(event)
        self.h2.ping(b"look now")
        self.flush()
        self.until(lambda: seen)
        self.take = take

    def ended_by(self):
        """Wait until the server has ended the connection; returns the code of its GOAWAY."""
        while self.turn():
            pass
        return self.goaway


class Raw:
    """A connection of frames: nothing is checked, nothing answered."""

    def __init__(self, node):
        self.connection = node.connect()
        self.goaways = []  # their codes
        self.ended_streams = set()
        self.send(PREFACE + SettingsFrame(0).serialize() + SettingsFrame(0, flags=["ACK"]).serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, data):
        """False: the server has closed."""
        try:
            self.connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def frame(self):
        """The next frame: type, flags, stream, payload; None: the server has closed."""
        head = self.connection._exactly(9)
        if len(head) < 9:
            return None
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self.connection._exactly(size)
        if kind == 7:
            self.goaways.append(int.from_bytes(payload[4:8], "big"))
        if kind in (0, 1) and flags & 1:
            self.ended_streams.add(stream)
        return kind, flags, stream, payload

    def sync(self):
        """Wait until the server has seen everything. False: it has closed."""
        if not self.send(PingFrame(0, b"look now").serialize()):
            return False
        while (frame := self.frame()) is not None:
            if frame[0] == 6 and frame[1] & 1 and frame[3] == b"look now":
                return True
        return False

    def end(self):
        """Wait until the server has closed; returns the code of its last GOAWAY, None without one."""
        while self.frame() is not None:
            pass
        return self.goaways[-1] if self.goaways else None
