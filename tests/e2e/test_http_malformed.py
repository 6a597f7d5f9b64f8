"""Bytes that are no HTTP, and HTTP that two readers could understand in two ways: http_corpus.py."""

import pytest

import apps
from client import Closed
from http_corpus import CASES

NAMES = [case.name for case in CASES]


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("malformed", apps.app(
        {"GET /": "abi#fine", "GET /users/:id": "abi#fine", "POST /echo": "abi#gather"},
        {"abi": workshop.c("abi")}))


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len(CASES) >= 60
    assert len(set(NAMES)) == len(NAMES)


def read_all(connection, case):
    """The statuses of as many responses as are expected."""
    statuses = []
    for _ in case.expect:
        try:
            statuses.append(connection.read(to_head=not statuses and case.send.startswith(b"HEAD")).status)
        except Closed:
            break
    return tuple(statuses)


def check(node, case, connection):
    if case.finish:
        connection.end_sending()
    assert read_all(connection, case) == case.expect
    if case.closes:
        assert connection.receive_all() == b"", "something follows what should be the last answer"
    else:
        connection.send_request("GET", "/")
        assert connection.read().status == 200, "the connection does not go on"
    assert node.get("/").status == 200


def send_as_far_as_it_is_taken(connection, data):
    try:
        connection.send(data)
    except OSError:
        return False  # answered and closed already
    return True


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_in_one_piece(node, case):
    with node.connect() as connection:
        send_as_far_as_it_is_taken(connection, case.send)
        check(node, case, connection)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.send) < 1000],
                         ids=[case.name for case in CASES if len(case.send) < 1000])
def test_byte_by_byte(node, case):
    with node.connect() as connection:
        for i in range(len(case.send)):
            if not send_as_far_as_it_is_taken(connection, case.send[i:i + 1]):
                break
        check(node, case, connection)


def test_all_of_them_at_once_leave_nothing_behind(node):
    connections = []
    for case in CASES:
        connection = node.connect()
        connections.append(connection)
        send_as_far_as_it_is_taken(connection, case.send)
    for connection in connections:
        connection.reset()
    assert node.get("/").status == 200
