"""What operators see of a running node."""

import json
import os
import stat

import pytest

import apps
from waiting import wait_until

SLEEP = "/sleep?ms=86400000"


@pytest.fixture
def sleepy(serve, workshop):
    return serve(apps.zoo(workshop, serve={"cancel-on-disconnect": True}))


def test_health_and_readiness(zoo):
    for path in ("/healthz", "/readyz"):
        assert zoo.ask_admin(path).status == 200
    assert zoo.ask_admin("/nothing").status == 404


def test_the_admin_socket_is_for_its_owner_only(zoo):
    path = zoo.admin[len("unix:"):]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o022 == 0


def test_stats_have_live_counts_and_limits(sleepy):
    connections = [sleepy.connect() for _ in range(3)]
    for connection in connections:
        connection.send_request("GET", SLEEP)
    sleepy.wait_processes(3)
    stats = sleepy.stats()
    assert stats["node"] == "mote" and stats["ready"] is True
    assert stats["os_pid"] == sleepy.process.pid
    assert stats["processes"]["max"] > 100
    assert stats["engine"]["core_instances"] == 3
    assert stats["engine"]["memories"] == 3
    assert stats["engine"]["stacks"] == 3
    assert stats["engine"]["reserved"] == 3 <= stats["engine"]["reserved_max"]
    assert stats["connections"]["now"] == 3 < stats["connections"]["max"]
    assert stats["timers"] >= 3
    assert stats["descriptors"]["now"] < stats["descriptors"]["max"]
    assert stats["mappings"]["now"] < stats["mappings"]["max"]
    assert stats["resident_bytes"] > 0
    assert stats["components"] == [{"name": "zoo", "processes": 3, "spawned": 3}]
    for connection in connections:
        connection.close()


def test_requests_are_counted_by_their_outcome(sleepy):
    before = sleepy.stats()["requests"]
    for path in ("/", "/", "/status/302", "/nowhere", "/crash", "/late-crash"):
        sleepy.get(path)

    def counts():
        now = sleepy.stats()["requests"]
        return {key: now[key] - before[key] for key in now}
    wait_until(lambda: counts() == {"total": 6, "limited": 0, "cut": 1, "1xx": 0, "2xx": 2, "3xx": 1, "4xx": 1,
                                    "5xx": 1}, what=counts)


def test_exits_are_counted_by_class(sleepy):
    before = sleepy.stats()["processes"]["exits"]
    for path in ("/", "/crash", "/oom", "/spin"):
        sleepy.get(path)
    after = sleepy.stats()["processes"]["exits"]
    for kind in ("normal", "crashed", "crashed: memory", "crashed: cpu"):
        assert after[kind] == before[kind] + 1, kind


def test_ps_lists_what_lives(sleepy, home):
    with sleepy.connect() as connection:
        connection.send_request("GET", SLEEP)
        sleepy.wait_processes(1)
        wait_until(lambda: sleepy.processes()[0]["state"] == "parked")
        environment = {"XDG_RUNTIME_DIR": sleepy.home.path("runtime")}
        listed = json.loads(home.run("ps", "--json", environment=environment).out)
        assert len(listed) == 1
        one = listed[0]
        assert (one["component"], one["kind"], one["state"]) == ("zoo", "http", "parked")
        assert one["pid"].isdigit() and one["turns"] >= 1
        text = home.run("ps", environment=environment)
        assert text.status == 0
        header, row = text.out.splitlines()
        assert header.split()[0] == "PID" and row.split()[0] == one["pid"]
        assert "zoo" in row and "parked" in row


def test_pids_are_not_used_again(sleepy):
    pids = set()
    for _ in range(20):
        with sleepy.connect() as connection:
            connection.send_request("GET", SLEEP)
            sleepy.wait_processes(1)
            pids.add(sleepy.processes()[0]["pid"])
        sleepy.wait_processes(0)
    assert len(pids) == 20


def test_stats_are_printed_for_people_and_for_scripts(sleepy, home):
    environment = {"XDG_RUNTIME_DIR": sleepy.home.path("runtime")}
    stats = json.loads(home.run("stats", "--json", environment=environment).out)
    assert stats["os_pid"] == sleepy.process.pid
    text = home.run("stats", environment=environment)
    assert text.status == 0
    assert "processes" in text.out and "{" not in text.out


def test_a_node_is_found_by_name_or_socket(serve, workshop, home):
    node = serve(apps.zoo(workshop, node={"name": "blue"}), name="blue")
    environment = {"XDG_RUNTIME_DIR": node.home.path("runtime")}
    done = home.run("stats", "--json", "--node", "blue", environment=environment)
    assert json.loads(done.out)["node"] == "blue"
    done = home.run("stats", "--json", "--socket", node.admin[len("unix:"):])
    assert json.loads(done.out)["node"] == "blue"


@pytest.mark.parametrize("command", ["ps", "stats"])
def test_asking_a_node_that_does_not_run_says_so(home, command):
    done = home.run(command)
    assert done.status == 1
    assert "no node answers at" in done.err and "mote.sock" in done.err
    assert done.out == ""


def test_the_admin_socket_can_be_put_elsewhere(serve, workshop, home):
    path = home.path("elsewhere.sock")
    node = serve(apps.zoo(workshop) + f'\n[admin]\nlisten = "unix:{path}"\n', home=home,
                 admin="unix:" + path)
    assert node.ask_admin("/healthz").status == 200
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_runtime_folder_that_others_may_write_to_is_refused(workshop, home):
    os.mkdir(home.path("runtime", "mote"), 0o700)
    os.chmod(home.path("runtime", "mote"), 0o777)
    home.write("mote.toml", apps.zoo(workshop))
    done = home.run("serve")
    assert done.status == 1
    assert "runtime folder" in done.err and "only this user" in done.err
