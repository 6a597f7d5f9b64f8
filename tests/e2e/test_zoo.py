"""examples/zoo and examples/hello as a newcomer has them: built from a copy, served by its own manifest."""

import os
import re
import shutil

import pytest

import apps
from event_stream import Listener
from program import ROOT


def copy(home, name):
    folder = home.path(name)
    shutil.copytree(os.path.join(ROOT, "examples", name), folder,
                    ignore=shutil.ignore_patterns("wasm"))
    return folder


@pytest.fixture
def served(serve, home):
    """serve_example(name): a node with that example, built now."""
    def start(name):
        folder = copy(home, name)
        done = home.run("build", folder)
        assert done.status == 0, done
        with open(os.path.join(folder, "mote.toml"), encoding="utf-8") as file:
            manifest = file.read().replace("wasm/", name + "/wasm/")
        return serve(manifest, home=home, options=["--listen", "127.0.0.1:0"])
    return start


def test_hello_builds_and_answers(served):
    node = served("hello")
    assert node.get("/").text == "hello\n"


def test_every_route_of_the_zoo_does_what_it_says(served):
    node = served("zoo")
    assert node.get("/").text == "hello\n"
    assert node.get("/users/ann%20b").json() == {"id": "ann b"}
    assert node.post("/echo", b"body").body == b"body"
    assert node.get("/status/418").status == 418
    assert "X-A: b" in node.get("/headers", [("X-A", "b")]).text
    assert len(node.get("/stream?n=5&size=7").body) == 35
    assert node.get("/sleep?ms=1").text == "slept\n"
    assert node.get("/crash").status == 502
    assert node.get("/oom").status == 502
    assert node.get("/spin").status == 504
    assert node.get("/overflow").status == 502
    assert node.get("/silent").status == 502
    late = node.get("/late-crash")
    assert late.cut and late.body == b"the last words\n"
    assert node.get("/denied").status == 403
    assert node.get("/fetch?url=http://127.0.0.1:1/").status == 403
    assert "<title>mote chat</title>" in node.get("/chat").text
    assert node.post("/chat/messages?name=ann", b"hello").status == 204
    with node.connect() as connection:
        assert '"text":"hello"' in Listener(connection, "/events").next().data


def test_the_tests_zoo_has_the_routes_of_the_example():
    with open(os.path.join(apps.ZOO_FOLDER, "mote.toml"), encoding="utf-8") as file:
        found = dict(re.findall(r'^"([A-Z]+ /[^"]*)"\s*=\s*"(zoo#[^"]+)"', file.read(), re.MULTILINE))
    assert found == apps.ZOO_ROUTES


def test_the_guests_are_small(workshop):
    assert os.path.getsize(workshop.zoo()) < 32 * 1024


@pytest.mark.parametrize("target", ["/users/" + "x" * 127, "/users/%22%5C", "/users/%01", "/users/%F0%9F%A6%81"])
def test_ids_of_any_kind_make_good_json(zoo, target):
    assert "id" in zoo.get(target).json()


def test_an_id_too_long_is_told_so(zoo):
    response = zoo.get("/users/" + "x" * 128)
    assert (response.status, response.text) == (400, "an id has at most 127 bytes\n")


@pytest.mark.parametrize("query, size", [("", 160), ("n=0", 0), ("n=1&size=1", 1), ("size=16384&n=2", 32768),
                                         ("n=x", 160), ("n=-1", 160), ("n=99999999999999999999", 160)])
def test_the_streams_size_is_as_asked(zoo, query, size):
    response = zoo.get("/stream?" + query)
    assert response.status == 200 and len(response.body) == size and not response.cut


def test_a_stream_piece_too_large_is_refused(zoo):
    for size in ("0", "16385"):
        assert zoo.get("/stream?size=" + size).status == 400
