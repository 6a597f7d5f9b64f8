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


def node_of(app):
    with open(f"/proc/{app.process.pid}/task/{app.process.pid}/children", encoding="ascii") as file:
        [node] = file.read().split()
    return node


def resident_bytes(node):
    with open(f"/proc/{node}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Clients:
    """Each asks again and again on one connection; what is no success is kept."""

    def __init__(self, address, count):
        self.over, self.asked, self.failures = threading.Event(), [0] * count, []
        self.threads = [threading.Thread(target=self._run, args=(address, i)) for i in range(count)]
        for one in self.threads:
            one.start()

    def _run(self, address, index):
        try:
            with client.Connection(address) as connection:
                while not self.over.is_set():
                    connection.send_request("GET", "/api/todos")
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


@pytest.mark.soak
def test_a_hundred_edits_fail_no_request_and_leave_nothing(app):
    web, service = app.read("src/web.c"), app.read("src/todos.c")
    address, node = app.address(), node_of(app)
    admin = "unix:" + app.home.path("runtime", "mote", "app.sock")
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
                    before = (code_mappings(node, app.home.cache), client.fetch(admin, "GET", "/v1/stats").json()["descriptors"]["now"],
                              resident_bytes(node))
            # The same page as at the beginning is still told of what happens.
            assert client.fetch(address, "POST", "/api/todos", (), b"the end").status == 201
            events.next()
            mappings, descriptors = before[0], before[1]
            wait_until(lambda: client.fetch(admin, "GET", "/v1/stats").json()["descriptors"]["now"] <= descriptors, 60)
            wait_until(lambda: code_mappings(node, app.home.cache) <= mappings, 60, lambda: f"{code_mappings(node, app.home.cache)} of {mappings}")
            assert resident_bytes(node) <= before[2] * 1.1 + (4 << 20)
    finally:
        clients.end()
    assert clients.failures == []
    assert min(clients.asked) > EDITS
    assert node_of(app) == node and app.stop() == 0
