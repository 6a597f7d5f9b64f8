"""What other origins may do; the headers for browsers; the way to https."""

import pytest

import apps
from client import request

ALLOWED = "https://app.example"


def manifest(workshop, cors=None, routes=None, **serve):
    guest = {"abi": workshop.c("abi"), "content": workshop.c("content")}
    text = apps.app(routes or {"GET /": "abi#fine", "POST /": "abi#fine", "GET /own": "content#whole"},
                    guest, serve=serve)
    return text.replace("[serve.routes]", apps.section("serve.cors", cors) + "[serve.routes]", 1)


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("cors", manifest(workshop, {"origins": [ALLOWED, "https://*.sub.example"]}))


def from_origin(node, origin, method="GET", target="/", headers=(), **options):
    return node.request(method, target, [("Origin", origin), *headers], **options)


def preflight(node, origin, method="POST", target="/", headers=()):
    return from_origin(node, origin, "OPTIONS", target,
                       [("Access-Control-Request-Method", method), *headers])


def allows(response):
    return {name.lower(): value for name, value in response.headers
            if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("origin", [ALLOWED, "HTTPS://app.example", "https://a.sub.example",
                                    "https://a.b.sub.example"])
def test_an_allowed_origin_is_named(node, origin):
    response = from_origin(node, origin)
    assert response.status == 200 and response.header("Vary") == "Origin"
    assert allows(response) == {"access-control-allow-origin": origin}


@pytest.mark.parametrize("origin", [
    "https://app.example.evil", "https://app.example:444", "http://app.example", "https://evil.example",
    "https://sub.example", "https://.sub.example.evil", "https://evil/.sub.example", "null", "*", "",
    "https://app.example, https://app.example", "https://user@x.sub.example:1.sub.example",
])
def test_another_origin_is_told_nothing(node, origin):
    response = from_origin(node, origin)
    assert response.status == 200 and response.header("Vary") == "Origin"
    assert allows(response) == {}
    asked = preflight(node, origin)
    if origin:
        assert asked.status == 204
    assert allows(asked) == {} and asked.header("Vary") in ("Origin", None)


def test_without_an_origin_the_answer_still_varies(node):
    response = node.get("/")
    assert allows(response) == {} and response.header("Vary") == "Origin"


def test_a_preflight_needs_no_process(node):
    before = node.spawned()
    response = preflight(node, ALLOWED, "PUT", "/anything")
    assert response.status == 204 and response.body == b"" and response.header("Vary") == "Origin"
    assert allows(response) == {
        "access-control-allow-origin": ALLOWED, "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "Content-Type", "access-control-max-age": "600"}
    assert node.spawned() == before


def test_what_is_no_preflight_is_routed(node):
    assert node.request("OPTIONS", "/").header("Allow") == "GET, HEAD, POST, OPTIONS"
    assert from_origin(node, ALLOWED, "OPTIONS").header("Allow") == "GET, HEAD, POST, OPTIONS"


def test_a_guest_does_not_speak_for_the_listener(node):
    target = "/own?headers=" + "%0A".join(line.replace(" ", "%20") for line in [
        "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", "Vary: Cookie", "X-A: b",
        ""])
    response = from_origin(node, ALLOWED, target=target)
    assert allows(response) == {"access-control-allow-origin": ALLOWED}
    assert response.header("Vary") == "Cookie, Origin" and response.header("X-A") == "b"


def test_everything_can_be_said(serve, workshop):
    node = serve(manifest(workshop, {
        "origins": [ALLOWED], "methods": ["GET", "DELETE"], "headers": ["Authorization", "X-A"],
        "expose": ["X-B", "X-C"], "max-age-s": 5, "credentials": True}))
    assert allows(preflight(node, ALLOWED)) == {
        "access-control-allow-origin": ALLOWED, "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, DELETE", "access-control-allow-headers": "Authorization, X-A",
        "access-control-expose-headers": "X-B, X-C", "access-control-max-age": "5"}
    assert allows(from_origin(node, ALLOWED)) == {
        "access-control-allow-origin": ALLOWED, "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-B, X-C"}


def test_all_origins(serve, workshop):
    node = serve(manifest(workshop, {"origins": ["*"], "headers": ["*"], "expose": []}))
    for origin in (ALLOWED, "null", "anything"):
        response = from_origin(node, origin)
        assert allows(response) == {"access-control-allow-origin": "*"}
        assert response.header("Vary") is None
    assert allows(preflight(node, "null"))["access-control-allow-headers"] == "*"


def test_with_compression_both_are_said(serve, workshop):
    node = serve(manifest(workshop, {"origins": [ALLOWED]}, compression=True))
    response = from_origin(node, ALLOWED, target="/own?headers=Content-Type:%20text/plain%0A",
                           headers=[("Accept-Encoding", "gzip")])
    assert response.header("Content-Encoding") == "gzip"
    assert response.header("Vary") == "Accept-Encoding, Origin"


# -- headers for browsers

PRESET = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin",
          "X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": "frame-ancestors 'self'"}


def test_the_preset_is_on_every_answer(serve, workshop):
    node = serve(manifest(workshop, **{"security-headers": True}))
    for path in ("/", "/nothing"):
        response = node.get(path)
        assert {name: response.header(name) for name in PRESET} == PRESET
        assert response.header("Strict-Transport-Security") is None, "this is no TLS"


def test_a_header_of_the_manifest_takes_the_presets_place(serve, workshop):
    text = apps.app({"GET /": "abi#fine"}, {"abi": workshop.c("abi")}, serve={"security-headers": True},
                    headers={"x-frame-options": "DENY"})
    response = serve(text).get("/")
    assert response.header("X-Frame-Options") == "DENY"
    assert response.header("Referrer-Policy") == PRESET["Referrer-Policy"]


def test_without_the_preset_there_are_none(node):
    assert not set(PRESET) & {name for name, _ in node.get("/").headers}


# -- to https

@pytest.fixture
def plain(use_shared):
    return use_shared("redirect", '[[serve]]\nlisten = "127.0.0.1:0"\nredirect-to-https = true\n')


@pytest.mark.parametrize("host, target, place", [
    ("a.example", "/x?y=1", "https://a.example/x?y=1"), ("a.example:8080", "/", "https://a.example/"),
    ("[::1]:8080", "/a%2F", "https://[::1]/a%2F"), ("[::1]", "//evil", "https://[::1]//evil"),
    ("a.example", "http://b.example/z", "https://b.example/z"),
])
def test_the_same_place_by_https(plain, host, target, place):
    for method in ("GET", "POST", "HEAD", "DELETE"):
        response = plain.request(method, target, [("Host", host)])
        assert response.status == 308 and response.header("Location") == place


def test_another_port(serve):
    node = serve('[[serve]]\nlisten = "127.0.0.1:0"\nredirect-to-https = true\nhttps-port = 8443\n')
    assert node.get("/").header("Location") == "https://test:8443/"


def test_without_a_host_there_is_nowhere_to_go(plain):
    with plain.connect() as connection:
        connection.send(request("GET", "/", version="1.0", host=None))
        assert connection.read().status == 400


@pytest.mark.parametrize("host", ["evil.example/x", "user@evil.example", "a b", "a.example:x", ""])
def test_what_is_no_host_is_refused(plain, host):
    assert plain.get("/", [("Host", host)]).status == 400


def test_options_for_the_whole_server(plain):
    assert plain.request("OPTIONS", "*", [("Host", "a")]).header("Location") == "https://a"
