"""Every event of a WebSocket's process: what the client sees, what the platform does, and that nothing is left over."""

import socket as sockets
import threading

import pytest

import apps
import frames
from client import Closed, Connection, request
from frames import BINARY, CLOSE, PING, PONG, TEXT, Socket, changed, closing, frame
from waiting import wait_until

ENTRIES = ("echo", "obey", "stay", "flood", "hold")
ROUTES = {**{"WS /" + name: "ws#" + name for name in ENTRIES},
          "POST /send/:name": "ws#send", "GET /misplaced": "ws#misplaced"}
CAPABILITY = {"inherits": "sandboxed", "max-cpu-ms": 300}


def manifest(workshop, serve=None, component=None, capability=None, node=None):
    return apps.app(ROUTES, {"ws": {"source": workshop.c("ws"), "capability": "small", **(component or {})}},
                    capabilities={"small": {**CAPABILITY, **(capability or {})}}, serve=serve, node=node)


HOUR_MS = 3600000
DEADLINE_MS = 2500


@pytest.fixture
def node(use_shared, workshop):
    """Nobody waits for a deadline."""
    return use_shared("ws-events", manifest(workshop, {"disconnect-grace-ms": HOUR_MS, "deadline-ms": HOUR_MS}))


@pytest.fixture
def hasty(use_shared, workshop):
    """Units of work have little time."""
    return use_shared("ws-events-hasty", manifest(workshop, {"disconnect-grace-ms": HOUR_MS, "deadline-ms": DEADLINE_MS}))


def exits(node, kind):
    return node.stats()["processes"]["exits"][kind]


def expect_exit(node, kind, before):
    wait_until(lambda: exits(node, kind) == before + 1, what=lambda: f"an exit {kind}: {node.stats()['processes']}")


# ---- open


def test_each_connection_has_a_process_of_kind_ws(node):
    with Socket(node.address, "/echo") as one, Socket(node.address, "/echo") as two:
        node.wait_processes(2)
        assert [process["kind"] for process in node.processes()] == ["ws", "ws"]
        for socket in (one, two):
            socket.send_text("hello")
            socket.expect(TEXT, b"hello")
            socket.finish()


@pytest.mark.parametrize("headers, status", [
    (changed(("Sec-WebSocket-Key", "x")), 400), (changed(("Origin", "http://evil")), 403),
    (changed(drop=["Upgrade"]), 426), (changed(("Sec-WebSocket-Version", "8")), 426)])
def test_a_refused_upgrade_spawns_nothing(node, headers, status):
    before = node.stats()["processes"]["spawned"]
    assert node.get("/echo", [*headers]).status in (status, 426)
    with node.connect() as connection:
        connection.send_request("GET", "/echo", headers)
        assert connection.read().status == status
    assert node.stats()["processes"]["spawned"] == before


def test_a_full_component_is_503_before_the_101(serve, workshop):
    node = serve(manifest(workshop, component={"max-processes": 2}))
    with Socket(node.address, "/echo") as one, Socket(node.address, "/echo"):
        with node.connect() as third:
            third.send_request("GET", "/echo", changed())
            response = third.read()
            assert response.status == 503
            assert response.header("retry-after")
        one.finish()
        node.wait_processes(1)
        with Socket(node.address, "/echo") as fourth:
            fourth.send_text("room")
            fourth.expect(TEXT, b"room")


def test_a_listener_of_its_own_speaks_nothing_else(serve, workshop):
    text = apps.app({}, {"ws": workshop.c("ws")}, serve={"protocol": "ws", "component": "ws#echo"})
    node = serve(text.replace("[serve.routes]\n", ""))
    for method in ("GET", "POST", "DELETE"):
        assert node.request(method, "/any/path").status == 426
    with Socket(node.address, "/any/path") as socket:
        socket.send_text("hello")
        socket.expect(TEXT, b"hello")
        socket.finish()


def test_routes_of_a_listener_of_its_own(serve, workshop):
    node = serve(apps.app({"WS /echo": "ws#echo"}, {"ws": workshop.c("ws")}, serve={"protocol": "ws"}))
    assert node.get("/echo").status == 426
    assert node.get("/nowhere").status == 404
    with Socket(node.address, "/echo") as socket:
        socket.finish()


def test_the_functions_are_misplaced_elsewhere(node):
    assert node.get("/misplaced").text == "misplaced\n"


# ---- frames from the client: credit


def test_a_client_that_is_not_received_is_not_read(serve, workshop):
    node = serve(manifest(workshop, {"disconnect-grace-ms": 200}))  # its process does not hear of the end
    with Socket(node.address, "/hold") as socket:
        node.wait_processes(1)
        idle = node.stats()["connections"]["buffered_bytes"]
        socket.sock.settimeout(0.5)
        data, sent = frame(BINARY, b"x" * 65536), 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 30:
                socket.sock.sendall(data)  # what was half sent is thrown away with the connection
                sent += len(data)
        assert sent < 64 << 20  # the rest of what went lies in the kernel's buffers
        assert node.stats()["connections"]["buffered_bytes"] - idle < 1 << 20
        socket.reset()


def test_small_frames_wait_too_and_none_is_lost(node):
    count = 5000
    with Socket(node.address, "/hold") as socket:
        node.wait_processes(1)
        writer = threading.Thread(target=socket.send, args=(b"".join(
            frame(TEXT, b"%d" % i) for i in range(count - 1)) + frame(TEXT, b"end"),))
        writer.start()
        wait_until(lambda: node.post("/send/hold", b"go").status == 200)
        assert socket.read_message() == (BINARY, count.to_bytes(8, "little"))
        writer.join()
        socket.finish()


# ---- the guest sends


def test_a_slow_client_parks_the_sender_and_memory_is_bounded(node):
    before = exits(node, "normal")
    with Socket(node.address, "/flood", receive_bytes=4096) as socket:
        node.wait_processes(1)
        # Once nothing moves any more, it is parked, and burns nothing.
        def still():
            first, then = (node.processes()[0] for _ in range(2))
            return first["state"] == then["state"] == "parked" and first["turns"] == then["turns"]
        wait_until(still)
        assert node.stats()["connections"]["buffered_bytes"] < 2 << 20
        for _ in range(50):
            assert socket.read_message() == (BINARY, b"\0" * 65536)
        socket.reset()
    expect_exit(node, "normal", before)


def test_a_client_that_reads_nothing_is_cut_at_the_deadline(serve, workshop):
    node = serve(manifest(workshop, {"write-timeout-ms": 300, "disconnect-grace-ms": HOUR_MS}))
    with Socket(node.address, "/flood", receive_bytes=4096):
        node.log.wait_for("flood: closed")
        node.log.wait_for("closed 1006")
        node.wait_processes(0)


def test_other_processes_send_to_it_and_it_to_others(node):
    with Socket(node.address, "/obey") as one, Socket(node.address, "/obey") as two:
        for socket in (one, two):
            socket.send_text("pid")
            assert socket.read_message()[0] == BINARY  # it has joined
        senders = [threading.Thread(target=node.post, args=("/send/obey", b"from %d" % i)) for i in range(20)]
        for sender in senders:
            sender.start()
        got = sorted(one.read_message() for _ in senders)
        for sender in senders:
            sender.join()
        assert got == sorted((BINARY, b"from %d" % i) for i in range(20))
        two.send_text("publish: hello")
        one.expect(BINARY, b"publish: hello")
        two.expect(BINARY, b"publish: hello")
        one.finish()
        two.finish()


def test_no_process_can_forge_a_frame(node):
    with Socket(node.address, "/obey") as socket:
        socket.send_text("forge")
        socket.expect(BINARY, b"forged")  # as mail of a process, which it passes on as binary
        socket.finish()


@pytest.mark.parametrize("word", ["bad-text", "bad-close"])
def test_what_must_not_be_sent_is_invalid(node, word):
    with Socket(node.address, "/obey") as socket:
        socket.send_text(word)
        socket.expect(TEXT, b"invalid")
        socket.finish()


# ---- closing


def test_the_client_closes(node):
    before = exits(node, "normal")
    with Socket(node.address, "/obey") as socket:
        socket.send(closing(4000, b"bye"))
        socket.expect_close(4000, "")
    node.log.wait_for("closed 4000 bye")
    expect_exit(node, "normal", before)


def test_the_guest_closes_behind_what_it_sent(node):
    with Socket(node.address, "/obey") as socket:
        socket.send_text("close")
        socket.expect(TEXT, b"last words")
        socket.expect(CLOSE, 4001, "enough")
        socket.send(frame(TEXT, b"on its way") + closing(4002, b"seen"))
        assert socket.read_frame() is None
    node.log.wait_for("closed 4002 seen")


def test_a_guest_that_returns_closes_with_1000(node):
    before = exits(node, "normal")
    with Socket(node.address, "/obey") as socket:
        socket.send_text("return")
        socket.expect(CLOSE, 1000, "")
        expect_exit(node, "normal", before)
        socket.send(closing(1000))
        assert socket.read_frame() is None


def test_what_comes_behind_our_close_costs_nothing_and_goes_nowhere(node):
    packed = frames.deflated(b"\0" * (64 << 20))
    with Socket(node.address, "/obey", [frames.DEFLATE]) as socket:
        socket.send(frame(BINARY, b"half", fin=False) + frame(PING))
        assert socket.read_frame()[0] == PONG
        assert node.post("/send/obey", b"x").status == 200
        socket.expect(BINARY, b"x")
        socket.send(frame(0, b"") + frame(TEXT, b"return"))
        socket.expect(CLOSE, 1000, "")
        socket.send(frame(BINARY, packed, rsv=4) + frame(TEXT, b"\xff") + frame(PING) + closing(1000))
        assert socket.read_frame() is None


def test_a_client_that_never_answers_a_close_is_left(node):
    with Socket(node.address, "/obey") as socket:
        socket.send_text("return")
        socket.expect(CLOSE, 1000, "")
        assert socket.read_frame() is None  # after WEBSOCKET_CLOSE_MS


@pytest.mark.parametrize("how", ["fin", "half", "reset"])
def test_a_client_that_leaves_without_a_word_is_1006(node, how):
    before, lines = exits(node, "normal"), len(node.log.having("closed 1006"))
    socket = Socket(node.address, "/obey")
    node.wait_processes(1)
    if how == "half":
        socket.end_sending()
        assert socket.read_frame() is None
    elif how == "reset":
        socket.reset()
    socket.close()
    node.log.wait_for("closed 1006", count=lines + 1)
    expect_exit(node, "normal", before)


def test_a_guest_that_stays_is_killed_after_the_grace(serve, workshop):
    node = serve(manifest(workshop, {"disconnect-grace-ms": 100}))
    before = exits(node, "killed")
    with Socket(node.address, "/stay") as socket:
        socket.send(closing(1000, b"gone"))
        socket.expect_close(1000)
    expect_exit(node, "killed", before)
    node.log.wait_for("killed", "disconnect")


# ---- a crash, a kill: this client only


@pytest.mark.parametrize("word, kind", [("crash", "crashed"), ("point", "crashed"),
                                        ("hint", "crashed"), ("eat", "crashed: memory"),
                                        ("spin", "crashed: cpu"), ("sleep", "crashed: timeout")])
def test_a_crash_is_1011_for_this_client_only(node, hasty, word, kind):
    node = hasty if word == "sleep" else node
    before = exits(node, kind)
    with Socket(node.address, "/echo") as other, Socket(node.address, "/obey") as socket:
        socket.send_text(word)
        socket.expect(CLOSE, 1011, "")
        socket.send(closing(1011))
        assert socket.read_frame() is None
        expect_exit(node, kind, before)
        other.send_text("still here")
        other.expect(TEXT, b"still here")
        other.finish()


def test_a_kill_is_1011(node):
    with Socket(node.address, "/obey") as socket:
        socket.send_text("pid")
        pid = int.from_bytes(socket.read_message()[1], "little")
        assert node.home.run("kill", str(pid)).status == 0
        socket.expect(CLOSE, 1011, "")
        socket.send(closing(1011))
        assert socket.read_frame() is None


def test_a_process_that_waits_for_mail_has_no_deadline(hasty):
    node = hasty
    with Socket(node.address, "/obey") as socket:
        wait_until(lambda: [one for one in node.processes() if one["age_ms"] >= 2 * DEADLINE_MS])
        socket.send_text("pid")
        assert socket.read_message()[0] == BINARY
        socket.finish()


def test_each_message_is_a_unit_of_work(hasty):
    # Ten naps of 300 ms are more than the deadline; one is not.
    node = hasty
    before = exits(node, "normal")
    with Socket(node.address, "/obey") as socket:
        for _ in range(10):
            socket.send_text("nap")
            socket.expect(TEXT, b"slept")
        socket.finish()
    expect_exit(node, "normal", before)


# ---- pings


def test_a_silent_client_is_pinged_and_then_left(serve, workshop):
    node = serve(manifest(workshop, {"ping-ms": 200}))
    with Socket(node.address, "/obey") as dead:
        assert dead.read_frame()[0] == PING
        assert dead.read_message()[:2] == (CLOSE, 1011)
        assert dead.read_frame() is None
        node.log.wait_for("closed 1011 no answer to a ping")


def test_a_client_that_answers_is_pinged_again_and_stays(serve, workshop):
    node = serve(manifest(workshop, {"ping-ms": 1500}))
    with Socket(node.address, "/obey") as alive:
        for _ in range(3):
            assert alive.read_frame()[0] == PING
            alive.send(frame(PONG))
        alive.finish()


def test_a_frame_that_comes_too_slowly_is_1008(serve, workshop):
    node = serve(manifest(workshop, {"body-bytes-per-second": 1000000, "ping-ms": 0}))
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(BINARY, b"x" * 1000)[:500])
        socket.expect_close(1008)


# ---- the end of the node


def test_a_drain_is_1001(serve, workshop):
    node = serve(manifest(workshop))
    with Socket(node.address, "/obey") as socket:
        node.wait_processes(1)
        node.terminate()
        socket.expect(CLOSE, 1001, "")
        socket.send(closing(1001))
        assert socket.read_frame() is None
    assert node.wait() == 0
    assert node.log.having("closed 1001")


def test_a_drain_does_not_wait_for_ever_for_a_client(serve, workshop):
    node = serve(manifest(workshop, node={"drain-ms": 1500}))
    with Socket(node.address, "/echo") as socket:
        node.wait_processes(1)
        node.terminate()
        socket.expect(CLOSE, 1001, "")
        node.wait()


# ---- leaving at every byte; many at once


CONVERSATION = (request("GET", "/echo", [*changed(), frames.DEFLATE]) + frame(TEXT, b"hello")
                + frame(PING, b"p") + frame(TEXT, frames.deflated(b"packed" * 50), rsv=4)
                + frame(BINARY, b"y" * 200, fin=False) + frame(0, b"z" * 10) + closing(1000, b"bye"))


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_leaving_at_every_byte_of_a_conversation_leaves_nothing(node, how):
    for size in range(1, len(CONVERSATION) + 1):
        connection = Connection(node.address)
        connection.send(CONVERSATION[:size])
        connection.reset() if how == "reset" else connection.close()
    node.check_baseline()


def test_a_conversation_in_single_bytes_is_the_same(node):
    with Connection(node.address) as connection:
        last = closing(1000, b"bye")
        assert CONVERSATION.endswith(last)
        for i in range(len(CONVERSATION) - len(last)):
            connection.send(CONVERSATION[i:i + 1])
        assert connection.read_head().status == 101
        socket = Socket.__new__(Socket)
        socket.__dict__.update(connection.__dict__)
        socket.expect(TEXT, b"hello")
        socket.expect(TEXT, b"packed" * 50)
        socket.expect(BINARY, b"y" * 200 + b"z" * 10)
        for i in range(len(last)):
            socket.send(last[i:i + 1])
        socket.expect_close(1000)


def test_a_thousand_connections_at_once(node):
    all_of_them = []
    try:
        for _ in range(1000):
            connection = Connection(node.address)
            all_of_them.append(connection)
            connection.send(request("GET", "/echo", changed()) + frame(TEXT, b"hello"))
        for connection in all_of_them:
            assert connection.read_head().status == 101
            connection.buffer += b""
        node.wait_processes(1000)
        for i, connection in enumerate(all_of_them):
            assert connection._exactly(7) == b"\x81\x05hello"
            connection.send(frame(TEXT, b"%d" % i))
        for i, connection in enumerate(all_of_them):
            text = b"%d" % i
            assert connection._exactly(2 + len(text)) == bytes([0x81, len(text)]) + text
    finally:
        for connection in all_of_them:
            connection.close()
    node.wait_processes(0)
