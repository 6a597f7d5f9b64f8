"""The end of a node for streams of events: they have no end of their own, so they get one, and their clients come back."""

import gzip
import re

import pytest

import apps
from client import request
from event_stream import Listener, parse
from http2_client import Connection
from test_reload import children_of_children_are_ours, line  # noqa: F401: fixtures
from test_sse import manifest

DRAIN_MS = 6000  # half of it, or 2 s, are for what is asked to end


def ended_well(node):
    assert node.wait() == 0
    assert not node.log.having("was cut"), node.log_text()


@pytest.mark.parametrize("way, said", [("receive", "receive -5"), ("sleep", "sleep -5"), ("wait", "wait -5"),
                                       ("gone", "gone 1"), ("pipe", "pipe -5")])
def test_a_stream_ends_whole_and_its_handler_hears_that_nobody_listens(serve, workshop, way, said):
    """Its next sleep is interrupted too, so it is out at once."""
    node = serve(manifest(workshop, node={"drain-ms": DRAIN_MS}))
    with node.connect() as connection:
        client = Listener(connection, "/wait?how=" + way)
        assert client.next().data == "waiting"
        node.terminate()
        found, _, _, rest = client.rest()
        assert not client.cut and rest == b""
    ended_well(node)
    for words in (said, "then -5", "left 1"):
        assert node.log.having(words)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_it_ends_for_either_version(serve, workshop, version):
    node = serve(manifest(workshop, node={"drain-ms": DRAIN_MS}))
    with node.connect() as connection:
        connection.send_request("GET", "/listen", version=version)
        head = connection.read_head()
        while b"joined\n\n" not in connection.buffer:
            assert connection._fill()
        node.terminate()
        answer = connection.read_body(head)
        assert not answer.cut and parse(answer.body)[0][0].data == "joined"
        assert connection.is_closed()
    ended_well(node)


def test_a_compressed_stream_is_a_whole_file(serve, workshop):
    node = serve(manifest(workshop, {"compression": True, "compression-types": ["text/event-stream"]},
                          node={"drain-ms": DRAIN_MS}))
    with node.connect() as connection:
        connection.send_request("GET", "/listen", [("Accept-Encoding", "gzip")])
        head = connection.read_head()
        assert head.header("content-encoding") == "gzip"
        node.terminate()
        answer = connection.read_body(head)
        assert not answer.cut
        assert gzip.decompress(answer.body).startswith(b"data: joined\n\n")
    ended_well(node)


def test_a_stream_of_http2_ends_and_is_not_reset(serve, workshop):
    node = serve(manifest(workshop, node={"drain-ms": DRAIN_MS}))
    with Connection(node.address) as connection:
        stream = connection.begin("GET", "/listen")
        connection.until(lambda: b"joined" in connection.answers[stream].body)
        node.terminate()
        data = b""
        while piece := connection.sock.recv(65536):
            data += piece
        # Not read by that client, to which a connection is over with GOAWAY.
        assert re.search(rb"\0\0\0\0\x01" + stream.to_bytes(4, "big"), data), "no END_STREAM"
        assert b"\0\0\x04\x03" not in data, "a RST_STREAM"
    ended_well(node)


def test_a_handler_that_is_killed_when_its_client_leaves_ends_whole_too(serve, workshop):
    node = serve(manifest(workshop, {"cancel-on-disconnect": True}, node={"drain-ms": DRAIN_MS}))
    with node.connect() as connection:
        client = Listener(connection, "/listen")
        assert client.next().data == "joined"
        node.terminate()
        client.rest()
        assert not client.cut
    ended_well(node)


def test_who_does_not_listen_is_cut(serve, workshop):
    node = serve(manifest(workshop, node={"drain-ms": 300}).replace("max-cpu-ms = 300", ""))
    with node.connect() as connection:
        client = Listener(connection, "/deaf")
        assert client.next().data == "deaf"
        node.terminate()
        client.rest()
        assert client.cut
    assert node.wait() == 0
    assert node.log.having("was cut")


def test_no_other_stream_is_ended_for_a_whole_one(serve, workshop):
    node = serve(apps.app({"GET /drip": "abi#drip"}, {"abi": workshop.c("abi")}, node={"drain-ms": 300}))
    with node.connect() as connection:
        connection.send(request("GET", "/drip"))
        head = connection.read_head()
        node.terminate()
        assert connection.read_body(head).cut
    assert node.wait() == 0


def test_a_client_of_the_old_node_goes_on_at_the_new_one(line, workshop):  # noqa: F811
    one = line(manifest(workshop, node={"drain-ms": DRAIN_MS}))
    with one.node.connect() as connection:
        client = Listener(connection, "/listen")
        client.next()
        one.reload_well()
        client.rest()
        assert not client.cut and connection.is_closed()
    one.wait_replaced()
    with one.node.connect() as connection:
        assert Listener(connection, "/count?n=1", [("Last-Event-ID", "7")]).next().id == "8"
