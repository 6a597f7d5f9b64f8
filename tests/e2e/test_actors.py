"""Processes that work together: the routes of examples/zoo/actors.c, by the example's own manifest."""

import concurrent.futures
import os
import re

import pytest

import apps
from waiting import wait_until


@pytest.fixture
def actors(use_shared, workshop):
    """The zoo with its own manifest, shared by tests that leave it as it is."""
    return use_shared("actors", apps.zoo_example(workshop))


@pytest.fixture
def own(serve, workshop):
    """The same, for a test that disturbs it."""
    def start(change=lambda manifest: manifest):
        return serve(change(apps.zoo_example(workshop)))
    return start


def bump(node):
    response = node.post("/counter/bump", b"")
    assert response.status == 200, response
    return response.json()["total"]


# ---- services

def test_a_service_keeps_its_state_between_calls(actors):
    first = bump(actors)
    assert [bump(actors), bump(actors)] == [first + 1, first + 2]


def test_a_call_fails_at_once_when_the_service_crashes_and_its_state_begins_anew(actors):
    bump(actors)
    crashed = actors.post("/counter/crash", b"").json()
    assert crashed == {"result": "closed", "reason": "unreachable code reached"}
    assert bump(actors) == 1
    assert bump(actors) == 2


def test_calls_of_many_requests_are_each_counted(actors):
    actors.post("/counter/crash", b"")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        totals = list(pool.map(lambda _: bump(actors), range(80)))
    assert sorted(totals) == list(range(1, 81))


def test_a_call_that_is_never_answered_ends_with_its_timeout(actors):
    response = actors.post("/counter/hang?timeout=30", b"")
    assert response.status == 504
    assert response.json() == {"timeout": 30, "error": "no answer within the timeout"}
    bump(actors)


def test_a_service_is_listed_and_its_successor_has_another_pid(actors):
    def pid():
        found = [one for one in actors.processes() if one["component"] == "counter"]
        return found[0]["pid"] if found else None
    bump(actors)
    before = pid()
    assert before is not None
    actors.post("/counter/crash", b"")
    wait_until(lambda: pid() not in (None, before), what="a new counter")


def test_a_service_that_crashes_too_often_stays_down(own):
    node = own(lambda manifest: manifest.replace("max-restarts = 1000", "max-restarts = 2")
               .replace("window-ms = 1000", "window-ms = 60000").replace("[[serve]]", "[node]\nmax-restarts = 0\n\n[[serve]]", 1))
    for _ in range(3):
        bump(node)
        assert node.post("/counter/crash", b"").json()["result"] == "closed"
    node.log.wait_for("gave up", "services")
    assert node.get("/").status == 200
    assert node.get("/workers?n=1").json()["sum"] == 1
    # What was there from the start, its supervisors too, is gone: the test's own baseline.
    node.baseline = node.settled()


# ---- workers and links

@pytest.mark.parametrize("n, crash", [(0, 0), (1, 0), (1, 1), (10, 3), (100, 50)])
def test_workers_give_their_results_and_crashes_are_told(actors, n, crash):
    found = actors.get(f"/workers?n={n}&crash={crash}").json()
    assert found == {"sum": sum(i * i for i in range(crash + 1, n + 1)), "normal": n - crash,
                     "crashed": crash, "other": 0}


def test_a_worker_that_may_not_be_spawned_is_an_error_and_the_log_says_what_would_allow_it(own):
    node = own(lambda manifest: manifest.replace('allow-spawn = ["worker"]', "allow-spawn = []"))
    assert node.get("/workers?n=1").status == 503
    node.log.wait_for("denied", "allow-spawn", "worker")


def test_more_children_than_granted_are_refused(own):
    node = own(lambda manifest: manifest.replace('[capabilities.boss]\n', '[capabilities.boss]\nmax-children = 2\n'))
    assert node.get("/pipeline?mb=1").status == 503


@pytest.mark.parametrize("trap, expected", [
    (0, {"saw": "nothing", "ended": "unreachable code reached"}),
    (1, {"saw": "unreachable code reached", "ended": "normal"})])
def test_a_link_takes_along_who_does_not_trap_exits(actors, trap, expected):
    assert actors.get(f"/links?trap={trap}").json() == expected


# ---- byte streams

def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


@pytest.mark.parametrize("mb", [0, 1, 2])
def test_bytes_go_through_three_processes_unchanged(actors, mb):
    data = b"".join(bytes((i * 7 + n) & 255 for i in range(4096)) for n in range(mb * 256))
    assert actors.get(f"/pipeline?mb={mb}").json() == {"size": mb << 20, "hash": fnv(data)}


# ---- topics

def subscribe(node, topic):
    connection = node.connect()
    connection.send_request("GET", "/subscribe?topic=" + topic)
    received = b""
    while b"joined\n" not in received:
        received += connection.receive()
    return connection


def read_until(connection, words):
    received = b""
    while words not in received:
        more = connection.receive()
        assert more, received
        received += more
    return received


def test_what_is_published_reaches_all_subscribers_of_the_topic_only(actors):
    assert actors.post("/publish?topic=a", b"nobody").json() == {"reached": 0, "skipped": 0}
    with subscribe(actors, "a") as first, subscribe(actors, "a") as second, subscribe(actors, "b") as other:
        assert actors.post("/publish?topic=a", b"one").json() == {"reached": 2, "skipped": 0}
        assert actors.post("/publish?topic=b", b"two").json() == {"reached": 1, "skipped": 0}
        assert actors.post("/publish?topic=a", b"three").json() == {"reached": 2, "skipped": 0}
        for one in (first, second):
            assert re.findall(rb"one|two|three", read_until(one, b"three\n")) == [b"one", b"three"]
        assert re.findall(rb"one|two|three", read_until(other, b"two\n")) == [b"two"]
    # Who has left is no member any more.
    wait_until(lambda: actors.post("/publish?topic=a", b"x").json()["reached"] == 0, what="members that leave")


def test_a_subscriber_whose_mailbox_is_full_is_skipped_and_the_publisher_goes_on(own):
    node = own(lambda manifest: manifest.replace("[capabilities.boss]\n", "[capabilities.boss]\nmailbox-messages = 1\n")
               .replace("[serve.routes]", "stream-buffer-bytes = 4096\n[serve.routes]", 1))
    with node.connect(receive_bytes=4096) as slow:
        slow.send_request("GET", "/subscribe?topic=t")
        # It does not read: its answer fills the buffers, then its mailbox is full.
        wait_until(lambda: node.post("/publish?topic=t", b"x" * 4000).json()["skipped"] == 1, what="a full mailbox")
        assert node.get("/").status == 200


def test_a_topic_needs_a_name(actors):
    assert actors.get("/subscribe").status == 400
    assert actors.post("/publish", b"x").status == 400


def test_a_topic_or_publication_too_long_is_refused_and_not_cut(actors):
    topic = "t" * 127
    assert actors.post(f"/publish?topic={topic}", b"x").json()["reached"] == 0
    assert actors.post(f"/publish?topic={topic}x", b"x").status == 400
    assert actors.get(f"/subscribe?topic={topic}x").status == 400
    assert actors.post(f"/publish?topic={topic}", b"x" * 4095).status == 200
    assert actors.post(f"/publish?topic={topic}", b"x" * 4096).status == 413


# ---- supervisors

@pytest.mark.parametrize("strategy, kill, restarted", [
    ("one-for-one", 1, [1]), ("one-for-one", 3, [3]),
    ("one-for-all", 1, [1, 2, 3]), ("one-for-all", 2, [1, 2, 3]),
    ("rest-for-one", 1, [1, 2, 3]), ("rest-for-one", 2, [2, 3]), ("rest-for-one", 3, [3])])
def test_a_strategy_restarts_whom_it_should_in_order(actors, strategy, kill, restarted):
    found = actors.get(f"/supervisor?strategy={strategy}&kill={kill}")
    assert found.json() == {"killed": kill, "restarted": restarted}


def test_a_kill_of_who_does_not_accept_it_is_denied_and_the_log_says_what_would_allow_it(own):
    node = own(lambda manifest: manifest.replace("accept-links = true\n", ""))
    assert node.get("/supervisor").status == 403
    node.log.wait_for("denied", "kill", "allow-process-control = true")


def test_a_storm_of_restarts_ends_with_the_supervisors_shutdown(actors):
    assert actors.get("/storm").json() == {"restarts": 5, "escalation": "shutdown"}


# ---- all of it

def test_everything_at_once_leaves_nothing_behind(actors):
    routes = ["/workers?n=20&crash=5", "/links?trap=0", "/links?trap=1", "/pipeline?mb=1",
              "/supervisor?strategy=one-for-all&kill=1", "/storm", "/"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for response in pool.map(actors.get, routes * 6):
            assert response.status == 200, response


def test_the_example_has_a_route_for_each_handler():
    with open(os.path.join(apps.ZOO_FOLDER, "mote.toml"), encoding="utf-8") as file:
        routed = set(re.findall(r'"actors#(\w+)"', file.read()))
    with open(os.path.join(apps.ZOO_FOLDER, "actors.c"), encoding="utf-8") as file:
        assert routed == set(re.findall(r"^MOTE_HANDLER\((\w+)\)", file.read(), re.MULTILINE))
