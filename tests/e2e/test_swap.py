"""New code for a node that runs: SIGHUP and `mote reload --code`."""

import errno
import os
import re
import signal
import threading

import pytest

import apps
from frames import Socket
from waiting import wait_until

MARK = re.compile(rb"version-\d{4}")
SERVICES = {"keeper": {}, "waiter": {"code-change": "signal"}}


class App:
    """A node whose components are copies of one file, in versions."""

    def __init__(self, serve, workshop, home, services=(), **sections):
        with open(workshop.c("swapped"), "rb") as file:
            self.wasm = file.read()
        self.home = home
        components = {"swapped": {"source": self.path("swapped")}}
        for name in services:
            components[name] = {"source": self.path(name), "entry": name, "resident": True,
                                **SERVICES[name]}
        for name in components:
            self.write(name, 0)
        self.node = serve(apps.app({"GET /": "swapped#show", "GET /stay": "swapped#stay",
                                    "WS /socket": "swapped#socket", "GET /keeper": "swapped#ask_keeper",
                                    "GET /waiter": "swapped#ask_waiter"}, components, **sections), home)

    def path(self, name):
        return self.home.path("code", name + ".wasm")

    def write(self, name, version):
        """Put a version in place, whole."""
        content = version if isinstance(version, bytes) else MARK.sub(b"version-%04d" % version, self.wasm)
        os.replace(self.home.write("code/draft", content), self.path(name))

    def reload(self):
        return self.home.run("reload", "--code")

    def swap(self, version, name="swapped"):
        self.write(name, version)
        done = self.reload()
        assert (done.status, done.out) == (0, f"component '{name}' has new code\n"), done

    def shown(self, path="/"):
        answer = self.node.get(path)
        return answer.text if answer.status == 200 else answer.status

    def code_mappings(self):
        return code_mappings(self.node.process.pid, self.home.cache)


def code_mappings(pid, cache):
    """How many mappings a process has of compiled code (files of the cache) and of what memories begin with. (Places in pools, which
    are neither, stay mapped once they were used.)"""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        return len([line for line in file if cache in line or "memfd:" in line])


@pytest.fixture
def app(serve, workshop, home):
    return lambda *services, **sections: App(serve, workshop, home, services, **sections)


def test_new_requests_run_the_new_code(app):
    one = app()
    assert one.shown() == "version-0000\n"
    one.swap(1)
    assert one.shown() == "version-0001\n"
    assert one.reload().out == "nothing has changed\n"


def test_sighup_takes_new_code(app):
    one = app()
    one.write("swapped", 7)
    one.node.process.send_signal(signal.SIGHUP)
    one.node.log.wait_for("component 'swapped' has new code")
    assert one.shown() == "version-0007\n"


def test_what_runs_ends_on_the_old_code(app):
    one = app()
    with Socket(one.node.address, "/socket") as old, one.node.connect() as stream:
        stream.send_request("GET", "/stay")
        stream.read_head()
        assert stream.read_chunk() == b"version-0000\n"
        one.swap(1)
        with Socket(one.node.address, "/socket") as new:
            for client, version in ((old, "version-0000\n"), (new, "version-0001\n")):
                client.send_text("which?")
                client.expect(1, version.encode())
            new.finish()
        one.swap(2)
        old.send_text("which?")
        old.expect(1, b"version-0000\n")
        old.finish()
        assert stream.read_chunk() == b"version-0000\n"
    assert one.shown() == "version-0002\n"


@pytest.mark.parametrize("content, why", [
    (b"", "not WebAssembly"),
    (b"\0asm\1\0\0\0\1", "truncated"),
    (None, "No such file"),
    ("(module)", "no export"),
    ('(module (import "mote" "fly" (func)) (func (export "show")))', "mote::fly"),
    ('(module (memory (export "memory") 5) (func (export "show")))', "mote reload"),
])
def test_what_does_not_load_leaves_the_old_code_serving(app, workshop, content, why):
    one = app()
    one.swap(1)
    if isinstance(content, str):
        with open(workshop.wat_text("swap-" + why.replace(" ", "-"), content), "rb") as file:
            content = file.read()
    if content is None:
        os.remove(one.path("swapped"))
    else:
        one.write("swapped", content)
    done = one.reload()
    assert done.status == 1 and why in done.err and "component 'swapped'" in done.err, done
    one.node.log.wait_for("new code refused, the old one serves on", why)
    assert one.shown() == "version-0001\n"
    one.swap(2)
    assert one.shown() == "version-0002\n"


def test_a_service_is_started_anew_and_that_is_no_restart(app):
    one = app("keeper", node={"max-restarts": 1})
    for version in range(1, 6):
        one.swap(version, "keeper")
        wait_until(lambda: one.shown("/keeper") == f"version-{version:04}\n", what=lambda: one.node.log_text())
    assert one.node.stats()["supervisors"] == {"restarts": 0, "escalations": 0}
    assert one.shown() == "version-0000\n"


def test_a_service_that_asked_for_it_is_told_and_ends_when_it_likes(app):
    one = app("waiter", node={"max-restarts": 0})
    one.swap(1, "waiter")
    wait_until(lambda: one.shown("/waiter") == "told")
    wait_until(lambda: one.shown("/waiter") == "version-0001\n")
    assert one.node.stats()["supervisors"] == {"restarts": 0, "escalations": 0}


def test_a_hundred_swaps_leave_nothing(app):
    """The fixture looks at descriptors and what the engine has handed out; a client stays on the first code all the time."""
    one = app("keeper")
    with Socket(one.node.address, "/socket") as first:
        first.send_text("which?")
        first.expect(1, b"version-0000\n")
        before = []
        for version in range(1, 101):
            one.write("keeper", version)
            one.write("swapped", version)
            assert one.reload().out.count("has new code") == 2
            assert one.shown() == f"version-{version:04}\n"
            wait_until(lambda: one.shown("/keeper") == f"version-{version:04}\n")
            if version == 10:
                before = one.code_mappings()
        first.send_text("which?")
        first.expect(1, b"version-0000\n")
        first.finish()
    one.node.wait_processes(one.node.baseline["processes"])
    now = one.code_mappings()
    # The client, which was on the first code, had a set of its own.
    assert 0 < now < before
    one.swap(0)
    assert one.code_mappings() == now


def test_no_request_fails_while_code_is_swapped(app):
    one = app()
    over, answers, failures = threading.Event(), set(), []

    def ask():
        try:
            with one.node.connect() as connection:
                while not over.is_set():
                    connection.send_request("GET", "/")
                    answer = connection.read()
                    answers.add((answer.status, answer.text))
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)
    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for version in range(1, 21):
            one.swap(version)
    finally:
        over.set()
        for client in clients:
            client.join()
    assert not failures
    assert answers <= {(200, f"version-{version:04}\n") for version in range(21)}


def test_a_node_that_ends_while_it_takes_new_code_ends_well(app):
    one = app()
    one.write("swapped", 1)
    one.node.process.send_signal(signal.SIGHUP)
    one.node.terminate()
    assert one.node.wait() == 0


def test_the_end_does_not_wait_for_new_code(app):
    """A pipe in the place of a file, into which nobody writes: whoever reads it is as busy as a compiler can be."""
    one = app()
    os.unlink(one.path("swapped"))
    os.mkfifo(one.path("swapped"))
    asked = one.home.start("reload", "--code")

    def open_pipe():
        try:
            return os.open(one.path("swapped"), os.O_WRONLY | os.O_NONBLOCK)
        except OSError as failure:
            assert failure.errno == errno.ENXIO, failure  # nobody reads it yet
            return None
    pipe = wait_until(open_pipe, what="the node to read the new code")
    try:
        one.node.terminate()
        assert one.node.wait() == 0
        out, err = asked.communicate(timeout=60)
        assert asked.returncode != 0 and b"the node is about to end" in err, (out, err)
        assert one.node.log.having("compilation is given up")
        assert not os.path.exists(one.node.admin[len("unix:"):])
    finally:
        os.close(pipe)
