"""`mote kill`, `mote top` and the whole of `mote ps`."""

import json
import os
import subprocess

import pytest

import client
from program import binary
from test_services import manifest, new_service, service
from waiting import wait_until


@pytest.fixture
def node(serve, workshop):
    return serve(manifest(workshop, {"counter": {}}, serve={"cancel-on-disconnect": True}))


@pytest.fixture
def ask(node, home):
    """ask(words...) runs the program as somebody who looks at the node."""
    environment = {"XDG_RUNTIME_DIR": node.home.path("runtime")}
    return lambda *words: home.run(*words, environment=environment)


# ---- kill


def test_a_service_is_killed_by_name_and_comes_back(node, ask):
    before = service(node, "counter")
    done = ask("kill", "counter", "--reason", "for a test")
    assert done.status == 0 and done.out == f"killed: {before['pid']}\n"
    new_service(node, "counter", before)
    node.log.wait_for("class=killed", "for a test")
    assert node.get("/bump").text == "1"


def test_a_process_is_killed_by_pid(node, ask):
    with node.connect() as connection:
        connection.send_request("GET", "/nap")
        sleeper = wait_until(lambda: service(node, "sleeper"))
        done = ask("kill", sleeper["pid"], "--json")
        assert done.status == 0 and json.loads(done.out) == {"killed": sleeper["pid"]}
        assert connection.read().status == 502
    node.log.wait_for("class=killed", "mote kill")


@pytest.mark.parametrize("words, told", [
    (["nobody"], "nobody has that name"), (["1"], "no such process"),
    (["99999999999999999999999999"], "a number is wanted"), (["n" * 200], "a pid or a name"),
    (["counter", "--namespace", "blue"], "nobody has that name"),
    (["counter", "--namespace", "n" * 65], "no namespace with so long a name")])
def test_who_is_not_there_cannot_be_killed(node, ask, words, told):
    before = service(node, "counter")
    done = ask("kill", *words)
    assert done.status == 1 and told in done.err and done.out == ""
    assert service(node, "counter")["pid"] == before["pid"]


@pytest.mark.parametrize("words", [[], [""], ["a", "b"], ["--reason"]])
def test_kill_wants_one_word(home, words):
    assert home.run("kill", *words).status == 2


def test_a_long_reason_is_cut(node, ask):
    before = service(node, "counter")
    assert ask("kill", "counter", "--reason", "r" * 200).status == 0
    new_service(node, "counter", before)
    node.log.wait_for("class=killed", "r" * 63)
    assert not node.log.having("r" * 64)


def test_a_kill_must_be_posted(node):
    assert node.ask_admin("/v1/kill?name=counter").status == 405
    assert client.fetch(node.admin, "POST", "/v1/kill").status == 400


# ---- who may ask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_turned_away_even_where_the_file_lets_him_in(node):
    path = node.admin[len("unix:"):]
    folder = os.path.dirname(path)
    while folder.startswith(node.home.folder):
        os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)
    os.chmod(path, 0o666)
    before = service(node, "counter")
    script = ("import socket, sys\n"
              "s = socket.socket(socket.AF_UNIX)\n"
              "s.connect(sys.argv[1])\n"
              "try:\n"
              "    s.sendall(b'POST /v1/kill?name=counter HTTP/1.1\\r\\nHost: x\\r\\n"
              "Content-Length: 0\\r\\n\\r\\n')\n"
              "    data = s.recv(100)\n"
              "except OSError:\n"
              "    data = b''\n"
              "print(len(data))\n")
    done = subprocess.run(["/usr/bin/python3", "-c", script, path], user=65534, group=65534,
                          capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout == "0\n", done
    node.log.wait_for("another user was turned away")
    assert service(node, "counter")["pid"] == before["pid"]
    assert node.ask_admin("/healthz").status == 200


# ---- ps and top


def test_ps_shows_names_notes_and_ties(node, ask):
    with node.connect() as connection:
        connection.send_request("GET", "/nap")
        wait_until(lambda: (service(node, "sleeper") or {}).get("note") == "sleeps well")
        listed = {one["component"]: one for one in json.loads(ask("ps", "--json").out)}
        assert set(listed) == {"web", "counter", "top"}
        web, counter, top = listed["web"], listed["counter"], listed["top"]
        assert sorted(web["names"]) == ["bad\x1bname", "sleeper"]
        assert web["kind"] == "http" and "parent" not in web
        assert counter["parent"] == top["pid"] and counter["names"] == ["counter"]
        assert counter["watchers"] == 1 and top["monitors"] == 1
        assert set(counter) == {"pid", "parent", "kind", "component", "names", "note", "state",
                                "age_ms", "cpu_us", "turns", "preemptions", "mailbox",
                                "mailbox_bytes", "messages_sent", "bytes_sent", "messages_received",
                                "bytes_received", "memory_bytes", "links", "monitors", "watchers"}
        assert counter["memory_bytes"] > 0 and top["memory_bytes"] == 0
        text = ask("ps").out
        assert "\x1b" not in text and "\\x1b" in text and "(sleeps well)" in text


def test_top_shows_the_busiest_first(node, ask):
    for _ in range(50):
        node.get("/bump")
    done = ask("top", "--json")
    assert done.status == 0
    listed = json.loads(done.out)
    assert {one["component"] for one in listed} == {"counter", "top"}
    assert listed[0]["component"] == "counter" and listed[0]["name"] == "counter"
    shares = [(one["cpu_permille"], one["turns_per_s"]) for one in listed]
    assert shares == sorted(shares, reverse=True)


def test_top_off_a_terminal_is_one_table(node, ask):
    for words in (["top"], ["top", "--once"], ["top", "--rows", "1"]):
        done = ask(*words)
        assert done.status == 0
        lines = done.out.splitlines()
        assert lines[0].startswith("node 'mote', up ") and lines[2].split()[0] == "PID"
        assert len(lines) == (4 if "--rows" in words else 5)
        assert "\x1b" not in done.out


def test_top_on_a_terminal_goes_on_until_enter(node):
    outside, inside = os.openpty()
    process = subprocess.Popen(
        [binary(), "top", "--interval-ms", "100"], stdin=inside, stdout=inside,
        stderr=subprocess.PIPE,
        env=node.home.environment(XDG_RUNTIME_DIR=node.home.path("runtime")))
    os.close(inside)
    try:
        seen = b""
        while seen.count(b"\x1b[H\x1b[J") < 3:
            seen += os.read(outside, 65536)
        assert b"counter" in seen
        os.write(outside, b"\n")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        os.close(outside)


@pytest.mark.parametrize("words", [["--rows", "x"], ["--interval-ms", "5"], ["extra"]])
def test_top_refuses_wrong_words(home, words):
    assert home.run("top", *words).status == 2


@pytest.mark.parametrize("command", [["top", "--once"], ["kill", "x"]])
def test_without_a_node_all_say_so(home, command):
    done = home.run(*command)
    assert done.status == 1 and "no node answers at" in done.err


def test_stats_count_names_and_restarts(node):
    stats = node.stats()
    assert stats["registered"] == {"names": 1, "tags": 0, "groups": 0}
    assert stats["supervisors"] == {"restarts": 0, "escalations": 0}
    assert stats["schedules"] == []
