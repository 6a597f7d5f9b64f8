"""Streams of server-sent events over HTTP/2: several on one connection, each with its own fate."""

import pytest

from event_stream import parse
from http2_client import Connection
from test_sse import exits, manifest
from waiting import wait_until


@pytest.fixture
def events(use_shared, workshop):
    return use_shared("sse-http2", manifest(workshop, {"heartbeat-ms": 20, "stream-buffer-bytes": 65536}))


def events_of(answer):
    return [one.data for one in parse(answer.body)[0]]


def test_the_head_comes_at_once(events):
    with Connection(events.address) as connection:
        answer = connection.answers[connection.begin("GET", "/wait?how=receive")]
        connection.until(lambda: answer.status is not None)
        assert (answer.status, answer.header("content-type")) == (200, "text/event-stream")
        connection.until(lambda: events_of(answer) == ["waiting"])
    events.wait_processes(0)


def test_a_silent_stream_gets_comments_and_no_turn(events):
    with Connection(events.address) as connection:
        answer = connection.answers[connection.begin("GET", "/wait?how=receive")]
        connection.until(lambda: len(parse(answer.body)[1]) >= 1)
        turns = events.processes()[0]["turns"]
        connection.until(lambda: len(parse(answer.body)[1]) >= 4)
        assert events.processes()[0]["turns"] == turns
        assert set(parse(answer.body)[1]) == {""}


def test_many_streams_of_one_connection_hear_the_same(events):
    with Connection(events.address) as connection:
        answers = [connection.answers[connection.begin("GET", "/listen")] for _ in range(50)]
        connection.until(lambda: all(events_of(one) == ["joined"] for one in answers))
        assert events.post("/tell", b"news").text == "50"
        connection.until(lambda: all(events_of(one) == ["joined", "news"] for one in answers))


@pytest.mark.parametrize("way", ["receive", "sleep", "wait", "pipe", "call"])
def test_a_reset_ends_the_wait_of_this_stream_only(events, way):
    seen = len(events.log.having(way + " -5"))
    with Connection(events.address) as connection:
        other = connection.answers[connection.begin("GET", "/listen")]
        stream = connection.begin("GET", "/wait?how=" + way)
        connection.until(lambda: events_of(connection.answers[stream]) == ["waiting"])
        connection.until(lambda: events_of(other) == ["joined"])
        connection.h2.reset_stream(stream)
        connection.flush()
        events.log.wait_for(way + " -5", count=seen + 1)
        events.wait_processes(1)
        assert events.post("/tell", b"still here").text == "1"
        connection.until(lambda: events_of(other) == ["joined", "still here"])


def test_a_reader_without_credit_parks_its_writer_and_gets_all_in_the_end(events):
    with Connection(events.address, gives_credit=False) as connection:
        stream = connection.begin("GET", "/run?n=300&size=1000")
        answer = connection.answers[stream]
        wait_until(lambda: [one["state"] for one in events.processes()] == ["parked"])
        connection.until(lambda: len(answer.body) == 65535)
        connection.gives_credit = True
        connection.h2.increment_flow_control_window(1 << 24)
        connection.h2.increment_flow_control_window(1 << 24, stream)
        connection.flush()
        connection.read(stream)
        found, comments, _, rest = parse(answer.body)
        assert len(found) == 300 and len({one.data for one in found}) == 1 and rest == b""
        assert set(comments) <= {""} and answer.reset is None


def test_a_crash_resets_this_stream_only(events):
    before = exits(events, "crashed")
    with Connection(events.address) as connection:
        other = connection.answers[connection.begin("GET", "/listen")]
        answer = connection.read(connection.begin("GET", "/end?how=crash"))
        assert answer.reset is not None and not answer.ended
        assert exits(events, "crashed") == before + 1
        events.post("/tell", b"still here")
        connection.until(lambda: events_of(other) == ["joined", "still here"])


def test_a_guest_that_returns_ends_the_stream(events):
    with Connection(events.address) as connection:
        answer = connection.fetch("GET", "/count?n=3", [("last-event-id", "7")])
        assert answer.ended and answer.reset is None and events_of(answer) == ["8", "9", "10"]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_that_goes_takes_all_its_streams_along(events, how):
    connection = Connection(events.address)
    streams = [connection.begin("GET", target) for target in ("/listen", "/wait?how=sleep", "/flood") * 5]
    connection.until(lambda: all(connection.answers[one].status is not None for one in streams))
    connection.reset_socket() if how == "reset" else connection.close()
    events.wait_processes(0)


def test_head_gets_the_head(events):
    with Connection(events.address) as connection:
        answer = connection.fetch("HEAD", "/wait?how=receive")
        assert answer.header("content-type") == "text/event-stream" and answer.body == b""
    events.wait_processes(0)
