"""The same broken requests to mote and to nginx: what one refuses the other must refuse too, and what both serve they
must divide in the same way. Where they differ on purpose, and why, is the table below; anything else is a failure.

The requests are good ones with a few bytes changed, by hypothesis; the same ones in every run."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from typing import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import apps
import client
import nginx
from waiting import SANITIZER

EXAMPLES = 40 if SANITIZER else 150  # of each part of a request

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE"}


# ---- what differs on purpose


class Request:
    """A request as a generous reader sees it."""

    def __init__(self, data):
        self.data = data
        self.blank = re.match(rb"[\r\n]*", data).group()
        head, _, self.body = (re.split(rb"(\r?\n\r?\n)", data[len(self.blank):], maxsplit=1) + [b"", b""])[:3]
        lines = re.split(rb"\r?\n", head)
        parts = lines[0].split(b" ")
        self.line, self.method = lines[0], parts[0]
        self.target = b" ".join(parts[1:-1]) if len(parts) > 2 else b" ".join(parts[1:])
        self.lines = lines[1:]
        self.headers = [line.partition(b":")[::2] for line in self.lines]

    def values(self, name):
        return [value.strip(b" \t") for key, value in self.headers if key.lower() == name]

    def is_chunked(self):
        return bool(self.values(b"transfer-encoding"))

    def path(self):
        target = re.sub(rb"^https?://[^/?]*", b"", self.target)
        return target.partition(b"?")[0]


@dataclass(frozen=True)
class Difference:
    name: str
    why: str
    holds: Callable[[Request], object]
    #: A request that shows it.
    example: bytes


HOST = b"Host: example.org\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def get(line=b"GET / HTTP/1.1", headers=HOST):
    return line + b"\r\n" + headers + b"\r\n"


def post(headers, body=b""):
    return b"POST /echo HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def chunks(body):
    return post(CHUNKED, body)


HOST_FORM = re.compile(rb"(\[[0-9A-Fa-f:.]{2,}\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]{0,5})?")
EXTENSION = rb"(;" + TOKEN + rb"(=(" + TOKEN + rb"|\"([^\"\\\x00-\x08\x0a-\x1f\x7f]|\\.)*\"))?)*"
CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}" + EXTENSION)
FIELD_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def follow_chunks(request):
    """What is behind the last chunk; None: they are not by the grammar, or not whole (RFC 9112, 7.1)."""
    rest = request.body
    while True:
        line, end, rest = rest.partition(b"\r\n")
        if not end or not CHUNK_LINE.fullmatch(line):
            return None
        size = int(re.match(rb"[0-9A-Fa-f]+", line).group(), 16)
        if size == 0:
            return rest
        if rest[size:size + 2] != b"\r\n":
            return None
        rest = rest[size + 2:]


def bad_chunk(request):
    return request.is_chunked() and follow_chunks(request) is None


def bad_trailer(request):
    rest = follow_chunks(request) if request.is_chunked() else None
    if rest is None:
        return False
    lines = rest.split(b"\r\n")
    for line in lines[:lines.index(b"")] if b"" in lines else lines:
        name, colon, value = line.partition(b":")
        if not colon or not re.fullmatch(TOKEN, name) or not FIELD_VALUE.fullmatch(value):
            return True
        if name.lower() in (b"content-length", b"transfer-encoding", b"host"):
            return True
    return False


#: mote refuses, nginx serves.
STRICTER = [
    Difference("a line that ends with LF alone", "RFC 9112, 2.2 lets one; two readers that differ are a way to smuggle",
               lambda r: re.search(rb"(?<!\r)\n", r.data), b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    Difference("CR that ends no line", "RFC 9112, 2.2: invalid, or a space",
               lambda r: re.search(rb"\r(?!\n)", r.data), get(headers=HOST + b"A: b\r\r\n")),
    Difference("a version of two digits", "RFC 9112, 2.3: one each", lambda r: re.search(rb" HTTP/1\.\d\d+$", r.line),
               get(b"GET / HTTP/1.15")),
    Difference("a method that nobody knows", "RFC 9110, 9.1: 501", lambda r: r.method not in METHODS, get(b"BREW / HTTP/1.1")),
    Difference("a byte in the target that no URI has", "RFC 3986, 2",
               lambda r: re.search(rb"[^\x21-\x7e]", r.target), get(b"GET /\xff HTTP/1.1")),
    Difference("a fragment", "RFC 9112, 3.2: no target has one", lambda r: b"#" in r.target, get(b"GET /#a HTTP/1.1")),
    Difference("a target of another scheme", "RFC 9110, 7.4: it is none of this server's",
               lambda r: not re.match(rb"/|https?://|\*$", r.target, re.IGNORECASE), get(b"GET ftp://example.org/ HTTP/1.1")),
    Difference("a query behind a host", "no path to put before it; RFC 3986, 3.3, lets it be empty, but no client sends that",
               lambda r: re.match(rb"https?://[^/?]*\?", r.target, re.IGNORECASE), get(b"GET http://example.org?b HTTP/1.1")),
    Difference("a Host that is none", "RFC 9112, 3.2: 400",
               lambda r: not all(HOST_FORM.fullmatch(value) for value in r.values(b"host")),
               get(headers=b"Host: exam[ple\r\n")),
    Difference("a header line without a colon", "RFC 9112, 5", lambda r: not all(b":" in line for line in r.lines),
               get(headers=HOST + b"A\r\n")),
    Difference("a header name that is no token", "RFC 9110, 5.1",
               lambda r: not all(re.fullmatch(TOKEN, name) for name, _ in r.headers), get(headers=HOST + b"A(b: c\r\n")),
    Difference("a control byte in a header's value", "RFC 9110, 5.5",
               lambda r: not all(FIELD_VALUE.fullmatch(value) for _, value in r.headers), get(headers=HOST + b"A: \x01\r\n")),
    Difference("a chunk that is not by the grammar", "RFC 9112, 7.1; white space in it is refused too, nginx reads over extensions",
               bad_chunk, chunks(b"1;/\r\na\r\n0\r\n\r\n")),
    Difference("a trailer that is not by the grammar", "RFC 9112, 7.1.2; nginx reads over trailers",
               bad_trailer, chunks(b"1\r\na\r\n0\r\nA(\r\n\r\n")),
]

#: nginx refuses, mote serves.
MILDER = [
    Difference("a TAB around a value", "RFC 9110, 5.5: white space around a value is a space or a TAB",
               lambda r: any(re.match(rb"[ ]*\t|.*\t[ ]*$", value, re.DOTALL) for _, value in r.headers),
               get(headers=b"Host:\texample.org\r\n")),
    Difference("OPTIONS of the whole server", "RFC 9110, 9.3.7: it is answered", lambda r: r.line.startswith(b"OPTIONS * "),
               get(b"OPTIONS * HTTP/1.1")),
    Difference("dots beside each other in a Host", "RFC 3986, 3.2.2: a registered name may have them",
               lambda r: any(b".." in value or value.startswith(b".") for value in r.values(b"host")),
               get(headers=b"Host: a..b\r\n")),
    Difference("a sign in the host of a target", "RFC 3986, 3.2.2: a registered name may have them",
               lambda r: re.match(rb"https?://[^/?]*([!$&'()*+,;=%_~]|\.\.)", r.target, re.IGNORECASE),
               get(b"GET http://a*b/ HTTP/1.1")),
]


def explained(differences, data):
    request = Request(data)
    return [one.name for one in differences if one.holds(request)]


# ---- the two servers

NEXT = get()


@pytest.fixture(scope="module")
def peer():
    path = nginx.program()
    if path is None:
        pytest.skip("no nginx to compare with")
    folder = tempfile.mkdtemp(prefix="mote-e2e-nginx-")
    server = nginx.Nginx(path, folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("differential", apps.app(
        {"GET /*": "abi#fine", "POST /*": "abi#gather"}, {"abi": workshop.c("abi")}, log={"access": False}))


def ask(server, data):
    """The statuses of all answers to these bytes and another request behind them."""
    with client.Connection(server.address) as connection:
        try:
            connection.send(data + NEXT)
        except OSError:
            pass  # refused already
        connection.end_sending()
        return [int(one) for one in re.findall(rb"HTTP/1\.[01] (\d{3}) ", connection.receive_all())]


def serves(statuses):
    """Whether the request was understood: nothing of it is there, or may not be asked for, is an answer too."""
    return bool(statuses) and (statuses[0] < 400 or statuses[0] in (404, 405))


def compare(node, peer, data):
    ours, theirs = ask(node, data), ask(peer, data)
    told = f"{data!r}: mote {ours}, nginx {theirs}"
    if serves(ours) and serves(theirs):
        assert len(ours) == len(theirs), "divided differently: " + told
    elif serves(theirs):
        assert explained(STRICTER, data), told
    elif serves(ours):
        assert explained(MILDER, data), told


# ---- broken requests

LETTERS = st.sampled_from([bytes([byte]) for byte in b"\0\x01\t\n\v\r \"#%&()*+,-./059:;=?@AZ[\\]^_`az{|}~\x7f\x80\xff"]
                          + [b"\r\n", b"\r\n\r\n", b"\r\n ", b"  ", b"..", b"//", b"%2", b"0x"])
CHANGES = st.lists(st.tuples(st.sampled_from(["insert", "replace", "remove", "repeat"]), st.integers(0, 200), LETTERS),
                   min_size=1, max_size=2)


def changed(part, changes):
    for what, where, letters in changes:
        at = where % (len(part) + 1)
        if what == "insert":
            part = part[:at] + letters + part[at:]
        elif what == "replace":
            part = part[:at] + letters + part[at + 1:]
        elif what == "remove":
            part = part[:at] + part[at + 1:]
        else:
            part = part[:at] + part[max(0, at - 3):at] + part[at:]
    return part


#: Of each part of a request: what is before it, good ones, what is behind it.
PARTS = {
    "request line": (b"", [b"GET / HTTP/1.1", b"POST /echo HTTP/1.0", b"OPTIONS * HTTP/1.1", b"HEAD /a?b HTTP/1.1"],
                     b"\r\n" + HOST + b"\r\n"),
    "target": (b"GET ", [b"/a/b%20c?d=e&f", b"http://example.org/a?b", b"/", b"/a;b=c/d.e"], b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "Host": (b"GET / HTTP/1.1\r\n", [HOST, b"Host: example.org:80\r\n", b"Host: [::1]:80\r\n", b"host:127.0.0.1\r\n"], b"\r\n"),
    "header": (b"GET / HTTP/1.1\r\n" + HOST, [b"Accept: a, b;q=0.5\r\n", b"X-Y:z\r\n", b"A:\r\nB: c d \r\n",
                                              b"Connection: keep-alive\r\n"], b"\r\n"),
    "length": (b"POST /echo HTTP/1.1\r\n" + HOST, [b"Content-Length: 5\r\n", b"Content-Length: 005\r\n",
                                                   b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                                                   CHUNKED, b"Content-Length: 5\r\nContent-Length: 5\r\n"], b"\r\nhello"),
    "chunks": (b"POST /echo HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n",
               [b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", b"00a\r\n0123456789\r\n0\r\nA: b\r\n\r\n"], b""),
}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_what_nginx_refuses_is_refused_and_the_other_way_round(node, peer, part):
    before, middles, after = PARTS[part]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(middle=st.sampled_from(middles), changes=CHANGES)
    def try_it(middle, changes):
        compare(node, peer, before + changed(middle, changes) + after)
    try_it()


@pytest.mark.parametrize("part", sorted(PARTS))
def test_the_good_ones_are_served_alike(node, peer, part):
    before, middles, after = PARTS[part]
    for middle in middles:
        compare(node, peer, before + middle + after)


@pytest.mark.parametrize("one", STRICTER, ids=[one.name for one in STRICTER])
def test_mote_is_stricter(node, peer, one):
    assert explained([one], one.example)
    assert not serves(ask(node, one.example)) and serves(ask(peer, one.example))


@pytest.mark.parametrize("one", MILDER, ids=[one.name for one in MILDER])
def test_mote_is_milder(node, peer, one):
    assert explained([one], one.example)
    assert serves(ask(node, one.example)) and not serves(ask(peer, one.example))
