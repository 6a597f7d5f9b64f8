"""Slow clients of HTTP/2, in every phase: the preface, a head, what continues it, a body, frames of a WebSocket, and reading."""

import select
import time

import h2.errors
import pytest
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, HeadersFrame, SettingsFrame

import apps
from frames import BINARY, frame
from http2_client import PREFACE, Connection, Raw
from waiting import SLOW, wait_until

CALM = int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
CANCEL = int(h2.errors.ErrorCodes.CANCEL)
SETTINGS = SettingsFrame(0).serialize()


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("slow-http2", apps.app(
        {"POST /swallow": "abi#swallow", "GET /flood": "abi#flood", "WS /echo": "ws#echo"},
        {"abi": workshop.c("abi"), "ws": workshop.c("ws")},
        serve={"header-timeout-ms": 300, "write-timeout-ms": 300, "body-bytes-per-second": 1000000, "ping-ms": 0}))


def head(path="/swallow", method="POST", extra=()):
    return Encoder().encode([(":method", method), *extra, (":path", path), (":scheme", "http"), (":authority", "t")])


def drip(node, begin, drops):
    """Begin, and send drop after drop until the server has ended the connection; what came."""
    with node.connect() as connection:
        connection.send(begin)
        came, end = b"", time.monotonic() + 40 * SLOW
        while True:
            assert time.monotonic() < end, "it holds the connection"
            try:
                connection.send(drops)
            except OSError:
                break
            # How slowly it sends.
            if select.select([connection.sock], [], [], 0.02)[0]:
                data = connection.receive()
                if data == b"":
                    break
                came += data
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
    return came


@pytest.mark.parametrize("size", [1, 10, 23])
def test_a_preface_that_does_not_end(node, size):
    with node.connect() as connection:
        connection.send(PREFACE[:size])
        came = connection.receive_all()
        assert came == b"" or came.startswith(b"HTTP/1.1 408"), came


@pytest.mark.parametrize("sent", [b"", SETTINGS[:5], SETTINGS + HeadersFrame(1, head(), flags=["END_HEADERS"]).serialize()[:12]])
def test_a_first_frame_that_does_not_end(node, sent):
    with node.connect() as connection:
        connection.send(PREFACE + sent)
        assert goaway_of(connection.receive_all()) == CALM


def goaway_of(data):
    """The code of the last GOAWAY; None without one."""
    code = None
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if data[3] == 7:
            code = int.from_bytes(data[13:17], "big")
        data = data[9 + size:]
    return code


def test_a_head_whose_rest_never_comes(node):
    with Raw(node) as raw:
        raw.send(HeadersFrame(1, head()).serialize())  # without END_HEADERS
        assert raw.end() == CALM


def test_a_head_that_trickles_by_continuations(node):
    block = head(extra=[("x-" + "n" * 20, "v" * 20)])
    begin = PREFACE + SETTINGS + HeadersFrame(1, block[:4]).serialize()
    came = drip(node, begin, ContinuationFrame(1, b"").serialize())
    assert came == b"" or goaway_of(came) == CALM


def test_a_body_that_trickles(node):
    with Connection(node.address) as connection:
        stream = connection.begin("POST", "/swallow", end=False)
        connection.body(stream, b"b", end=False)
        answer = connection.read(stream)
        # 408, unless the guest was faster to make an answer of what it was told.
        assert answer.status == 408 or (answer.status == 200 and not answer.text.endswith(" 0")), answer
    node.wait_processes(0)


def test_a_frame_of_a_websocket_that_trickles(node):
    with Connection(node.address) as connection:
        connection.ping()
        stream = connection.begin("CONNECT", "/echo", [(":protocol", "websocket"), ("sec-websocket-version", "13")], end=False)
        connection.until(lambda: connection.answers[stream].status is not None)
        connection.body(stream, frame(BINARY, b"x" * 1000)[:500], end=False)
        connection.until(lambda: len(connection.answers[stream].body) >= 4)
        assert connection.answers[stream].body[:4] == b"\x88" + connection.answers[stream].body[1:2] + b"\x03\xf0"  # 1008
    node.wait_processes(0)


@pytest.mark.parametrize("window", [0, 10])
def test_a_client_that_gives_no_credit(node, window):
    with Connection(node.address, window=window, gives_credit=False) as connection:
        stream = connection.begin("GET", "/flood")
        assert connection.read(stream).reset == CANCEL
        node.log.wait_for("flood: a write was refused")
    node.wait_processes(0)


def test_a_client_that_gives_credit_byte_by_byte(node):
    with Connection(node.address, window=1, gives_credit=False) as connection:
        stream = connection.begin("GET", "/flood")
        answer = connection.answers[stream]
        while answer.reset is None:
            seen = len(answer.body)
            connection.until(lambda was=seen: len(answer.body) > was or answer.reset is not None)
            if answer.reset is None:
                connection.h2.increment_flow_control_window(1, stream)
                connection.flush()
                select.select([], [], [], 0.02)  # how slowly it reads
        assert answer.reset == CANCEL
    node.wait_processes(0)


def test_a_client_that_reads_nothing_of_its_socket(node):
    with Connection(node.address, window=1 << 30, gives_credit=False, receive_bytes=4096) as connection:
        connection.h2.increment_flow_control_window(1 << 30)
        connection.begin("GET", "/flood")
        wait_until(lambda: node.stats()["connections"]["now"] == 0)
    node.wait_processes(0)


def test_others_are_served_meanwhile(node):
    slow = [node.connect() for _ in range(200)]
    for i, connection in enumerate(slow):
        connection.send((PREFACE + SETTINGS + HeadersFrame(1, head()).serialize())[:24 + i % 9])
    with Connection(node.address) as connection:
        for _ in range(20):
            assert connection.fetch("POST", "/swallow", body=b"x").text == "1 0"
    for connection in slow:
        connection.receive_all()
        connection.close()
