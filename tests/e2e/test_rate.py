"""What one client's address may take of a listener."""

import socket

import h2.events
import pytest

import apps
from client import Connection, request
from test_reload import H2
from waiting import wait_until


def start(serve, workshop, **limits):
    return serve(apps.app({"GET /": "zoo#hello", "POST /echo": "zoo#echo"},
                          {"zoo": workshop.zoo()}, serve=limits))


def connect_from(node, host):
    """A connection from another address of the loopback network."""
    address, _, port = node.address[len("http://"):].rpartition(":")
    connection = Connection.__new__(Connection)
    connection.sock = socket.create_connection((address, int(port)), 20, (host, 0))
    connection.buffer, connection.ended = b"", False
    return connection


def limited(node):
    stats = node.stats()
    return stats["connections"]["limited"], stats["requests"]["limited"]


def test_requests_above_the_burst_are_429_with_retry_after_and_spawn_nothing(serve, workshop):
    node = start(serve, workshop, **{"requests-per-second": 1, "requests-burst": 5})
    with node.connect() as connection:
        connection.send(request("GET", "/") * 40)
        answers = [connection.read() for _ in range(40)]
        # Each second that it takes lets one more through.
        assert [answer.status for answer in answers[:5]] == [200] * 5
        refused = [answer for answer in answers if answer.status == 429]
        assert {answer.header("retry-after") for answer in refused} == {"1"}
        assert "Too Many Requests" in refused[0].text
    assert node.spawned() == 40 - len(refused)
    assert limited(node) == (0, len(refused))


def test_the_connection_lives_on_after_a_429_and_the_rate_lets_requests_through_again(serve, workshop):
    node = start(serve, workshop, **{"requests-per-second": 1, "requests-burst": 1})
    with node.connect() as connection:
        connection.send(request("POST", "/echo", body=b"b" * 1000) * 20)
        statuses = [connection.read().status for _ in range(20)]
        assert statuses[0] == 200 and 429 in statuses

        def passes():
            connection.send_request("GET", "/")
            return connection.read().status == 200
        wait_until(passes)


def test_addresses_are_counted_apart_and_over_all_their_connections(serve, workshop):
    node = start(serve, workshop, **{"requests-per-second": 1, "requests-burst": 2})
    with connect_from(node, "127.0.0.2") as one, connect_from(node, "127.0.0.2") as two, \
            connect_from(node, "127.0.0.3") as other:
        statuses = []
        for connection in (one, two) * 10:
            connection.send_request("GET", "/")
            statuses.append(connection.read().status)
        assert statuses[:2] == [200, 200]
        assert 429 in statuses
        other.send(request("GET", "/") * 2)
        assert [other.read().status for _ in range(2)] == [200, 200]


def test_a_connection_too_many_is_503_and_closed_and_room_comes_back(serve, workshop):
    node = start(serve, workshop, **{"max-connections-per-address": 2})
    with node.connect() as one, node.connect() as two:
        for connection in (one, two):
            connection.send_request("GET", "/")
            assert connection.read().status == 200
        with node.connect() as third:
            answer = third.read()
            assert answer.status == 503
            assert answer.header("retry-after") == "1"
            assert third.is_closed()
        with connect_from(node, "127.0.0.2") as other:
            other.send_request("GET", "/")
            assert other.read().status == 200
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
    with node.connect() as again:
        again.send_request("GET", "/")
        assert again.read().status == 200
    assert limited(node) == (1, 0)


def test_many_connections_in_a_second_are_refused(serve, workshop):
    node = start(serve, workshop, **{"connections-per-second": 1})
    for _ in range(20):
        with node.connect() as connection:
            try:
                connection.send_request("GET", "/")
                assert connection.read().status in (200, 503)
            except OSError:
                pass  # refused before the request was sent
    refused, _ = limited(node)
    assert refused > 0
    with connect_from(node, "127.0.0.2") as other:
        other.send_request("GET", "/")
        assert other.read().status == 200


def test_a_unix_socket_is_exempt(serve, workshop, home):
    node = serve(apps.app({"GET /": "zoo#hello"}, {"zoo": workshop.zoo()},
                          serve={"listen": "unix:" + home.path("s"), "max-connections-per-address": 1,
                                 "connections-per-second": 1, "requests-per-second": 1}))
    with node.connect() as one, node.connect() as two:
        for connection in (one, two):
            connection.send(request("GET", "/") * 5)
            assert [connection.read().status for _ in range(5)] == [200] * 5
    assert limited(node) == (0, 0)


def test_streams_of_http2_count_as_requests(serve, workshop):
    node = start(serve, workshop, **{"requests-per-second": 1, "requests-burst": 2})
    client = H2(node.address)
    streams = [client.get("/") for _ in range(20)]
    heads = [dict(client.wait(h2.events.ResponseReceived, stream).headers) for stream in streams]
    assert [head[b":status"] for head in heads[:2]] == [b"200", b"200"]
    refused = [head for head in heads if head[b":status"] == b"429"]
    assert refused and refused[0][b"retry-after"] == b"1"
    client.sock.close()


@pytest.mark.parametrize("key", ["max-connections-per-address", "connections-per-second",
                                 "requests-per-second", "requests-burst"])
def test_check_tells_each_limit(home, workshop, key):
    home.write("mote.toml", apps.app({"GET /": "zoo#hello"}, {"zoo": workshop.zoo()}, serve={key: 7}))
    done = home.run("check")
    assert done.status == 0
    assert [line for line in done.out.splitlines() if key in line and " 7 " in line + " "], done
