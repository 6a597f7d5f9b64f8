"""Broken, hostile and merely odd HTTP/1 requests, and what a server has to make of each.

Data only: one server test of the C unit tests and one of the end-to-end tests replay it. The
application behind it answers `GET /` and `GET /users/:id` with 200, and `POST /echo` with 200 and the
body that it has read. Nothing else exists.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    send: bytes
    #: Status codes of the answers, in order.
    expect: tuple
    #: Whether the server closes the connection then. If not, it has to serve another request.
    closes: bool
    #: Whether the client shuts its sending side behind the bytes.
    finish: bool = False


HOST = b"Host: example.org\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def get(line=b"GET / HTTP/1.1", headers=HOST):
    return line + b"\r\n" + headers + b"\r\n"


def post(headers, body=b"", target=b"/echo"):
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def refused(name, send, status=400):
    return Case(name, send, (status,), True)


def served(name, send, *expect):
    return Case(name, send, expect or (200,), False)


def last(name, send, *expect):
    return Case(name, send, expect or (200,), True)


NEXT = get()

REQUEST_LINES = [
    served("plain request", get()),
    served("one empty line in front", b"\r\n" + get()),
    refused("two empty lines in front", b"\r\n\r\n" + get()),
    refused("bare LF in front", b"\n" + get()),
    refused("CR without LF in front", b"\r" + get()),
    refused("line ends with bare LF", b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    refused("line ends with bare CR", b"GET / HTTP/1.1\r" + HOST + b"\r\n\r\n"),
    refused("two spaces before the target", get(b"GET  / HTTP/1.1")),
    refused("two spaces before the version", get(b"GET /  HTTP/1.1")),
    refused("space after the version", get(b"GET / HTTP/1.1 ")),
    refused("tab instead of a space", get(b"GET\t/ HTTP/1.1")),
    refused("space before the method", get(b" GET / HTTP/1.1")),
    refused("no version", get(b"GET /")),
    refused("no target", get(b"GET HTTP/1.1")),
    refused("empty target", get(b"GET  HTTP/1.1")),
    refused("nothing but spaces", b"   \r\n\r\n"),
    refused("version in lower case", get(b"GET / http/1.1")),
    refused("version of another protocol", get(b"GET / RTSP/1.0")),
    refused("version that is no number", get(b"GET / HTTP/a.b")),
    refused("version with two digits", get(b"GET / HTTP/1.10")),
    refused("version without a minor part", get(b"GET / HTTP/1")),
    refused("HTTP/0.9 spelled out", get(b"GET / HTTP/0.9"), 505),
    refused("HTTP/2.0 in a request line", get(b"GET / HTTP/2.0"), 505),
    refused("HTTP/3.1 in a request line", get(b"GET / HTTP/3.1"), 505),
    served("a higher minor version", get(b"GET / HTTP/1.2")),
    refused("method with a control byte", get(b"GE\x01T / HTTP/1.1")),
    refused("method with a parenthesis", get(b"G(T / HTTP/1.1")),
    refused("method of 40 bytes", get(b"A" * 40 + b" / HTTP/1.1")),
    served("unknown method", get(b"BREW / HTTP/1.1"), 501),
    served("method in lower case", get(b"get / HTTP/1.1"), 501),
    refused("CONNECT with an authority", get(b"CONNECT example.org:443 HTTP/1.1"), 501),
    refused("bytes of a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    refused("NUL bytes", b"\0\0\0\0\r\n\r\n"),
]

TARGETS = [
    refused("authority as target of GET", get(b"GET example.org:80 HTTP/1.1")),
    refused("asterisk as target of GET", get(b"GET * HTTP/1.1")),
    served("asterisk as target of OPTIONS", get(b"OPTIONS * HTTP/1.1"), 204),
    served("OPTIONS of a known path", get(b"OPTIONS /echo HTTP/1.1"), 204),
    served("OPTIONS of an unknown path", get(b"OPTIONS /none HTTP/1.1"), 404),
    served("absolute form", get(b"GET http://example.org/ HTTP/1.1")),
    served("absolute form without a path", get(b"GET http://example.org HTTP/1.1")),
    refused("absolute form of another scheme", get(b"GET ftp://example.org/ HTTP/1.1")),
    refused("absolute form without a host", get(b"GET http:/// HTTP/1.1")),
    refused("absolute form with a user", get(b"GET http://me@example.org/ HTTP/1.1")),
    refused("target without a slash", get(b"GET index.html HTTP/1.1")),
    refused("fragment in the target", get(b"GET /#top HTTP/1.1")),
    refused("NUL in the target", get(b"GET /\0 HTTP/1.1")),
    refused("byte above 127 in the target", get(b"GET /\xc3\xa9 HTTP/1.1")),
    refused("DEL in the target", get(b"GET /\x7f HTTP/1.1")),
    refused("escaped NUL", get(b"GET /%00 HTTP/1.1")),
    refused("escape with one digit", get(b"GET /%4 HTTP/1.1")),
    refused("escape with a letter that is no digit", get(b"GET /%zz HTTP/1.1")),
    refused("escape at the end", get(b"GET /% HTTP/1.1")),
    refused("dot-dot segment", get(b"GET /users/../x HTTP/1.1")),
    refused("dot-dot at the end", get(b"GET /users/.. HTTP/1.1")),
    refused("escaped dot-dot", get(b"GET /%2e%2E/x HTTP/1.1")),
    refused("escaped slash that makes a dot-dot", get(b"GET /users/..%2fx HTTP/1.1")),
    served("three dots", get(b"GET /... HTTP/1.1"), 404),
    served("an escape is decoded once only", get(b"GET /users/%252e HTTP/1.1")),
    served("escaped slash in a parameter", get(b"GET /users/a%2Fb HTTP/1.1")),
    served("two slashes are not one", get(b"GET //users/7 HTTP/1.1"), 404),
    served("odd query", get(b"GET /?%&=&&a==%zz? HTTP/1.1")),
    served("target at its limit", get(b"GET /?" + b"a" * 8190 + b" HTTP/1.1")),
    refused("target one byte above its limit", get(b"GET /?" + b"a" * 8191 + b" HTTP/1.1"), 414),
    refused("target without an end", b"GET /" + b"a" * 20000, 414),
]

HEADERS = [
    refused("no Host", get(headers=b"")),
    refused("two Hosts", get(headers=HOST + HOST)),
    refused("two different Hosts", get(headers=HOST + b"Host: other.example\r\n")),
    refused("empty Host", get(headers=b"Host:\r\n")),
    refused("Host with a space", get(headers=b"Host: a b\r\n")),
    refused("Host with a path", get(headers=b"Host: a/b\r\n")),
    refused("Host with a user", get(headers=b"Host: a@b\r\n")),
    refused("Host with a port that is no number", get(headers=b"Host: a:80x\r\n")),
    refused("Host with half a bracket", get(headers=b"Host: [::1\r\n")),
    served("Host with IPv6 and port", get(headers=b"Host: [::1]:80\r\n")),
    served("name in another case", get(headers=b"hOST:x\r\n")),
    refused("space before the colon", get(headers=HOST + b"A : b\r\n")),
    refused("tab before the colon", get(headers=HOST + b"A\t: b\r\n")),
    refused("no colon", get(headers=HOST + b"A\r\n")),
    refused("no name", get(headers=HOST + b": b\r\n")),
    refused("space in a name", get(headers=HOST + b"A b: c\r\n")),
    refused("byte above 127 in a name", get(headers=HOST + b"\xc3\xa9: c\r\n")),
    refused("folded line", get(headers=HOST + b"A: b\r\n c\r\n")),
    refused("folded line with a tab", get(headers=HOST + b"A: b\r\n\tc\r\n")),
    refused("white space in front of the first line", get(headers=b" " + HOST)),
    refused("header ends with bare LF", get(headers=HOST + b"A: b\n")),
    refused("head ends with bare LF", b"GET / HTTP/1.1\r\n" + HOST + b"\n"),
    refused("bare CR in a value", get(headers=HOST + b"A: b\rc\r\n")),
    refused("NUL in a value", get(headers=HOST + b"A: b\0c\r\n")),
    refused("control byte in a value", get(headers=HOST + b"A: b\x01c\r\n")),
    refused("DEL in a value", get(headers=HOST + b"A: b\x7fc\r\n")),
    served("bytes above 127 and tabs in a value", get(headers=HOST + b"A: \xc3\xa9\tb\r\n")),
    served("empty value", get(headers=HOST + b"A:\r\n")),
    served("as many lines as allowed", get(headers=HOST + b"A: b\r\n" * 127)),
    refused("one line too many", get(headers=HOST + b"A: b\r\n" * 128), 431),
    refused("one line too large", get(headers=HOST + b"A: " + b"b" * 33000 + b"\r\n"), 431),
    refused("a name without an end", b"GET / HTTP/1.1\r\n" + b"a" * 40000, 431),
    refused("white space without an end", b"GET / HTTP/1.1\r\nA:" + b" " * 40000, 431),
    refused("all lines together too large",
            get(headers=HOST + b"".join(b"A: " + b"b" * 1000 + b"\r\n" for _ in range(40))), 431),
    refused("unknown expectation", get(headers=HOST + b"Expect: more\r\n"), 417),
    served("expectation without a body", get(headers=HOST + b"Expect: 100-continue\r\n")),
    served("an upgrade that nobody asked for",
           get(headers=HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n")),
]

LENGTHS = [
    served("length and body", post(b"Content-Length: 5\r\n", b"hello")),
    served("length of zero", post(b"Content-Length: 0\r\n")),
    served("no length", post(b"")),
    served("body of a GET", get(headers=HOST + b"Content-Length: 5\r\n") + b"hello"),
    refused("two lengths", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!")),
    refused("one length twice", post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")),
    refused("lengths in a list", post(b"Content-Length: 5, 5\r\n", b"hello")),
    refused("length with a sign", post(b"Content-Length: +5\r\n", b"hello")),
    refused("negative length", post(b"Content-Length: -5\r\n", b"hello")),
    refused("hexadecimal length", post(b"Content-Length: 0x5\r\n", b"hello")),
    refused("length with a fraction", post(b"Content-Length: 5.0\r\n", b"hello")),
    refused("length with a space inside", post(b"Content-Length: 5 5\r\n", b"hello")),
    refused("empty length", post(b"Content-Length:\r\n", b"hello")),
    refused("length above 64 bits", post(b"Content-Length: 18446744073709551616\r\n")),
    refused("length above the limit", post(b"Content-Length: 10485761\r\n"), 413),
    refused("length of an unknown path above the limit",
            post(b"Content-Length: 10485761\r\n", target=b"/none"), 413),
    refused("length and chunks", post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n")),
    refused("chunks and length", post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n")),
    refused("a length hidden behind a space", post(b"Content-Length : 5\r\n" + CHUNKED,
                                                    b"0\r\n\r\n" + NEXT)),
]

CHUNKS = [
    served("chunks", post(CHUNKED, b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")),
    served("upper-case digits, leading zeros", post(CHUNKED, b"00A\r\n0123456789\r\n0\r\n\r\n")),
    served("coding in another case", post(b"transfer-encoding: CHUNKED\r\n", b"0\r\n\r\n")),
    served("extensions", post(CHUNKED, b"5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n")),
    served("trailers", post(CHUNKED, b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n")),
    refused("length among the trailers", post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n")),
    refused("a trailer with bare LF", post(CHUNKED, b"0\r\nA: b\n\r\n")),
    refused("unknown coding", post(b"Transfer-Encoding: gzip\r\n"), 501),
    refused("coding before chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 501),
    refused("coding after chunked", post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n")),
    refused("identity", post(b"Transfer-Encoding: identity\r\n"), 501),
    refused("something that ends in chunked", post(b"Transfer-Encoding: xchunked\r\n"), 501),
    refused("chunked twice", post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    refused("empty coding", post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n")),
    refused("coding with a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    refused("chunks in HTTP/1.0",
            b"POST /echo HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n"),
    refused("no chunk size", post(CHUNKED, b"\r\nhello\r\n0\r\n\r\n")),
    refused("negative chunk size", post(CHUNKED, b"-1\r\nhello\r\n0\r\n\r\n")),
    refused("chunk size with 0x", post(CHUNKED, b"0x5\r\nhello\r\n0\r\n\r\n")),
    refused("chunk size above 64 bits", post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n")),
    refused("chunk size with a space", post(CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n")),
    refused("chunk size ends with bare LF", post(CHUNKED, b"5\nhello\r\n0\r\n\r\n")),
    refused("chunk longer than its size", post(CHUNKED, b"5\r\nhello!\r\n0\r\n\r\n")),
    refused("chunk ends with bare LF", post(CHUNKED, b"5\r\nhello\n0\r\n\r\n")),
    refused("chunk shorter than its size", post(CHUNKED, b"9\r\nhello\r\n0\r\n\r\nxxxx")),
    refused("bare LF in an extension", post(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n")),
    refused("control byte in an extension", post(CHUNKED, b"5;a=\x01\r\nhello\r\n0\r\n\r\n")),
    refused("extension without a name", post(CHUNKED, b"5;\r\nhello\r\n0\r\n\r\n")),
    refused("extensions without an end", post(CHUNKED, b"5;" + b"a" * 40000)),
    refused("trailers without an end", post(CHUNKED, b"0\r\n" + b"A: b\r\n" * 20000)),
    refused("last chunk ends with bare LF", post(CHUNKED, b"0\r\n\n")),
]

CONNECTIONS = [
    served("two requests in one piece", get() + get(), 200, 200),
    served("a body, then a request", post(b"Content-Length: 5\r\n", b"hello") + get(), 200, 200),
    served("chunks, then a request", post(CHUNKED, b"1\r\nx\r\n0\r\n\r\n") + get(), 200, 200),
    served("sixteen requests in one piece", get() * 16, *[200] * 16),
    served("an unread body, then a request",
           post(b"Content-Length: 5\r\n", b"hello", target=b"/none") + get(), 404, 200),
    served("unread chunks, then a request",
           post(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n", target=b"/none") + get(), 404, 200),
    Case("a good request, then a broken one", get() + b"BROKEN\r\n\r\n", (200, 400), True),
    Case("nothing is served behind a broken one", b"BROKEN\r\n\r\n" + get(), (400,), True),
    last("close is obeyed", get(headers=HOST + b"Connection: close\r\n") + get()),
    last("close in a list", get(headers=HOST + b"Connection: x, Close\r\n")),
    last("close wins over keep-alive", get(headers=HOST + b"Connection: keep-alive, close\r\n")),
    last("HTTP/1.0 closes", get(b"GET / HTTP/1.0")),
    last("HTTP/1.0 without a Host", get(b"GET / HTTP/1.0", b"")),
    served("HTTP/1.0 stays when asked", get(b"GET / HTTP/1.0", b"Connection: keep-alive\r\n")),
    served("HEAD", get(b"HEAD / HTTP/1.1") + get(), 200, 200),
    served("unknown path", get(b"GET /none HTTP/1.1"), 404),
    served("wrong method", get(b"DELETE / HTTP/1.1"), 405),
    served("TRACE is not echoed", get(b"TRACE / HTTP/1.1"), 501),
    Case("half a request line", b"GET / HT", (), True, finish=True),
    Case("half a head", b"GET / HTTP/1.1\r\nHost: a\r\n", (), True, finish=True),
    Case("half a body", post(b"Content-Length: 50\r\n", b"hello"), (), True, finish=True),
    Case("half a chunk", post(CHUNKED, b"5\r\nhe"), (), True, finish=True),
    Case("nothing at all", b"", (), True, finish=True),
    Case("a whole request and the end", get(), (200,), True, finish=True),
    Case("two whole requests and the end", get() + get(), (200, 200), True, finish=True),
]

CASES = REQUEST_LINES + TARGETS + HEADERS + LENGTHS + CHUNKS + CONNECTIONS
