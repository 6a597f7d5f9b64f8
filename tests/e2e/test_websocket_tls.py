"""WebSockets over TLS: a library's conversation, and a large message each way."""

import asyncio
import os
import ssl

import pytest
import websockets

import apps
import pki


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_library_talks_with_it_over_tls(serve, workshop, compression):
    authority = pki.Authority()
    try:
        certificate, key = authority.issue("localhost", "localhost")[:2]
        text = apps.app({"WS /echo": "ws#echo"}, {"ws": workshop.c("ws")})
        node = serve(text.replace("[serve.routes]\n", "[serve.tls]\n" + apps.keys(
            {"certificate": certificate, "key": key}) + "[serve.routes]\n", 1))
        port = node.address.rpartition(":")[2]

        async def talk():
            trust = ssl.create_default_context(cafile=authority.path)
            async with websockets.connect(f"wss://127.0.0.1:{port}/echo", ssl=trust, max_size=None,
                                          server_hostname="localhost", compression=compression) as socket:
                for message in ("hello", os.urandom(1 << 20), "a" * (1 << 20)):
                    await socket.send(message)
                    assert await asyncio.wait_for(socket.recv(), 30) == message
            assert socket.close_code == 1000
        asyncio.run(talk())
    finally:
        authority.remove()
