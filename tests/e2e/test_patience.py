"""Guests that wait for a body, or for room for an answer, beside other things: the kinds `body` and `answer` of wait()."""

import pytest

import apps

ROUTES = {"POST /reads": "guest#reads", "GET /reads": "guest#reads", "GET /writes": "guest#writes", "POST /several": "guest#several"}


@pytest.fixture
def node(serve, workshop):
    source = workshop.c("patience")
    return serve(apps.app(ROUTES, {"guest": source, "idle": {"source": source, "entry": "nobody"}})
                 + '[[schedule]]\nevery = "50ms"\ncomponent = "idle"\n')


def test_a_body_that_comes_slowly_is_waited_for_with_a_time(node):
    with node.connect() as connection:
        connection.send(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        node.log.wait_for("nothing to read", count=3)
        connection.send(b"67890")
        assert connection.read().text == "10\n"


def test_a_client_that_expects_to_be_told_to_go_on_is(node):
    with node.connect() as connection:
        connection.send(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        node.log.wait_for("nothing to read")
        connection.send(b"12345")
        answer = connection.read()
        assert answer.text == "5\n" and [one.status for one in answer.interim] == [100]


def test_a_request_without_a_body_is_ready(node):
    assert node.get("/reads").text == "0\n"


def test_a_client_that_does_not_read_is_waited_for_with_a_time(node):
    with node.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/writes")
        node.log.wait_for("no room", count=3)
        answer = connection.read()
        assert (answer.status, len(answer.body), answer.cut) == (200, 128 << 16, False)


def test_one_wait_is_for_several_things(node):
    with node.connect() as connection:
        connection.send(b"POST /several HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        connection.send(b"12345")
        assert connection.read().text == "101\n"


def test_a_body_that_breaks_off_is_no_reason_to_wait(node):
    with node.connect() as connection:
        connection.send(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        node.log.wait_for("nothing to read")
        connection.reset()
    node.wait_processes(0)


def test_who_has_no_request_has_neither(node):
    node.log.wait_for("as it shall be")
    assert not node.log.having("a worker has a request")
