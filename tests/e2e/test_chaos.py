"""Many clients that behave in every way there is, at once; afterwards nothing is left and all is well."""

import random
import threading

import pytest

import apps
from client import Closed, chunked, request

THREADS, DEEDS_OF_EACH = 8, 150
TARGETS = ["/", "/users/1", "/status/404", "/stream?n=50&size=16384", "/stream?n=5&size=10&ms=5", "/sleep?ms=20",
           "/crash", "/late-crash", "/silent", "/oom", "/overflow", "/nowhere", "/denied", "/headers"]


# What a client does first. Each says whether more is on its way to it, for which it may wait.


def get_and_read(connection, source):
    connection.send_request("GET", source.choice(TARGETS))
    connection.read()
    return False


def get_and_leave(connection, source):
    connection.send_request("GET", source.choice(TARGETS))
    return True


def get_in_pieces(connection, source):
    data = request("GET", source.choice(TARGETS))
    cut = source.randrange(len(data))
    connection.send(data[:cut])
    if source.random() < 0.7:
        connection.send(data[cut:])
        connection.read()
    return False


def pipeline(connection, source):
    targets = [source.choice(TARGETS) for _ in range(source.randint(2, 20))]
    connection.send(b"".join(request("GET", target) for target in targets))
    count = source.randint(0, len(targets))
    for _ in range(count):
        connection.read()
    return count < len(targets)


def post(connection, source):
    body = source.randbytes(source.choice([0, 1, 1000, 3000]))
    if source.random() < 0.5:
        headers, data = [("Transfer-Encoding", "chunked")], chunked(body) if body else chunked()
    else:
        headers, data = [("Content-Length", str(len(body)))], body
    if source.random() < 0.4:
        connection.send(request("POST", "/echo", headers) + data[:source.randrange(len(data) + 1)])
        return False
    connection.send(request("POST", "/echo", headers) + data)
    response = connection.read()
    assert response.status != 200 or response.cut or response.body == body
    return False


def nonsense(connection, source):
    connection.send(source.choice([
        b"\0\0\0\0", b"GET / HTTP/1.1\r\n bad\r\n\r\n", b"\r\n\r\n\r\n", source.randbytes(300),
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]))
    return False


def stream_slowly(connection, source):
    connection.send_request("GET", "/stream?n=300&size=16384")
    for _ in range(source.randint(0, 20)):
        connection.receive(source.choice([10, 4096]))
    return True


DEEDS = [get_and_read] * 4 + [get_and_leave, get_in_pieces, pipeline, post, post, nonsense, stream_slowly]


def leave(connection, source, may_wait):
    way = source.choice(["close", "reset", "half", "read"])
    if way == "reset":
        connection.reset()
        return
    if way == "half":
        connection.end_sending()
    if way == "read" and may_wait:
        connection.receive(source.choice([1, 1000, 65536]))
    connection.close()


def behave(node, seed, failures):
    source = random.Random(seed)
    for number in range(DEEDS_OF_EACH):
        try:
            with node.connect(receive_bytes=source.choice([None, 4096])) as connection:
                try:
                    leave(connection, source, source.choice(DEEDS)(connection, source))
                except (Closed, BrokenPipeError, ConnectionResetError):
                    pass  # the server may refuse, and what was broken is answered by closing
        except Exception as failure:  # told in the test's own thread
            failures.append(f"seed {seed}, deed {number}: {failure!r}")
            return


SETTINGS = [
    pytest.param({"disconnect-grace-ms": 30}, id="grace"),
    pytest.param({"cancel-on-disconnect": True}, id="cancel"),
    pytest.param({"disconnect-grace-ms": 0, "stream-buffer-bytes": 4096, "deadline-ms": 40}, id="tight"),
]


def chaos(serve, workshop, settings, seeds):
    node = serve(apps.zoo(workshop, serve=settings, node={"max-processes": 40, "max-connections": 100},
                          log={"level": "error", "access": False}))
    failures = []
    threads = [threading.Thread(target=behave, args=(node, seed, failures)) for seed in seeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(failures)
    node.wait_processes(0)
    assert node.get("/").text == "hello\n"
    node.check_baseline()


@pytest.mark.parametrize("settings", SETTINGS)
def test_clients_of_every_kind_at_once_leave_nothing_behind(serve, workshop, settings):
    chaos(serve, workshop, settings, range(THREADS))


@pytest.mark.soak
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("first", range(1000, 1040))
def test_other_clients_of_every_kind_leave_nothing_behind(serve, workshop, settings, first):
    chaos(serve, workshop, settings, range(first * THREADS, (first + 1) * THREADS))


def test_a_node_that_is_ended_amid_all_that_ends_well(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 500}, log={"level": "error", "access": False}))
    failures = []
    threads = [threading.Thread(target=behave, args=(node, seed, failures)) for seed in range(4)]
    for thread in threads:
        thread.start()
    node.terminate()
    assert node.wait() == 0
    for thread in threads:
        thread.join()
    assert all("Connection refused" in failure or "Connection reset" in failure
               for failure in failures), failures
