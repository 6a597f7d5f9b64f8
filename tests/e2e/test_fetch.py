"""Requests that guests send: to whom they may, how bodies stream, and that nothing is left of them."""

import resource
import urllib.parse

import h2.config
import h2.connection
import h2.events
import pytest

import apps
from origin import Origin, each, server_context
from waiting import wait_until

ENTRIES = ["get", "head", "duplex", "hold", "leave", "many", "race", "cut"]

# enum mote_fetch_reason
CONNECT, TLS, TIMEOUT, CLOSED, PROTOCOL, LIMIT, CANCELLED = range(3, 10)

LOOPBACK = {"allow-network": ["127.0.0.0/8"]}


def manifest(workshop, capability=None, node=None, profile=None, **sections):
    routes = {f"GET /{entry}": f"fetcher#{entry}" for entry in ENTRIES}
    routes["POST /post"] = "fetcher#post"
    grant = {"capability": profile} if profile else {"capability": "net"}
    return apps.app(routes, {"fetcher": {"source": workshop.c("fetcher"), **grant}},
                    capabilities=None if profile else {"net": LOOPBACK if capability is None else capability},
                    node={"fetch-keep-ms": 50, **(node or {})}, **sections)


@pytest.fixture
def net(use_shared, workshop):
    """net(capability, profile): a node that tests share, for guests with that grant."""
    def get(capability=None, profile=None):
        return use_shared(f"net {capability} {profile}", manifest(workshop, capability, profile=profile))
    return get


@pytest.fixture
def origin():
    """origin(behave) starts a server of the test's own."""
    made = []

    def start(behave, **options):
        made.append(Origin(behave, **options))
        return made[-1]
    yield start
    for one in made:
        one.close()


def ask(node, entry, url, **query):
    return node.get(f"/{entry}?" + urllib.parse.urlencode({"url": url, **query}))


def failed(response, reason):
    assert (response.status, response.text) == (502, f"{reason}\n"), response


def hello(peer, method, target):
    del method
    peer.answer(b"hello from " + target.encode())


# ---- what goes well ----

def test_a_guest_gets_what_is_there(net, origin):
    server = origin(each(hello))
    node = net()
    response = ask(node, "get", server.url("/a?b=c"))
    assert (response.status, response.text) == (200, "hello from /a?b=c")


def test_connections_are_used_again(serve, workshop, origin):
    server = origin(each(hello))
    node = serve(manifest(workshop, node={"workers": 1, "fetch-keep-ms": 60000}))
    for _ in range(5):
        assert ask(node, "get", server.url()).status == 200
    assert server.made == 1
    node.baseline = None  # what is kept is no leak
    node.check_baseline = lambda: None


def test_connections_that_nobody_uses_are_closed(serve, workshop, origin):
    server = origin(each(hello))
    node = serve(manifest(workshop))
    assert ask(node, "get", server.url()).status == 200
    server.wait_ended(1)
    node.check_baseline()


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "500 Oops", "302 Found"])
def test_a_status_is_only_passed_on(net, origin, status):
    server = origin(each(lambda peer, *_: peer.send(
        f"HTTP/1.1 {status}\r\n".encode() + (b"\r\n" if status.startswith("204") else
                                             b"Content-Length: 0\r\n\r\n"))))
    node = net()
    assert ask(node, "get", server.url()).status == int(status[:3])


def test_headers_and_trailers_come_as_they_are(net, origin):
    def behave(peer, *_):
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                  b"HTTP/1.1 200 OK\r\nX: one\r\nx: two\r\nEmpty:\r\nTransfer-Encoding: chunked\r\n"
                  b"Connection: keep-alive\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n")
    server = origin(each(behave))
    node = net()
    assert ask(node, "head", server.url()).text == ("X: one\nx: two\nEmpty: \nalone: one, two\n"
                                                    "trailers:\nX-Sum: 3\n")


def test_what_the_guest_says_is_what_is_sent(net, origin):
    heads = []

    def behave(peer, *_):
        heads.append(peer.head.decode())
        peer.answer(b"ok")
    server = origin(each(behave))
    node = net()
    assert ask(node, "get", server.url("/p"), method="PURGE", headers="X-A: b\nEmpty:\n").text == "ok"
    lines = heads[0].split("\r\n")
    assert lines[0] == "PURGE /p HTTP/1.1"
    assert sorted(lines[1:]) == ["Accept: */*", "Empty:", f"Host: 127.0.0.1:{server.port}",
                                 "User-Agent: mote/0.1.0", "X-A: b"]


def test_environment_and_user_files_change_nothing(serve, workshop, origin, home):
    server = origin(each(hello))
    home.write(".netrc", "machine 127.0.0.1 login a password b\n")
    home.write(".curlrc", "proxy = http://127.0.0.1:1\n")
    node = serve(manifest(workshop), home=home, environment={
        "http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"})
    assert ask(node, "get", server.url()).text == "hello from /"


def test_cookies_are_not_kept(net, origin):
    seen = []

    def behave(peer, *_):
        seen.append(peer.header("Cookie"))
        peer.answer(b"ok", headers=["Set-Cookie: a=b"])
    server = origin(each(behave))
    node = net()
    for _ in range(2):
        assert ask(node, "get", server.url()).status == 200
    assert seen == [None, None]


@pytest.mark.parametrize("length", [0, 1000000])
def test_a_body_goes_out_as_it_comes(net, origin, length):
    seen = []

    def behave(peer, *_):
        seen.append((peer.header("Transfer-Encoding"), peer.header("Content-Length"), peer.header("Expect")))
        body = peer.read_body()
        peer.answer(body[::-1])
    server = origin(each(behave))
    node = net()
    body = bytes(range(250)) * 4000
    response = node.post("/post?" + urllib.parse.urlencode(
        {"url": server.url(), "method": "POST", "length": length}), body)
    assert response.status == 200 and response.body == body[::-1]
    assert seen == [(None, str(length), None) if length else ("chunked", None, None)]


def test_a_post_without_a_body_says_so(net, origin):
    seen = []

    def behave(peer, *_):
        seen.append((peer.header("Transfer-Encoding"), peer.header("Content-Length")))
        peer.answer(b"ok")
    server = origin(each(behave))
    node = net()
    assert ask(node, "get", server.url(), method="POST").text == "ok"
    assert seen == [(None, "0")]


def test_both_bodies_stream_at_the_same_time(net, origin):
    def behave(peer, *_):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in iter(peer.read_chunk, b""):
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")
    server = origin(each(behave))
    node = net()
    response = ask(node, "duplex", server.url(), method="POST", n=200)
    assert (response.status, response.text) == (200, "echoed\n")


def test_a_head_has_no_body(net, origin):
    server = origin(each(lambda peer, *_: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")))
    node = net()
    response = ask(node, "get", server.url(), method="HEAD")
    assert (response.status, response.body) == (200, b"")


def test_wait_tells_which_answers_first(net, origin):
    def silent(peer):
        peer.read_head()
        peer.wait_end()
    slow, quick = origin(silent), origin(each(hello))
    node = net()
    assert ask(node, "race", slow.url(), other=quick.url()).text == "second\n"
    slow.wait_ended(1)
    assert not node.log.having("stale")


# ---- redirects ----

def test_redirects_are_answers_unless_followed(net, origin):
    def behave(peer, _, target):
        if target == "/last":
            peer.answer(b"here")
        else:
            peer.answer(b"moved", "302 Found", ["Location: /last"])
    server = origin(each(behave))
    node = net()
    response = ask(node, "get", server.url("/first"))
    assert (response.status, response.text) == (302, "moved")
    response = ask(node, "get", server.url("/first"), redirects=1)
    assert (response.status, response.text) == (200, "here")


def test_redirects_that_never_end_end(net, origin):
    server = origin(each(lambda peer, *_: peer.answer(b"", "301 Moved", ["Location: /again"])))
    node = net()
    assert ask(node, "get", server.url(), redirects=5).status == 301


def test_a_redirect_elsewhere_takes_no_secrets_along(net, origin):
    heads = []

    def last(peer, *_):
        heads.append(peer.head.decode().lower())
        peer.answer(b"here")
    second = origin(each(last))
    first = origin(each(lambda peer, *_: peer.answer(b"", "307 There", [f"Location: {second.url()}"])))
    node = net()
    response = ask(node, "get", first.url(), redirects=3,
                   headers="Authorization: Basic YQ==\nCookie: a=b\nX-Kept: yes\n")
    assert response.text == "here"
    assert "authorization" not in heads[0] and "cookie" not in heads[0] and "x-kept: yes" in heads[0]


@pytest.mark.parametrize("where", ["http://127.0.0.1:{node}/get", "http://127.9.9.9:1/", "http://[::1]:1/",
                                   "file:///etc/passwd", "gopher://127.0.0.1:70/", "http://10.0.0.1/"])
def test_a_redirect_out_of_reach_is_denied(net, origin, where):
    target = []
    server = origin(each(lambda peer, *_: peer.answer(b"", "302 Found", [f"Location: {target[0]}"])))
    node = net({"allow-network": ["127.0.0.1"]})
    target.append(where.format(node=node.address.rsplit(":", 1)[1].strip("/")))
    response = ask(node, "get", server.url(), redirects=5)
    assert (response.status, response.text) == (403, "-1\n")
    node.log.wait_for("denied", "fetch", "allow-network")


# ---- who may not be asked ----

DETOURS = ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://2130706433:{port}/",
           "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/", "http://127.1:{port}/",
           "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
           "http://[64:ff9b::127.0.0.1]:{port}/", "http://0.0.0.0:{port}/", "http://[::]:{port}/",
           "http://127.0.0.1.:{port}/", "http://LOCALHOST.:{port}/"]


@pytest.mark.parametrize("detour", DETOURS)
@pytest.mark.parametrize("profile", ["sandboxed", "network-client"])
def test_no_detour_leads_to_this_machine(net, origin, profile, detour):
    server = origin(each(hello))
    node = net(profile=profile)
    response = ask(node, "get", detour.format(port=server.port))
    assert response.text in ("-1\n", "-3\n"), response
    if response.status == 403:
        node.log.wait_for("denied", "fetch", "allow-network", f":{server.port}")
    assert server.made == 0


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://169.254.169.254/",
                                 "http://100.64.0.1/", "http://224.0.0.1/", "http://255.255.255.255/",
                                 "http://[fc00::1]/", "http://[fe80::1]/", "http://[ff02::1]/",
                                 "http://[64:ff9b::a00:1]/", "http://[2002:7f00:1::]/"])
def test_private_addresses_are_not_public(net, url):
    node = net(profile="network-client")
    assert (ask(node, "get", url).text) == "-1\n"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1/",
                                 "unix:///run/x.sock", "http+unix://%2Frun%2Fx/", "//127.0.0.1/", "", "http://",
                                 "http://user@127.0.0.1/", "http://a:b@127.0.0.1/", "http://127.0.0.1/a b",
                                 "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://127.0.0.1\\@x/",
                                 "http://[::1%25lo]/", "scp://127.0.0.1/x", "http://x" + "y" * 4000])
def test_other_schemes_and_odd_urls_are_refused(net, url):
    node = net({"allow-network": ["127.0.0.1", "*"]})
    response = ask(node, "get", url)
    assert response.status in (403, 500) and response.text in ("-3\n", "-1\n"), response


@pytest.mark.parametrize("header", ["Host: other", "Content-Length: 3", "Transfer-Encoding: chunked",
                                    "Connection: close", "Upgrade: h2c", "bad name: x", "no colon", ": x",
                                    "X: a\rb", "TE: gzip", "Expect: 100-continue"])
def test_headers_that_are_not_the_guests_are_refused(net, origin, header):
    server = origin(each(hello))
    node = net()
    assert ask(node, "get", server.url(), headers=header).text == "-3\n"
    assert server.made == 0


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "G ET", "GET\r\nX: y"])
def test_methods_that_are_none_are_refused(net, origin, method):
    server = origin(each(hello))
    node = net()
    assert ask(node, "get", server.url(), method=method).text == "-3\n"
    assert server.made == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.5.6.7"])
def test_the_nodes_own_listeners_are_never_reached(net, host):
    node = net({"allow-network": ["127.0.0.0/8", "localhost"]})
    port = node.address.rsplit(":", 1)[1].strip("/")
    assert ask(node, "get", f"http://{host}:{port}/get").text == "-1\n"
    node.log.wait_for("denied", "a listener of this node")


def test_localhost_and_a_port_can_be_granted(net, origin):
    server, other = origin(each(hello)), origin(each(hello))
    node = net({"allow-network": [f"localhost:{server.port}"]})
    assert ask(node, "get", server.url(host="localhost")).text == "hello from /"
    assert ask(node, "get", other.url(host="localhost")).text == "-1\n"
    node.log.wait_for("denied", f"127.0.0.1:{other.port}")


def test_a_connection_that_another_guest_opened_is_not_used(serve, workshop, origin):
    server = origin(each(hello))
    text = manifest(workshop, {"allow-network": ["localhost"]},
                    node={"workers": 1, "fetch-keep-ms": 60000})
    text = text.replace("[serve.routes]\n", '[serve.routes]\n"GET /poor" = "poor#get"\n')
    text += f'[components.poor]\nsource = "{workshop.c("fetcher")}"\ncapability = "network-client"\n'
    node = serve(text)
    assert ask(node, "get", server.url(host="localhost")).text == "hello from /"
    assert ask(node, "poor", server.url(host="localhost")).text == "-1\n"
    assert server.made == 1
    node.check_baseline = lambda: None  # the first one's connection is kept


def test_connections_are_not_shared_between_components(serve, workshop, origin):
    server = origin(each(hello))
    text = manifest(workshop, node={"workers": 1, "fetch-keep-ms": 60000})
    text = text.replace("[serve.routes]\n", '[serve.routes]\n"GET /other" = "other#get"\n')
    text += f'[components.other]\nsource = "{workshop.c("fetcher")}"\ncapability = "net"\n'
    node = serve(text)
    for _ in range(2):
        assert ask(node, "get", server.url()).text == "hello from /"
    assert server.made == 1
    for _ in range(2):
        assert ask(node, "other", server.url()).text == "hello from /"
    assert server.made == 2
    node.check_baseline = lambda: None  # the last connection is kept


# ---- servers that fail ----

def test_nobody_there(net, origin):
    server = origin(each(hello))
    server.close()
    node = net()
    failed(ask(node, "get", server.url()), CONNECT)


@pytest.mark.parametrize("sent, reason", [
    (b"", CLOSED), (b"HTTP/1.1 200 OK\r\nX: ", CLOSED), (b"HTTP/1.1 200 OK\r\nX: a\r\n", CLOSED),
    (b"SMTP ready\r\n", PROTOCOL), (b"HTTP/1.1 2x0 OK\r\n\r\n", PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40000 + b"\r\n\r\n", LIMIT),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", LIMIT),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, LIMIT),
])
def test_a_head_that_is_none_is_no_answer(net, origin, sent, reason):
    def behave(peer):
        peer.read_head()
        peer.send(sent)
    server = origin(behave)
    node = net()
    response = ask(node, "get", server.url())
    assert response.status == 502 and response.text in (f"{reason}\n", f"{CLOSED}\n", f"{PROTOCOL}\n")
    if reason == LIMIT:
        failed(response, reason)


@pytest.mark.parametrize("head, reset", [(b"Content-Length: 10", False), (b"Transfer-Encoding: chunked", False),
                                         (b"Content-Length: 10", True)])
def test_a_body_that_breaks_off_is_not_taken_for_whole(net, origin, head, reset):
    def behave(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + (b"3\r\n" if b"chunked" in head else b"") + b"abc")
        if reset:
            peer.reset()
    server = origin(behave)
    node = net()
    response = ask(node, "get", server.url())
    assert response.text.endswith(f"\nbroken {CLOSED}\n")


def test_a_server_that_leaves_while_it_is_sent_to(net, origin):
    def behave(peer):
        peer.read_head()
        peer.reset()
    server = origin(behave)
    node = net()
    failed(node.post("/post?" + urllib.parse.urlencode({"url": server.url(), "method": "PUT"}), b"x" * 3000000),
           CLOSED)


def test_an_answer_before_the_body_is_read_is_an_answer(net, origin):
    def behave(peer):
        peer.read_head()
        peer.answer(b"too much", "413 No", ["Connection: close"])
        peer.wait_end()
    server = origin(behave)
    node = net()
    response = node.post("/post?" + urllib.parse.urlencode({"url": server.url(), "method": "PUT"}), b"x" * 3000000)
    assert (response.status, response.text) == (413, "too much")


# ---- time ----

def silent(peer):
    peer.read_head()
    peer.wait_end()


@pytest.mark.parametrize("which", ["head", "idle", "deadline"])
def test_a_silent_server_is_given_up(net, origin, which):
    server = origin(silent)
    node = net()
    failed(ask(node, "get", server.url(), **{which: 50}), TIMEOUT)
    server.wait_ended(1)


def test_the_grants_times_hold_whatever_the_guest_says(net, origin):
    server = origin(silent)
    node = net({**LOOPBACK, "fetch-idle-ms": 50})
    failed(ask(node, "get", server.url(), idle=3600000), TIMEOUT)
    node = net({**LOOPBACK, "fetch-deadline-ms": 50})
    failed(ask(node, "get", server.url()), TIMEOUT)
    server.wait_ended(2)


def test_a_body_that_stops_coming_is_given_up(net, origin):
    def behave(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        peer.wait_end()
    server = origin(behave)
    node = net()
    for idle in (100, 800, 6400):  # the first may be over before a slow machine has sent anything
        response = ask(node, "get", server.url(), idle=idle)
        if response.status == 200:
            break
        failed(response, TIMEOUT)
    assert response.text == f"abc\nbroken {TIMEOUT}\n"


def test_tls_that_is_not_answered_is_given_up(net, origin):
    server = origin(lambda peer: peer.wait_end())
    node = net({**LOOPBACK, "fetch-connect-ms": 50})
    failed(ask(node, "get", server.url(scheme="https")), TIMEOUT)
    server.wait_ended(1)


# ---- limits, cancelling ----

def test_a_process_has_so_many_at_once(net, origin):
    server = origin(silent)
    node = net({**LOOPBACK, "max-fetches": 3})
    assert ask(node, "many", server.url()).text == "3 -4\n"
    node = net()
    assert ask(node, "many", server.url()).text == "16 -4\n"


def test_a_node_has_so_many_at_once(serve, workshop, origin):
    server = origin(silent)
    node = serve(manifest(workshop, node={"max-fetches": 2}))
    assert ask(node, "many", server.url()).text == "2 -4\n"
    node.check_baseline()
    assert ask(node, "many", server.url()).text == "2 -4\n"


def test_a_node_has_no_more_than_it_has_descriptors_for(serve, workshop):
    node = serve(manifest(workshop, node={"max-fetches": 1000}),
                 preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    assert node.stats()["fetches"]["max"] == 1024 // 8
    node.log.wait_for("max-fetches is 128 here, not 1000")
    node = serve(manifest(workshop, node={"max-fetches": 100}),
                 preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    assert node.stats()["fetches"]["max"] == 100
    assert not node.log.having("max-fetches is")


def test_open_streams_are_counted(net, origin):
    server = origin(silent)
    node = net({**LOOPBACK, "max-streams": 2})
    assert ask(node, "many", server.url()).text == "2 -4\n"


def test_what_a_process_leaves_open_is_cancelled(serve, workshop, origin):
    server = origin(silent)
    node = serve(manifest(workshop))
    assert ask(node, "leave", server.url(), n=8).text == "left\n"
    wait_until(lambda: server.made == server.ended, what="connections that ended")
    wait_until(lambda: node.stats()["fetches"]["now"] == 0, what="fetches that ended")
    counts = node.stats()["fetches"]
    assert (counts["now"], counts["started"], counts["denied"]) == (0, 8, 0)
    node.check_baseline()


def test_a_reader_that_stops_holds_the_server_up_and_a_kill_ends_it(serve, workshop, origin):
    sent = [0]

    def behave(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent[0] < 1 << 28:
            peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent[0] += 65536
    server = origin(behave)
    node = serve(manifest(workshop, serve={"cancel-on-disconnect": True}))
    with node.connect() as connection:
        connection.send(b"GET /hold?" + urllib.parse.urlencode({"url": server.url()}).encode() +
                        b" HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: sent[0] > 0, what="the first piece")
        last = [-1]

        def stands_still():
            before, last[0] = last[0], sent[0]
            return before == last[0] and node.stats() is not None
        wait_until(stands_still)
        assert sent[0] < 1 << 26
    server.wait_ended(1)
    node.check_baseline()


@pytest.mark.parametrize("end", [0, 1])
def test_less_of_a_body_than_was_announced_is_cancelled(net, origin, end):
    bodies = []

    def behave(peer):
        peer.read_head()
        bodies.append(peer.read(10))
    server = origin(behave)
    node = net()
    failed(ask(node, "cut", server.url(), method="PUT", end=end), CANCELLED)
    wait_until(lambda: server.made == server.ended, what="its end")
    assert all(len(body) < 10 for body in bodies)


# ---- TLS ----

def test_tls_with_the_operators_own_authority(serve, workshop, origin, authority):
    context = server_context(*authority.issue("good", "localhost"))
    server = origin(each(hello), tls=context)
    grant = {"allow-network": ["localhost"]}
    node = serve(manifest(workshop, grant, node={"ca-certificates": authority.path}))
    assert ask(node, "get", server.url(host="localhost")).text == "hello from /"
    failed(ask(node, "get", server.url()), TLS)  # 127.0.0.1 is not in the certificate
    node = serve(manifest(workshop, grant))
    failed(ask(node, "get", server.url(host="localhost")), TLS)  # whom nobody knows


def test_an_expired_certificate_is_not_trusted(serve, workshop, origin, authority):
    context = server_context(*authority.issue("old", "localhost", begin="20200101000000Z", end="20200201000000Z"))
    server = origin(each(hello), tls=context)
    node = serve(manifest(workshop, {"allow-network": ["localhost"]}, node={"ca-certificates": authority.path}))
    failed(ask(node, "get", server.url(host="localhost")), TLS)


def test_plain_text_is_no_tls(net, origin):
    server = origin(lambda peer: peer.answer(b"hello"))
    node = net()
    response = ask(node, "get", server.url(scheme="https"))
    assert response.status == 502 and response.text in (f"{TLS}\n", f"{CLOSED}\n", f"{PROTOCOL}\n")


def http2(peer):
    """Answers every stream with its path, in pieces as credit allows."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    peer.send(connection.data_to_send())
    left = {}
    while data := peer.socket.recv(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                path = dict(event.headers)[":path"]
                connection.send_headers(event.stream_id, [(":status", "200"), ("x-path", path)])
                left[event.stream_id] = 3000000
        for stream, size in list(left.items()):
            while size > 0 and (room := min(connection.local_flow_control_window(stream), 16384, size)) > 0:
                size -= room
                connection.send_data(stream, b"x" * room, end_stream=size == 0)
            left[stream] = size
            if size == 0:
                del left[stream]
        peer.send(connection.data_to_send())


def test_http2_where_the_server_speaks_it(serve, workshop, origin, authority):
    server = origin(http2, tls=server_context(*authority.issue("two", "localhost"), http2=True))
    node = serve(manifest(workshop, {"allow-network": ["localhost"]},
                          node={"ca-certificates": authority.path, "workers": 1}))
    for _ in range(3):
        response = ask(node, "get", server.url(host="localhost"))
        assert response.status == 200 and response.body == b"x" * 3000000
    assert "x-path: /b\n" in ask(node, "head", server.url("/b", host="localhost")).text


def test_an_authority_that_is_none_is_refused_at_the_start(home, workshop):
    home.write("mote.toml", manifest(workshop, node={"ca-certificates": "none.pem"}))
    done = home.run("check", "-f", "mote.toml")
    assert done.status != 0 and "there is no file none.pem" in done.err
    home.write("none.pem", "nothing\n")
    done = home.run("serve", "-f", "mote.toml")
    assert done.status != 0 and "no certificates of authorities" in done.err


# ---- the manifest ----

@pytest.mark.parametrize("entry", ["https://example.com", "1.2.3", "10.0.0.1/8", "example.com:0", "a b", "*.*.com",
                                   "[127.0.0.1]", "example.com:http", ""])
def test_an_entry_that_is_none_is_refused(home, workshop, entry):
    home.write("mote.toml", manifest(workshop, {"allow-network": [entry]}))
    done = home.run("check", "-f", "mote.toml")
    assert done.status != 0 and "allow-network" in done.err, done


def test_what_a_denial_proposes_allows_it(net, origin):
    server = origin(each(hello))
    node = net(profile="network-client")
    assert ask(node, "get", server.url()).text == "-1\n"
    node.log.wait_for("denied", "allow-network", f"127.0.0.1:{server.port}")
    node = net({"allow-network": [f"127.0.0.1:{server.port}"]})
    assert ask(node, "get", server.url()).text == "hello from /"
