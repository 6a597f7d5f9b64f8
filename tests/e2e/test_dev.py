"""`mote dev`: builds, serves, and takes every change of the files."""

import os
import signal

import pytest

import client
from frames import Socket
from program import STOP_SECONDS_MAX, Lines
from waiting import wait_until

HTML = [("Accept", "text/html,*/*;q=0.8")]


class Dev:
    """It runs in a folder `app`, made of a template. Edits are put in place whole, as editors do."""

    def __init__(self, home, template, language="c"):
        self.home = home
        done = home.run("new", "app", "--lang", language, "--template", template)
        assert done.status == 0, done
        self.process = None

    def path(self, name):
        return self.home.path("app", name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        os.replace(self.home.write("draft", text), self.path(name))

    def edit(self, name, old, new):
        text = self.read(name)
        assert old in text
        self.write(name, text.replace(old, new))

    def start(self):
        os.makedirs(self.home.path("tmp"), exist_ok=True)
        self.process = self.home.start("dev", "--listen", "127.0.0.1:0", "app")
        self.out, self.log = Lines(self.process.stdout), Lines(self.process.stderr)
        return self

    def address(self, count=1):
        """Of the node that said so last, when so many have."""
        return self.out.wait_for("listening on ", count=count, seconds=60)[-1][len("listening on "):]

    def fetch(self, path="/", headers=()):
        return client.fetch(self.address(), "GET", path, headers)

    def wait_text(self, text, path="/"):
        wait_until(lambda: self.fetch(path).text == text, 60, lambda: self.said())

    def said(self):
        return "\n".join(self.out.all()[-60:] + self.log.all()[-30:])

    def node_pid(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            [node] = file.read().split()
        return int(node)

    def has_socket(self):
        """It asks its node, or is about to."""
        folder = f"/proc/{self.process.pid}/fd"
        try:
            return any(os.readlink(f"{folder}/{fd}").startswith("socket:") for fd in os.listdir(folder))
        except FileNotFoundError:
            return False  # one was closed meanwhile

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        status = self.process.wait(STOP_SECONDS_MAX)
        self.out.thread.join(STOP_SECONDS_MAX)  # nobody has its output any more: the node has ended too
        assert not self.out.thread.is_alive()
        return status


@pytest.fixture
def dev(home):
    made = []

    def start(template="hello"):
        made.append(Dev(home, template))
        return made[-1]
    yield start
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.terminate()
            one.process.wait(STOP_SECONDS_MAX)


def test_a_change_is_served_while_a_websocket_lives(dev):
    app = dev("chat").start()
    with Socket(app.address(), "/socket") as old:
        assert b'"kind":"here"' in old.read_message()[1]
        app.edit("src/chat.c", '\\"kind\\":', '\\"sort\\":')
        app.out.wait_for("dev: component 'chat' has new code", seconds=60)
        with Socket(app.address(), "/socket") as new:
            # What the new one says comes to both; what the old one says too.
            for one in (old, new):
                assert b'"sort":"here"' in one.read_message()[1]
            old.send_text("ann\nstill here")
            for one in (old, new):
                assert b'"kind":"said"' in one.read_message()[1]
            new.finish()
        assert b'"sort":"here"' in old.read_message()[1]
        old.finish()
    assert app.stop() == 0
    assert not [line for line in app.out.all() if "listening" in line][1:]


def test_an_error_is_said_and_shown_until_it_is_gone(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    app.edit("src/hello.c", "char name[64]", "chr name[64]")
    app.out.wait_for("dev: what was built last serves on", seconds=60)
    assert app.out.having("src/hello.c:14:5: error:")
    page = wait_until(lambda: (lambda answer: answer if answer.status == 500 else None)(app.fetch("/", HTML)))
    assert "text/html" in page.header("content-type")
    assert "<h1>src/hello.c:14:5: error:" in page.text
    assert "<mark>   14      chr name[64]" in page.text and "#include &lt;mote_app.h&gt;" not in page.text
    assert app.fetch().text == "hello from app\n"
    app.edit("src/hello.c", "chr name[64]", "char name[64]")
    wait_until(lambda: app.fetch("/", HTML).text == "hello from app\n", 60, app.said)
    assert app.stop() == 0


def test_what_cannot_be_linked_leaves_the_old_code(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    app.edit("src/hello.c", "MOTE_HANDLER(home)", "MOTE_HANDLER(house)")
    app.log.wait_for("new code refused", "no export home", seconds=60)
    assert wait_until(lambda: "no export home" in app.fetch("/", HTML).text or None, 60)
    assert app.fetch().text == "hello from app\n"
    app.edit("src/hello.c", "MOTE_HANDLER(house)", "MOTE_HANDLER(home)")
    wait_until(lambda: app.fetch("/", HTML).status == 200, 60, app.said)
    assert app.stop() == 0


def test_a_new_manifest_is_taken_by_a_new_node(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    app.edit("mote.toml", '"GET /hello/:name"', '"GET /hi/:name"')
    app.out.wait_for("dev: the manifest is taken", seconds=60)
    app.wait_text("hello, ann\n", "/hi/ann")
    assert app.fetch("/hello/ann").status == 404
    # And the new one is the one that gets new code.
    app.edit("src/hello.c", '"hello, "', '"hi, "')
    app.wait_text("hi, ann\n", "/hi/ann")
    app.edit("mote.toml", "[[serve]]", "[[sever]]")
    wait_until(lambda: "unknown key" in app.fetch("/", HTML).text, 60, app.said)
    app.edit("mote.toml", "[[sever]]", "[[serve]]")
    wait_until(lambda: app.fetch("/", HTML).status == 200, 60, app.said)
    assert app.stop() == 0


def test_a_larger_memory_than_any_before_is_taken_too(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    app.edit("src/hello.c", "/* GET / */", "static char large[1 << 20];\n")
    app.edit("src/hello.c", "    mote_reply_text(200,", "    large[mote_wall_clock_ns() % sizeof large]++;\n    mote_reply_text(200,")
    app.out.wait_for("dev: the manifest is taken", seconds=60)
    app.wait_text("hello from app\n")
    assert app.stop() == 0


def test_an_app_that_does_not_build_yet_shows_why(dev):
    app = dev()
    text = app.read("src/hello.c")
    app.write("src/hello.c", text + "broken")
    app.start()
    wait_until(lambda: "broken" in app.fetch("/", HTML).text, 60, app.said)
    app.out.wait_for("dev: nothing serves yet")
    app.write("src/hello.c", text)
    app.address(count=2)
    app.wait_text("hello from app\n")
    assert app.stop(signal.SIGTERM) == 0


def test_a_node_that_ends_is_started_again_at_the_next_change(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    os.kill(app.node_pid(), signal.SIGKILL)
    app.log.wait_for("the node has ended with status 137", seconds=60)
    app.address(count=2)
    wait_until(lambda: "status 137" in app.fetch("/", HTML).text, 60, app.said)
    app.edit("src/hello.c", "hello from", "again from")
    app.address(count=3)
    app.wait_text("again from app\n")
    assert app.stop() == 0


def test_files_of_a_new_folder_and_of_pages_are_taken(dev):
    app = dev("todo").start()
    wait_until(lambda: app.fetch("/api/todos").status == 200, 60, app.said)
    app.home.write("app/public/sub/page.html", "new")
    wait_until(lambda: app.fetch("/sub/page.html").text == "new", 60, app.said)
    os.makedirs(app.path("src/todos"), exist_ok=True)
    os.rename(app.path("src/todos.c"), app.path("src/todos/main.c"))
    app.edit("src/todos/main.c", '"todos.h"', '"../todos.h"')
    app.edit("src/todos/main.c", "todo->done = 0;", "todo->done = 1;")
    app.out.wait_for("dev: component 'todos' has new code", seconds=60)

    def done():
        # The service that takes it may be the one that is about to be renewed.
        client.fetch(app.address(), "POST", "/api/todos", (), b"x")
        answer = app.fetch("/api/todos")
        return answer.status == 200 and any(todo["done"] for todo in answer.json())
    wait_until(done, 60, app.said)
    assert app.stop() == 0


def test_it_ends_while_its_node_does_not_answer(dev):
    app = dev().start()
    app.wait_text("hello from app\n")
    os.kill(app.node_pid(), signal.SIGSTOP)
    app.edit("src/hello.c", "hello from", "again from")
    wait_until(app.has_socket, 60, app.said)
    assert app.stop() == 0
