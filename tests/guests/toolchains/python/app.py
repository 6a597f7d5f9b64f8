"""A web app for componentize-py: a hello, an echo, a crash, a request to somebody else."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import poll_loop
from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme_Http


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(answer(request, response_out))


def begin(out, status, kind):
    response = OutgoingResponse(Fields.from_list([("content-type", kind)]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    return Sink(body)


async def say(out, status, text):
    sink = begin(out, status, b"text/plain")
    await sink.send(text.encode())
    sink.close()


async def copy(source, sink):
    while (chunk := await source.next()) is not None:
        await sink.send(chunk)
    sink.close()


async def ask(url):
    url = urlsplit(url)
    asked = OutgoingRequest(Fields())
    asked.set_scheme(Scheme_Http())
    asked.set_authority(url.netloc)
    asked.set_path_with_query(url.path)
    OutgoingBody.finish(asked.body(), None)
    return await poll_loop.send(asked)


async def answer(request, out):
    target = urlsplit(request.path_with_query())
    if target.path == "/echo":
        await copy(Stream(request.consume()), begin(out, 200, b"application/octet-stream"))
    elif target.path == "/crash":
        raise ValueError("on purpose")
    elif target.path == "/fetch":
        try:
            response = await ask(parse_qs(target.query)["url"][0])
        except Err as error:
            await say(out, 403, f"refused: {error.value}\n")
            return
        await copy(Stream(response.consume()), begin(out, response.status(), b"text/plain"))
    else:
        await say(out, 200, "hello from Python\n")
