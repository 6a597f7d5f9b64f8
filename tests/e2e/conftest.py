"""Fixtures. `serve` starts nodes of a test's own, `zoo` is the zoo, shared by all tests that leave it as it is."""

import os
import random
import shutil
import socket
import tempfile

import pytest

import apps
import guests
import pki
from program import Home, Node
from waiting import SANITIZER


def pytest_collection_modifyitems(items):
    if SANITIZER:
        for item in items:
            if item.get_closest_marker("unsanitized"):
                item.add_marker(pytest.mark.skip(reason="memory is not measured under a sanitizer"))


@pytest.fixture(scope="session")
def cache():
    """One cache of compiled code for all tests: a component compiles once."""
    folder = tempfile.mkdtemp(prefix="mote-e2e-cache-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def workshop(cache):
    """Makes the guests of the tests, each once."""
    home = Home(cache)
    yield guests.Workshop(home)
    home.remove()


@pytest.fixture(scope="module")
def authority():
    """Makes certificates that nobody else trusts."""
    made = pki.Authority()
    yield made
    made.remove()


@pytest.fixture
def home(cache):
    """A folder, and the program run in it."""
    home = Home(cache)
    yield home
    home.remove()


@pytest.fixture
def serve(cache, home):
    """serve(manifest, ...) starts a node, in a folder of its own or the test's. At the end of the
    test everything that it took must be given back, and SIGTERM must end it with status 0."""
    del home  # asked for so that it is removed after the nodes have ended
    nodes, homes = [], []

    def start(manifest, home=None, **options):
        home = home or Home(cache)
        homes.append(home)
        node = Node(home, manifest, **options)
        nodes.append(node)
        return node

    yield start
    failures = []
    for node in nodes:
        try:
            node.finish()
        except AssertionError as failure:
            failures.append(str(failure))
    for one in homes:
        one.remove()
    assert not failures, "\n".join(failures)


class Shared:
    """Nodes that several tests use one after the other. One that ended is started anew."""

    def __init__(self, cache):
        self.cache, self.nodes, self.homes = cache, {}, []

    def get(self, key, manifest):
        node = self.nodes.get(key)
        if node is None or not node.is_running():
            home = Home(self.cache)
            self.homes.append(home)
            node = self.nodes[key] = Node(home, manifest)
        return node

    def drop(self, key):
        self.nodes.pop(key).finish()


@pytest.fixture(scope="session")
def shared(cache):
    shared = Shared(cache)
    yield shared
    failures = []
    for key in list(shared.nodes):
        try:
            shared.drop(key)
        except AssertionError as failure:
            failures.append(str(failure))
    for home in shared.homes:
        home.remove()
    assert not failures, "\n".join(failures)


@pytest.fixture
def use_shared(shared):
    """use_shared(key, manifest): a shared node, looked at after the test like one of its own."""
    used = []

    def get(key, manifest):
        used.append(key)
        return shared.get(key, manifest)

    yield get
    for key in used:
        node = shared.nodes.get(key)
        if node is None:
            continue  # it did not start, which is the test's failure already
        if not node.is_running():
            shared.nodes.pop(key)
            pytest.fail("the node ended:\n" + node.log_text())
        try:
            node.check_baseline()
        except AssertionError:
            # The next test shall not inherit what this one left.
            shared.nodes.pop(key)
            node.process.kill()
            node.process.wait()
            raise


@pytest.fixture
def zoo(use_shared, workshop):
    """The zoo as it is in examples/zoo, on a port of its own."""
    return use_shared("zoo", apps.zoo(workshop))


@pytest.fixture
def free_port():
    """A port nobody listens on, as far as one can know. None of those that the system gives to who asks for any."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        lowest = int(file.read().split()[0])
    for port in random.SystemRandom().sample(range(10000, lowest), 100):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.fail("no port is free")


@pytest.fixture
def is_root():
    return os.geteuid() == 0
