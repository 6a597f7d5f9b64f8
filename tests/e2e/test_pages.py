"""The apps of `mote new` with a page, in each language but C, which test_new.py has: served by their own manifest, and used."""

import os

import pytest

import go_guests
from frames import CLOSE, Socket, closing
from test_new import browser, in_a_browser, pictured, tab  # noqa: F401: fixtures
from waiting import wait_until

# What the compiler of a language wants to have in its environment.
ENVIRONMENT = {"go": go_guests.environment, "javascript": dict}
TEMPLATES = os.path.join(os.path.dirname(__file__), "..", "..", "sdk", "templates")


@pytest.fixture
def open_app(home, serve):
    """open_app(language, template): a new app of it, built, and served on any free port."""
    def opened(language, template):
        done = home.run("new", "my-app", "--lang", language, "--template", template)
        assert done.status == 0, done
        done = home.run("build", "my-app", environment=ENVIRONMENT[language](), seconds=600)
        assert done.status == 0, done
        folder = home.path("my-app")
        with open(os.path.join(folder, "mote.toml"), encoding="utf-8") as file:
            manifest = file.read()
        manifest = manifest.replace('"wasm/', f'"{folder}/wasm/').replace('"public"', f'"{folder}/public"')
        return serve(manifest.replace("127.0.0.1:8080", "127.0.0.1:0").replace('name = "my-app"', 'name = "mote"'))
    return opened


def texts(page, selector):
    return page.evaluate(f"[...document.querySelectorAll('{selector}')].map(one => one.textContent)")


def leave(*pages):
    """Without their connections, so that what the node does at the end is no error of theirs."""
    for page in pages:
        page.go("about:blank")


def chat(node, tab, language):  # noqa: F811
    ann, bob = tab(node.address), tab(node.address)
    for one, name in ((ann, "Ann"), (bob, "Bob")):
        one.wait("socket.readyState === WebSocket.OPEN")
        one.evaluate(f"document.getElementById('name').value = '{name}'")

    def said(one, other, text):
        """Until it is heard: a socket is open a little before its process is in the room."""
        one.type("#text", text)
        return any(text in line for line in texts(other, "#log li"))
    wait_until(lambda: said(ann, bob, "hello, <b>Bob</b>"), what="Bob hears Ann")
    wait_until(lambda: said(bob, ann, "hello, Ann"), what="Ann hears Bob")
    assert set(texts(ann, "#log li")) == {"Annhello, <b>Bob</b>", "Bobhello, Ann"}
    pictured(ann, "chat-" + language)
    leave(ann, bob)


def keep_a_list(node, tab, language):  # noqa: F811
    page = tab(node.address)
    count = "document.querySelectorAll('#list li').length"
    page.type("#text", "buy <milk>")
    page.wait(count + " === 1")
    page.type("#text", "water the plants")
    page.wait(count + " === 2")
    assert texts(page, "#list span") == ["buy <milk>", "water the plants"]
    page.evaluate("document.querySelector('#list input').click()")
    wait_until(lambda: [one["done"] for one in node.get("/api/todos").json()] == [True, False], what="the first is done")
    pictured(page, "todo-" + language)
    page.evaluate("document.querySelectorAll('#list button')[1].click()")
    page.wait(count + " === 1")
    assert [one["text"] for one in node.get("/api/todos").json()] == ["buy <milk>"]
    leave(page)


@in_a_browser
@pytest.mark.parametrize("template, use", [pytest.param("chat", chat, marks=pytest.mark.soak), ("todo", keep_a_list)])
@pytest.mark.skipif(go_guests.MISSING is not None, reason=str(go_guests.MISSING))
def test_the_pages_in_go(open_app, tab, template, use):  # noqa: F811
    use(open_app("go", template), tab, "go")


# ---- in JavaScript they are C's


@in_a_browser
def test_two_people_chat(open_app, tab):  # noqa: F811
    node = open_app("javascript", "chat")
    with Socket(node.address, "/socket") as client:
        client.read_message()
        client.send_text("no line break")
        assert client.read_message()[:2] == (CLOSE, 4000)
        client.send(closing(4000))
        assert client.read_frame() is None
    chat(node, tab, "javascript")


@in_a_browser
def test_pages_show_a_list_which_is_full_at_some_time(open_app, tab):  # noqa: F811
    node = open_app("javascript", "todo")
    keep_a_list(node, tab, "javascript")
    one, other = tab(node.address), tab(node.address)
    for page in (one, other):
        page.wait("document.getElementById('state').textContent === '0 of 1 to be done'")
    one.type("#text", "water the plants")
    other.wait("document.querySelectorAll('#list li').length === 2")
    other.evaluate("document.querySelectorAll('#list input')[1].click()")
    one.wait("document.querySelectorAll('#list input')[1]?.checked")
    one.wait("document.getElementById('state').textContent === '0 of 2 to be done'")
    leave(one, other)
    for _ in range(98):
        assert node.post("/api/todos", b"\"" * 120).status == 201
    assert node.post("/api/todos", b"one more").status == 409
    todos = node.get("/api/todos").json()
    assert len(todos) == 100 and todos[-1]["text"] == "\"" * 120
    assert [node.request("DELETE", f"/api/todos/{todos[50]['id']}").status for _ in range(2)] == [204, 404]
    assert len(node.get("/api/todos").json()) == 99
    assert node.post("/api/todos", b"x" * 121).status == 400


def test_the_files_of_the_pages_are_those_of_c():
    for template in ("chat", "todo"):
        theirs, ours = (os.path.join(TEMPLATES, one, template, "public") for one in ("c", "javascript"))
        assert sorted(os.listdir(theirs)) == sorted(os.listdir(ours))
        for name in os.listdir(theirs):
            with open(os.path.join(theirs, name), "rb") as one, open(os.path.join(ours, name), "rb") as other:
                assert one.read() == other.read(), name
