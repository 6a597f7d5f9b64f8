"""RFC 6455 section by section: which test holds a server to each MUST of it. What the other files lack stands here.

What is a client's part alone (4.1, 5.3's choice of masks, 10.1 to 10.3 but for origins) has no line."""

import asyncio

import pytest
import websockets

import apps
import test_websocket
import test_websocket_events
import test_websocket_http2
import test_websocket_tls
from frames import BINARY, CLOSE, PING, PONG, TEXT, Socket, changed, closing, frame

SECTIONS = {
    "3: ws and wss; a path without a fragment": ["test_the_process_knows_the_handshake",
                                                 "test_a_library_talks_with_it_over_tls"],
    "4.1, 4.2.1: what is no handshake is refused with a status": [
        "test_without_an_upgrade_it_is_an_ordinary_request", "test_http_1_0_cannot_upgrade", "test_only_get_asks_for_a_websocket",
        "test_a_bad_key_is_400", "test_a_bad_request_is_no_handshake", "test_names_and_lists_are_read_as_http_has_them",
        "test_a_refused_upgrade_spawns_nothing"],
    "4.2.2: 101, Upgrade, Connection, Sec-WebSocket-Accept": ["test_the_answer_is_101_with_the_key_accepted",
                                                              "test_the_example_of_the_rfc", "test_each_header_comes_once"],
    "4.2.2: an origin that is not wanted is 403": ["test_a_page_may_connect_to_its_own_host", "test_allowed_origins"],
    "4.2.2: only a subprotocol and an extension that were offered": [
        "test_the_first_subprotocol_that_both_have", "test_what_is_agreed_on", "test_nothing_is_agreed_on_that_was_not_offered"],
    "4.2.2, 4.4: another version is 426 and told which": ["test_another_version_is_426_and_told_which"],
    "5.1: a frame without a mask is the end; a server masks nothing": ["test_a_violation_is_1002_and_the_end",
                                                                       "test_messages_of_every_length_come_back_as_they_are"],
    "5.2: reserved bits and opcodes; lengths in the fewest bytes": ["test_a_violation_is_1002_and_the_end",
                                                                    "test_messages_of_every_length_come_back_as_they_are"],
    "5.3: unmasking": ["test_every_mask_is_taken_off"],
    "5.4: fragments, and control frames between them": [
        "test_fragments_are_joined_and_control_frames_stand_between_them", "test_a_violation_is_1002_and_the_end",
        "test_a_message_of_very_many_fragments_is_one"],
    "5.5: control frames: 125 bytes, in one piece": ["test_a_violation_is_1002_and_the_end"],
    "5.5.1: a close is answered, and nothing follows": [
        "test_a_close_is_answered_with_its_code", "test_a_close_without_a_code_is_answered_without_one",
        "test_the_guest_closes_behind_what_it_sent", "test_what_comes_behind_our_close_costs_nothing_and_goes_nowhere",
        "test_nothing_follows_a_close"],
    "5.5.2, 5.5.3: each ping has its pong; a pong has none": ["test_a_ping_is_answered_with_its_payload",
                                                              "test_pings_are_answered_by_the_last_of_them_at_least",
                                                              "test_pongs_that_nobody_asked_for_are_passed_over"],
    "5.6, 8.1: text is UTF-8, in fragments too": [
        "test_a_text_that_is_not_utf_8_is_1007", "test_bad_utf_8_in_fragments_is_1007_and_binary_is_anything",
        "test_a_character_may_be_cut_by_a_fragment", "test_a_close_reason_that_is_not_utf_8_is_1007",
        "test_what_must_not_be_sent_is_invalid"],
    "5.8, 9.1: extensions": ["test_a_malformed_offer_is_400", "test_offers_in_several_lines_are_one_list",
                             "test_compressed_fragments_only_the_first_says_so"],
    "6.1, 6.2: what is sent arrives, in order": ["test_many_messages_in_one_piece_come_back_in_order",
                                                 "test_a_library_talks_with_it"],
    "7.1.1: the server closes first": ["test_a_close_is_answered_with_its_code", "test_a_client_that_never_answers_a_close_is_left"],
    "7.1.5, 7.1.6: both sides know code and reason": ["test_the_client_closes", "test_a_library_hears_the_servers_code_and_reason"],
    "7.1.7: a connection that fails is told why, once": ["test_a_violation_is_1002_and_the_end", "test_a_message_too_large_is_1009"],
    "7.2: an end without a close": ["test_a_client_that_leaves_without_a_word_is_1006"],
    "7.4: codes that may and may not be on the wire": ["test_a_close_is_answered_with_its_code", "test_a_violation_is_1002_and_the_end",
                                                       "test_what_must_not_be_sent_is_invalid"],
    "10.4: limits": ["test_a_message_too_large_is_1009", "test_a_frame_that_comes_too_slowly_is_1008"],
    "10.7: data that is not valid": ["test_a_violation_is_1002_and_the_end", "test_a_text_that_is_not_utf_8_is_1007"],
    "11.3: headers that may come twice, and that may not": ["test_two_keys_are_400", "test_the_first_subprotocol_that_both_have",
                                                            "test_offers_in_several_lines_are_one_list", "test_each_header_comes_once"],
}


def test_every_line_of_the_table_names_tests_that_there_are():
    modules = (test_websocket, test_websocket_events, test_websocket_http2, test_websocket_tls)
    there = {name for module in modules for name in vars(module)} | set(globals())
    assert [name for names in SECTIONS.values() for name in names if name not in there] == []


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("ws-rfc", apps.app({"WS /echo": "ws#echo", "WS /obey": "ws#obey"}, {"ws": workshop.c("ws")},
                                         serve={"max-message-bytes": 100000, "subprotocols": ["chat"]}))


# ---- handshake


def test_each_header_comes_once(node):
    """4.2.2, 11.3.3, 11.3.4; and the version is only for those who asked for another (11.3.5)."""
    with Socket(node.address, "/echo", [("Sec-WebSocket-Protocol", "chat"),
                                        ("Sec-WebSocket-Extensions", "permessage-deflate")]) as socket:
        names = [name.lower() for name, _ in socket.head.headers]
        for name in ("upgrade", "connection", "sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions"):
            assert names.count(name) == 1
        assert "sec-websocket-version" not in names
        socket.finish()


@pytest.mark.parametrize("headers", [[], [("Sec-WebSocket-Protocol", "other")],
                                     [("Sec-WebSocket-Extensions", "x-other; a=b, x-third")]])
def test_nothing_is_agreed_on_that_was_not_offered(node, headers):
    with Socket(node.address, "/echo", headers) as socket:
        assert socket.head.header("sec-websocket-protocol") is None
        assert socket.head.header("sec-websocket-extensions") is None
        socket.finish()


def test_offers_in_several_lines_are_one_list(node):
    with node.connect() as connection:
        connection.send_request("GET", "/echo", [
            *changed(), ("Sec-WebSocket-Extensions", "x-other"), ("Sec-WebSocket-Protocol", "other"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"), ("Sec-WebSocket-Protocol", "chat")])
        head = connection.read_head()
        assert head.status == 101
        assert head.header("sec-websocket-extensions").startswith("permessage-deflate")
        assert head.header("sec-websocket-protocol") == "chat"


# ---- frames


def test_a_message_of_very_many_fragments_is_one(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(frame(BINARY, b"", fin=False) + b"".join(frame(0, bytes([i % 256]), fin=False) for i in range(5000))
                    + frame(0))
        socket.expect(BINARY, bytes(i % 256 for i in range(5000)))
        socket.finish()


def test_pings_are_answered_by_the_last_of_them_at_least(node):
    """5.5.3 allows to leave out all but the last."""
    with Socket(node.address, "/echo") as socket:
        socket.send(b"".join(frame(PING, b"%d" % i) for i in range(500)) + frame(TEXT, b"behind"))
        answers = []
        while b"499" not in answers:
            opcode, payload, fin, rsv = socket.read_frame()
            if opcode == PONG:
                assert fin and rsv == 0
                answers.append(payload)
            else:
                assert payload == b"behind"
        assert answers == sorted(set(answers), key=int), "an answer to no ping, or out of order"
        socket.close()


def test_pongs_that_nobody_asked_for_are_passed_over(node):
    with Socket(node.address, "/echo") as socket:
        socket.send(b"".join(frame(PONG, b"%d" % i) for i in range(100)) + frame(TEXT, b"behind"))
        assert socket.read_frame()[:2] == (TEXT, b"behind")
        socket.finish()


@pytest.mark.parametrize("close, code", [(closing(1000), 1000), (closing(1000, b"\xff"), 1007), (frame(3), 1002)])
def test_nothing_follows_a_close(node, close, code):
    """5.5.1: of what was under way to the client, nothing comes behind the close that answers or fails."""
    with Socket(node.address, "/echo") as socket:
        socket.send(b"".join(frame(BINARY, b"b" * 5000) for _ in range(50)) + close + frame(PING, b"late") * 10)
        while (got := socket.read_frame())[0] != CLOSE:
            assert got[:2] == (BINARY, b"b" * 5000)
        assert int.from_bytes(got[1][:2], "big") == code
        assert socket.read_frame() is None


# ---- a client that is not ours


async def within(work):
    return await asyncio.wait_for(work, 60)


def test_a_library_hears_the_servers_code_and_reason(node):
    async def talk():
        async with websockets.connect("ws" + node.address[len("http"):] + "/obey") as socket:
            await socket.send("close")
            assert await within(socket.recv()) == "last words"
            with pytest.raises(websockets.ConnectionClosed):
                await within(socket.recv())
        assert (socket.close_code, socket.close_reason) == (4001, "enough")
    asyncio.run(talk())


@pytest.mark.parametrize("word, code", [("return", 1000), ("crash", 1011)])
def test_a_library_hears_how_the_process_ended(node, word, code):
    async def talk():
        async with websockets.connect("ws" + node.address[len("http"):] + "/obey") as socket:
            await socket.send(word)
            with pytest.raises(websockets.ConnectionClosed):
                await within(socket.recv())
        assert socket.close_code == code
    asyncio.run(talk())


def test_a_library_answers_the_servers_pings(serve, workshop):
    node = serve(apps.app({"WS /echo": "ws#echo"}, {"ws": workshop.c("ws")}, serve={"ping-ms": 1500}))

    async def talk():
        async with websockets.connect("ws" + node.address[len("http"):] + "/echo", ping_interval=None) as socket:
            while node.processes()[0]["age_ms"] < 5000:
                await asyncio.sleep(0.05)  # the library answers meanwhile
            await socket.send("still here")
            assert await within(socket.recv()) == "still here"
    asyncio.run(talk())


@pytest.mark.parametrize("refused", [{"origin": "http://elsewhere"}, {"path": "/nowhere"}])
def test_a_library_hears_a_refusal(node, refused):
    async def talk():
        with pytest.raises(websockets.InvalidStatusCode):
            await within(websockets.connect("ws" + node.address[len("http"):] + refused.get("path", "/echo"),
                                            origin=refused.get("origin")))
    asyncio.run(talk())
