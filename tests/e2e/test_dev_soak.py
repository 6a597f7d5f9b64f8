"""A day's work in a minute: a hundred edits under `mote dev`, with clients all the time."""

import os
import threading

import pytest

import client
from event_stream import Listener
from test_dev import Dev
from test_swap import code_mappings
from waiting import wait_until

EDITS = 100


@pytest.fixture
def app(home):
    one = Dev(home, "todo").start()
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.wait()


def command_of(pid):
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        return file.read().split("\0")


def node_of(app):
    with open(f"/proc/{app.process.pid}/task/{app.process.pid}/children", encoding="ascii") as file:
        children = [(pid, command_of(pid)) for pid in file.read().split()]
    nodes = [pid for pid, command in children if "serve" in command]
    assert len(nodes) == 1, (children, app.said())
    return nodes[0]


def resident_bytes(node):
    with open(f"/proc/{node}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Clients:
    """Each asks again and again on one connection; what is no success is kept."""

    def __init__(self, address, count, target="/api/todos"):
        self.over, self.asked, self.failures = threading.Event(), [0] * count, []
        self.threads = [threading.Thread(target=self._run, args=(address, i, target)) for i in range(count)]
        for one in self.threads:
            one.start()

    def _run(self, address, index, target):
        try:
            with client.Connection(address) as connection:
                while not self.over.is_set():
                    connection.send_request("GET", target)
                    answer = connection.read()
                    self.asked[index] += 1
                    if answer.status != 200:
                        self.failures.append((answer.status, answer.text))
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(failure)

    def end(self):
        self.over.set()
        for one in self.threads:
            one.join()


class Held:
    """What a node holds, which is no more at the end than after the first edits."""

    def __init__(self, app, node):
        self.app, self.node = app, node
        self.admin = "unix:" + app.home.path("runtime", "mote", "app.sock")
        self.mappings, self.descriptors, self.bytes = self.now_mappings(), self.now_descriptors(), resident_bytes(node)

    def now_mappings(self):
        return code_mappings(self.node, self.app.home.cache)

    def now_descriptors(self):
        return client.fetch(self.admin, "GET", "/v1/stats").json()["descriptors"]["now"]

    def check(self, images=False):
        """With `images`: places in pools keep, some of them, mapped what their last memory began with."""
        wait_until(lambda: self.now_descriptors() <= self.descriptors, 60)
        if not images:
            wait_until(lambda: self.now_mappings() <= self.mappings, 60, lambda: f"{self.now_mappings()} of {self.mappings}")
        assert resident_bytes(self.node) <= self.bytes * 1.1 + ((64 if images else 4) << 20)


@pytest.mark.soak
def test_a_hundred_edits_fail_no_request_and_leave_nothing(app):
    web, service = app.read("src/web.c"), app.read("src/todos.c")
    address, node = app.address(), node_of(app)
    wait_until(lambda: app.fetch("/api/todos").status == 200, 60, app.said)
    clients = Clients(address, 3)
    try:
        with client.Connection(address) as connection:
            events = Listener(connection, "/api/events")
            events.next()
            for edit in range(1, EDITS + 1):
                if edit % 4 == 0:
                    app.write("src/todos.c", service.replace("MOTE_FUNCTION(all)", f"static int edit{edit};\n"
                              f"MOTE_FUNCTION(all)").replace("(void)in, (void)in_size, (void)out,",
                                                             f"edit{edit} += {edit}; mote_log(edit{edit} ? MOTE_DEBUG : "
                                                             "MOTE_INFO, \"all\");\n    (void)in, (void)in_size, (void)out,", 1))
                else:
                    app.write("src/web.c", web.replace("no such entry", f"no such entry, edit {edit}"))
                name = "todos" if edit % 4 == 0 else "web"
                told = len([one for one in range(1, edit + 1) if (one % 4 == 0) == (edit % 4 == 0)])
                app.out.wait_for(f"dev: component '{name}' has new code", count=told, seconds=120)
                if edit % 4 != 0:
                    wait_until(lambda: client.fetch(address, "DELETE", "/api/todos/7").text
                               == f"no such entry, edit {edit}\n", 60, app.said)
                if edit == 10:
                    before = Held(app, node)
            # The same page as at the beginning is still told of what happens.
            assert client.fetch(address, "POST", "/api/todos", (), b"the end").status == 201
            events.next()
            before.check()
    finally:
        clients.end()
    assert clients.failures == []
    assert min(clients.asked) > EDITS
    assert node_of(app) == node and app.stop() == 0


@pytest.mark.soak
@pytest.mark.parametrize("language, source", [("go", "main.go"), ("javascript", "hello.js")])
def test_forty_edits_in_another_language(home, language, source):
    """Fewer: all of the language's runtime is compiled with each."""
    app = Dev(home, "hello", language).start()
    app.out.wait_for("listening on ", seconds=300)
    address, node = app.address(), node_of(app)
    app.wait_text("hello from app\n")
    text = app.read(source)
    clients = Clients(address, 3, "/")
    try:
        for edit in range(1, 41):
            app.write(source, text.replace("hello from", f"edit {edit} of"))
            wait_until(lambda: client.fetch(address, "GET", "/").text == f"edit {edit} of app\n", 120, app.said)
            if edit == 10:
                before = Held(app, node)
        before.check(images=True)
    finally:
        clients.end()
        status = app.stop()
    assert clients.failures == []
    assert min(clients.asked) > 40
    assert status == 0
