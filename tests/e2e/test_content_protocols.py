"""Files, compression and other origins are the same by TLS and by HTTP/2."""

import os

import pytest

import apps
import http2_client
import tls_client
from test_compression import decoded, letters, target
from test_static import LETTERS, folder_of, manifest, section
from waiting import wait_until

ORIGIN = "https://app.example"


@pytest.fixture
def node(serve, home, workshop):
    folder_of(home)
    text = manifest(section(prefix="/files", folder="public"), compression=True, **{"security-headers": True})
    text += apps.section("serve.cors", {"origins": [ORIGIN]})
    text += '[serve.routes]\n"GET /whole" = "content#whole"\n"GET /pieces" = "content#pieces"\n'
    text += f'"GET /crashing" = "content#crashing"\n[components.content]\nsource = "{workshop.c("content")}"\n'
    return serve(text, home=home)


def fetch(node, method, path, extra=()):
    with http2_client.Connection(node.address) as connection:
        return connection.fetch(method, path, extra)


def test_a_file_by_http_2(node, home):
    large = os.urandom(1 << 16) * 40
    home.write("public/large.bin", large)
    assert fetch(node, "GET", "/files/large.bin").body == large
    whole = fetch(node, "GET", "/files/letters.txt")
    assert whole.status == 200 and whole.body == LETTERS and whole.header("content-length") == "5000"
    part = fetch(node, "GET", "/files/letters.txt", [("range", "bytes=10-19")])
    assert part.status == 206 and part.body == LETTERS[10:20]
    same = fetch(node, "GET", "/files/letters.txt", [("if-none-match", whole.header("etag"))])
    assert same.status == 304 and same.body == b""
    head = fetch(node, "HEAD", "/files/letters.txt")
    assert head.header("content-length") == "5000" and head.body == b""
    assert fetch(node, "GET", "/files/empty.css").body == b""
    assert fetch(node, "GET", "/files/nothing").status == 404
    assert fetch(node, "GET", "/files").header("location") == "/files/"


def test_several_files_at_once_by_http_2(node):
    with http2_client.Connection(node.address) as connection:
        streams = [connection.begin("GET", "/files/letters.txt") for _ in range(20)]
        assert all(connection.read(stream).body == LETTERS for stream in streams)


@pytest.mark.parametrize("coding", ["gzip", "br"])
@pytest.mark.parametrize("path, size", [(target("whole", size=5000), 5000), (target("pieces", size=300_000), 300_000),
                                        (target("whole", size=300_000), 300_000)])
def test_compression_by_http_2(node, path, size, coding):
    answer = fetch(node, "GET", path, [("accept-encoding", coding)])
    assert answer.header("content-encoding") == coding
    assert decoded(answer) == letters(size)


def test_other_origins_by_http_2(node):
    answer = fetch(node, "OPTIONS", "/whole", [("origin", ORIGIN), ("access-control-request-method", "POST")])
    assert answer.status == 204 and answer.header("access-control-allow-origin") == ORIGIN
    assert answer.header("vary") == "Origin"


def test_the_way_to_https_by_http_2(serve):
    node = serve('[[serve]]\nlisten = "127.0.0.1:0"\nredirect-to-https = true\n')
    answer = fetch(node, "GET", "/a?b")
    assert answer.status == 308 and answer.header("location").startswith("https://")
    assert answer.header("location").endswith("/a?b")


def test_a_file_that_shrinks_by_http_2_is_cut(node, home):
    home.write("public/large.bin", bytes(32 << 20))
    with http2_client.Connection(node.address, receive_bytes=4096) as connection:
        stream = connection.begin("GET", "/files/large.bin")
        connection.until(lambda: connection.answers[stream].status == 200)
        os.truncate(home.path("public", "large.bin"), 1000)
        answer = connection.read(stream)
        assert answer.reset is not None and len(answer.body) < 32 << 20
    wait_until(lambda: node.get("/files/letters.txt").status == 200)


def test_by_tls(serve, home, workshop, authority):
    folder_of(home)
    certificate, key = authority.issue("localhost", "localhost")
    text = manifest(section(prefix="/files", folder="public"), compression=True, **{"security-headers": True})
    text += apps.section("serve.tls", {"certificate": certificate, "key": key})
    text += f'[serve.routes]\n"GET /pieces" = "content#pieces"\n[components.content]\nsource = "{workshop.c("content")}"\n'
    node = serve(text, home=home)
    large = os.urandom(1 << 16) * 40
    home.write("public/large.bin", large)
    with tls_client.Connection(node.address, tls_client.context(authority.path)) as connection:
        connection.send_request("GET", "/files/large.bin")
        assert connection.read().body == large
        connection.send_request("GET", "/files/letters.txt", [("Range", "bytes=-5")])
        assert connection.read().body == LETTERS[-5:]
        connection.send_request("GET", target("pieces", size=100_000), [("Accept-Encoding", "gzip")])
        answer = connection.read()
        assert decoded(answer) == letters(100_000)
        assert answer.header("Strict-Transport-Security") == "max-age=31536000"


def test_a_folder_with_a_key_is_refused(home, authority):
    certificate, key = authority.issue("another", "localhost")
    home.write("mote.toml", manifest(section(folder=authority.folder))
               + apps.section("serve.tls", {"certificate": certificate, "key": key}))
    checked = home.run("check")
    assert checked.status != 0 and "which nobody may read" in checked.err
