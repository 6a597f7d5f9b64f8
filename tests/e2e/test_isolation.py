"""One guest's failure or greed is its own affair."""

import pytest

import apps
from client import request
from waiting import wait_until


def test_eight_spinning_guests_do_not_stop_the_others(serve, workshop):
    node = serve(apps.zoo(workshop, component={"max-cpu-ms": 86400000},
                          serve={"cancel-on-disconnect": True, "deadline-ms": 86400000}))
    spinners = [node.connect() for _ in range(8)]
    for spinner in spinners:
        spinner.send_request("GET", "/spin")
    node.wait_processes(8)
    with node.connect() as connection:
        for _ in range(50):
            connection.send_request("GET", "/")
            assert connection.read().text == "hello\n"
        connection.send_request("GET", "/stream?n=100&size=16384")
        assert len(connection.read().body) == 100 * 16384
    stats = node.stats()
    assert stats["processes"]["now"] == 8
    assert stats["scheduler"]["preemptions"] > 0
    for spinner in spinners:
        spinner.close()
    node.wait_processes(0)


def test_spinning_guests_on_one_worker_leave_room_for_others(serve, workshop):
    node = serve(apps.zoo(workshop, node={"workers": 1}, component={"max-cpu-ms": 86400000},
                          serve={"cancel-on-disconnect": True, "deadline-ms": 86400000}))
    spinners = [node.connect() for _ in range(8)]
    for spinner in spinners:
        spinner.send_request("GET", "/spin")
    node.wait_processes(8)
    for _ in range(10):
        assert node.get("/").text == "hello\n"
    for spinner in spinners:
        spinner.close()
    node.wait_processes(0)


def test_crashes_beside_streams_touch_nobody_else(zoo):
    streams = [zoo.connect() for _ in range(5)]
    for stream in streams:
        stream.send_request("GET", "/stream?n=40&size=100&ms=10")
    for path in ["/crash", "/oom", "/overflow", "/late-crash", "/silent"] * 6:
        assert zoo.get(path).status in (200, 502)
    for stream in streams:
        response = stream.read()
        assert len(response.body) == 4000 and not response.cut
        stream.close()


@pytest.mark.parametrize("path, status", [("/crash", 502), ("/oom", 502), ("/overflow", 502),
                                          ("/silent", 502), ("/late-crash", 200)])
def test_two_hundred_failures_leave_no_trace(zoo, path, status):
    for _ in range(4):
        connections = [zoo.connect() for _ in range(50)]
        for connection in connections:
            connection.send_request("GET", path)
        for connection in connections:
            assert connection.read().status == status
            connection.close()
    assert zoo.get("/").status == 200


def test_memory_of_one_process_is_never_seen_by_the_next(serve, workshop):
    # The instance is used again at once: one worker, one slot.
    node = serve(apps.app({"GET /": "abi#count"}, {"abi": workshop.c("abi")},
                          node={"workers": 1, "max-processes": 1}))
    for _ in range(100):
        assert node.get("/").text == "1"


def test_a_pool_that_was_full_serves_again(serve, workshop):
    node = serve(apps.zoo(workshop, node={"max-processes": 20}, serve={"cancel-on-disconnect": True}))
    for _ in range(3):
        connections = [node.connect() for _ in range(40)]
        for connection in connections:
            connection.send_request("GET", "/sleep?ms=86400000")
        node.wait_processes(20)
        for connection in connections:
            connection.reset()
        node.wait_processes(0)
        wait_until(lambda: node.get("/").status == 200)


@pytest.mark.soak
@pytest.mark.unsanitized
@pytest.mark.parametrize("path", ["/crash", "/oom"])
def test_a_hundred_thousand_failures_cost_no_memory(serve, workshop, path):
    node = serve(apps.zoo(workshop, log={"level": "error", "access": False}))

    def batches(count):
        with node.connect() as connection:
            for _ in range(count):
                connection.send(request("GET", path) * 100)
                for _ in range(100):
                    assert connection.read().status == 502
    batches(50)
    node.check_baseline()
    before = node.stats()
    batches(1000)
    node.check_baseline()
    after = node.stats()
    assert after["resident_bytes"] <= before["resident_bytes"] * 1.05 + (2 << 20)
    assert after["mappings"]["now"] <= before["mappings"]["now"] + 16
