"""`mote new`: every template is a whole app; `mote test` runs its tests."""

import os
import shutil
import stat

import pytest

import browser as browsers
from frames import CLOSE, Socket, closing
from program import ROOT
from waiting import wait_until

TEMPLATES = os.path.join(ROOT, "sdk", "templates", "c")
NAMES = sorted(name for name in os.listdir(TEMPLATES) if os.path.exists(os.path.join(TEMPLATES, name, "template.txt")))
in_a_browser = pytest.mark.skipif(browsers.MISSING is not None, reason=str(browsers.MISSING))


def files_of(folder):
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def content_of(folder):
    found = {}
    for name in files_of(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


@pytest.fixture
def make(home):
    """make(template): an app of it, built; returns its folder."""
    def made(template, name="my-app"):
        done = home.run("new", name, "--lang", "c", "--template", template)
        assert done.status == 0, done
        done = home.run("build", name)
        assert done.status == 0 and "warning" not in done.err, done
        return home.path(name)
    return made


@pytest.fixture
def open_app(make, serve):
    """open_app(template): such an app, served by its own manifest on any free port."""
    def opened(template):
        folder = make(template)
        with open(os.path.join(folder, "mote.toml"), encoding="utf-8") as file:
            manifest = file.read()
        manifest = manifest.replace('"wasm/', f'"{folder}/wasm/').replace('"public"', f'"{folder}/public"')
        return serve(manifest.replace("127.0.0.1:8080", "127.0.0.1:0").replace('name = "my-app"', 'name = "mote"'))
    return opened


# ---- making one


@pytest.mark.parametrize("template", NAMES)
def test_an_app_is_complete_and_its_tests_hold(home, make, template):
    folder = make(template)
    files = content_of(folder)
    assert {"mote.toml", "README.md", ".gitignore", ".editorconfig", "compile_flags.txt", ".mote/mote.h"} <= set(files)
    assert not [name for name, content in files.items() if b"__NAME__" in content or "__NAME__" in name]
    assert b'name = "my-app"' in files["mote.toml"]
    tests = [name for name in files if name.startswith("tests/")]
    assert tests and all(os.stat(os.path.join(folder, name)).st_mode & stat.S_IXUSR for name in tests)
    done = home.run("check", "-f", "my-app/mote.toml")
    assert done.status == 0 and "warning" not in done.err, done
    done = home.run("test", "my-app")
    assert done.status == 0 and f"{len(tests)} of {len(tests)} tests hold" in done.out, done
    assert home.run("build", "my-app").out.count("up to date") == len([one for one in files if one.endswith(".wasm")])


def test_there_are_as_many_templates_as_folders(home):
    done = home.run("new", "--help")
    assert NAMES == ["api", "chat", "hello", "todo", "worker"]
    for name in NAMES:
        with open(os.path.join(TEMPLATES, name, "template.txt"), encoding="utf-8") as file:
            assert f"  c            {name:8} {file.read().strip()}\n" in done.out


def test_nothing_is_overwritten(home):
    home.write("full/mine.txt", "mine")
    before = content_of(home.path("full"))
    done = home.run("new", "full")
    assert done.status == 1 and "has something in it" in done.err, done
    assert content_of(home.path("full")) == before
    home.write("file", "mine")
    assert home.run("new", "file").status == 1
    os.symlink("nowhere", home.path("link"))
    assert home.run("new", "link").status == 1
    os.mkdir(home.path("empty"))
    assert home.run("new", "empty/").status == 0
    assert os.path.exists(home.path("empty", "mote.toml"))


@pytest.mark.parametrize("name", ["", ".", "..", "9lives", "-x", "a b", "a.b", "über", "x" * 65, "a/..", "a\n"])
def test_what_is_no_name_is_refused(home, name):
    before = files_of(home.folder)
    done = home.run("new", "--", name)
    assert done.status == 2 and "is no name" in done.err, done
    assert files_of(home.folder) == before


def test_folders_on_the_way_are_made_and_the_last_part_is_the_name(home):
    assert home.run("new", "some/where/app_2").status == 0
    with open(home.path("some", "where", "app_2", "mote.toml"), encoding="utf-8") as file:
        assert 'name = "app_2"' in file.read()


@pytest.mark.parametrize("words", [("--template", "nothing"), ("--lang", "cobol"), ("--template", "common"),
                                   ("--template", "hello/src"), ("--lang", "../c")])
def test_an_unknown_template_is_refused_with_a_list(home, words):
    done = home.run("new", "app", *words)
    assert done.status == 2 and "there is no template" in done.err and "hello" in done.err, done
    assert not os.path.exists(home.path("app"))


# ---- mote test


def write_test(folder, name, text):
    path = os.path.join(folder, "tests", name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)


def test_the_status_of_a_test_tells(home, make):
    folder = make("hello")
    write_test(folder, "a-broken.sh", "#!/bin/sh\necho to one; echo to the other >&2\nexit 3\n")
    write_test(folder, "b-skipped.sh", "#!/bin/sh\nexit 77\n")
    write_test(folder, "c-hanging.sh", "#!/bin/sh\nsleep 1000 & wait\n")
    write_test(folder, "d-nothing.sh", "#!/no/such/program\n")
    with open(os.path.join(folder, "tests", "notes.txt"), "w", encoding="utf-8") as file:
        file.write("no test\n")
    done = home.run("test", "--only", "hello", "my-app")
    assert (done.status, done.out.splitlines()[-2:]) == (0, ["ok   hello.sh", "1 of 1 tests hold"]), done
    done = home.run("test", "--only", "a-broken", "my-app")
    assert done.status == 1 and "FAIL a-broken.sh: status 3" in done.out and "0 of 1 tests hold" in done.out, done
    assert "to one\nto the other" in done.out and "the node's log" in done.out, done
    done = home.run("test", "--only", "skip", "my-app")
    assert (done.status, done.out.splitlines()[-2:]) == (0, ["skip b-skipped.sh", "0 of 0 tests hold"]), done
    done = home.run("test", "--timeout-ms", "1", "--only", "hang", "my-app")
    assert done.status == 1 and "FAIL c-hanging.sh: not done within 1 ms" in done.out, done
    done = home.run("test", "--only", "nothing", "my-app")
    assert done.status == 1 and "FAIL d-nothing.sh: status 126" in done.out, done
    done = home.run("test", "--only", "notes", "my-app")
    assert done.status == 1 and "no tests" in done.err, done


def test_every_test_has_a_node_of_its_own(home, make):
    folder = make("todo")
    text = ('#!/bin/sh\nset -e\n[ "$(curl -fsS "$MOTE_URL/api/todos" | tr -d "\\n")" = "[]" ]\n'
            'curl -fsS -d one "$MOTE_URL/api/todos"\ntest -f "$MOTE_LOG"\ntest -f mote.toml\n')
    write_test(folder, "first.sh", text)
    write_test(folder, "second.sh", text)
    done = home.run("test", "my-app")
    assert done.status == 0 and "3 of 3 tests hold" in done.out, done


def test_an_app_that_does_not_start_fails_its_tests(home, make):
    folder = make("hello")
    with open(os.path.join(folder, "mote.toml"), "a", encoding="utf-8") as file:
        file.write('[components.late]\nsource = "wasm/hello.wasm"\nentry = "nothing"\nresident = true\n')
    done = home.run("test", "my-app")
    assert done.status == 1 and "FAIL hello.sh: the node did not start" in done.out and "nothing" in done.out, done
    with open(os.path.join(folder, "src", "hello.c"), "a", encoding="utf-8") as file:
        file.write("broken")
    done = home.run("test", "my-app")
    assert done.status == 1 and "did not compile" in done.err and "hold" not in done.out, done


# ---- mote build


def test_an_edit_of_a_header_builds_what_may_include_it(home, make):
    folder = make("todo")
    path = os.path.join(folder, "src", "todos.h")
    shutil.copystat(os.path.join(folder, "wasm", "web.wasm"), path)
    assert home.run("build", "my-app").out == "web: up to date\ntodos: up to date\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n")
    os.utime(path, (2 ** 31, 2 ** 31))
    done = home.run("build", "my-app")
    assert done.out.count("bytes)") == 2, done


def test_a_missing_compiler_says_what_to_install(home):
    assert home.run("new", "app").status == 0
    done = home.run("build", "app", environment={"MOTE_CLANG": "/no/such/clang"})
    assert done.status == 1 and "apt-get install clang lld wasi-libc" in done.err, done


# ---- the apps


def test_hello_greets(open_app):
    node = open_app("hello")
    assert node.get("/").text == "hello from my-app\n"
    assert node.get("/hello/Zo%C3%AB").text == "hello, Zoë\n"
    assert node.get("/hello/" + "x" * 64).status == 400


def test_the_api_answers_json(open_app):
    node = open_app("api")
    assert node.get("/api/square/1000000").json() == {"n": 1000000, "square": 10 ** 12}
    for wrong in ("1000001", "x", "-1", "99999999999999999999999"):
        assert node.get("/api/square/" + wrong).json() == {"error": "n is a number up to 1000000"}
    assert node.post("/api/sum", b"1 " * 1000).json() == {"count": 1000, "sum": 1000}
    assert node.post("/api/sum", b"1 " * 1100).status == 413
    assert node.post("/api/sum", b"").json() == {"count": 0, "sum": 0}


def test_the_workers_share_the_work(open_app):
    node = open_app("worker")
    assert node.get("/primes?below=20000").json() == {"below": 20000, "primes": 2262, "workers": 4}
    assert node.stats()["processes"]["spawned"] >= 5


def test_the_chat_refuses_what_is_no_message(open_app):
    node = open_app("chat")
    with Socket(node.address, "/socket") as client:
        client.read_message()
        client.send_text("no line break")
        assert client.read_message()[:2] == (CLOSE, 4000)
        client.send(closing(4000))
        assert client.read_frame() is None


def test_the_list_is_full_at_some_time(open_app):
    node = open_app("todo")
    for i in range(100):
        assert node.post("/api/todos", b"\"" * 120).status == 201
    assert node.post("/api/todos", b"one more").status == 409
    todos = node.get("/api/todos").json()
    assert len(todos) == 100 and todos[-1]["text"] == "\"" * 120
    assert node.request("DELETE", "/api/todos/50").status == 204
    assert [one["id"] for one in node.get("/api/todos").json()] == [*range(1, 50), *range(51, 101)]
    assert node.post("/api/todos", b"x" * 121).status == 400


# ---- the pages


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = browsers.Browser(str(tmp_path_factory.mktemp("browser")))
    yield browser
    browser.close()


@pytest.fixture
def tab(browser):
    """tab(address): a new one; at the end they go away, and none may have had an error."""
    tabs = browser.tabs()

    def new(address):
        one = tabs.new()
        one.go(address + "/")
        return one
    yield new
    assert tabs.close() == []


def pictured(one, name):
    """With MOTE_PICTURES, a folder, pictures for people to look at."""
    folder = os.environ.get("MOTE_PICTURES")
    for width, dark in ((900, False), (400, True)) if folder else ():
        one.look(width, 700, dark)
        one.picture(os.path.join(folder, f"{name}-{width}.png"))


@in_a_browser
def test_two_people_chat(open_app, tab):
    node = open_app("chat")
    ann, bob = tab(node.address), tab(node.address)
    for one, name in ((ann, "Ann"), (bob, "Bob")):
        one.wait("document.getElementById('state').textContent === '2 are here'")
        one.evaluate(f"document.getElementById('name').value = '{name}'")
    ann.type("#text", "hello, <b>Bob</b>")
    bob.wait("document.querySelectorAll('#log li').length === 1")
    bob.type("#text", "hello, Ann")
    for one in (ann, bob):
        one.wait("document.querySelectorAll('#log li').length === 2")
        assert one.evaluate("[...document.querySelectorAll('#log span')].map(one => one.textContent)") == [
            "hello, <b>Bob</b>", "hello, Ann"]
        assert one.evaluate("document.querySelectorAll('#log li.mine').length") == 1
    pictured(ann, "chat")
    for one in (ann, bob):
        one.go("about:blank")


@in_a_browser
def test_two_pages_show_the_same_list(open_app, tab):
    node = open_app("todo")
    one, other = tab(node.address), tab(node.address)
    count = "document.querySelectorAll('#list li').length"
    for page in (one, other):
        page.wait("document.getElementById('state').textContent === 'Nothing is to be done.'")
    one.type("#text", "buy <milk>")
    one.wait(count + " === 1")
    one.type("#text", "water the plants")
    other.wait(count + " === 2")
    assert other.evaluate("[...document.querySelectorAll('#list span')].map(one => one.textContent)") == [
        "buy <milk>", "water the plants"]
    other.evaluate("document.querySelector('#list input').click()")
    one.wait("document.querySelector('#list input').checked")
    one.wait("document.getElementById('state').textContent === '1 of 2 to be done'")
    pictured(one, "todo")
    one.evaluate("document.querySelectorAll('#list button')[1].click()")
    other.wait(count + " === 1")
    wait_until(lambda: len(node.get("/api/todos").json()) == 1)
    for page in (one, other):
        page.go("about:blank")
