"""A slow side makes the other side wait; nothing is buffered without bound."""

import pytest

import apps
from client import request
from waiting import wait_until

MIB = 1 << 20


def count_buffered(node):
    return node.stats()["connections"]["buffered_bytes"]


def has_settled(node, read):
    """Wait until a number stands still over some readings; returns it."""
    last = []

    def still():
        last.append(read(node))
        return len(last) >= 8 and len(set(last[-8:])) == 1
    wait_until(still, 30, lambda: f"{read.__name__} that stands still: {last[-20:]}")
    return last[-1]


def test_a_slow_reader_parks_the_writer(zoo):
    with zoo.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/stream?n=100000&size=16384")
        zoo.wait_processes(1)
        buffered = has_settled(zoo, count_buffered)
        assert buffered <= 2 * 262144 + 65536, "more than a stream's buffer is held"
        wait_until(lambda: zoo.processes()[0]["state"] == "parked")
        connection.reset()


def test_a_slow_reader_gets_everything_in_the_end(zoo):
    with zoo.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/stream?n=200&size=16384")
        has_settled(zoo, count_buffered)
        response = connection.read()
        assert len(response.body) == 200 * 16384
        assert not response.cut


def test_a_slow_guest_makes_the_sender_wait(serve, workshop):
    node = serve(apps.app({"POST /": "abi#swallow"}, {"abi": workshop.c("abi")},
                          serve={"max-body-bytes": 1 << 40, "body-bytes-per-second": 0,
                                 "stream-buffer-bytes": 65536}))
    with node.connect() as connection:
        connection.send(request("POST", "/?pause=86400000", [("Content-Length", str(1 << 30))]))
        connection.sock.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 * MIB:
                sent += connection.sock.send(b"b" * 65536)
        assert count_buffered(node) <= 4 * 65536 + 65536
        connection.reset()
        # It sleeps, bounded by its deadline only; the end of the node must not wait for that.
    node.terminate()
    node.terminate()
    node.process.wait(30)


def test_a_slow_sender_parks_the_guest_that_reads(serve, workshop):
    node = serve(apps.app({"POST /": "abi#swallow"}, {"abi": workshop.c("abi")},
                          serve={"body-bytes-per-second": 0}))
    with node.connect() as connection:
        connection.send(request("POST", "/", [("Content-Length", "50")]))
        for _ in range(10):
            node.wait_processes(1)
            wait_until(lambda: node.processes()[0]["state"] == "parked")
            connection.send(b"bytes")
        assert connection.read().text == "50 0"


@pytest.mark.unsanitized
def test_a_hundred_slow_readers_cost_bounded_memory(serve, workshop):
    node = serve(apps.zoo(workshop, serve={"stream-buffer-bytes": 65536, "cancel-on-disconnect": True}))
    before = node.resident_bytes()
    connections = [node.connect(receive_bytes=4096) for _ in range(100)]
    for connection in connections:
        connection.send_request("GET", "/stream?n=10000000&size=16384")
    node.wait_processes(100)
    has_settled(node, count_buffered)
    grown = node.resident_bytes() - before
    assert grown < 100 * 400 * 1024 + 16 * MIB, f"{grown} bytes for 100 readers that read nothing"
    for connection in connections:
        connection.reset()
    node.wait_processes(0)


@pytest.mark.unsanitized
def test_a_long_stream_does_not_grow_the_server(zoo):
    assert len(zoo.get("/stream?n=1000&size=16384").body) == 1000 * 16384
    before = zoo.resident_bytes()
    for _ in range(3):
        assert len(zoo.get("/stream?n=4000&size=16384").body) == 4000 * 16384
    assert zoo.resident_bytes() - before < 8 * MIB


def test_an_echo_larger_than_every_buffer_waits_for_its_reader(zoo):
    # The client sends without reading: the guest parks in its write, then the client's sends stop.
    with zoo.connect(receive_bytes=4096) as connection:
        size = 9 * MIB
        connection.send(request("POST", "/echo", [("Content-Length", str(size))]))
        connection.sock.settimeout(0.3)
        sent = 0
        try:
            while sent < size:
                sent += connection.sock.send(b"e" * min(65536, size - sent))
        except TimeoutError:
            pass
        assert count_buffered(zoo) <= 4 * 262144 + 131072
        connection.sock.settimeout(20)
        if sent == size:
            assert len(connection.read().body) == size
        else:
            connection.reset()


def test_requests_that_are_pipelined_without_reading_are_not_all_started(zoo):
    with zoo.connect(receive_bytes=4096) as connection:
        connection.sock.settimeout(0.3)
        one = request("GET", "/stream?n=64&size=16384")
        sent = 0
        try:
            while sent < 20000:
                connection.sock.sendall(one * 10)
                sent += 10
        except TimeoutError:
            pass
        has_settled(zoo, count_buffered)
        assert zoo.stats()["processes"]["now"] <= 64
        assert count_buffered(zoo) <= 16 * MIB
        connection.sock.settimeout(20)
        connection.reset()
