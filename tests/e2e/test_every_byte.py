"""Clients that leave at every byte of a conversation: nothing of them is left. The hello of TLS, PROXY headers, streams of events
and WebSockets over HTTP/1 have theirs in test_tls.py, test_proxy.py, test_sse.py and test_websocket_events.py."""

import pytest
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame

import apps
import tls_client
from client import chunked, request
from frames import BINARY, PING, TEXT, closing, frame
from http2_client import PREFACE
from test_http2 import conversation
from waiting import SLOW

STEP = 1 if SLOW == 1 else 7
HOW = pytest.mark.parametrize("how", ["fin", "half", "reset"])


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("every-byte", manifest(workshop))


def manifest(workshop):
    return apps.app({"GET /fields": "abi#fields", "POST /swallow": "abi#swallow", "GET /script": "abi#script", "WS /echo": "ws#echo"},
                    {"abi": workshop.c("abi"), "ws": workshop.c("ws")},
                    serve={"disconnect-grace-ms": 100}, log={"access": False})


def leave(connection, how):
    if how == "reset":
        connection.reset()
        return
    if how == "half":
        connection.end_sending()
        while connection.receive():
            pass
    connection.close()


def leave_at_every_byte(node, data, how):
    for size in range(0, len(data) + 1, STEP):
        connection = node.connect()
        connection.send(data[:size])
        leave(connection, how)
    node.check_baseline()
    assert node.get("/fields").status == 200


HTTP1 = (request("GET", "/fields?a=b", [("Accept", "a, b")]) + request("POST", "/swallow", [("Expect", "100-continue")], b"body")
         + request("POST", "/swallow", [("Transfer-Encoding", "chunked")], chunked(b"one", b"two", trailers="A: b\r\n"))
         + request("GET", "/none"))


@HOW
def test_of_requests(node, how):
    leave_at_every_byte(node, HTTP1, how)


@HOW
@pytest.mark.parametrize("target", ["/fields", "/script?steps=r:200:300", "/script?steps=b:200,w:100,w:100"])
def test_of_an_answer(node, how, target):
    wanted = request("GET", target, [("Connection", "close")])
    with node.connect() as connection:
        connection.send(wanted)
        size = len(connection.receive_all()) - 10  # numbers in it may be shorter another time
    assert size > 200
    for cut in range(1, size, STEP):
        connection = node.connect()
        connection.send(wanted)
        left = cut
        while left > 0:
            left -= len(connection.receive(left))
        leave(connection, how)
    node.check_baseline()


@HOW
def test_of_http2(node, how):
    leave_at_every_byte(node, b"".join(conversation()), how)


def tunnel():
    """A WebSocket in a stream of HTTP/2."""
    block = Encoder().encode([(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/echo"), (":scheme", "http"),
                              (":authority", "t"), ("sec-websocket-version", "13")])
    said = frame(TEXT, b"hello") + frame(PING, b"p") + frame(BINARY, b"b" * 50, fin=False) + frame(0, b"c") + closing(1000)
    return b"".join([PREFACE, SettingsFrame(0).serialize(), SettingsFrame(0, flags=["ACK"]).serialize(),
                     HeadersFrame(1, block, flags=["END_HEADERS"]).serialize(), DataFrame(1, said[:20]).serialize(),
                     DataFrame(1, said[20:], flags=["END_STREAM"]).serialize()])


@HOW
def test_of_a_websocket_in_http2(node, how):
    leave_at_every_byte(node, tunnel(), how)


@pytest.fixture(scope="module")
def certificate(authority):
    return apps.keys(dict(zip(("certificate", "key"), authority.issue("localhost", "localhost"))))


@pytest.fixture
def secure(use_shared, workshop, certificate):
    return use_shared("every-byte-tls", manifest(workshop).replace(
        "[serve.routes]", "[serve.tls]\n" + certificate + "[serve.routes]"))


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_of_a_conversation_in_tls(secure, authority, protocol, how):
    """The bytes of the records, not those within them."""
    node = secure
    made = tls_client.context(authority.path, alpn=[protocol])
    said = HTTP1 if protocol == "http/1.1" else b"".join(conversation())
    size, most = 0, 1
    while size <= most:
        with tls_client.Carried(node.address, made) as carried:
            carried.shake()
            carried.tls.write(said)
            records = carried.to_send()
            most = len(records)
            carried.sock.sendall(records[:size])
            if how == "reset":
                tls_client.reset(carried.sock)
        size += 3 * STEP
    node.check_baseline()
