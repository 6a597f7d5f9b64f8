"""What a browser makes of each protocol, as it tells itself and as the wire shows: test_chat.py has the pages of the zoo."""

import os
import socket
import threading

import apps
import client
import pki
from frames import inflated
from test_chat import browser, in_a_browser, tab  # noqa: F401: fixtures

TEXT = "the same words over and over " * 4000


class Relay:
    """Stands between a browser and a node, and keeps what goes either way on each connection."""

    def __init__(self, node):
        self.node, self.said = node, []  # of each connection: [to the node, to the browser]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far, kept = client.connect_socket(self.node.address), [bytearray(), bytearray()]
            far.settimeout(None)
            self.said.append(kept)
            for index, (one, other) in enumerate(((near, far), (far, near))):
                threading.Thread(target=self._copy, args=(one, other, kept[index]), daemon=True).start()

    @staticmethod
    def _copy(one, other, kept):
        try:
            while data := one.recv(65536):
                kept += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def first_frame(data, masked):
    """The first frame behind the handshake: its first byte, its payload."""
    data = bytes(data).partition(b"\r\n\r\n")[2]
    size, at = data[1] & 0x7f, 2
    if size > 125:
        width = 2 if size == 126 else 8
        size, at = int.from_bytes(data[2:2 + width], "big"), 2 + width
    mask = data[at:at + 4] if masked else b"\0" * 4
    at += 4 if masked else 0
    payload = data[at:at + size]
    assert len(payload) == size
    return data[0], bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


SAY = """new Promise((yes, no) => {
    window.socket = new WebSocket(location.href.replace('http', 'ws') + 'echo');
    socket.onopen = () => socket.send('the same words over and over '.repeat(4000));
    socket.onmessage = event => yes(event.data);
    socket.onerror = () => no(new Error('failed'));
})"""


@in_a_browser
def test_a_websocket_is_deflated_both_ways(serve, workshop, tab):  # noqa: F811
    node = serve(apps.app({"GET /": "events#page", "WS /echo": "ws#echo"},
                          {"events": workshop.c("events"), "ws": workshop.c("ws")}))
    relay = Relay(node)
    try:
        page = tab()
        page.go(relay.address + "/")
        assert page.evaluate(SAY) == TEXT
        assert page.evaluate("socket.extensions").startswith("permessage-deflate")
        page.evaluate("new Promise(yes => { socket.onclose = event => yes(event.code); socket.close(1000) })")
        (up, down), = [one for one in relay.said if b"Sec-WebSocket-Key" in one[0]]
        assert b"Sec-WebSocket-Extensions: permessage-deflate" in down
        for data, masked in ((up, True), (down, False)):
            first, payload = first_frame(data, masked)
            assert first == 0xc1, "final, compressed, text"
            assert len(data) < len(TEXT) // 20
            assert inflated(payload).decode() == TEXT
    finally:
        relay.close()


@in_a_browser
def test_everything_of_a_page_over_tls_is_http_2(serve, workshop, tab, tmp_path):  # noqa: F811
    """The page, what it fetches, a stream of events and a WebSocket."""
    authority = pki.Authority()
    try:
        certificate, key = authority.issue("localhost", "localhost")
        node = serve(apps.app(
            {"GET /": "events#page", "GET /one": "events#plain", "POST /tell": "events#tell", "GET /count": "events#count",
             "WS /echo": "ws#echo"},
            {"events": workshop.c("events"), "ws": workshop.c("ws")}).replace(
                "[serve.routes]", "[serve.tls]\n" + apps.keys({"certificate": certificate, "key": key}) + "[serve.routes]"))
        page = tab()
        page.send("Security.setIgnoreCertificateErrors", ignore=True)
        page.go(node.address.replace("127.0.0.1", "localhost") + "/")
        assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        assert page.evaluate(
            "Promise.all([...Array(30).keys()].map(i => fetch('one?' + i).then(answer => answer.text())))"
            ".then(all => all.join(''))") == "plain\n" * 30
        assert page.evaluate("fetch('tell', {method: 'POST', body: 'x'}).then(answer => answer.text())") == "0"
        assert page.evaluate(
            "new Promise(yes => { const source = new EventSource('count?n=2');"
            "source.addEventListener('count', event => { if (event.data === '2') { source.close(); yes(true); } }) })")
        assert page.evaluate(SAY) == TEXT
        assert page.evaluate("socket.extensions").startswith("permessage-deflate")
        ways = page.evaluate("performance.getEntriesByType('resource').map(one => [one.name, one.nextHopProtocol])")
        assert len(ways) >= 31 and {way for _, way in ways} == {"h2"}, ways
        page.evaluate("document.body.textContent = 'HTTP/2: ' + performance.getEntriesByType('resource')"
                      ".map(one => new URL(one.name).pathname + ' ' + one.nextHopProtocol).join(', ')")
        page.picture(os.path.join(os.environ.get("MOTE_PICTURES", str(tmp_path)), "http2.png"))
    finally:
        authority.remove()
