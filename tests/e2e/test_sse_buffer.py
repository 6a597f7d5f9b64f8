"""Server-sent events that a guest gathers in a buffer of its own, and sends together."""

import urllib.parse

import pytest

from event_stream import Listener, parse
from test_sse import manifest


@pytest.fixture
def events(use_shared, workshop):
    return use_shared("sse-buffer", manifest(workshop))


def send(node, **fields):
    """(the body, what putting and flushing returned) of events with these fields."""
    seen = len(node.log.having("flushed "))
    response = node.get("/gathered?" + urllib.parse.urlencode(fields))
    assert response.status == 200 and not response.cut
    node.log.wait_for("flushed ", count=seen + 1)
    return response.body, (node.log.having("sent ")[-1], node.log.having("flushed ")[-1])


@pytest.mark.parametrize("data, expected", [
    ("x", "x"), ("", ""), ("a\nb", "a\nb"), ("a\r\nb\rc", "a\nb\nc"), ("\n", "\n"), ("a\n\n", "a\n\n"), (" a ", " a "),
    ("data: x\n\nid: 5", "data: x\n\nid: 5"), (":", ":"), ("\0", "\0"), ("\n\r", "\n\n"), ("\ufeffé🦡", "\ufeffé🦡"),
    ("a tab\t, which is no break", "a tab\t, which is no break"), ("ends with a break\n", "ends with a break\n"),
])
def test_data_arrives_as_it_was(events, data, expected):
    body, said = send(events, data=data, n=3)
    found, comments, retry, rest = parse(body)
    assert [one.data for one in found] == [expected] * 3 and (comments, retry, rest) == ([], None, b"")
    assert "sent 0" in said[0] and "flushed 0" in said[1]


@pytest.mark.parametrize("size", list(range(0, 40)) + [255, 256, 257])
def test_data_of_every_length_and_a_break_anywhere_arrive(events, size):
    text = "".join(chr(ord("a") + i % 26) for i in range(size))
    assert [one.data for one in parse(send(events, data=text)[0])[0]] == [text]
    at = size // 3
    broken = text[:at] + "\n" + text[at:]
    assert [one.data for one in parse(send(events, data=broken)[0])[0]] == [broken]


def test_it_writes_what_sending_writes(events):
    fields = {"event": "add", "id": "k7", "data": "x\ny"}
    assert send(events, **fields)[0] == events.get("/one?" + urllib.parse.urlencode(fields)).body
    assert send(events, id="", data="x")[0] == b"id: \ndata: x\n\n"
    assert send(events, id="5")[0] == b"id: 5\n\n"


@pytest.mark.parametrize("fields", [{"event": "a\nb", "data": "x"}, {"event": "a\rb", "data": "x"}, {"id": "a\nb"},
                                    {"id": "a\rb", "data": "x"}, {}])
def test_what_could_forge_a_line_is_refused(events, fields):
    body, said = send(events, **fields)
    assert body == b"" and "sent -3" in said[0] and "flushed 0" in said[1]


@pytest.mark.parametrize("room", [0, 1, 8, 17, 40, 41, 100, 1000])
def test_a_small_buffer_is_emptied_when_it_is_full(events, room):
    body, said = send(events, id="k", data="0123456789", n=200, room=room)
    assert body == b"id: k\ndata: 0123456789\n\n" * 200 and "sent 0" in said[0]


def test_an_event_larger_than_the_buffer_is_sent_in_its_turn(events):
    body, said = send(events, large=60000, n=3, room=20000)
    expected = "".join("\n" if i % 97 == 96 else "f" for i in range(60000))
    assert [one.data for one in parse(body)[0]] == [expected] * 3 and "sent 0" in said[0]


def test_many_events_go_past_a_slow_reader(events):
    connection = events.connect(receive_bytes=4096)
    try:
        found, _, _, rest = Listener(connection, "/gathered?data=0123456789&n=200000").rest()
        assert [one.data for one in found] == ["0123456789"] * 200000 and rest == b""
    finally:
        connection.close()


def test_a_client_that_left_is_told_when_the_buffer_is_emptied(events):
    seen = len(events.log.having("sent -5"))
    connection = events.connect(receive_bytes=4096)
    Listener(connection, "/gathered?data=0123456789&n=1000000000").next()
    connection.reset()
    events.log.wait_for("sent -5", count=seen + 1)
