"""Who the client is by the word of proxies that are trusted, and of nobody else."""

import socket
import struct

import pytest

import apps
import client
import pki
import tls_client
from client import request

V2 = b"\r\n\r\n\0\r\nQUIT\n"
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n"


def manifest(workshop, **serve):
    return apps.app({"GET /": "abi#fields"}, {"abi": workshop.c("abi")}, serve=serve)


@pytest.fixture
def believing(use_shared, workshop):
    return use_shared("believing", manifest(
        workshop, **{"trusted-proxies": ["127.0.0.0/8", "10.0.0.0/8"]}))


@pytest.fixture
def announced(use_shared, workshop):
    return use_shared("announced", manifest(
        workshop, **{"trusted-proxies": ["127.0.0.0/8"], "proxy-protocol": True}))


@pytest.fixture
def hasty(use_shared, workshop):
    return use_shared("announced-hasty", manifest(
        workshop, **{"trusted-proxies": ["127.0.0.0/8"], "proxy-protocol": True, "header-timeout-ms": 300}))


def fields(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def ask(node, *headers):
    return fields(node.get("/", list(headers)).text)


# ---- headers


def test_a_trusted_proxys_headers_tell_the_client(believing):
    got = ask(believing, ("X-Forwarded-For", "203.0.113.9, 192.0.2.7, 10.0.0.2"),
              ("X-Forwarded-Proto", "https"))
    assert got["remote"] == "192.0.2.7:0"
    assert got["scheme"] == "https"
    believing.log.wait_for("request ", "remote=192.0.2.7:0")


def test_the_standard_header_tells_the_client_too(believing):
    got = ask(believing, ("Forwarded", 'for="[2001:db8::1]:5";proto=https;by=10.0.0.1'))
    assert got["remote"] == "[2001:db8::1]:5"
    assert got["scheme"] == "https"


def test_each_request_of_a_connection_has_its_own_client(believing):
    with believing.connect() as connection:
        for number in range(3):
            connection.send_request("GET", "/", [("X-Forwarded-For", f"192.0.2.{number}")])
            assert fields(connection.read().text)["remote"] == f"192.0.2.{number}:0"
        connection.send_request("GET", "/")
        assert fields(connection.read().text)["remote"].startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [
    ("X-Forwarded-For", "somebody"), ("X-Forwarded-Proto", "gopher"), ("Forwarded", 'for="open')])
def test_hostile_headers_are_refused(believing, header):
    assert believing.get("/", [header]).status == 400


def test_headers_that_contradict_each_other_are_refused(believing):
    assert believing.get("/", [("Forwarded", "for=203.0.113.1"),
                               ("X-Forwarded-For", "192.0.2.7")]).status == 400


@pytest.mark.parametrize("trusted", [None, ["10.0.0.0/8"]])
def test_nobody_else_is_believed(serve, workshop, trusted):
    node = serve(manifest(workshop, **({"trusted-proxies": trusted} if trusted else {})))
    got = ask(node, ("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"),
              ("Forwarded", 'for="open'))
    assert got["remote"].startswith("127.0.0.1:")
    assert got["scheme"] == "http"


def test_a_unix_socket_is_believed_if_it_is_named(serve, workshop, home):
    path = home.path("proxy.sock")
    node = serve(manifest(workshop, listen="unix:" + path, **{"trusted-proxies": ["unix"]}))
    assert ask(node, ("X-Forwarded-For", "192.0.2.7"))["remote"] == "192.0.2.7:0"


# ---- the PROXY protocol


def v2_header(*extras, command=0x21):
    addresses = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1")
    body = addresses + struct.pack("!HH", 51234, 443) + b"".join(extras)
    return V2 + struct.pack("!BBH", command, 0x11, len(body)) + body


@pytest.mark.parametrize("header, remote, scheme", [
    (LINE, "192.0.2.7:51234", "http"),
    (b"PROXY TCP6 2001:db8::1 ::1 5 443\r\n", "[2001:db8::1]:5", "http"),
    (v2_header(), "192.0.2.7:51234", "http"),
    (v2_header(b"\x20\0\5\1\0\0\0\0"), "192.0.2.7:51234", "https")])
def test_the_header_tells_the_client_for_the_whole_connection(announced, header, remote, scheme):
    with announced.connect() as connection:
        connection.send(header + request("GET", "/") + request("GET", "/"))
        for _ in range(2):
            got = fields(connection.read().text)
            assert got["remote"] == remote
            assert got["scheme"] == scheme


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2 + b"\x20\0\0\0"])
def test_a_header_may_leave_the_connection_as_it_is(announced, header):
    with announced.connect() as connection:
        connection.send(header + request("GET", "/"))
        assert fields(connection.read().text)["remote"].startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2 + b"\x20\0\0\0"])
def test_who_only_passes_bytes_on_does_not_vouch_for_headers(announced, header):
    with announced.connect() as connection:
        connection.send(header + request("GET", "/", [("X-Forwarded-For", "203.0.113.9")]))
        assert fields(connection.read().text)["remote"].startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [LINE, v2_header()])
def test_a_header_byte_by_byte_is_as_good_as_any(announced, header):
    with announced.connect() as connection:
        for byte in header + request("GET", "/"):
            connection.send(bytes([byte]))
        assert fields(connection.read().text)["remote"] == "192.0.2.7:51234"


@pytest.mark.parametrize("data", [
    request("GET", "/"), b"PROXY TCP4 x\r\n", V2 + b"\x21\x11\xff\xff", b"\0" * 10, b"PROXY " + b"x" * 200])
def test_a_trusted_proxy_that_does_not_say_so_is_closed(announced, data):
    with announced.connect() as connection:
        connection.send(data)
        assert connection.is_closed()
    announced.log.wait_for("is a trusted proxy, but did not begin with a PROXY header")


@pytest.mark.parametrize("sent", [b"", LINE[:1], LINE[:-1], V2])
def test_a_header_has_the_time_of_a_head(hasty, sent):
    with hasty.connect() as connection:
        connection.send(sent)
        assert connection.is_closed()


@pytest.mark.parametrize("header", [LINE, v2_header()])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_leaving_at_every_byte_leaves_nothing(announced, header, how):
    for size in range(len(header) + 1):
        connection = announced.connect()
        connection.send(header[:size])
        connection.reset() if how == "reset" else connection.close()
    announced.check_baseline()


def test_who_is_no_proxy_needs_no_header_and_may_not_have_one(serve, workshop):
    node = serve(manifest(workshop, **{"trusted-proxies": ["10.0.0.0/8"], "proxy-protocol": True}))
    assert ask(node)["remote"].startswith("127.0.0.1:")
    with node.connect() as connection:
        connection.send(LINE + request("GET", "/"))
        assert connection.read().status == 400


def test_a_header_comes_before_tls(serve, workshop):
    authority = pki.Authority()
    try:
        certificate, key = authority.issue("localhost", "localhost")
        text = manifest(workshop, **{"trusted-proxies": ["127.0.0.0/8"], "proxy-protocol": True})
        tls = "[serve.tls]\n" + apps.keys({"certificate": certificate, "key": key})
        node = serve(text.replace("[serve.routes]\n", tls + "[serve.routes]\n"))
        with tls_client.Carried(node.address, tls_client.context(authority.path)) as carried:
            carried.sock.sendall(LINE)
            carried.shake()
            carried.send(request("GET", "/", [("Connection", "close")]))
            answer = carried.receive_all().decode()
            assert "remote=192.0.2.7:51234\n" in answer and "scheme=https\n" in answer
        with tls_client.Carried(node.address, tls_client.context(authority.path)) as carried:
            carried.sock.sendall(LINE + carried.first_flight())
            carried.shake()
            carried.send(request("GET", "/", [("Connection", "close")]))
            assert "remote=192.0.2.7:51234\n" in carried.receive_all().decode()
    finally:
        authority.remove()


def test_too_many_are_told_so_behind_the_header(serve, workshop):
    text = apps.app({"GET /": "abi#fields"}, {"abi": workshop.c("abi")}, node={"max-connections": 1},
                    serve={"trusted-proxies": ["127.0.0.0/8"], "proxy-protocol": True})
    node = serve(text)
    with node.connect() as first:
        first.send(LINE + request("GET", "/"))
        assert first.read().status == 200
        with client.Connection(node.address) as second:
            second.send(LINE + request("GET", "/"))
            assert second.read().status == 503
