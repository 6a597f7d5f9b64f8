"""WebSockets over HTTP/2 (RFC 8441): the same process and the same frames, in one stream of a connection that has others."""

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Encoder
from hyperframe.frame import HeadersFrame, RstStreamFrame, SettingsFrame

import apps
import client
import frames
from frames import BINARY, CLOSE, TEXT, Socket, closing, frame
from waiting import wait_until


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("ws-h2", apps.app(
        {"WS /echo": "ws#echo", "WS /obey": "ws#obey", "WS /flood": "ws#flood", "GET /plain": "zoo#hello"},
        {"ws": workshop.c("ws"), "zoo": workshop.zoo()},
        serve={"max-message-bytes": 100000, "subprotocols": ["chat"], "disconnect-grace-ms": 200}))


class Session:
    """One HTTP/2 connection, with prior knowledge."""

    def __init__(self, node):
        self.sock = client.connect_socket(node.address)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.got = {}  # of each stream: the events that nobody has taken
        self.settings = None
        while self.settings is None:
            self.step()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def step(self):
        data = self.sock.recv(65536)
        assert data, "closed"
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RemoteSettingsChanged):
                self.settings = event.changed_settings
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if hasattr(event, "stream_id"):
                self.got.setdefault(event.stream_id, []).append(event)
        self.flush()

    def wait(self, stream, kind):
        """The next event of that kind in a stream; what comes before it is gone."""
        while True:
            events = self.got.get(stream, [])
            while events:
                event = events.pop(0)
                if isinstance(event, kind):
                    return event
            self.step()

    def ask(self, headers):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers)
        self.flush()
        return stream, dict(self.wait(stream, h2.events.ResponseReceived).headers)


class Tunnel(Socket):
    """A WebSocket in a stream."""

    def __init__(self, session, path, headers=()):
        self.session, self.buffer, self.ended = session, b"", False
        self.stream, self.answer = session.ask([
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path),
            (":authority", "test"), ("sec-websocket-version", "13"), *headers])

    def send(self, data):
        self.session.h2.send_data(self.stream, data)
        self.session.flush()

    def receive(self, size=65536):
        event = self.session.wait(self.stream, (h2.events.DataReceived, h2.events.StreamEnded,
                                                h2.events.StreamReset))
        return event.data if isinstance(event, h2.events.DataReceived) else b""

    def close(self):
        pass


def test_extended_connect_is_announced(node):
    with Session(node) as session:
        code = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        assert session.settings[code].new_value == 1


def test_messages_go_both_ways_beside_other_requests(node):
    with Session(node) as session:
        tunnel = Tunnel(session, "/echo", [("sec-websocket-protocol", "chat"),
                                           ("sec-websocket-extensions", "permessage-deflate")])
        assert tunnel.answer[":status"] == "200"
        assert tunnel.answer["sec-websocket-protocol"] == "chat"
        assert "permessage-deflate" in tunnel.answer["sec-websocket-extensions"]
        assert "sec-websocket-accept" not in tunnel.answer
        other = Tunnel(session, "/echo")
        for size in (0, 5, 1000, 9000):
            data = frames.random_text(size).encode()
            tunnel.send(frame(TEXT, frames.deflated(data), rsv=4))
            tunnel.expect(TEXT, data)
            other.send(frame(BINARY, data))
            other.expect(BINARY, data)
            _, answer = session.ask([(":method", "GET"), (":scheme", "http"), (":path", "/plain"),
                                     (":authority", "test")])
            assert answer[":status"] == "200"
        node.wait_processes(2)
        for one in (tunnel, other):
            one.send(closing(1000))
            one.expect(CLOSE, 1000, "")
            assert one.read_frame() is None
        node.wait_processes(0)


@pytest.mark.parametrize("path, headers, status", [
    ("/nowhere", [], "404"), ("/plain", [], "405"), ("/echo", [("origin", "http://evil")], "403"),
    ("/echo", [("sec-websocket-extensions", ";")], "400")])
def test_a_refusal_has_its_status(node, path, headers, status):
    before = node.stats()["processes"]["spawned"]
    with Session(node) as session:
        assert Tunnel(session, path, headers).answer[":status"] == status
    assert node.stats()["processes"]["spawned"] == before


def test_a_version_that_is_not_spoken_is_426_without_an_upgrade_header(node):
    with Session(node) as session:
        _, answer = session.ask([
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/echo"),
            (":authority", "test"), ("sec-websocket-version", "8")])
        assert answer[":status"] == "426"
        assert answer["sec-websocket-version"] == "13"
        assert "upgrade" not in answer


def test_a_violation_ends_its_stream_only(node):
    with Session(node) as session:
        bad, good = Tunnel(session, "/echo"), Tunnel(session, "/echo")
        bad.send(frame(TEXT, b"x", mask=b""))
        bad.expect_close(1002)
        good.send(frame(TEXT, b"still here"))
        good.expect(TEXT, b"still here")
        good.send(closing(1000))
        good.expect_close(1000)


def test_a_crash_is_1011(node):
    with Session(node) as session:
        tunnel = Tunnel(session, "/obey")
        tunnel.send(frame(TEXT, b"crash"))
        tunnel.expect(CLOSE, 1011, "")
        tunnel.send(closing(1011))
        assert tunnel.read_frame() is None


@pytest.mark.parametrize("path", ["/obey", "/flood"])
@pytest.mark.parametrize("how", ["reset", "end", "connection"])
def test_a_stream_that_goes_without_a_word_is_1006(node, path, how):
    lines = len(node.log.having("closed 1006"))
    with Session(node) as session:
        tunnel = Tunnel(session, path)
        assert tunnel.answer[":status"] == "200"
        if how == "reset":
            session.h2.reset_stream(tunnel.stream)
        elif how == "end":
            session.h2.end_stream(tunnel.stream)
        session.flush()
        if how != "connection":
            node.log.wait_for("closed 1006", count=lines + 1)
    node.log.wait_for("closed 1006", count=lines + 1)
    node.wait_processes(0)


def test_a_stream_that_is_reset_with_its_request_leaves_no_process(node):
    sock = client.connect_socket(node.address)
    pieces = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SettingsFrame(0).serialize()]
    block = Encoder().encode([(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/echo"),
                              (":scheme", "http"), (":authority", "t"), ("sec-websocket-version", "13")],
                             huffman=False)
    for stream in range(1, 101, 2):
        pieces += [HeadersFrame(stream, block, flags=["END_HEADERS"]).serialize(),
                   RstStreamFrame(stream, 8).serialize()]
    started = node.stats()["processes"]["spawned"]
    sock.sendall(b"".join(pieces))
    wait_until(lambda: node.stats()["processes"]["spawned"] > started)
    node.wait_processes(0)
    sock.close()
