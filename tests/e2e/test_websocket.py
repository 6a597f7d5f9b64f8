"""WebSockets as a protocol: the MUSTs of RFC 6455 that a server can violate, and RFC 7692. Raw frames, and a library."""

import asyncio
import os

import pytest
import websockets

import apps
import frames
from frames import BINARY, CLOSE, CONTINUE, PING, PONG, TEXT, Socket, changed, closing, deflated, frame

MESSAGE_MAX = 100000
ROUTES = {"WS /echo": "ws#echo", "GET /echo": "zoo#hello", "WS /only": "ws#echo",
          "WS /tell/:room": "ws#tell", "GET /plain": "zoo#hello", "* /any": "zoo#hello"}


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("ws", apps.app(
        ROUTES, {"ws": workshop.c("ws"), "zoo": workshop.zoo()},
        serve={"max-message-bytes": MESSAGE_MAX, "subprotocols": ["chat.v2", "chat.v1"]}))


def shake(node, headers, method="GET", target="/echo", version="1.1", body=None):
    with node.connect() as connection:
        connection.send_request(method, target, headers, body, version=version)
        response = connection.read_head()
        return response if response.status == 101 else connection.read_body(response)


# ---- RFC 6455, 4.2: the handshake


def test_the_answer_is_101_with_the_key_accepted(node):
    with Socket(node.address, "/echo") as socket:
        assert socket.head.header("upgrade").lower() == "websocket"
        assert socket.head.header("connection").lower() == "upgrade"
        assert socket.head.header("sec-websocket-accept") == frames.accept_of(frames.KEY)
        for name in ("sec-websocket-protocol", "sec-websocket-extensions", "content-length",
                     "transfer-encoding"):
            assert socket.head.header(name) is None
        socket.finish()


def test_the_example_of_the_rfc(node):
    head = shake(node, changed(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")))
    assert head.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("headers", [
    changed(("Upgrade", "WebSocket"), ("Connection", "keep-alive, UPGRADE")),
    changed(("Upgrade", "h2c, websocket")),
    changed(("Connection", "keep-alive"), ("connection", "upgrade")),
])
def test_names_and_lists_are_read_as_http_has_them(node, headers):
    assert shake(node, headers).status == 101


@pytest.mark.parametrize("headers", [
    changed(drop=["Upgrade"]), changed(drop=["Connection"]), changed(("Upgrade", "h2c")),
    changed(("Connection", "keep-alive")), changed(("Upgrade", "websockets")),
])
def test_without_an_upgrade_it_is_an_ordinary_request(node, headers):
    assert shake(node, headers).text == "hello\n"
    refused = shake(node, headers, target="/only")
    assert refused.status == 426
    assert refused.header("upgrade") == "websocket"
    assert "upgrade" in refused.header("connection").lower()


def test_http_1_0_cannot_upgrade(node):
    assert shake(node, changed(), target="/only", version="1.0").status == 426


def test_an_upgrade_is_ignored_where_there_is_no_websocket(node):
    assert shake(node, changed(), target="/plain").text == "hello\n"
    assert shake(node, changed(), target="/any").text == "hello\n"
    assert shake(node, changed(), target="/nowhere").status == 404
    # Also with a body, in whose end the upgrade must not hide what follows.
    with node.connect() as connection:
        connection.send_request("POST", "/any", [*changed(), ("Transfer-Encoding", "chunked")],
                                b"3\r\nabc\r\n0\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [connection.read().text, connection.read().text] == ["hello\n"] * 2


def test_the_name_of_the_route_is_no_method(node):
    assert shake(node, changed(), method="WS").status == 501
    assert shake(node, [], method="WS", target="/only").status == 501


@pytest.mark.parametrize("method, status", [("POST", 405), ("HEAD", 405), ("DELETE", 405)])
def test_only_get_asks_for_a_websocket(node, method, status):
    with node.connect() as connection:
        connection.send_request(method, "/only", changed())
        response = connection.read(to_head=method == "HEAD")
        assert response.status == status
        assert "GET" in response.header("allow")
        assert "WS" not in response.header("allow")


@pytest.mark.parametrize("version", ["12", "8", "14", "013", "", "13, 8", None])
def test_another_version_is_426_and_told_which(node, version):
    refused = shake(node, changed(("Sec-WebSocket-Version", version)) if version is not None
                    else changed(drop=["Sec-WebSocket-Version"]))
    assert refused.status == 426
    assert refused.header("sec-websocket-version") == "13"
    assert refused.header("upgrade") == "websocket"


@pytest.mark.parametrize("key", [
    "", "AAAA", frames.KEY[:-1], frames.KEY + "=", "A" * 24, "A" * 21 + "===", "A" * 20 + "????",
    "A" * 21 + "-==", frames.KEY + ", " + frames.KEY, None])
def test_a_bad_key_is_400(node, key):
    headers = changed(("Sec-WebSocket-Key", key)) if key is not None else changed(
        drop=["Sec-WebSocket-Key"])
    assert shake(node, headers).status == 400


def test_two_keys_are_400(node):
    assert shake(node, [*changed(), ("Sec-WebSocket-Key", frames.KEY)]).status == 400


def test_a_handshake_with_a_body_is_400(node):
    assert shake(node, changed(), body=b"x").status == 400


def test_a_bad_request_is_no_handshake(node):
    with node.connect() as connection:
        connection.send(b"GET /echo HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert connection.read().status == 400  # no Host


@pytest.mark.parametrize("wanted, agreed", [
    (["chat.v1"], "chat.v1"), (["chat.v1, chat.v2"], "chat.v1"), (["other", "chat.v2"], "chat.v2"),
    (["other"], None), (["CHAT.V1"], None)])
def test_the_first_subprotocol_that_both_have(node, wanted, agreed):
    head = shake(node, [*changed(), *[("Sec-WebSocket-Protocol", one) for one in wanted]])
    assert (head.status, head.header("sec-websocket-protocol")) == (101, agreed)


@pytest.mark.parametrize("wanted", ["a b", "a;b", '"a"'])
def test_a_subprotocol_that_is_no_token_is_400(node, wanted):
    assert shake(node, changed(("Sec-WebSocket-Protocol", wanted))).status == 400


@pytest.mark.parametrize("origin, status", [
    ("http://test", 101), ("https://TEST", 101), ("http://elsewhere", 403), ("null", 403),
    ("http://test.evil", 403), ("test", 403), ("http://test:81", 403)])
def test_a_page_may_connect_to_its_own_host(node, origin, status):
    assert shake(node, changed(("Origin", origin))).status == status


def test_two_origins_are_403(node):
    assert shake(node, [*changed(("Origin", "http://test")), ("Origin", "http://test")]).status == 403


@pytest.mark.parametrize("allowed, origin, status", [
    (["https://a.example"], "https://a.example", 101), (["https://a.example"], "http://a.example", 403),
    (["https://a.example"], "http://test", 403), (["*"], "http://anywhere", 101),
    (["null"], "null", 101), (["https://a.example"], None, 101), ([], "http://test", 403)])
def test_allowed_origins(serve, workshop, allowed, origin, status):
    node = serve(apps.app({"WS /echo": "ws#echo"}, {"ws": workshop.c("ws")},
                          serve={"allowed-origins": allowed}))
    assert shake(node, changed(("Origin", origin)) if origin else changed()).status == status


def test_what_is_sent_with_the_handshake_is_not_lost(node):
    with node.connect() as connection:
        connection.send(frames.client.request("GET", "/echo", changed()) + frame(TEXT, b"early"))
        assert connection.read_head().status == 101
        socket = Socket.__new__(Socket)
        socket.__dict__.update(connection.__dict__)
        socket.expect(TEXT, b"early")
        socket.finish()


def test_the_process_knows_the_handshake(node):
    with Socket(node.address, "/tell/lounge?a=b", [("Sec-WebSocket-Protocol", "chat.v2"),
                                                   ("X-Colour", "red")]) as socket:
        got = [socket.read_message()[1] for _ in range(7)]
        assert got == [b"GET", b"/tell/lounge", b"a=b", b"test", b"chat.v2", b"lounge", b"red"]
        socket.send(closing(1000))
        socket.expect_close(1000)


# ---- 5: frames


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 4095, 4096, 4097, 16384, 65535, 65536, MESSAGE_MAX])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_messages_of_every_length_come_back_as_they_are(node, kind, size):
    data = frames.random_text(size).encode() if kind == TEXT else os.urandom(size)
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(kind, data))
        socket.expect(kind, data)
        socket.finish()


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4"])
def test_every_mask_is_taken_off(node, mask):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(TEXT, b"masked", mask=mask))
        socket.expect(TEXT, b"masked")
        socket.finish()


def test_fragments_are_joined_and_control_frames_stand_between_them(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(TEXT, b"one ", fin=False) + frame(PING, b"p1") + frame(CONTINUE, b"", fin=False)
                    + frame(CONTINUE, b"two ", fin=False) + frame(PONG, b"unasked") + frame(CONTINUE, b"three"))
        assert socket.read_frame() == (PONG, b"p1", True, 0)
        socket.expect(TEXT, b"one two three")
        socket.finish()


def test_a_character_may_be_cut_by_a_fragment(node):
    data = "aé€😀".encode()
    with Socket(node.address, "/echo") as socket:
        for i in range(len(data) + 1):
            socket.send(frame(TEXT, data[:i], fin=False) + frame(CONTINUE, data[i:]))
            socket.expect(TEXT, data)
        socket.finish()


def test_many_messages_in_one_piece_come_back_in_order(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(b"".join(frame(TEXT, str(i).encode()) for i in range(2000)))
        for i in range(2000):
            socket.expect(TEXT, str(i).encode())
        socket.finish()


@pytest.mark.parametrize("payload", [b"", b"x", b"y" * 125])
def test_a_ping_is_answered_with_its_payload(node, payload):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(PING, payload))
        assert socket.read_frame() == (PONG, payload, True, 0)
        socket.finish()


BROKEN = {
    "a frame without a mask": frame(TEXT, b"x", mask=b""),
    "an empty frame without a mask": frame(TEXT, b"", mask=b""),
    "a ping without a mask": frame(PING, b"x", mask=b""),
    "rsv1 without an extension": frame(TEXT, b"x", rsv=4),
    "rsv2": frame(TEXT, b"x", rsv=2),
    "rsv3": frame(BINARY, b"x", rsv=1),
    "rsv1 of a ping": frame(PING, b"x", rsv=4),
    "rsv2 of a close": frame(CLOSE, b"\x03\xe8", rsv=2),
    **{f"opcode {one}": frame(one, b"x") for one in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping of 126 bytes": frame(PING, b"x" * 126),
    "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "a ping with a long length": frame(PING, b"x", form=2),
    "a ping in fragments": frame(PING, b"x", fin=False),
    "a close in fragments": frame(CLOSE, b"", fin=False),
    "nothing to continue": frame(CONTINUE, b"x"),
    "nothing to continue, again": frame(TEXT, b"", fin=False) + frame(CONTINUE) + frame(CONTINUE, b"x"),
    "a message within a message": frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
    "a binary one within a text": frame(TEXT, b"x", fin=False) + frame(BINARY, b"y", fin=False),
    "a length of 2 bytes that fits 7 bits": frame(TEXT, b"x" * 125, form=2),
    "a length of 8 bytes that fits 2": frame(TEXT, b"x" * 126, form=8),
    "a length with its highest bit": frame(TEXT, b"x", length=1 << 63, form=8),
    "half a close code": frame(CLOSE, b"\x03"),
    **{f"close code {code}": closing(code) for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000,
                                                        2999, 5000, 65535)},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_violation_is_1002_and_the_end(node, what):
    with Socket(node.address, "/echo") as socket:
        socket.send(BROKEN[what] + frame(TEXT, b"not to be read"))
        got = socket.read_message()
        if got is not None and got[0] != CLOSE:
            assert what == "nothing to continue, again"
            got = socket.read_message()
        assert got[:2] == (CLOSE, 1002)
        assert socket.read_frame() is None


BAD_TEXT = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"ok \xe2\x82",
            b"\xe0\x80\x80", b"\xf8\x88\x80\x80\x80", b"a" * 5000 + b"\xc3", b"\xc3\x28"]


@pytest.mark.parametrize("data", BAD_TEXT, ids=range(len(BAD_TEXT)))
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_that_is_not_utf_8_is_1007(node, data, packed):
    with Socket(node.address, "/echo", [frames.DEFLATE] if packed else []) as socket:
        socket.send(frame(TEXT, deflated(data), rsv=4) if packed else frame(TEXT, data))
        socket.expect_close(1007)


def test_bad_utf_8_in_fragments_is_1007_and_binary_is_anything(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(BINARY, b"\xff\xfe"))
        socket.expect(BINARY, b"\xff\xfe")
        socket.send(frame(TEXT, b"\xe2", fin=False) + frame(CONTINUE, b"\x82", fin=False)
                    + frame(CONTINUE, b"x"))
        socket.expect_close(1007)


@pytest.mark.parametrize("data", [
    frame(BINARY, b"x" * (MESSAGE_MAX + 1)),
    frame(BINARY, b"x", length=1 << 40, form=8),
    frame(TEXT, b"x" * MESSAGE_MAX, fin=False) + frame(CONTINUE, b"x"),
    frame(TEXT, b"x" * 60000, fin=False) + frame(CONTINUE, b"x" * 60000),
], ids=["one frame", "announced", "one byte more", "fragments"])
def test_a_message_too_large_is_1009(node, data):
    with Socket(node.address, "/echo") as socket:
        socket.send(data)
        socket.expect_close(1009)


# ---- 5.5.1 and 7: closing


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000,
                                  3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(node, code):
    with Socket(node.address, "/echo") as socket:
        socket.send(closing(code, "grüße".encode()) + frame(TEXT, b"behind it"))
        socket.expect_close(code, "")


def test_a_close_without_a_code_is_answered_without_one(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(closing())
        socket.expect_close(None, "")


def test_a_close_reason_that_is_not_utf_8_is_1007(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(closing(1000, b"\xff"))
        socket.expect_close(1007)


def test_a_close_in_the_middle_of_a_message_is_a_close(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(TEXT, b"half", fin=False) + closing(1000))
        socket.expect_close(1000)


# ---- RFC 7692


@pytest.mark.parametrize("offer, agreed", [
    ("permessage-deflate", ""),
    ("permessage-deflate; client_no_context_takeover", ""),
    ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""),
    ("permessage-deflate; client_max_window_bits", ""),
    ("permessage-deflate; client_max_window_bits=8", ""),
    ('permessage-deflate; server_max_window_bits="10"', "; server_max_window_bits=10"),
    ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
    ("permessage-deflate;server_max_window_bits=8, permessage-deflate", ""),
    ("x-webkit-deflate-frame, permessage-deflate", ""),
    ("permessage-deflate; server_max_window_bits=8", None),
    ("permessage-deflate; server_max_window_bits=16", None),
    ("permessage-deflate; server_max_window_bits=09", None),
    ("permessage-deflate; server_max_window_bits", None),
    ("permessage-deflate; client_max_window_bits=7", None),
    ("permessage-deflate; server_no_context_takeover=1", None),
    ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
    ("permessage-deflate; unknown", None),
    ("permessage-bzip2", None),
])
def test_what_is_agreed_on(node, offer, agreed):
    head = shake(node, changed(("Sec-WebSocket-Extensions", offer)))
    full = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert head.status == 101
    assert head.header("sec-websocket-extensions") == (None if agreed is None else full + agreed)


@pytest.mark.parametrize("offer", ["permessage-deflate; =", ";", "permessage-deflate; a=", 'x; a="b',
                                   "permessage-deflate server_no_context_takeover", "a b"])
def test_a_malformed_offer_is_400(node, offer):
    assert shake(node, changed(("Sec-WebSocket-Extensions", offer))).status == 400


@pytest.mark.parametrize("size", [0, 1, 200, 256, 5000, 40000, MESSAGE_MAX])
@pytest.mark.parametrize("bits", [9, 15])
def test_compressed_messages_come_back(node, size, bits):
    offer = ("Sec-WebSocket-Extensions", f"permessage-deflate; server_max_window_bits={bits}")
    text = (frames.random_text(50) * (size // 50 + 1))[:size].encode()
    with Socket(node.address, "/echo", [offer]) as socket:
        for data in (text, os.urandom(size)):
            socket.send(frame(BINARY, deflated(data), rsv=4))
            socket.expect(BINARY, data)
            socket.send(frame(BINARY, data))  # not each message need be
            socket.expect(BINARY, data)
        socket.finish()


def test_a_repetitive_answer_is_sent_compressed(node):
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        socket.send(frame(TEXT, b"a" * 10000))
        opcode, payload, fin, rsv = socket.read_frame()
        assert (opcode, fin, rsv) == (TEXT, True, 4)
        assert len(payload) < 200
        assert frames.inflated(payload) == b"a" * 10000
        socket.finish()


def test_compressed_fragments_only_the_first_says_so(node):
    packed = deflated(b"one two three")
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        for i in range(len(packed) + 1):
            socket.send(frame(TEXT, packed[:i], rsv=4, fin=False) + frame(PING)
                        + frame(CONTINUE, packed[i:]))
            socket.expect(TEXT, b"one two three")
        socket.send(frame(TEXT, packed[:3], rsv=4, fin=False) + frame(CONTINUE, packed[3:], rsv=4))
        socket.expect_close(1002)


def test_a_final_block_is_understood(node):
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        for data in (b"final", b"x" * 50000, b""):
            socket.send(frame(TEXT, deflated(data, final=True), rsv=4))
            socket.expect(TEXT, data)
        socket.finish()


@pytest.mark.parametrize("payload", [b"\xff\xff\xff\xff", b"\x07", deflated(b"cut" * 100)[:-3]],
                         ids=["no block", "a reserved block", "cut"])
def test_broken_compressed_data_is_1007(node, payload):
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        socket.send(frame(TEXT, payload, rsv=4))
        socket.expect_close(1007)


@pytest.mark.parametrize("size", [MESSAGE_MAX + 1, 64 << 20])
def test_a_bomb_is_1009_and_costs_no_memory(node, size):
    packed = deflated(b"\0" * size)
    assert len(packed) < MESSAGE_MAX
    before = node.resident_bytes()
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        socket.send(frame(BINARY, packed, rsv=4))
        socket.expect_close(1009)
    assert node.resident_bytes() - before < 16 << 20


def test_a_bomb_in_fragments_is_1009(node):
    packed = deflated(b"\0" * (4 << 20))
    with Socket(node.address, "/echo", [frames.DEFLATE]) as socket:
        socket.send(frame(TEXT, b"", rsv=4, fin=False))
        for i in range(0, len(packed), 500):
            try:
                socket.send(frame(CONTINUE, packed[i:i + 500], fin=False))
            except (BrokenPipeError, ConnectionResetError):
                break
        socket.expect_close(1009)


# ---- against a client that is not ours


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_library_talks_with_it(node, compression):
    async def talk():
        url = "ws" + node.address[len("http"):] + "/echo"
        async with websockets.connect(url, compression=compression, max_size=None,
                                      subprotocols=["chat.v1"]) as socket:
            assert socket.subprotocol == "chat.v1"
            for message in ("", "x", "ü€😀" * 1000, b"", os.urandom(70000), "a" * MESSAGE_MAX):
                await socket.send(message)
                assert await asyncio.wait_for(socket.recv(), 20) == message
            await socket.send(["in", "frag", "ments"])
            assert await asyncio.wait_for(socket.recv(), 20) == "infragments"
            await asyncio.wait_for(await socket.ping(), 20)
            await socket.close(4000, "done")
        assert (socket.close_code, socket.close_reason) == (4000, "")
    asyncio.run(talk())
