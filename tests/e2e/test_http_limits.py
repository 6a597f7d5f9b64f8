"""Limits of a listener: sizes, counts, times. Each has its own answer."""

import select

import pytest

import apps
from client import chunked, request
from waiting import wait_until


@pytest.fixture
def small(use_shared, workshop):
    """A node whose limits are small."""
    routes = {"POST /swallow": "abi#swallow", "GET /fields": "abi#fields", "POST /script": "abi#script",
              "GET /": "abi#count"}
    return use_shared("limits", apps.app(
        routes, {"abi": workshop.c("abi")},
        serve={"max-header-bytes": 1024, "max-header-count": 10, "max-target-bytes": 100,
               "max-body-bytes": 1000}))


@pytest.fixture
def hasty(use_shared, workshop):
    """A node that does not wait for slow ones."""
    return use_shared("hasty", apps.app(
        {"POST /swallow": "abi#swallow", "GET /": "abi#count"}, {"abi": workshop.c("abi")},
        serve={"header-timeout-ms": 300, "body-bytes-per-second": 1000}))


@pytest.fixture
def idling(use_shared, workshop):
    """A node that does not keep idle connections for long."""
    return use_shared("idling", apps.app({"GET /": "abi#count"}, {"abi": workshop.c("abi")},
                                         serve={"idle-timeout-ms": 1500}))


def spawned(node):
    return node.stats()["processes"]["spawned"]


# ---- sizes


def test_a_header_too_large_is_431_and_closes(small):
    before = spawned(small)
    with small.connect() as connection:
        connection.send(request("GET", "/", [("X-Large", "v" * 1100)]))
        assert connection.read().status == 431
        assert connection.is_closed()
    assert spawned(small) == before


def test_too_many_headers_are_431(small):
    with small.connect() as connection:
        connection.send(request("GET", "/", [(f"X-{i}", "1") for i in range(10)]))
        assert connection.read().status == 431
        assert connection.is_closed()
    assert small.get("/", [(f"X-{i}", "1") for i in range(8)]).status == 200


def test_an_endless_header_is_431_without_its_end(small):
    with small.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"v" * 1500)
        assert connection.read().status == 431


def test_a_target_too_long_is_414(small):
    assert small.get("/fields?" + "q" * 92).status == 200
    assert small.get("/fields?" + "q" * 93).status == 414


def test_an_endless_request_line_is_414_without_its_end(small):
    with small.connect() as connection:
        connection.send(b"GET /" + b"a" * 3000)
        assert connection.read().status == 414
        assert connection.is_closed()


def test_a_body_at_the_limit_is_read(small):
    assert small.post("/swallow", b"b" * 1000).text == "1000 0"


def test_a_body_too_large_is_413_and_spawns_nothing(small):
    before = spawned(small)
    with small.connect() as connection:
        connection.send(request("POST", "/swallow", body=b"b" * 1001))
        assert connection.read().status == 413
    assert spawned(small) == before


def test_a_chunked_body_that_grows_too_large_is_413(small):
    response = small.post("/swallow", chunked(b"b" * 600, b"b" * 600),
                          [("Transfer-Encoding", "chunked")])
    assert response.status in (200, 413)
    if response.status == 200:
        # The guest was told, and made its own answer.
        assert response.text.endswith(" -4")


def test_a_chunk_that_grows_too_large_is_refused_before_its_end(small):
    with small.connect() as connection:
        connection.send(request("POST", "/swallow", [("Transfer-Encoding", "chunked")],
                                b"ffffff\r\n" + b"b" * 1500))
        response = connection.read()
        assert response.status == 413 or response.text.endswith(" -4"), response


def test_a_length_beyond_all_numbers_is_400_or_413(small):
    for length in ("99999999999999999999999", "18446744073709551616"):
        response = small.request("POST", "/swallow", [("Content-Length", length)], b"x")
        assert response.status in (400, 413)


def test_a_body_of_nothing_allowed_refuses_every_byte(serve, workshop):
    node = serve(apps.app({"POST /": "abi#swallow"}, {"abi": workshop.c("abi")},
                          serve={"max-body-bytes": 0}))
    assert node.post("/", b"").text == "0 0"
    assert node.post("/", b"x").status == 413


def test_the_default_limits_are_the_specifications(zoo):
    assert zoo.get("/headers", [("X-Large", "v" * 30000)]).status == 200
    assert zoo.get("/headers", [("X-Large", "v" * 33000)]).status == 431
    assert zoo.get("/headers", [(f"X-{i}", "1") for i in range(126)]).status == 200
    assert zoo.get("/headers", [(f"X-{i}", "1") for i in range(127)]).status == 431
    assert zoo.get("/?" + "q" * 8190).status == 200
    assert zoo.get("/?" + "q" * 8191).status == 414
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Content-Length", str(10485760 + 1))]))
        assert connection.read().status == 413


# ---- times


def test_a_header_that_does_not_end_is_408(hasty):
    with hasty.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost:")
        assert connection.read().status == 408
        assert connection.is_closed()


def test_a_header_that_trickles_is_408(hasty):
    # Its deadline is for all of it: bytes that come now and then do not put it off.
    with hasty.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")

        def trickle():
            try:
                connection.send(b"v")
            except OSError:
                return True
            return bool(select.select([connection.sock], [], [], 0.02)[0])
        wait_until(trickle)
        assert connection.read().status == 408


def test_a_second_request_has_a_header_deadline_of_its_own(hasty):
    with hasty.connect() as connection:
        connection.send_request("GET", "/")
        assert connection.read().status == 200
        connection.send(b"GET / HT")
        assert connection.read().status == 408


def test_an_idle_connection_is_closed_without_a_word(idling):
    with idling.connect() as connection:
        connection.send_request("GET", "/")
        assert connection.read().status == 200
        assert connection.is_closed()


def test_a_connection_that_never_speaks_is_closed_without_a_word(idling):
    with idling.connect() as connection:
        assert connection.receive_all() == b""


def test_a_body_that_comes_too_slowly_is_408(hasty):
    with hasty.connect() as connection:
        connection.send(request("POST", "/swallow", [("Content-Length", "900")], b"slow"))
        response = connection.read()
        # 408, unless the guest was faster to make an answer of what it was told.
        assert response.status == 408 or response.text.endswith(" -8"), response


def test_a_body_is_not_slow_while_the_guest_does_not_want_it(serve, workshop):
    node = serve(apps.app({"POST /": "abi#script"}, {"abi": workshop.c("abi")},
                          serve={"body-bytes-per-second": 1000000}))
    with node.connect() as connection:
        connection.send(request("POST", "/?steps=s:1500,e:100,r:200", [("Content-Length", "5")]))
        node.wait_spawned(1)
        connection.send(b"hello")
        assert connection.read().status == 200


def test_a_rate_of_zero_lets_a_body_take_its_time(serve, workshop):
    node = serve(apps.app({"POST /": "abi#swallow"}, {"abi": workshop.c("abi")},
                          serve={"body-bytes-per-second": 0, "deadline-ms": 700}))
    with node.connect() as connection:
        connection.send(request("POST", "/", [("Content-Length", "5")], b"h"))
        # The request's own deadline is what ends it.
        assert connection.read().status == 504


def test_a_client_that_reads_nothing_is_cut_after_the_write_timeout(serve, workshop):
    node = serve(apps.app({"GET /": "abi#flood"}, {"abi": workshop.c("abi")},
                          serve={"write-timeout-ms": 300}))
    with node.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/")
        node.log.wait_for("flood: a write was refused")
        node.wait_processes(0)
        head = connection.read_head()
        assert head.status == 200
        connection.read_body(head)
        assert head.cut
