"""docs/quickstart-javascript.md is true, and what it makes does what the page says."""

import os

from event_stream import Listener
from frames import TEXT, Socket, closing
from program import ROOT
from waiting import wait_until
from walk import walk


def test_the_page_is_true(home, serve):
    folder, files, commands = walk(home, os.path.join(ROOT, "docs", "quickstart-javascript.md"))
    assert files == 5 and commands == 5
    with open(os.path.join(folder, "mote.toml"), encoding="utf-8") as file:
        manifest = file.read().replace('"wasm/', f'"{folder}/wasm/').replace("127.0.0.1:8080", "127.0.0.1:0")
    node = serve(manifest.replace('name = "shop"', 'name = "mote"'))
    boundary = [("Content-Type", "multipart/form-data; boundary=b")]
    form = b"".join(b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\nhat\r\n' % one
                    for one in ((b"name", b""), (b"picture", b'; filename="x"'))) + b"--b--\r\n"
    with node.connect() as connection:
        client = Listener(connection, "/news")
        wait_until(lambda: node.post("/items", form, boundary).status == 201, what="the stock answers")
        event = client.next()
        assert (event.event, event.data) == ("added", '{"name":"hat"}')
    with Socket(node.address, "/room") as one:
        one.expect(TEXT, b"welcome")
        one.send_text("hello")
        one.expect(TEXT, b"hello")
        one.send(closing(1000))
