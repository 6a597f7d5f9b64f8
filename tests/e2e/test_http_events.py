"""Every row of the specification's table of an HTTP handler: what happens to it, and what its client sees."""

import time

import pytest

import apps
from waiting import wait_until


@pytest.fixture
def abi(use_shared, workshop):
    """A node whose guest does what requests ask for."""
    routes = {"GET /" + name: "abi#" + name for name in
              ("script", "count", "fields", "environment", "late", "deep_crash", "busy", "spin_late",
               "pause", "world", "query")}
    routes["POST /script"] = "abi#script"
    return use_shared("events", apps.app(routes, {"abi": {"source": workshop.c("abi"),
                                                          "max-cpu-ms": 400}}))


# ---- normal: the response verbatim


def test_a_handler_answers_with_its_status_headers_and_body(zoo):
    response = zoo.get("/")
    assert (response.status, response.reason, response.text) == (200, "OK", "hello\n")
    assert response.header("content-type") == "text/plain; charset=utf-8"
    assert response.header("content-length") == "6"


@pytest.mark.parametrize("status", [200, 201, 202, 299, 301, 400, 401, 404, 418, 500, 502, 503, 504, 599])
def test_the_status_of_a_handler_goes_out_verbatim(zoo, status):
    response = zoo.get(f"/status/{status}")
    assert response.status == status
    assert response.text == "as you wish\n"
    assert response.header("retry-after") is None, "what a guest says is not the platform's refusal"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none_and_the_connection_goes_on(zoo, status):
    with zoo.connect() as connection:
        connection.send_request("GET", f"/status/{status}")
        response = connection.read()
        assert (response.status, response.body) == (status, b"")
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


@pytest.mark.parametrize("code", ["99", "100", "101", "199", "600", "999", "abc", "20", "2000"])
def test_a_status_that_is_none_is_refused_to_the_guest(zoo, code):
    response = zoo.get(f"/status/{code}")
    assert (response.status, response.text) == (400, "a status is a number from 200 to 599\n")


def test_every_request_gets_a_fresh_instance(abi):
    with abi.connect() as connection:
        for _ in range(5):
            connection.send_request("GET", "/count")
            assert connection.read().text == "1"


def test_a_parameter_of_the_route_reaches_the_guest(zoo):
    response = zoo.get("/users/42")
    assert response.header("content-type") == "application/json"
    assert response.json() == {"id": "42"}


def test_a_posted_body_comes_back_with_its_type(zoo):
    body = bytes(range(256)) * 300
    response = zoo.post("/echo", body, [("Content-Type", "application/x-test")])
    assert (response.status, response.body) == (200, body)
    assert response.header("content-type") == "application/x-test"


def test_an_empty_post_is_echoed_as_nothing(zoo):
    response = zoo.post("/echo", b"")
    assert (response.status, response.body) == (200, b"")


def test_a_guest_reads_the_headers_of_its_request(zoo):
    response = zoo.get("/headers", [("X-One", "1"), ("x-Two", "zwei = 2"), ("X-One", "again")])
    lines = response.text.splitlines()
    assert [line for line in lines if line.lower().startswith("x-")] == [
        "X-One: 1", "x-Two: zwei = 2", "X-One: again"]
    assert "Host: test" in lines


def test_a_guest_reads_the_fields_of_its_request(abi):
    response = abi.get("/fields?a=b%20c", host="example.org:81")
    fields = dict(line.split("=", 1) for line in response.text.splitlines())
    assert fields["method"] == "GET"
    assert fields["path"] == "/fields"
    assert fields["query"] == "a=b%20c"
    assert fields["target"] == "/fields?a=b%20c"
    assert fields["host"] == "example.org:81"
    assert fields["remote"].startswith("127.0.0.1:")
    assert fields["id"] == response.header("x-request-id")


def test_a_guest_has_clocks_and_randomness(abi):
    random, monotonic, wall, _ = abi.get("/world").text.split()
    assert (random, monotonic) == ("1", "1")
    assert abs(int(wall) - time.time()) < 60


@pytest.mark.parametrize("text, seen", [
    ("name=x", "1:x"), ("name=", "0:"), ("name", "0:"), ("other=1", "-2:"), ("name=a+b", "3:a b"),
    ("name=%41%2B%26", "3:A+&"), ("name=%zz", "-2:"), ("a=1&name=2&name=3", "1:2"), ("na%6De=5", "1:5"),
    ("name=%00", "1:\0"), ("=x&&name=y", "1:y"),
])
def test_a_value_of_the_query_is_decoded(abi, text, seen):
    assert abi.get("/query?" + text).body == seen.encode()


# ---- no route, wrong method


def test_a_path_without_a_route_is_404_and_spawns_nothing(zoo):
    before = zoo.stats()["processes"]["spawned"]
    response = zoo.get("/nowhere")
    assert response.status == 404
    assert zoo.stats()["processes"]["spawned"] == before


def test_a_wrong_method_is_405_and_says_what_is_allowed(zoo):
    before = zoo.stats()["processes"]["spawned"]
    response = zoo.post("/", b"x")
    assert response.status == 405
    assert sorted(response.header("allow").split(", ")) == ["GET", "HEAD", "OPTIONS"]
    response = zoo.get("/echo")
    assert response.status == 405
    assert sorted(response.header("allow").split(", ")) == ["OPTIONS", "POST"]
    assert zoo.stats()["processes"]["spawned"] == before


def test_head_is_served_by_get_without_the_body(zoo):
    with zoo.connect() as connection:
        connection.send_request("HEAD", "/")
        response = connection.read(to_head=True)
        assert response.status == 200
        assert response.header("content-length") == "6"
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


def test_head_of_a_stream_has_its_head_only(zoo):
    with zoo.connect() as connection:
        connection.send_request("HEAD", "/stream?n=1000&size=16384")
        response = connection.read(to_head=True)
        assert response.status == 200
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


def test_head_of_a_path_without_get_is_405(zoo):
    assert zoo.request("HEAD", "/echo").status == 405


def test_options_is_answered_without_a_process(zoo):
    before = zoo.stats()["processes"]["spawned"]
    response = zoo.request("OPTIONS", "/")
    assert response.status == 204
    assert sorted(response.header("allow").split(", ")) == ["GET", "HEAD", "OPTIONS"]
    assert zoo.request("OPTIONS", "*").status in (200, 204)
    assert zoo.request("OPTIONS", "/nowhere").status == 404
    assert zoo.stats()["processes"]["spawned"] == before


# ---- crashes


@pytest.mark.parametrize("path", ["/crash", "/oom", "/overflow"])
def test_a_crash_is_502_and_costs_one_request(zoo, path):
    with zoo.connect() as connection:
        connection.send_request("GET", path)
        assert connection.read().status == 502
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"


def test_a_crash_is_logged_with_its_class_reason_and_backtrace(abi):
    response = abi.get("/deep_crash")
    assert response.status == 502
    assert "deep_three" not in response.text, "a client learns nothing about the inside"
    line = abi.log.wait_for("process exited", "class=crashed", "deep_three")[-1]
    assert "component=abi" in line and "unreachable" in line
    assert line.index("deep_three") < line.index("deep_crash"), "innermost first"


def test_memory_past_the_ceiling_is_a_crash_of_its_own_class(zoo):
    assert zoo.get("/oom").status == 502
    line = zoo.log.wait_for("process exited", "crashed: memory")[-1]
    assert "65536 KiB" in line, "the ceiling is named"


def test_stack_overflow_is_told_apart(zoo):
    assert zoo.get("/overflow").status == 502
    assert zoo.log.wait_for("process exited", "stack overflow")


def test_a_crash_after_the_head_cuts_the_response(zoo):
    response = zoo.get("/late-crash")
    assert response.status == 200
    assert response.body == b"the last words\n"
    assert response.cut, "the client must be able to tell"


def test_a_crash_after_the_head_of_a_sized_response_cuts_it(abi):
    response = abi.get("/script?steps=b:200:100,w:50,t")
    assert (response.status, response.body, response.cut) == (200, b"d" * 50, True)


def test_a_crash_after_the_head_for_http_1_0_closes(abi):
    # Without chunks there is no mark of an end: a reset is all that tells.
    with abi.connect() as connection:
        connection.send_request("GET", "/script?steps=b:200,w:50,t", version="1.0")
        response = connection.read()
        assert response.status == 200
        assert response.body in (b"d" * 50, b"")


def test_returning_without_a_response_is_502(zoo):
    before = zoo.stats()["processes"]["exits"]["normal"]
    response = zoo.get("/silent")
    assert response.status == 502
    assert zoo.stats()["processes"]["exits"]["normal"] == before + 1
    assert zoo.log.wait_for("request", "path=/silent", "status=502", "class=normal")


def test_a_whole_answer_survives_a_crash_behind_it(abi):
    # It was complete before the crash: the process is logged as crashed.
    response = abi.get("/script?steps=r:200,t")
    assert (response.status, response.body) == (200, b"dd")
    assert abi.log.wait_for("process exited", "class=crashed", "script")


# ---- deadlines and budgets


def test_cpu_over_budget_before_the_head_is_504(zoo):
    assert zoo.get("/spin").status == 504
    assert zoo.log.wait_for("process exited", "crashed: cpu")


def test_cpu_over_budget_after_the_head_cuts_the_response(abi):
    response = abi.get("/spin_late")
    assert (response.status, response.body, response.cut) == (200, b"one\n", True)
    assert abi.log.wait_for("request", "path=/spin_late", "sent=cut", "crashed: cpu")


def test_waiting_costs_no_cpu_budget(abi):
    # The budget is 400 ms of CPU, and parked time is not CPU.
    assert abi.get("/late?ms=900").status == 200


def test_a_deadline_before_the_head_is_504(serve, workshop):
    node = serve(apps.zoo(workshop, serve={"deadline-ms": 1500}))
    with node.connect() as connection:
        connection.send_request("GET", "/sleep?ms=3600000")
        assert connection.read().status == 504
        connection.send_request("GET", "/")
        assert connection.read().text == "hello\n"
    assert node.log.wait_for("process exited", "crashed: timeout")


def test_the_deadline_ends_with_the_head(serve, workshop):
    node = serve(apps.app({"GET /pause": "abi#pause"}, {"abi": workshop.c("abi")},
                          serve={"deadline-ms": 2000}))
    response = node.get("/pause?ms=2500")
    assert (response.status, response.body, response.cut) == (200, b"one\ntwo\n", False)


def test_a_stream_deadline_cuts_the_response(serve, workshop):
    node = serve(apps.app({"GET /pause": "abi#pause"}, {"abi": workshop.c("abi")},
                          serve={"stream-deadline-ms": 200}))
    response = node.get("/pause?ms=3600000")
    assert (response.status, response.body, response.cut) == (200, b"one\n", True)
    assert node.log.wait_for("process exited", "crashed: timeout")


def test_a_components_deadline_wins_over_the_listeners(serve, workshop):
    node = serve(apps.zoo(workshop, serve={"deadline-ms": 86400000},
                          component={"deadline-ms": 100}))
    assert node.get("/sleep?ms=3600000").status == 504


def test_a_components_memory_ceiling_counts(serve, workshop):
    node = serve(apps.zoo(workshop, component={"max-memory-mb": 2}))
    assert node.get("/oom").status == 502
    assert "2048 KiB" in node.log.wait_for("process exited", "crashed: memory")[-1]


# ---- node full


def test_a_full_node_answers_503_with_retry_after(serve, workshop):
    node = serve(apps.zoo(workshop, node={"max-processes": 3},
                          serve={"cancel-on-disconnect": True}))
    sleepers = [node.connect() for _ in range(3)]
    for sleeper in sleepers:
        sleeper.send_request("GET", "/sleep?ms=3600000")
    node.wait_processes(3)
    for _ in range(3):
        response = node.get("/")
        assert response.status == 503
        assert int(response.header("retry-after")) >= 1
    assert node.stats()["processes"]["max"] == 3
    for sleeper in sleepers:
        sleeper.close()
    node.wait_processes(0)
    assert node.get("/").status == 200


def test_a_full_component_answers_503_while_others_are_served(serve, workshop):
    routes = {"GET /a": "a#nap", "GET /b": "b#hello"}
    node = serve(apps.app(routes, {"a": {"source": workshop.zoo(), "max-processes": 2},
                                   "b": workshop.zoo()}, serve={"cancel-on-disconnect": True}))
    sleepers = [node.connect() for _ in range(2)]
    for sleeper in sleepers:
        sleeper.send_request("GET", "/a?ms=3600000")
    node.wait_processes(2)
    response = node.get("/a?ms=1")
    assert response.status == 503
    assert response.header("retry-after")
    assert node.get("/b").status == 200
    for sleeper in sleepers:
        sleeper.close()
    node.wait_processes(0)
    assert node.get("/a?ms=1").status == 200


def test_too_many_connections_are_answered_503_with_retry_after(serve, workshop):
    node = serve(apps.zoo(workshop, node={"max-connections": 4}))
    first = [node.connect() for _ in range(4)]
    for connection in first:
        connection.send_request("GET", "/")
        assert connection.read().status == 200
    with node.connect() as fifth:
        fifth.send_request("GET", "/")
        response = fifth.read()
        assert response.status == 503
        assert response.header("retry-after")
        assert fifth.is_closed()
    assert node.stats()["connections"]["refused"] >= 1
    assert node.stats()["connections"]["max"] == 4
    # Those that were admitted go on, and a place that is given back is used again.
    first[0].send_request("GET", "/")
    assert first[0].read().status == 200
    first.pop().close()
    wait_until(lambda: node.get("/").status == 200)
    for connection in first:
        connection.close()
