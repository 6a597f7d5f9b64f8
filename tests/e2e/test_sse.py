"""Streams of server-sent events: each row of the specification's table, and what clients and guests do wrong."""

import urllib.parse

import pytest

import apps
from client import fetch, request
from event_stream import Listener, parse
from test_back_pressure import count_buffered, has_settled
from waiting import SLOW, wait_until

SILENCE_MS = 3600000
HANDLERS = ("one", "gathered", "count", "request", "wait", "deaf", "flood", "run", "end", "misuse", "plain", "listen")


def manifest(workshop, serve=None, **sections):
    routes = {"GET /" + name: "events#" + name for name in HANDLERS}
    routes["POST /tell"] = "events#tell"
    source = workshop.c("events")
    return apps.app(routes, {"events": {"source": source, "capability": "events"},
                             "mute": {"source": source, "entry": "mute", "capability": "mute"}},
                    capabilities={"events": {"allow-spawn": ["mute"], "max-cpu-ms": 300},
                                  "mute": {"accept-links": True}},
                    serve={"disconnect-grace-ms": SILENCE_MS, "heartbeat-ms": 0, **(serve or {})}, **sections)


@pytest.fixture
def events(use_shared, workshop):
    return use_shared("sse", manifest(workshop))


@pytest.fixture
def strict(use_shared, workshop):
    """A short grace, and heartbeats."""
    return use_shared("sse-strict", manifest(
        workshop, {"disconnect-grace-ms": 200, "heartbeat-ms": 20}))


@pytest.fixture
def only(use_shared, workshop):
    """A listener that speaks nothing else."""
    return use_shared("sse-only", manifest(workshop, {"protocol": "sse"}))


@pytest.fixture
def listen():
    """listen(node, target, ...): a client, closed at the end."""
    made = []

    def start(node, target, *arguments, receive_bytes=None, **options):
        connection = node.connect(receive_bytes=receive_bytes)
        made.append(connection)
        return Listener(connection, target, *arguments, **options)
    yield start
    for connection in made:
        connection.close()


def exits(node, kind):
    return node.stats()["processes"]["exits"][kind]


def leave(connection, how):
    if how == "reset":
        connection.reset()
    elif how == "half":
        connection.end_sending()
    else:
        connection.close()


def send_one(node, **fields):
    """What one event with these fields looks like to a client, and what sending it returned."""
    seen = len(node.log.having("sent "))
    response = node.get("/one?" + urllib.parse.urlencode(fields))
    assert response.status == 200 and not response.cut
    said = node.log.wait_for("sent ", count=seen + 1)
    return parse(response.body), said


# ---- open


def test_the_head_comes_at_once_and_says_what_follows(events, listen):
    client = listen(events, "/wait?how=receive")
    assert client.response.status == 200
    assert client.response.header("content-type") == "text/event-stream"
    assert client.response.header("cache-control") == "no-store"
    assert client.response.header("content-length") is None


def test_path_query_headers_and_the_last_id_are_readable(events):
    response = events.get("/request?a=b", [("Last-Event-ID", "k 7"), ("Accept", "text/event-stream")])
    assert [one.data for one in parse(response.body)[0]] == ["/request", "a=b", "k 7", "text/event-stream"]


@pytest.mark.parametrize("accept", ["application/json", "text/html;q=0", "nonsense", ""])
def test_accept_may_say_what_it_likes(only, accept):
    response = only.get("/request", [("Accept", accept)])
    assert response.header("content-type") == "text/event-stream"
    assert parse(response.body)[0][3].data == accept


def test_headers_of_the_handler_come_too(events):
    response = events.get("/count")
    assert response.header("x-from") == "here"
    assert response.header("cache-control") == "no-store"


def test_http_1_0_gets_a_stream_that_ends_with_the_connection(events):
    with events.connect() as connection:
        connection.send(b"GET /count?n=2 HTTP/1.0\r\n\r\n")
        response = connection.read()
        assert response.header("transfer-encoding") is None
        assert [one.data for one in parse(response.body)[0]] == ["1", "2"]


def test_head_gets_the_head_and_ends_the_handler(events):
    with events.connect() as connection:
        connection.send_request("HEAD", "/wait?how=receive")
        response = connection.read(to_head=True)
        assert response.header("content-type") == "text/event-stream"
        events.log.wait_for("receive -5")
        connection.send_request("GET", "/count?n=1")  # the connection is of use again
        assert len(parse(connection.read().body)[0]) == 1


def test_head_ends_a_handler_that_does_not_look(strict):
    before = exits(strict, "killed") + exits(strict, "crashed: cpu")
    with strict.connect() as connection:
        connection.send_request("HEAD", "/deaf")
        connection.read(to_head=True)
        strict.wait_processes(0)
    assert exits(strict, "killed") + exits(strict, "crashed: cpu") == before + 1


# ---- events


@pytest.mark.parametrize("data, expected", [
    ("x", "x"), ("", ""), ("a\nb", "a\nb"), ("a\r\nb\rc", "a\nb\nc"), ("\n", "\n"), ("a\n\n", "a\n\n"), (" a ", " a "),
    ("data: x\n\nid: 5", "data: x\n\nid: 5"), (":", ":"), ("\0", "\0"), ("\ufeffé🦡", "\ufeffé🦡"), ("\n\r", "\n\n"),
])
def test_data_arrives_as_it_was(events, data, expected):
    (found, comments, retry, rest), said = send_one(events, data=data)
    assert "sent 0" in str(said)
    assert [one.data for one in found] == [expected]
    assert (comments, retry, rest) == ([], None, b"")


def test_an_event_has_name_id_and_retry_time(events):
    (found, _, retry, _), _ = send_one(events, event="add", id="k7", retry="2500", data="x")
    assert (found[0].event, found[0].id, found[0].data, retry) == ("add", "k7", "x", 2500)


def test_an_empty_id_is_sent_and_an_absent_one_is_not(events):
    assert events.get("/one?id=&data=x").body == b"id: \ndata: x\n\n"
    assert events.get("/one?data=x").body == b"data: x\n\n"


def test_an_id_alone_is_no_event(events):
    assert events.get("/one?id=5").body == b"id: 5\n\n"


def test_each_event_leaves_at_once(events, listen):
    client = listen(events, "/listen")
    assert client.next().data == "joined"
    for i in range(20):
        assert events.post("/tell", b"news %d" % i).text == "1"
        assert client.next().data == f"news {i}"


def test_large_events_arrive_whole(events):
    response = events.get("/run?n=3&size=70000")
    expected = "".join("\n" if i % 97 == 96 else "f" for i in range(70000))
    assert [one.data for one in parse(response.body)[0]] == [expected] * 3


def test_many_events_in_a_row_arrive_in_order(events):
    response = events.get("/count?n=5000")
    assert [one.id for one in parse(response.body)[0]] == [str(i) for i in range(1, 5001)]


def test_a_client_that_comes_back_gets_what_follows(events):
    found, _, retry, _ = parse(events.get("/count?n=2").body)
    again = parse(events.get("/count?n=2", [("Last-Event-ID", found[-1].id)]).body)[0]
    assert [one.data for one in found + again] == ["1", "2", "3", "4"] and retry == 10


def test_what_could_forge_a_line_is_refused(events):
    response = events.get("/misuse")
    assert response.header("cache-control") == "private"
    assert [one.data for one in parse(response.body)[0]] == ["fine"]
    events.log.wait_for("fine 0")
    for line in ("early -6", "early write -6", "half write -3", "short write -3", "no write -3", "type -3", "length -3", "begin 0", "again -6", "reply -6", "raw -6", "zero -3", "retry -3",
                 "long -4"):
        events.log.wait_for(line)
    assert len(events.log.having("event -3")) == 5


# ---- idle


def test_silence_is_broken_by_comments_again_and_again(strict, listen):
    client = listen(strict, "/wait?how=receive")
    client.comment(5)
    found, comments, _, rest = parse(client.body)
    assert [one.data for one in found] == ["waiting"] and set(comments) == {""} and rest == b""


def test_a_heartbeat_takes_no_turn_of_the_guest(strict, listen):
    client = listen(strict, "/wait?how=receive")
    client.comment(1)
    turns = strict.processes()[0]["turns"]
    client.comment(5)
    assert strict.processes()[0]["turns"] == turns


def test_a_heartbeat_comes_while_the_guest_sleeps_in_a_body_or_a_stream(strict, listen):
    for how in ("sleep", "pipe", "wait", "call"):
        listen(strict, "/wait?how=" + how).comment(2)


def test_a_heartbeat_finds_a_client_that_left_in_silence(strict, listen):
    listen(strict, "/wait?how=sleep").connection.reset()
    strict.wait_processes(0)


def test_without_heartbeats_silence_is_silence(events, listen):
    client = listen(events, "/listen")
    client.next()
    events.post("/tell", b"x")
    client.next()
    assert parse(client.body)[1] == []


def test_no_heartbeat_is_put_into_an_event(serve, workshop, listen):
    """A slow client and heartbeats all the time: what it gets are whole events and nothing else."""
    node = serve(manifest(workshop, {"heartbeat-ms": 1, "stream-buffer-bytes": 4096}))
    expected = "".join("\n" if i % 97 == 96 else "f" for i in range(20000))
    clients = [listen(node, "/run?n=20&size=20000", receive_bytes=4096) for _ in range(8)]
    for client in clients:
        found, comments, _, rest = client.rest()
        assert [one.data for one in found] == [expected] * 20 and rest == b"" and not client.cut
        assert set(comments) <= {""}


# ---- a slow reader


def test_a_slow_reader_parks_the_writer(events, listen):
    client = listen(events, "/flood", receive_bytes=4096)
    events.wait_processes(1)
    buffered = has_settled(events, count_buffered)
    assert buffered <= 2 * 262144 + 65536, "more than a stream's buffer is held"
    wait_until(lambda: events.processes()[0]["state"] == "parked")
    for _ in range(1000):
        client.next()
    client.connection.reset()
    events.log.wait_for("flood -5")


def test_a_slow_reader_gets_everything_in_the_end(events, listen):
    client = listen(events, "/run?n=2000&size=3000", receive_bytes=4096)
    has_settled(events, count_buffered)
    found, _, _, rest = client.rest()
    assert len(found) == 2000 and len({one.data for one in found}) == 1 and rest == b"" and not client.cut


def test_a_client_that_takes_nothing_is_cut(serve, workshop, listen):
    node = serve(manifest(workshop, {"write-timeout-ms": 300}))
    client = listen(node, "/flood", receive_bytes=4096)
    node.log.wait_for("flood -5")
    node.wait_processes(0)
    client.rest()
    assert client.cut


# ---- disconnect

WAITS = {"receive": "receive -5", "timed": "timed -5", "sleep": "sleep -5", "wait": "wait -5", "gone": "gone 1",
         "pipe": "pipe -5", "call": "call -5", "none": "then -5"}


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
@pytest.mark.parametrize("way", [way for way in WAITS if way != "none"])
def test_leaving_ends_every_wait(events, listen, way, how):
    before, seen = exits(events, "normal"), len(events.log.having(WAITS[way]))
    more = len(events.log.having("left 1"))
    client = listen(events, "/wait?how=" + way)
    assert client.next().data == "waiting"
    events.wait_processes(2 if way == "call" else 1)
    wait_until(lambda: all(one["state"] == "parked" for one in events.processes()))
    leave(client.connection, how)
    events.log.wait_for(WAITS[way], count=seen + 1)
    events.log.wait_for("left 1", count=more + 1)
    events.wait_processes(0)
    assert exits(events, "normal") == before + 1
    for line in ("then -5", "comment -5", "try -5", "sleep again -5"):
        assert events.log.having(line)


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_leaving_ends_a_write(events, listen, how):
    seen = len(events.log.having("flood -5"))
    client = listen(events, "/flood", receive_bytes=4096)
    wait_until(lambda: [one["state"] for one in events.processes()] == ["parked"])
    leave(client.connection, how)
    events.log.wait_for("flood -5", count=seen + 1)
    events.wait_processes(0)


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_who_does_not_go_is_killed_after_the_grace(serve, workshop, listen, how):
    node = serve(manifest(workshop, {"disconnect-grace-ms": 100}).replace("max-cpu-ms = 300", ""))
    client = listen(node, "/deaf")
    assert client.next().data == "deaf"
    leave(client.connection, how)
    node.wait_processes(0)
    assert exits(node, "killed") == 1
    assert node.log.wait_for("process exited", "class=killed", "disconnect")


def test_cancel_on_disconnect_kills_at_once(serve, workshop, listen):
    node = serve(manifest(workshop, {"cancel-on-disconnect": True}))
    client = listen(node, "/wait?how=receive")
    client.next()
    client.connection.end_sending()
    node.wait_processes(0)
    assert exits(node, "killed") == 1


def receive_until(connection, size=None, end=None):
    """Raw bytes: so many, or until they end so."""
    data = b""
    while (len(data) < size) if size is not None else (not data.endswith(end)):
        got = connection.sock.recv(65536 if size is None else size - len(data))
        assert got, data
        data += got
    return data


def test_leaving_at_every_byte_of_the_request_leaves_nothing(events):
    wanted = request("GET", "/wait?how=receive")
    for cut in range(0, len(wanted)):
        with events.connect() as connection:
            connection.send(wanted[:cut])
    events.check_baseline()


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_leaving_at_every_byte_of_the_answer_ends_the_wait(events, how):
    wanted = request("GET", "/wait?how=receive")
    with events.connect() as connection:
        connection.send(wanted)
        size = len(receive_until(connection, end=b"data: waiting\n\n\r\n"))
    before, step = exits(events, "normal"), 1 if SLOW == 1 else 7
    for cut in range(1, size + 1, step):
        connection = events.connect()
        connection.send(wanted)
        receive_until(connection, size=cut)
        leave(connection, how)
    events.check_baseline()
    # Also who had left before the head was given, if the handler came to begin at all.
    assert exits(events, "normal") >= before + len(range(1, size + 1, step))


def test_a_hundred_that_leave_at_once_leave_nothing(events):
    clients = []
    for i in range(100):
        connection = events.connect()
        clients.append(Listener(connection, ["/listen", "/wait?how=sleep", "/flood"][i % 3]))
    for i, client in enumerate(clients):
        leave(client.connection, ["fin", "reset"][i % 2])
    events.wait_processes(0)


# ---- the end


def test_a_guest_that_returns_ends_the_stream(events):
    with events.connect() as connection:
        for _ in range(2):  # and the connection is of use again
            before = exits(events, "normal")
            connection.send_request("GET", "/end")
            response = connection.read()
            assert not response.cut and parse(response.body)[0][0].data == "last words"
            wait_until(lambda was=before: exits(events, "normal") == was + 1)


@pytest.mark.parametrize("how, ended", [("crash", "crashed"), ("memory", "crashed: memory"), ("hang", "killed"),
                                        ("x", "exited"), ("spin", "crashed: cpu")])
def test_a_crash_cuts_this_stream_only(events, listen, how, ended):
    other = listen(events, "/listen")
    other.next()
    before, others = exits(events, ended), [one["pid"] for one in events.processes()]
    client = listen(events, "/end?how=" + how)
    if how == "hang":
        client.next()
        [pid] = [one["pid"] for one in events.processes() if one["pid"] not in others]
        assert fetch(events.admin, "POST", f"/v1/kill?pid={pid}").status == 200
    found = client.rest()[0]
    assert client.cut and [one.data for one in found] == ["last words"]
    wait_until(lambda: exits(events, ended) == before + 1)
    assert events.post("/tell", b"still here").text == "1"
    assert other.next().data == "still here"


def test_the_stream_deadline_cuts(serve, workshop, listen):
    node = serve(manifest(workshop, {"stream-deadline-ms": 100}))
    client = listen(node, "/end?how=hang")
    client.rest()
    assert client.cut
    node.log.wait_for("process exited", "crashed: timeout")


def test_a_stream_may_outlive_its_requests_deadline_and_cpu_budget(serve, workshop, listen):
    """Each piece of mail is a unit of work: 30 of 20 ms are more than the budget of 300."""
    node = serve(manifest(workshop, {"deadline-ms": 3000}))
    client = listen(node, "/listen?busy=20")
    client.next()
    wait_until(lambda: node.processes()[0]["age_ms"] > 3000)
    for i in range(30):
        node.post("/tell", b"%d" % i)
        assert client.next().data == str(i)
    client.connection.close()
    node.wait_processes(0)
    assert exits(node, "crashed: cpu") == 0 and exits(node, "crashed: timeout") == 0


# ---- protocol = "sse"


def test_a_listener_for_events_serves_events(only):
    assert len(parse(only.get("/count?n=2").body)[0]) == 2


@pytest.mark.parametrize("target, misplaced", [("/plain", True), ("/plain?status=201", True), ("/plain?how=begun", True),
                                               ("/plain?how=nothing", False)])
def test_anything_else_is_502_there(only, target, misplaced):
    seen = len(only.log.having("plain -6"))
    assert only.get(target).status == 502
    if misplaced:
        only.log.wait_for("plain -6", count=seen + 1)


@pytest.mark.parametrize("status", [204, 301, 401, 404, 503])
def test_a_refusal_is_said_as_it_is(only, status):
    assert only.get(f"/plain?status={status}").status == status


def test_on_other_listeners_everything_goes(events):
    assert events.get("/plain").status == 200
