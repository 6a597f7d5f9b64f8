"""What components ask of others by wasi:http/outgoing-handler and wasi:sockets, and what their grants let through."""

import http.server
import socket
import threading

import pytest

import apps
import guests
from waiting import SLOW, wait_until

MIB = 1 << 20
CONNECTION_REFUSED, CONNECTION_TERMINATED, REQUEST_DENIED = 6, 7, 15  # of wasi:http's error-code


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by its path."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.close_connection = True
        self.server.asked.append(self.path)
        if self.path == "/large":
            self.reply(b"y" * 4 * MIB)
        elif self.path == "/hang":
            self.server.gone.append(self.rfile.read(1))  # until the client leaves
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"some")
        elif self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/hello")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
        else:
            self.reply(b"from " + self.headers["Host"].split(":")[0].encode(), 203)

    def do_POST(self):
        self.close_connection = True
        parts = []
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            parts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(b"".join(parts))


@pytest.fixture
def peer():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.gone = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(20 * SLOW)
    server.server_close()


def manifest(rules, serve=None):
    settings = {"source": guests.component_path("http"), "capability": "reaching"}
    text = apps.app({"* /*": "web"}, {"web": settings}, node={"fetch-keep-ms": 50},
                    serve={"disconnect-grace-ms": 200, "cancel-on-disconnect": True, **(serve or {})},
                    capabilities={"reaching": {"inherits": "sandboxed", **({"allow-network": rules} if rules else {})}})
    return text


def url(peer, path):
    return f"http://127.0.0.1:{peer.server_port}{path}"


@pytest.fixture
def reaching(serve, peer):
    return serve(manifest([f"127.0.0.1:{peer.server_port}"]))


def test_a_component_gets_what_it_asks_for(reaching, peer):
    response = reaching.get("/fetch?" + url(peer, "/hello"))
    assert (response.status, response.text) == (203, "from 127.0.0.1")
    assert peer.asked == ["/hello"]


def test_a_redirect_is_its_own_to_follow(reaching, peer):
    assert reaching.get("/fetch?" + url(peer, "/moved")).status == 302
    assert peer.asked == ["/moved"]


def test_a_large_answer_is_passed_on_piece_by_piece(reaching, peer):
    response = reaching.get("/fetch?" + url(peer, "/large"))
    assert (response.status, len(response.body), response.cut) == (200, 4 * MIB, False)


def test_a_body_is_sent_and_comes_back(reaching, peer):
    body = bytes(range(256)) * 1000
    response = reaching.post("/post?" + url(peer, "/echo"), body)
    assert (response.status, response.body) == (200, body)


def test_an_answer_that_breaks_off_fails_the_read(reaching, peer):
    response = reaching.get("/fetch?" + url(peer, "/cut"))
    assert (response.status, response.cut) == (200, True)


def test_a_request_that_is_given_up_is_cancelled(reaching, peer):
    assert reaching.get("/forget?" + url(peer, "/hang")).text == "given up\n"


def test_a_request_ends_with_its_process(reaching, peer):
    with reaching.connect() as connection:
        connection.send_request("GET", "/fetch?" + url(peer, "/hang"))
        wait_until(lambda: peer.asked)
        connection.reset()
    reaching.wait_processes(0)
    wait_until(lambda: peer.gone, what="the peer to see its client leave")


def test_nobody_at_home_is_an_error_of_its_own(serve):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, and nobody answers
        port = unused.getsockname()[1]
        node = serve(manifest([f"127.0.0.1:{port}"]))
        assert node.get(f"/fetch?http://127.0.0.1:{port}/").text == f"error {CONNECTION_REFUSED}\n"


@pytest.mark.parametrize("rules", [None, ["192.0.2.1"], ["*"], ["127.0.0.1:1"], ["example.com"]])
def test_what_is_not_granted_is_denied_and_logged(serve, peer, rules):
    node = serve(manifest(rules))
    response = node.get("/fetch?" + url(peer, "/hello"))
    assert response.text in (f"error {REQUEST_DENIED}\n", f"refused at once: {REQUEST_DENIED}\n")
    assert peer.asked == []
    assert "allow-network" in node.log.wait_for("denied", "component=web")[-1]


def test_the_node_itself_is_never_reached(serve, free_port):
    node = serve(manifest(["127.0.0.1", "localhost"], serve={"listen": f"127.0.0.1:{free_port}"}))
    for name in ("127.0.0.1", "localhost"):
        text = node.get(f"/fetch?http://{name}:{free_port}/").text
        assert text in (f"error {REQUEST_DENIED}\n", f"refused at once: {REQUEST_DENIED}\n")


# ---- wasi:sockets

ACCESS_DENIED = 1  # of wasi:sockets' error-code


@pytest.fixture
def greeter():
    """Says a word to whoever connects; `port`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ended = threading.Event()

        def greet():
            while not ended.is_set():
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                with one:
                    one.sendall(b"a word of the peer")

        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        ended.set()
        with socket.socket() as last:
            last.connect(listener.getsockname())
        thread.join(20 * SLOW)


def test_a_component_connects_where_it_may(serve, greeter):
    node = serve(manifest([f"127.0.0.1:{greeter}"]))
    assert node.get(f"/connect?127.0.0.1:{greeter}").text == "a word of the peer"


@pytest.mark.parametrize("rules", [["*"], ["127.0.0.1:1"], ["127.0.0.2"], ["localhost:1"], ["10.0.0.0/8"]])
def test_a_socket_to_elsewhere_is_denied_and_logged(serve, greeter, rules):
    node = serve(manifest(rules))
    text = node.get(f"/connect?127.0.0.1:{greeter}").text
    assert text in (f"not connected: {ACCESS_DENIED}\n", f"refused at once: {ACCESS_DENIED}\n")
    assert "allow-network" in node.log.wait_for("denied", "component=web", "connect")[-1]


def test_without_a_grant_there_are_no_sockets_and_no_names(serve, greeter):
    node = serve(manifest(None))
    assert node.get(f"/connect?127.0.0.1:{greeter}").text == f"no socket: {ACCESS_DENIED}\n"
    assert node.get("/resolve?localhost").status == 502


def test_a_socket_does_not_reach_the_node_itself(serve, free_port):
    node = serve(manifest(["127.0.0.1"], serve={"listen": f"127.0.0.1:{free_port}"}))
    assert node.get(f"/connect?127.0.0.1:{free_port}").status == 502
    assert node.log.wait_for("denied", "connect", "listener of this node")


@pytest.mark.parametrize("address, bound", [("127.0.0.1:0", False), ("0.0.0.0:0", True), ("0.0.0.0:1", False)])
@pytest.mark.parametrize("rules", [["192.0.2.1"], ["0.0.0.0/0", "localhost"]])
def test_a_socket_is_bound_to_nothing_whatever_is_granted(serve, rules, address, bound):
    node = serve(manifest(rules))
    text = node.get("/bind?" + address).text
    assert text == ("bound\n" if bound else f"not bound: {ACCESS_DENIED}\n")
    if not bound:
        assert node.log.wait_for("denied", "component=web", "bind", "no allow-network lets")


@pytest.mark.parametrize("rule", ["127.0.0.0/8", "localhost", "*"])
def test_sockets_know_addresses_only(serve, rule):
    node = serve(manifest([rule]))
    assert node.get("/resolve?localhost").status == 502
