"""HTTP/1.1 as a protocol: connections, framing, addresses, what the server adds."""

import os
import re
import socket
import threading

import pytest

import apps
from client import Closed, chunked, request
from waiting import wait_until


@pytest.fixture
def abi(use_shared, workshop):
    routes = {"GET /script": "abi#script", "POST /script": "abi#script", "POST /swallow": "abi#swallow",
              "* /any": "abi#fields"}
    return use_shared("protocol", apps.app(
        routes, {"abi": workshop.c("abi")}, headers={"X-Frame-Options": "DENY", "X-Empty": ""}))


# ---- connections


def test_a_connection_is_kept_for_many_requests(zoo):
    accepted = zoo.stats()["connections"]["accepted"]
    with zoo.connect() as connection:
        for _ in range(50):
            connection.send_request("GET", "/")
            response = connection.read()
            assert response.text == "hello\n"
            assert (response.header("connection") or "").lower() != "close"
    assert zoo.stats()["connections"]["accepted"] == accepted + 1


def test_connection_close_is_honoured(zoo):
    with zoo.connect() as connection:
        connection.send_request("GET", "/", [("Connection", "close")])
        response = connection.read()
        assert response.header("connection").lower() == "close"
        assert connection.is_closed()


@pytest.mark.parametrize("value", ["Close", "foo, close", "close, foo"])
def test_close_is_found_among_options_in_any_case(zoo, value):
    with zoo.connect() as connection:
        connection.send_request("GET", "/", [("Connection", value)])
        assert connection.read().status == 200
        assert connection.is_closed()


def test_a_hundred_pipelined_requests_are_answered_in_order(zoo):
    with zoo.connect() as connection:
        connection.send(b"".join(request("GET", f"/users/{i}") for i in range(100)))
        assert [connection.read().json()["id"] for _ in range(100)] == [str(i) for i in range(100)]


def test_pipelined_requests_of_different_length_keep_their_order(zoo):
    targets = ["/sleep?ms=60", "/", "/crash", "/stream?n=3&size=5", "/nowhere", "/sleep?ms=1",
               "/silent", "/users/z"]
    with zoo.connect() as connection:
        connection.send(b"".join(request("GET", target) for target in targets))
        statuses = [connection.read().status for _ in targets]
    assert statuses == [200, 200, 502, 200, 404, 200, 502, 200]


def test_pipelined_bodies_do_not_run_into_each_other(zoo):
    bodies = [b"a" * 10, b"", b"b" * 70000, b"GET / HTTP/1.1\r\n\r\n"]
    with zoo.connect() as connection:
        connection.send(b"".join(request("POST", "/echo", body=body) for body in bodies))
        assert [connection.read().body for _ in bodies] == bodies


def test_a_body_that_the_guest_did_not_read_is_not_the_next_request(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/", body=b"GET /crash HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert connection.read().status == 405
        try:
            connection.send(request("GET", "/"))
            response = connection.read()
        except (Closed, BrokenPipeError, ConnectionResetError):
            return  # the other right answer
        assert response.text == "hello\n"


def test_an_unread_body_does_not_disturb_a_handler_that_answers_at_once(abi):
    with abi.connect() as connection:
        connection.send(request("POST", "/script?steps=r:200", body=b"x" * 1000))
        connection.send(request("POST", "/script?steps=r:201", body=b"y" * 1000))
        assert [connection.read().status, connection.read().status] == [200, 201]


def test_requests_may_come_byte_by_byte(zoo):
    data = request("POST", "/echo", [("Transfer-Encoding", "chunked")], chunked(b"abc", b"defg"))
    with zoo.connect() as connection:
        for i in range(len(data)):
            connection.send(data[i:i + 1])
        assert connection.read().body == b"abcdefg"


def test_an_empty_line_before_a_request_is_ignored(zoo):
    with zoo.connect() as connection:
        connection.send(b"\r\n" + request("GET", "/"))
        assert connection.read().status == 200


# ---- bodies


def test_a_chunked_body_reaches_the_guest_whole(zoo):
    pieces = [b"a", b"b" * 5000, b"c" * 70000, bytes(range(256))]
    response = zoo.post("/echo", chunked(*pieces), [("Transfer-Encoding", "chunked")])
    assert response.body == b"".join(pieces)


def test_extensions_and_trailers_of_chunks_are_accepted_and_dropped(zoo):
    body = b'5;name=value;q="a b"\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n'
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Transfer-Encoding", "chunked")], body))
        assert connection.read().body == b"hello"
        connection.send(request("GET", "/headers"))
        assert "X-Trailer" not in connection.read().text


def test_the_coding_is_found_in_any_case(zoo):
    response = zoo.post("/echo", chunked(b"x"), [("transfer-encoding", "Chunked")])
    assert (response.status, response.body) == (200, b"x")


def test_a_stream_of_unknown_length_is_chunked(zoo):
    response = zoo.get("/stream?n=20&size=100")
    assert response.header("transfer-encoding") == "chunked"
    assert response.body == (b"x" * 99 + b"\n") * 20
    assert not response.cut


def test_a_stream_of_known_length_has_it(abi):
    response = abi.get("/script?steps=b:200:30,w:10,w:20")
    assert response.header("content-length") == "30"
    assert response.header("transfer-encoding") is None
    assert response.body == b"d" * 30


def test_chunks_leave_as_they_are_written(serve, workshop):
    node = serve(apps.zoo(workshop, serve={"cancel-on-disconnect": True}))
    with node.connect() as connection:
        # Its process sleeps for ever before the second one.
        connection.send_request("GET", "/stream?n=2&size=4&ms=86400000")
        assert connection.read_head().status == 200
        assert connection.read_chunk() == b"xxx\n"
    with node.connect() as connection:
        connection.send_request("GET", "/stream?n=2&size=4&ms=1")
        assert connection.read_head().status == 200
        assert [connection.read_chunk() for _ in range(3)] == [b"xxx\n", b"xxx\n", b""]


def test_a_large_body_goes_through_both_ways_at_once(zoo):
    body = os.urandom(1 << 20) * 8
    with zoo.connect() as connection:
        sender = threading.Thread(target=connection.send_request, args=("POST", "/echo"),
                                  kwargs={"body": body}, daemon=True)
        sender.start()
        response = connection.read()
        sender.join(60)
    assert response.body == body


def test_a_body_of_zero_is_not_waited_for(abi):
    response = abi.post("/swallow", b"")
    assert response.text == "0 0"


# ---- Expect


def test_100_continue_comes_when_the_guest_reads(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Expect", "100-continue"), ("Content-Length", "5")]))
        line = connection._line()
        assert line == "HTTP/1.1 100 Continue"
        assert connection._line() == ""
        connection.send(b"hello")
        response = connection.read()
        assert (response.status, response.body) == (200, b"hello")


def test_a_refusal_comes_instead_of_100_continue(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/nowhere",
                                [("Expect", "100-continue"), ("Content-Length", "5")]))
        response = connection.read()
        assert response.status == 404
        assert response.interim == []


def test_a_guest_that_does_not_read_answers_without_100_continue(abi):
    with abi.connect() as connection:
        connection.send(request("POST", "/script?steps=r:403",
                                [("Expect", "100-continue"), ("Content-Length", "5")]))
        response = connection.read()
        assert response.status == 403
        assert response.interim == []


def test_a_body_too_large_is_refused_before_it_is_sent(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Expect", "100-continue"),
                                                  ("Content-Length", "999999999")]))
        response = connection.read()
        assert response.status == 413
        assert response.interim == []


def test_a_body_that_was_sent_at_once_needs_no_100_continue(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Expect", "100-continue")], b"hello"))
        assert connection.read().body == b"hello"


def test_an_expectation_that_nobody_can_meet_is_417(zoo):
    assert zoo.request("POST", "/echo", [("Expect", "miracles")], b"x").status == 417


# ---- HTTP/1.0


def test_http_1_0_gets_an_answer_and_a_close(zoo):
    with zoo.connect() as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        response = connection.read()
        assert response.text == "hello\n"
        assert connection.is_closed()


def test_http_1_0_keeps_a_connection_when_it_asks_for_it(zoo):
    with zoo.connect() as connection:
        for _ in range(3):
            connection.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            response = connection.read()
            assert response.text == "hello\n"
            assert response.header("connection").lower() == "keep-alive"


def test_http_1_0_gets_a_stream_without_chunks(zoo):
    with zoo.connect() as connection:
        connection.send(b"GET /stream?n=3&size=4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = connection.read()
        assert response.header("transfer-encoding") is None
        assert response.header("content-length") is None
        assert response.body == b"xxx\n" * 3
        assert connection.is_closed()


def test_http_1_0_is_not_sent_100_continue(zoo):
    with zoo.connect() as connection:
        connection.send(request("POST", "/echo", [("Expect", "100-continue")], b"hello", version="1.0"))
        response = connection.read()
        assert (response.interim, response.body) == ([], b"hello")


# ---- targets


def test_the_absolute_form_is_accepted(zoo):
    with zoo.connect() as connection:
        connection.send(request("GET", "http://elsewhere:80/users/7?x=1"))
        assert connection.read().json() == {"id": "7"}


def test_an_unusual_method_reaches_a_route_for_any(abi):
    for method in ("GET", "DELETE", "PATCH", "PURGE", "M-SEARCH"):
        fields = abi.request(method, "/any").text
        assert f"method={method}\n" in fields


# ---- what the server adds


def test_an_answer_has_date_server_and_request_id(zoo):
    response = zoo.get("/")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.header("date"))
    assert response.header("server") == "mote"
    assert re.fullmatch(r"[0-9a-f]{16}", response.header("x-request-id"))


def test_request_ids_differ_and_are_in_the_log(zoo):
    ids = [zoo.get("/users/1").header("x-request-id") for _ in range(5)]
    assert len(set(ids)) == 5
    for one in ids:
        assert zoo.log.wait_for("request", "id=" + one, "path=/users/1")


def test_platform_answers_have_a_request_id_too(zoo):
    for target in ("/nowhere", "/crash", "/silent"):
        response = zoo.get(target)
        assert zoo.log.wait_for("request", "id=" + response.header("x-request-id"),
                                f"status={response.status}")


def test_a_clients_request_id_is_not_taken_over(zoo):
    response = zoo.get("/", [("X-Request-Id", "mine")])
    assert response.header("x-request-id") != "mine"


def test_headers_of_the_manifest_are_added_to_every_response(abi):
    for target in ("/script?steps=r:200", "/nowhere"):
        response = abi.get(target)
        assert response.header("x-frame-options") == "DENY"
        assert response.header("x-empty") == ""


def test_the_manifest_can_replace_the_servers_name_or_is_told_that_it_cannot(serve, workshop, home):
    manifest = apps.zoo(workshop, headers={"Server": "mine"})
    home.write("mote.toml", manifest)
    done = home.run("check")
    if done.status == 0:
        assert serve(manifest).get("/").header("server") == "mine"
    else:
        assert done.status == 2 and "mote.toml:" in done.err and "Server" in done.err


# ---- addresses


def test_ipv6_is_served(serve, workshop):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    node = serve(apps.zoo(workshop, serve={"listen": "[::1]:0"}))
    assert re.fullmatch(r"http://\[::1\]:\d+", node.address)
    assert node.get("/").text == "hello\n"
    assert node.log.wait_for("request", "remote=", "[::1]:")


def test_a_host_name_is_resolved(serve, workshop):
    node = serve(apps.zoo(workshop, serve={"listen": "localhost:0"}))
    assert node.get("/").text == "hello\n"


def test_a_unix_socket_is_served_and_removed_at_the_end(serve, workshop, home):
    path = home.path("web.sock")
    node = serve(apps.zoo(workshop, serve={"listen": "unix:" + path}))
    assert node.address == "unix:" + path
    assert node.get("/").text == "hello\n"
    assert node.log.wait_for("request", "remote=unix")
    node.terminate()
    assert node.wait() == 0
    assert not os.path.exists(path)


def test_the_socket_of_a_dead_server_is_replaced(serve, workshop, home):
    path = home.path("web.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert os.path.exists(path)
    node = serve(apps.zoo(workshop, serve={"listen": "unix:" + path}))
    assert node.get("/").status == 200


def test_the_socket_of_a_living_server_is_not_taken(serve, workshop, home):
    path = home.path("web.sock")
    manifest = apps.zoo(workshop, serve={"listen": "unix:" + path})
    node = serve(manifest)
    other = home.write("other.toml", "[node]\nname = \"other\"\n" + manifest)
    done = home.run("serve", "-f", other)
    assert done.status == 1
    assert path in done.err and "in use" in done.err
    assert node.get("/").status == 200


def test_a_file_that_is_no_socket_is_not_replaced(workshop, home):
    path = home.write("web.sock", "precious")
    manifest = home.write("mote.toml", apps.zoo(workshop, serve={"listen": "unix:" + path}))
    done = home.run("serve", "-f", manifest)
    assert done.status == 1
    assert path in done.err
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"


def test_a_port_in_use_is_said_and_nothing_is_started(zoo, workshop, home):
    taken = zoo.address[len("http://"):]
    home.write("mote.toml", apps.zoo(workshop, serve={"listen": taken}))
    done = home.run("serve")
    assert done.status == 1
    assert f"listen on {taken}: " in done.err and "Address already in use" in done.err
    assert done.out == ""


def test_two_listeners_serve_their_own_routes(serve, workshop, home):
    path = home.path("two.sock")
    one = apps.zoo(workshop)
    two = f'\n[[serve]]\nlisten = "unix:{path}"\n[serve.routes]\n"GET /second" = "zoo#hello"\n'
    node = serve(one + two)
    assert node.get("/").status == 200
    assert node.get("/second").status == 404
    with node.connect(1) as connection:
        connection.send_request("GET", "/second")
        assert connection.read().status == 200
        connection.send_request("GET", "/")
        assert connection.read().status == 404


def test_a_component_without_routes_answers_everything(serve, workshop):
    node = serve(f'[[serve]]\nlisten = "127.0.0.1:0"\ncomponent = "abi#fields"\n'
                 f'[components.abi]\nsource = "{workshop.c("abi")}"\n')
    for method, target in [("GET", "/"), ("DELETE", "/a/b?c=d"), ("POST", "/x")]:
        text = node.request(method, target).text
        assert f"method={method}\n" in text and f"target={target}\n" in text


def test_many_connections_at_once_are_served(zoo):
    connections = [zoo.connect() for _ in range(200)]
    for connection in connections:
        connection.send_request("GET", "/sleep?ms=50")
    for connection in connections:
        assert connection.read().text == "slept\n"
        connection.close()


def test_connections_that_say_nothing_hold_nothing_up(zoo):
    silent = [zoo.connect() for _ in range(50)]
    wait_until(lambda: zoo.stats()["connections"]["now"] >= 50)
    assert zoo.get("/").status == 200
    for connection in silent:
        connection.close()


def test_a_listener_given_by_option_takes_the_place_of_the_manifests(serve, workshop, free_port):
    node = serve(apps.zoo(workshop, serve={"listen": "127.0.0.1:1"}),
                 options=["--listen", f"127.0.0.1:{free_port}"])
    assert node.address == f"http://127.0.0.1:{free_port}"
    assert node.get("/").status == 200
