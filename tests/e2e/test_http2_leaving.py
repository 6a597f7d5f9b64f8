"""HTTP/2 clients that shut their sending side: they can never give credit again, and what waits for it ends at once."""

import socket

import h2.settings
import pytest

import apps
import frames
from http2_client import Connection
from waiting import wait_until

HOUR_MS = 3600000


@pytest.fixture
def node(use_shared, workshop):
    """Where nothing but the client's end could end a stream."""
    return use_shared("http2-half-closed", apps.app(
        {"GET /late": "abi#late", "GET /flood": "abi#flood", "GET /script": "abi#script",
         "WS /echo": "ws#echo", "WS /flood": "ws#flood"},
        {"abi": workshop.c("abi"), "ws": workshop.c("ws")},
        serve={"write-timeout-ms": HOUR_MS, "idle-timeout-ms": HOUR_MS, "ping-ms": HOUR_MS,
               "deadline-ms": HOUR_MS, "disconnect-grace-ms": 100}))


def shut(connection):
    connection.ping()
    connection.sock.shutdown(socket.SHUT_WR)
    connection.send = lambda _: None  # acknowledgements and the like


def ends(connection, node):
    """The server closes, though nothing more was sent."""
    while connection.turn():
        pass
    connection.close()
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
    node.wait_processes(0)


def upgraded(connection, path):
    connection.ping()  # now it is known that it may
    stream = connection.begin("CONNECT", path, [(":protocol", "websocket"), ("sec-websocket-version", "13")], end=False)
    connection.until(lambda: connection.answers[stream].status is not None)
    return stream


@pytest.mark.parametrize("window", [0, 1000])
def test_a_whole_answer_without_credit_ends_with_the_client(node, window):
    connection = Connection(node.address, window=window, gives_credit=False)
    stream = connection.begin("GET", "/script?steps=r:200:20000")
    connection.until(lambda: connection.answers[stream].status is not None)
    connection.until(lambda: len(connection.answers[stream].body) == window)
    shut(connection)
    ends(connection, node)
    assert not connection.answers[stream].ended


def test_an_answer_that_comes_later_finds_no_credit_and_ends(node):
    connection = Connection(node.address, window=0)
    connection.begin("GET", "/late?ms=500")
    shut(connection)
    ends(connection, node)


def test_an_answer_with_credit_reaches_a_client_that_sends_no_more(node):
    with Connection(node.address) as connection:
        stream = connection.begin("GET", "/late?ms=500")
        shut(connection)
        assert connection.read(stream).body == b"late\n"


def test_credit_of_the_connection_that_is_used_up_ends_every_stream(node):
    connection = Connection(node.address, window=1 << 20, gives_credit=False)
    first = connection.begin("GET", "/flood")
    connection.until(lambda: len(connection.answers[first].body) == 65535)
    second = connection.begin("GET", "/script?steps=r:200:100")
    connection.until(lambda: connection.answers[second].status is not None)
    shut(connection)
    ends(connection, node)
    assert connection.answers[second].body == b""


def test_a_stream_that_begins_when_the_client_has_shut_its_side_is_for_nobody(node):
    connection = Connection(node.address)
    connection.begin("GET", "/script?steps=s:500,b:200,w:5,s:3600000")
    shut(connection)
    ends(connection, node)


@pytest.mark.parametrize("path", ["/echo", "/flood"])
@pytest.mark.parametrize("window", [0, 1000])
def test_a_websocket_without_credit_ends_with_the_client(node, path, window):
    connection = Connection(node.address, window=window, gives_credit=False)
    stream = upgraded(connection, path)
    if path == "/echo":
        connection.body(stream, frames.frame(frames.BINARY, b"e" * 2000), end=False)
    connection.until(lambda: len(connection.answers[stream].body) == window)
    shut(connection)
    ends(connection, node)


@pytest.mark.parametrize("path", ["/echo", "/flood"])
def test_a_websocket_whose_client_shuts_its_side_without_ending_the_stream_ends(node, path):
    """Its connection has no other deadline than the client's patience."""
    connection = Connection(node.address, window=1 << 20)
    upgraded(connection, path)
    shut(connection)
    ends(connection, node)


def test_a_process_that_goes_on_behind_its_answer_keeps_no_connection(node):
    connection = Connection(node.address)
    stream = connection.begin("GET", f"/script?steps=r:200:100,s:{HOUR_MS}")
    assert len(connection.read(stream).body) == 100
    shut(connection)
    ends(connection, node)


def test_credit_that_came_before_the_end_is_used(node):
    """The end follows the credit in the same segment."""
    with Connection(node.address, window=1000, gives_credit=False) as connection:
        stream = connection.begin("GET", "/script?steps=r:200:20000")
        connection.until(lambda: len(connection.answers[stream].body) == 1000)
        connection.h2.increment_flow_control_window(19000, stream)
        connection.flush()
        connection.sock.shutdown(socket.SHUT_WR)
        answer = connection.read(stream)
        assert (len(answer.body), answer.ended) == (20000, True)


def test_the_window_may_shrink_below_nothing(node):
    """RFC 9113, 6.9.2."""
    connection = Connection(node.address, window=1000, gives_credit=False)
    stream = connection.begin("GET", "/script?steps=r:200:20000")
    connection.until(lambda: len(connection.answers[stream].body) == 1000)
    connection.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    connection.flush()
    shut(connection)
    ends(connection, node)
