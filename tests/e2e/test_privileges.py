"""`[node] user`: rights that are needed only to start are given up."""

import os
import pwd
import shutil
import socket

import pytest

import apps
from test_reload import children_of_children_are_ours, line  # noqa: F401 (fixtures)


def status_of(task):
    with open(f"/proc/{task}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def tasks(pid):
    return [f"{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]


@pytest.fixture
def nobody(is_root):
    if not is_root:
        pytest.skip("only root can become somebody else")
    return pwd.getpwnam("nobody")


def open_to(home, user):
    """The folder of the test, for a user that did not make it."""
    os.chown(home.folder, user.pw_uid, user.pw_gid)


@pytest.fixture
def low_port():
    """A port below 1024 that nobody has, as far as one can know."""
    for port in range(700, 760):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    pytest.skip("no free low port")


def test_every_thread_is_the_user_without_capabilities(serve, workshop, home, nobody):
    open_to(home, nobody)
    node = serve(apps.zoo(workshop, node={"user": "nobody"}), home=home)
    assert node.get("/").status == 200
    for task in tasks(node.process.pid):
        status = status_of(task)
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert str(0) not in status["Groups"].split()
        for kind in ("CapEff", "CapPrm", "CapAmb"):
            assert int(status[kind], 16) == 0, (task, kind)
        assert status["NoNewPrivs"] == "1"


def test_a_low_port_is_bound_before(serve, workshop, home, nobody, low_port):
    open_to(home, nobody)
    node = serve(apps.zoo(workshop, node={"user": "nobody"},
                          serve={"listen": f"127.0.0.1:{low_port}"}), home=home)
    assert node.get("/").status == 200


def test_a_group_of_ones_own_and_numbers(serve, workshop, home, nobody):
    open_to(home, nobody)
    node = serve(apps.zoo(workshop, node={"user": f"{nobody.pw_uid}:12345"}), home=home)
    status = status_of(node.process.pid)
    assert status["Uid"].split()[0] == str(nobody.pw_uid)
    assert status["Gid"].split() == ["12345"] * 4


def test_a_user_or_group_that_does_not_exist_is_an_error_of_the_manifest(home, workshop):
    for user, word in (("nobody-of-that-name", "no user"), ("root:no-such-group", "no group"),
                       (":x", "no user"), ("root:", "no group")):
        home.write("mote.toml", apps.zoo(workshop, node={"user": user}))
        done = home.run("check")
        assert done.status == 2, user
        assert "mote.toml:2: 'user': there is " + word in done.err


def test_only_root_can_become_somebody_else(home, workshop, is_root):
    if is_root:
        pytest.skip("we are root")
    home.write("mote.toml", apps.zoo(workshop, node={"user": "root"}))
    done = home.run("serve")
    assert done.status == 2
    assert "only root" in done.err


def test_without_a_user_the_rights_stay_and_nothing_gets_more(serve, workshop):
    node = serve(apps.zoo(workshop))
    for task in tasks(node.process.pid):
        status = status_of(task)
        assert status["Uid"].split()[0] == str(os.geteuid())
        assert status["NoNewPrivs"] == "1"


def test_a_reload_goes_on_as_that_user(line, workshop, home, nobody):  # noqa: F811
    """Also when everything that root made is closed to it."""
    open_to(home, nobody)
    shutil.copy(workshop.zoo(), home.path("zoo.wasm"))
    os.chmod(home.path("zoo.wasm"), 0o644)
    manifest = apps.app({"GET /": "zoo#hello"}, {"zoo": home.path("zoo.wasm")},
                        node={"user": "nobody"}, serve={"listen": "unix:" + home.path("s")})
    one = line(manifest)
    os.chmod(home.path("mote.toml"), 0o644)
    for _ in range(2):
        pid = one.reload_well()
        assert status_of(pid)["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert one.node.get("/").status == 200
    one.wait_replaced()
    one.node.baseline = one.node.settled()
