"""Whether a client is gone, and what that means for the guest that answers it."""

import pytest

import apps
from client import request

SILENCE_MS = 3600000


@pytest.fixture
def abi(use_shared, workshop):
    """Handlers run on by default; nobody waits for the grace."""
    routes = {"GET /" + name: "abi#" + name
              for name in ("late", "drip", "deaf", "pause", "script", "flood")}
    routes["POST /swallow"] = "abi#swallow"
    return use_shared("disconnect", apps.app(routes, {"abi": workshop.c("abi")},
                                             serve={"disconnect-grace-ms": SILENCE_MS}))


@pytest.fixture
def cancelling(use_shared, workshop):
    """The same with cancel-on-disconnect, and a grace that nobody waits for."""
    routes = {"GET /" + name: "abi#" + name
              for name in ("late", "drip", "deaf", "pause", "script", "flood")}
    routes["POST /swallow"] = "abi#swallow"
    return use_shared("cancelling", apps.app(
        routes, {"abi": workshop.c("abi")},
        serve={"disconnect-grace-ms": SILENCE_MS, "cancel-on-disconnect": True}))


@pytest.fixture
def impatient(use_shared, workshop):
    """With a short grace for streams."""
    return use_shared("disconnect-impatient", apps.app({"GET /deaf": "abi#deaf"}, {"abi": workshop.c("abi")},
                                                       serve={"disconnect-grace-ms": 100}))


def exits(node, kind):
    return node.stats()["processes"]["exits"][kind]


def leave(connection, how):
    connection.reset() if how == "reset" else connection.close()


# ---- before the request is complete


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_leaving_before_the_head_is_complete_is_no_request(abi, sent, how):
    before = abi.stats()["requests"]["total"]
    connection = abi.connect()
    connection.send(sent)
    leave(connection, how)
    abi.check_baseline()
    assert abi.stats()["requests"]["total"] == before


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_leaving_inside_the_body_fails_the_guests_read(abi, how):
    connection = abi.connect()
    connection.send(request("POST", "/swallow", [("Content-Length", "1000")], b"some"))
    abi.wait_processes(1)
    if how == "half":
        connection.end_sending()
    else:
        leave(connection, how)
    abi.wait_processes(0)
    connection.close()


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_leaving_inside_a_chunked_body_fails_the_guests_read(abi, how):
    connection = abi.connect()
    connection.send(request("POST", "/swallow", [("Transfer-Encoding", "chunked")], b"5\r\nsome"))
    abi.wait_processes(1)
    leave(connection, how)
    abi.wait_processes(0)


# ---- a buffered response


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_handler_runs_on_when_its_client_left(abi, how):
    before = exits(abi, "normal")
    connection = abi.connect()
    spawned = abi.spawned()
    connection.send_request("GET", "/late?ms=1000")
    abi.wait_spawned(spawned + 1)
    leave(connection, how)
    abi.wait_processes(0)
    assert exits(abi, "normal") == before + 1
    abi.log.wait_for("late: ")


def test_a_handler_is_told_that_its_client_was_reset(abi):
    seen = len(abi.log.having("late: -5"))
    connection = abi.connect()
    spawned = abi.spawned()
    connection.send_request("GET", "/late?ms=3000")
    abi.wait_spawned(spawned + 1)
    connection.reset()
    assert abi.log.wait_for("late: -5", count=seen + 1)


def test_a_client_that_half_closes_still_gets_its_response(abi):
    with abi.connect() as connection:
        connection.send_request("GET", "/late?ms=100")
        connection.end_sending()
        response = connection.read()
        assert (response.status, response.text) == (200, "late\n")
        assert connection.is_closed()


def test_pipelined_requests_before_a_half_close_are_all_answered(abi):
    with abi.connect() as connection:
        connection.send(request("GET", "/late?ms=50") * 3)
        connection.end_sending()
        assert [connection.read().status for _ in range(3)] == [200, 200, 200]
        assert connection.is_closed()


def test_a_handler_whose_client_left_is_bounded_by_its_deadline(serve, workshop):
    node = serve(apps.app({"GET /": "abi#late"}, {"abi": workshop.c("abi")},
                          serve={"deadline-ms": 300}))
    connection = node.connect()
    connection.send_request("GET", f"/?ms={SILENCE_MS}")
    node.wait_processes(1)
    connection.reset()
    node.log.wait_for("process exited", "crashed: timeout")


# ---- streams


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_a_streams_next_write_says_closed(abi, how):
    before = exits(abi, "normal")
    seen = len(abi.log.having("drip: closed"))
    connection = abi.connect()
    connection.send_request("GET", "/drip?ms=20")
    connection.read_head()
    assert connection.read_chunk() == b"drip\n"
    if how == "half":
        connection.end_sending()
    else:
        leave(connection, how)
    abi.log.wait_for("drip: closed", count=seen + 1)
    abi.wait_processes(0)
    assert exits(abi, "normal") == before + 1
    connection.close()


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_a_guest_that_does_not_notice_is_killed_after_the_grace(impatient, how):
    abi = impatient
    before = exits(abi, "killed")
    connection = abi.connect()
    connection.send_request("GET", "/deaf")
    connection.read_head()
    assert connection.read_chunk() == b"one\n"
    if how == "half":
        connection.end_sending()
    else:
        leave(connection, how)
    abi.wait_processes(0)
    assert exits(abi, "killed") == before + 1
    assert abi.log.wait_for("process exited", "class=killed", "disconnect")
    connection.close()


def test_a_guest_parked_in_a_write_is_told_that_its_client_left(abi):
    seen = len(abi.log.having("flood: a write was refused"))
    connection = abi.connect(receive_bytes=4096)
    connection.send_request("GET", "/flood")
    connection.read_head()
    connection.reset()
    abi.log.wait_for("flood: a write was refused", count=seen + 1)


def test_a_guest_can_ask_whether_its_client_left(abi):
    connection = abi.connect()
    connection.send_request("GET", "/script?steps=g:0,b:200,w:5,s:3000,g:0")
    connection.read_head()
    connection.reset()
    assert abi.log.wait_for("0 0 0 0 1")


# ---- cancel-on-disconnect


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
@pytest.mark.parametrize("target", [f"/late?ms={SILENCE_MS}", "/deaf", "/flood"])
def test_cancel_on_disconnect_kills_at_once(cancelling, target, how):
    def ended():
        # A guest that writes may hear of it and return before the kill comes.
        return exits(cancelling, "killed") + (exits(cancelling, "normal") if target == "/flood" else 0)
    before = ended()
    connection = cancelling.connect(receive_bytes=4096)
    connection.send_request("GET", target)
    cancelling.wait_processes(1)
    if how == "half":
        connection.end_sending()
    else:
        leave(connection, how)
    cancelling.wait_processes(0)
    assert ended() == before + 1
    connection.close()


def test_cancel_on_disconnect_kills_a_guest_that_reads_a_body(cancelling):
    before = exits(cancelling, "killed")
    connection = cancelling.connect()
    connection.send(request("POST", "/swallow", [("Content-Length", "1000")], b"some"))
    cancelling.wait_processes(1)
    connection.reset()
    cancelling.wait_processes(0)
    assert exits(cancelling, "killed") >= before


def test_a_client_that_stays_is_not_cancelled(cancelling):
    assert cancelling.get("/late?ms=100").text == "late\n"


def test_a_hundred_clients_that_leave_at_once_leave_nothing_behind(cancelling):
    connections = [cancelling.connect() for _ in range(100)]
    for i, connection in enumerate(connections):
        connection.send_request("GET", ["/deaf", f"/late?ms={SILENCE_MS}", "/drip"][i % 3])
    cancelling.wait_processes(100)
    for i, connection in enumerate(connections):
        leave(connection, ["fin", "reset"][i % 2])
    cancelling.wait_processes(0)
