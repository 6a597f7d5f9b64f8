"""Components that the toolchains of other languages make, by the commands of docs/components.md: a hello, an echo that
streams, a crash, and a request to somebody else. (Those of Go are core modules: test_go.py.)"""

import os
import subprocess

import pytest

import apps
from client import request
from origin import Origin
from program import ROOT

MIB = 1 << 20
GREETINGS = {"c": "hello from C\n", "js": "hello from JavaScript\n", "python": "hello from Python\n"}
COMPILE_SECONDS_MAX = 1200


@pytest.fixture(params=["c", pytest.param("js", marks=pytest.mark.soak), pytest.param("python", marks=pytest.mark.soak)])
def language(request):
    return request.param


def made(workshop, language):
    """The component, made at most once a session."""
    key, none = "toolchain-" + language, "no toolchain-" + language
    if none in workshop.made:
        pytest.skip(workshop.made[none])
    if key not in workshop.made:
        done = subprocess.run([os.path.join(ROOT, "tools", "toolchains.sh"), language], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode == 3:
            workshop.made[none] = done.stderr
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        workshop.made[key] = done.stdout.strip()
    return workshop.made[key]


def manifest(source):
    """The app twice: on the first listener it may ask 127.0.0.1 and write to the log, on the second nothing."""
    return apps.app({"* /*": "web"}, {"web": {"source": source, "capability": "app"}, "bare": source},
                    capabilities={"app": {"inherits": "sandboxed", "allow-stdio": True, "allow-network": ["127.0.0.1"]}},
                    node={"fetch-keep-ms": 50}) + \
        '[[serve]]\nlisten = "127.0.0.1:0"\ncomponent = "bare"\n'


@pytest.fixture
def node(use_shared, workshop, language):
    text = manifest(made(workshop, language))
    if language not in workshop.made:
        # Megabytes of code compile for longer than a node may take to start.
        workshop.home.write(language + ".toml", text)
        done = workshop.home.run("check", "-f", language + ".toml", seconds=COMPILE_SECONDS_MAX)
        assert done.status == 0, done
        workshop.made[language] = text
    return use_shared("toolchain-" + language, text)


def test_it_says_hello(node, language):
    for _ in range(3):
        answer = node.get("/")
        assert (answer.status, answer.text) == (200, GREETINGS[language])
        assert answer.header("content-type") == "text/plain"


def test_it_sends_back_each_piece_when_it_comes(node):
    with node.connect() as connection:
        connection.send(request("POST", "/echo", [("Transfer-Encoding", "chunked")], b"4\r\nfour\r\n"))
        assert (connection.read_head().status, connection.read_chunk()) == (200, b"four")
        connection.send(b"3\r\nsix\r\n")
        assert connection.read_chunk() == b"six"
        connection.send(b"0\r\n\r\n")
        assert connection.read_chunk() == b""


def test_it_sends_back_what_is_large(node):
    body = bytes(range(256)) * (MIB // 256)
    answer = node.post("/echo", body)
    assert (answer.status, answer.body, answer.cut) == (200, body, False)


def test_a_crash_is_502_and_others_go_on(node, language):
    with node.connect(1) as connection:
        for _ in range(2):
            connection.send_request("GET", "/crash")
            assert connection.read().status == 502
            connection.send_request("GET", "/")
            assert connection.read().text == GREETINGS[language]
    node.log.wait_for("process exited", "component=bare", "class=crashed", count=2)


def test_the_last_words_of_one_that_fails_are_in_the_log(node, language):
    # With somewhere to write to, the runtime of JavaScript survives: it begins an answer of its own and gives its body up.
    answer = node.get("/crash")
    assert (answer.status, answer.cut) == ((500, True) if language == "js" else (502, False))
    node.log.wait_for("guest", "component=web", "stream=stderr", "on purpose")


def test_it_passes_on_what_it_asks_for(node):
    body = b"x" * MIB

    def behave(peer):
        while (head := peer.read_head()) is not None:
            assert (head[0], peer.read_body()) == ("GET", b"")
            peer.answer(body if head[1] == "/large" else b"from elsewhere", status="203 Perhaps")
    origin = Origin(behave)
    try:
        answer = node.get(f"/fetch?url={origin.url('/small')}")
        assert (answer.status, answer.text) == (203, "from elsewhere")
        answer = node.get(f"/fetch?url={origin.url('/large')}")
        assert (answer.status, answer.body, answer.cut) == (203, body, False)
    finally:
        origin.close()


def test_it_asks_nobody_without_a_grant_and_can_tell(node):
    origin = Origin(lambda peer: peer.read_head())
    try:
        with node.connect(1) as connection:
            connection.send_request("GET", f"/fetch?url={origin.url('/')}")
            answer = connection.read()
        assert answer.status == 403 and answer.text.startswith("refused"), answer
        node.log.wait_for("denied", "component=bare", "call=wasi:http", f"127.0.0.1:{origin.port}")
        assert origin.made == 0
    finally:
        origin.close()


def test_what_it_imports_is_explained(home, workshop, language):
    home.write("mote.toml", manifest(made(workshop, language)))
    done = home.run("check", "--explain", "web", seconds=COMPILE_SECONDS_MAX)
    assert done.status == 0, done
    told = {line.split()[1].partition("@")[0]: line.split()[0] for line in done.out.splitlines() if "  wasi:" in line}
    assert (told["wasi:http/types"], told["wasi:http/outgoing-handler"], told["wasi:cli/stderr"]) == ("granted",) * 3
    assert told["wasi:filesystem/types"] == "denied", told
