"""Compression: who gets what, and that streams, limits and ends stay what they are."""

import ctypes
import ctypes.util
import re
import urllib.parse
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import apps
from waiting import wait_until

MIB = 1 << 20
TEXT = "Content-Type: text/plain\n"


class BrotliStream:
    """A decoder that says what can be read so far."""

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("brotlidec") or "libbrotlidec.so.1")
        self.library.BrotliDecoderCreateInstance.restype = ctypes.c_void_p
        self.state = ctypes.c_void_p(self.library.BrotliDecoderCreateInstance(None, None, None))
        self.eof = False

    def decompress(self, data):
        source = ctypes.create_string_buffer(data, len(data))
        next_in, left = ctypes.c_void_p(ctypes.addressof(source)), ctypes.c_size_t(len(data))
        parts = []
        while True:
            room = ctypes.create_string_buffer(65536)
            next_out, free = ctypes.c_void_p(ctypes.addressof(room)), ctypes.c_size_t(65536)
            result = self.library.BrotliDecoderDecompressStream(
                self.state, ctypes.byref(left), ctypes.byref(next_in), ctypes.byref(free),
                ctypes.byref(next_out), None)
            assert result != 0, "this is no brotli"
            parts.append(room.raw[:65536 - free.value])
            if result != 3:
                self.eof = result == 1
                break
        return b"".join(parts)


def decoder(coding):
    return BrotliStream() if coding == "br" else zlib.decompressobj(31)


def decoded(response):
    """The body without its coding, which must be complete."""
    coding = response.header("content-encoding")
    if coding is None:
        return response.body
    one = decoder(coding)
    body = one.decompress(response.body)
    assert one.eof, "the end is missing"
    return body


def letters(size):
    state, out = 1, bytearray()
    for _ in range(size):
        state = (state * 1103515245 + 12345) & 0xffffffff
        out.append(97 + (state >> 16 & 15))
    return bytes(out)


def target(name, headers=TEXT, **settings_):
    return f"/{name}?" + urllib.parse.urlencode({"headers": headers, **settings_})


ROUTES = {f"GET /{name}": f"content#{name}"
          for name in ("whole", "pieces", "sized", "crashing", "staying")}
COMPRESSED = {"compression": True, "max-target-bytes": 65536}


def manifest(workshop, serve=None, **sections):
    return apps.app(ROUTES, {"content": {"source": workshop.c("content"), "capability": "large"}},
                    serve={**COMPRESSED, "disconnect-grace-ms": 0, **(serve or {})},
                    capabilities={"large": {"max-memory-mb": 64}}, **sections)


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("compression", manifest(workshop))


def get(node, path, coding="gzip", method="GET", headers=(), **options):
    return node.request(method, path, [("Accept-Encoding", coding), *headers], **options)


@pytest.mark.parametrize("coding", ["gzip", "br"])
@pytest.mark.parametrize("size", [1024, 5000, 8192, 8193, 300_000, 2_000_000])
@pytest.mark.parametrize("way", ["whole", "pieces", "sized"])
def test_what_arrives_is_what_was_written(node, way, size, coding):
    response = get(node, target(way, size=size, piece=50_000), coding)
    assert response.status == 200 and not response.cut
    assert response.header("Content-Encoding") == coding
    assert response.header("Vary") == "Accept-Encoding"
    assert decoded(response) == letters(size)
    assert len(response.body) < size * 0.8
    small = way == "whole" and size <= 8192
    assert (response.header("Content-Length") is not None) == small


@pytest.mark.parametrize("accept, expected", [
    ("", None), ("identity", None), ("deflate", None), ("gzip", "gzip"), ("br", "br"),
    ("gzip, br", "br"), ("gzip;q=1, br;q=0.9", "gzip"), ("gzip;q=0", None), ("*", "br"),
    ("*;q=0", None), ("br;q=0, *", "gzip"), ("GZIP", "gzip"), ("x-gzip", "gzip"),
    ("gzip;q=0.001", "gzip"), ("gzip;q=1.5", None), ("gzip;q=0.5, identity;q=0.6", None),
    ("identity;q=0", None), ("gzip ; q=0.5 , br ; q=0.6", "br"),
])
def test_the_client_decides(node, accept, expected):
    response = get(node, target("whole"), accept)
    assert response.header("Content-Encoding") == expected
    assert response.header("Vary") == "Accept-Encoding"
    assert decoded(response) == letters(5000)


def test_several_lines_are_one_list(node):
    response = node.get(target("whole"), [("Accept-Encoding", "deflate"), ("Accept-Encoding", "gzip")])
    assert response.header("Content-Encoding") == "gzip"


def test_the_order_of_the_manifest_decides_between_equals(serve, workshop):
    node = serve(manifest(workshop, {"compression": ["gzip", "br"]}))
    assert get(node, target("whole"), "br, gzip").header("Content-Encoding") == "gzip"


def test_without_the_setting_nothing_is_compressed(serve, workshop):
    node = serve(manifest(workshop, {"compression": False}))
    response = get(node, target("whole"))
    assert response.header("Content-Encoding") is None and response.header("Vary") is None
    assert response.header("Content-Length") == "5000"


@pytest.mark.parametrize("headers, status", [
    ("Content-Type: image/png\n", 200),
    ("", 200),
    (TEXT + "Content-Encoding: zstd\n", 200),
    (TEXT + "Cache-Control: private, no-transform\n", 200),
    (TEXT + "Content-Range: bytes 0-4999/9000\n", 206),
    (TEXT + "Content-Digest: sha-256=:AAAA:\n", 200),
    ("Content-Type: text/event-stream\n", 200),
])
@pytest.mark.parametrize("way", ["whole", "pieces"])
def test_some_answers_stay_as_they_are(node, way, headers, status):
    response = get(node, target(way, headers, status=status))
    assert response.status == status
    assert response.header("Content-Encoding") in (None, "zstd")
    assert response.header("Vary") is None
    assert response.body == letters(5000)


@pytest.mark.parametrize("type_", ["application/json; charset=utf-8", "Application/Problem+JSON",
                                   "image/svg+xml", "text/css"])
def test_the_usual_types(node, type_):
    response = get(node, target("whole", f"Content-Type: {type_}\n"))
    assert response.header("Content-Encoding") == "gzip"


def test_types_and_least_size_can_be_set(serve, workshop):
    node = serve(manifest(workshop, {"compression-types": ["text/event-stream", "image/*"],
                                     "compression-min-bytes": 100}))
    assert get(node, target("whole")).header("Content-Encoding") is None
    assert get(node, target("whole", "Content-Type: image/x\n")).header("Content-Encoding") == "gzip"
    short = target("whole", "Content-Type: image/x\n", size=99)
    assert get(node, short).header("Content-Encoding") is None
    assert get(node, short).header("Vary") is None


def test_a_body_that_would_grow_stays_as_it_is(serve, workshop):
    node = serve(manifest(workshop, {"compression-min-bytes": 0}))
    response = get(node, target("whole", size=3))
    assert response.header("Content-Encoding") is None and response.body == letters(3)
    assert response.header("Vary") == "Accept-Encoding"


@pytest.mark.parametrize("vary, expected", [
    ("Cookie", "Cookie, Accept-Encoding"), ("accept-encoding", "accept-encoding"), ("*", "*"),
    ("Cookie, Accept-Encoding", "Cookie, Accept-Encoding"),
])
def test_vary_is_merged(node, vary, expected):
    for accept in ("gzip", "identity"):
        response = get(node, target("whole", TEXT + f"Vary: {vary}\n"), accept)
        assert [value for name, value in response.headers if name == "Vary"] == [expected]


@pytest.mark.parametrize("etag, expected", [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"')])
def test_a_strong_validator_becomes_weak(node, etag, expected):
    path = target("whole", TEXT + f"ETag: {etag}\nAccept-Ranges: bytes\n")
    response = get(node, path)
    assert response.header("ETag") == expected and response.header("Accept-Ranges") is None
    plain = get(node, path, "identity")
    assert plain.header("ETag") == etag and plain.header("Accept-Ranges") == "bytes"


@pytest.mark.parametrize("way", ["whole", "pieces", "sized"])
@pytest.mark.parametrize("size", [5000, 50_000])
def test_head_says_what_get_says(node, way, size):
    def told(method):
        response = get(node, target(way, size=size), method=method)
        assert method == "GET" or response.body == b""
        return sorted((name, value) for name, value in response.headers
                      if name not in ("X-Request-Id", "Date"))
    assert told("HEAD") == told("GET")


@pytest.mark.parametrize("status", [204, 205, 304])
def test_answers_without_a_body_have_no_coding(node, status):
    response = get(node, target("whole", status=status))
    assert response.status == status and response.header("Content-Encoding") is None
    assert response.header("Vary") == ("Accept-Encoding" if status == 304 else None)
    assert response.body == b""


def test_http_1_0_gets_it_as_it_is(node):
    response = get(node, target("pieces"), version="1.0")
    assert response.header("Content-Encoding") is None and response.body == letters(5000)


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_what_was_written_can_be_read_at_once(node, coding):
    with node.connect() as connection:
        connection.send_request("GET", target("staying", size=3000, piece=100),
                                [("Accept-Encoding", coding)])
        assert connection.read_head().header("Content-Encoding") == coding
        one, body = decoder(coding), b""
        while len(body) < 3000:
            body += one.decompress(connection.read_chunk())
        assert body == letters(3000)
        connection.reset()


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_events_arrive_at_once_and_silence_is_broken(serve, workshop, coding):
    node = serve(apps.app({"GET /ticks": "content#ticks"}, {"content": workshop.c("content")},
                          serve={"compression": True, "compression-types": ["text/event-stream"],
                                 "heartbeat-ms": 20, "disconnect-grace-ms": 0}))
    with node.connect() as connection:
        connection.send_request("GET", "/ticks?pause=200", [("Accept-Encoding", coding)])
        assert connection.read_head().header("Content-Encoding") == coding
        one, text, chunks = decoder(coding), b"", 0
        while text.count(b"data: tick\n\n") < 3:
            text += one.decompress(connection.read_chunk())
            chunks += 1
        assert text == b"data: tick\n\n" * 3
        assert chunks > 3, "there was silence before the first and between all"
        connection.reset()


@pytest.mark.parametrize("path", [target("crashing", size=20_000), target("sized", missing=1)])
def test_an_answer_that_fails_is_cut_for_the_client(node, path):
    response = get(node, path)
    assert response.cut
    one = zlib.decompressobj(31)
    one.decompress(response.body)
    assert not one.eof


def test_more_than_was_announced_is_refused(serve, workshop):
    node = serve(manifest(workshop))
    # `missing` is read as a number without a sign: 2^32 - 1 makes the length one less than the size.
    response = get(node, target("sized", size=5000, piece=5000, missing=(1 << 32) - 1))
    assert response.cut
    node.log.wait_for("the write failed")


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_slow_reader_parks_the_writer_and_gets_everything(serve, workshop, coding):
    node = serve(manifest(workshop, {"stream-buffer-bytes": 65536}))
    with node.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", target("pieces", size=1_000_000, piece=1_000_000, times=12),
                                [("Accept-Encoding", coding)])
        wait_until(lambda: [one["state"] for one in node.processes()] == ["parked"])
        assert node.stats()["connections"]["buffered_bytes"] < 2 * MIB
        assert decoded(connection.read()) == letters(1_000_000) * 12


@pytest.mark.parametrize("buffer", [4096, 5000, 8192])
def test_small_buffers_are_enough(serve, workshop, buffer):
    node = serve(manifest(workshop, {"stream-buffer-bytes": buffer}))
    assert decoded(get(node, target("pieces", size=100_000, piece=30_000))) == letters(100_000)


def test_compressors_are_counted_and_bounded(serve, workshop):
    node = serve(manifest(workshop, node={"max-buffered-mb": 8}))
    codings, connections = [], []
    for _ in range(40):
        connection = node.connect()
        connections.append(connection)
        connection.send_request("GET", target("staying", size=2000), [("Accept-Encoding", "gzip")])
        response = connection.read_head()
        assert response.status == 200
        codings.append(response.header("Content-Encoding"))
    coded = codings.count("gzip")
    assert 10 < coded < 40, "who came when half of the memory was taken gets it plain"
    held = node.stats()["connections"]["buffered_bytes"]
    assert coded * 100_000 < held < 6 * MIB
    assert get(node, target("whole")).status == 200, "there is room for others"
    for connection in connections:
        connection.reset()
    wait_until(lambda: node.stats()["connections"]["buffered_bytes"] < MIB)
    node.wait_processes(0)
    assert get(node, target("whole")).header("Content-Encoding") == "gzip"


def test_compressing_is_the_cpu_time_of_the_guest(serve, workshop):
    node = serve(apps.app(ROUTES, {"content": {"source": workshop.c("content"), "capability": "small"}},
                          serve={"compression": ["br"]},
                          capabilities={"small": {"max-cpu-ms": 20}}))
    # 4 MiB take more than 20 ms; the writing of one call is one unit of work.
    response = get(node, target("pieces", size=4 << 20, piece=4 << 20), "br")
    assert response.status == 504 or response.cut
    node.log.wait_for("crashed: cpu")


TOKENS = st.sampled_from(["gzip", "br", "identity", "*", "deflate", "x-gzip", "GZip", "a", ""])
WEIGHTS = st.one_of(st.just(""), st.integers(0, 1000).map(lambda n: f";q={n / 1000:.3f}"),
                    st.sampled_from([";q=", ";q=2", "; q=0", ";Q=1.000", ";q=0.1234", ";x=1"]))


def expected_coding(accept):
    """RFC 9110, 12.5.3, written a second time."""
    weights = {}
    for element in accept.split(","):
        name, *parameters = [part.strip(" \t") for part in element.split(";")]
        weight = 1000
        for parameter in parameters:
            match = re.fullmatch(r"[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", parameter)
            weight = round(float(match[1]) * 1000) if match else None
            if weight is None:
                break
        if weight is not None and name:
            weights[{"x-gzip": "gzip"}.get(name.lower(), name.lower())] = weight
    best, best_weight = None, max(weights.get("identity", 0) - 1, 0)
    for coding in ("br", "gzip"):
        weight = weights.get(coding, weights.get("*", 0))
        if weight > best_weight:
            best, best_weight = coding, weight
    return best


@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TOKENS, WEIGHTS), max_size=6))
def test_any_list_is_understood(node, elements):
    accept = ",".join(name + weight for name, weight in elements)
    response = get(node, target("whole", size=1100), accept)
    assert response.header("Content-Encoding") == expected_coding(accept)
    assert decoded(response) == letters(1100)
