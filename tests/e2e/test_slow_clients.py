"""Clients that send so slowly that they hold a connection for ever, in every phase of a conversation."""

import select
import time

import pytest

import apps
from client import request
from waiting import SLOW, wait_until


@pytest.fixture
def node(use_shared, workshop):
    routes = {"POST /swallow": "abi#swallow", "GET /": "abi#count"}
    return use_shared("slow-clients", apps.app(
        routes, {"abi": workshop.c("abi")},
        serve={"header-timeout-ms": 500, "idle-timeout-ms": 500, "body-bytes-per-second": 1000,
               "max-header-bytes": 1024}))


class Trickle:
    """Sends one byte after the other, for as long as the server takes them."""

    def __init__(self, connection, drops):
        self.connection, self.drops, self.ended, self.answer = connection, drops, False, None

    def step(self):
        if self.ended:
            return
        try:
            self.connection.send(self.drops)
        except OSError:
            self.ended = True  # a reset
            return
        ready, _, _ = select.select([self.connection.sock], [], [], 0)
        if ready and self.answer is None:
            self.answer = self.connection.read()
        elif ready:
            self.ended = self.connection.receive() == b""


def trickle(node, *phases):
    """For each (begin, drops): begin on a connection, and send drops until the server has ended it. Returns
    the answers."""
    clients = [Trickle(node.connect(), drops) for _, drops in phases]
    for client, (begin, _) in zip(clients, phases):
        client.connection.send(begin)
    end = time.monotonic() + 40 * SLOW
    while not all(client.ended for client in clients):
        assert time.monotonic() < end, "it holds the connection"
        for client in clients:
            client.step()
        select.select([], [], [], 0.02)  # how slowly they send
    # They have not closed, and yet nothing is held for them.
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
    for client in clients:
        client.connection.close()
    return [client.answer for client in clients]


HEAD = b"POST /swallow HTTP/1.1\r\nHost: x\r\n"

CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

HEADS = [
    (b"GET /", b"a"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX:", b"\r\nX:"),
]

BODIES = [
    (HEAD + b"Content-Length: 100000\r\n\r\n", b"b"),
    (CHUNKS + b"fffff\r\n", b"b"),
    (CHUNKS, b"1\r\nb\r\n"),
    (CHUNKS + b"1;", b"e"),
    (CHUNKS + b"0\r\nX-T: ", b"t"),
]


def test_a_trickling_head_is_refused_wherever_it_trickles(node):
    answers = trickle(node, *HEADS)
    assert [answer.status for answer in answers] == [408] * len(HEADS)


def test_a_trickling_body_is_given_up_wherever_it_trickles(node):
    for answer in trickle(node, *BODIES):
        # 408 by the platform, or what the guest says of a body that ended with an error.
        assert answer.status == 408 or (answer.status == 200 and not answer.text.endswith(" 0")), answer


def test_a_body_that_nobody_reads_may_not_trickle_for_ever(node):
    answers = trickle(node, (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"b"))
    assert [answer.status for answer in answers] == [404]


def test_who_goes_on_sending_after_a_refusal_is_cut(node):
    answers = trickle(node, (b"GET / HTTP/9.9\r\n\r\n", b"x"))
    assert answers[0].status in (400, 505)


def test_empty_lines_between_requests_do_not_hold_a_connection(node):
    answers = trickle(node, (request("GET", "/"), b"\r\n"))
    assert answers[0].status == 200


def test_a_thousand_slow_clients_leave_the_node_to_the_others(node):
    connections = [node.connect() for _ in range(1000)]
    for connection in connections:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    for _ in range(100):
        assert node.get("/").status == 200
    for connection in connections:
        assert connection.read().status == 408
        connection.close()
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
