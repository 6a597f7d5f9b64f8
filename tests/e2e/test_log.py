"""What is written to the log: requests, crashes, refusals, and what guests say, made harmless."""

import json
import os
import re
import subprocess

import pytest

import apps
from client import Connection, fetch, request
from program import Lines
from waiting import wait_until


@pytest.fixture
def abi(use_shared, workshop):
    routes = {"GET /" + name: "abi#" + name
              for name in ("chatter", "control", "environment", "deep_crash", "script", "count")}
    return use_shared("log", apps.app(routes, {"abi": workshop.c("abi")}))


def test_a_request_is_one_line_with_everything_that_matters(abi):
    response = abi.get("/count?secret=hunter2")
    line = abi.log.wait_for("request", "id=" + response.header("x-request-id"))[0]
    fields = dict(re.findall(r"(\w+)=(\S+)", line))
    assert fields["method"] == "GET"
    assert fields["path"] == "/count"
    assert fields["status"] == "200"
    assert fields["class"] == "normal"
    assert fields["remote"].startswith("127.0.0.1:")
    assert int(fields["bytes"]) > 0 and int(fields["duration_us"]) >= 0
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO request ", line)
    assert "hunter2" not in "".join(abi.log.all()), "a query may hold secrets"


def test_a_refusal_of_what_was_no_request_is_logged_too(abi):
    with abi.connect() as connection:
        connection.send(b"nonsense\r\n\r\n")
        assert connection.read().status == 400
    assert abi.log.wait_for("refused", "status=400", "remote=127.0.0.1:")


def test_control_bytes_in_a_path_do_not_reach_the_log(abi):
    abi.get("/no%0Aforged%1b%5B31m")
    line = abi.log.wait_for("request", "forged")[0]
    assert "%0A" in line and "\x1b" not in line


def test_the_log_can_be_json(serve, workshop):
    node = serve(apps.zoo(workshop, log={"format": "json"}))
    response = node.get("/users/1?x=1")
    node.get("/crash")
    node.log.wait_for('"status":502')
    lines = [json.loads(line) for line in node.log.all()]
    entry = next(line for line in lines if line.get("id") == response.header("x-request-id"))
    assert entry["message"] == "request"
    assert (entry["level"], entry["method"], entry["path"]) == ("info", "GET", "/users/1")
    assert entry["status"] == 200 and entry["class"] == "normal"
    crash = next(line for line in lines if line.get("class") == "crashed" and "backtrace" in line)
    assert "crash" in crash["backtrace"] and crash["level"] == "error"
    assert all(re.fullmatch(r"\d{4}-.*Z", line["time"]) for line in lines)


def test_requests_can_be_left_out_of_the_log(serve, workshop):
    node = serve(apps.zoo(workshop, log={"access": False}))
    node.get("/")
    node.get("/crash")
    node.log.wait_for("process exited")
    assert not node.log.having(" request ")


def test_the_level_is_kept(serve, workshop):
    node = serve(apps.zoo(workshop, log={"level": "error"}))
    node.get("/")
    node.get("/denied")
    node.get("/crash")
    node.log.wait_for("process exited")
    assert all(" ERROR " in line for line in node.log.all())


def test_debug_tells_of_every_exit(serve, workshop):
    node = serve(apps.zoo(workshop, log={"level": "debug"}))
    node.get("/")
    assert node.log.wait_for("DEBUG", "process exited", "class=normal")


# ---- what guests say


def test_a_guests_line_is_logged_with_its_component_and_pid(abi):
    abi.get("/chatter?n=1")
    line = abi.log.wait_for("INFO guest", 'text="line 1"')[-1]
    assert "component=abi" in line and re.search(r"pid=\d+", line) and "stream=log" in line


def test_lines_beyond_the_rate_are_suppressed_and_counted(serve, workshop):
    node = serve(apps.app({"GET /": "abi#chatter"}, {"abi": {"source": workshop.c("abi"),
                                                             "log-lines-per-second": 10}}))
    assert node.get("/?n=500").status == 200
    line = node.log.wait_for("suppressed", "component=abi")[0]
    told = len(node.log.having("INFO guest"))
    suppressed = int(re.search(r"lines=(\d+)", line).group(1))
    assert told >= 10
    assert told + sum(int(re.search(r"lines=(\d+)", one).group(1))
                      for one in node.log.having("suppressed")) == 500
    assert suppressed >= 400


def test_control_bytes_of_a_guest_are_escaped(abi):
    abi.get("/control")
    line = abi.log.wait_for("INFO guest", "forged line")[0]
    assert r"\x1b[31m" in line and r"\x07" in line and r"\x7f" in line and r"\xc2\x85" in line
    assert r"\xff\xfe" in line and r"\r\n" in line
    assert all(ord(c) >= 32 and not 0x7f <= ord(c) < 0xa0 for c in line)


def test_control_bytes_of_a_guest_are_escaped_in_json(serve, workshop):
    node = serve(apps.app({"GET /": "abi#control"}, {"abi": workshop.c("abi")},
                          log={"format": "json"}))
    node.get("/")
    line = node.log.wait_for("forged line")[0]
    assert all(ord(c) >= 32 for c in line)
    text = json.loads(line)["text"]
    assert "red \x1b[31m" in text and "end\r\nforged line" in text


# ---- denied


def test_what_was_not_granted_is_denied_and_the_log_says_how_to_grant_it(zoo):
    response = zoo.get("/denied")
    assert (response.status, response.text) == (403, "denied: env_get ZOO_SECRET\n")
    line = zoo.log.wait_for("WARN denied")[0]
    assert "component=zoo" in line and "env_get" in line
    assert 'env = [\\"ZOO_SECRET\\"]' in line
    assert "[components.zoo]" in line and "visitor" in line


def test_a_granted_variable_can_be_read(serve, workshop):
    node = serve(apps.zoo(workshop, capability={"env": ["ZOO_SECRET"]}),
                 environment={"ZOO_SECRET": "swordfish"})
    assert node.get("/denied").text == "granted\n"
    assert not node.log.having("WARN denied")
    assert "swordfish" not in node.log_text()


def test_a_granted_variable_comes_from_the_dot_env_file_too(serve, workshop, home):
    home.write(".env", "FROM_FILE=\"a value\"\n")
    node = serve(apps.app({"GET /": "abi#environment"},
                          {"abi": {"source": workshop.c("abi"), "capability": "reader"}},
                          capabilities={"reader": {"env": ["FROM_FILE", "BOTH"]}}),
                 home=home, environment={"BOTH": "shell"})
    assert node.get("/?name=FROM_FILE").text == "a value"
    assert node.get("/?name=BOTH").text == "shell"
    assert node.get("/?name=HOME").status == 403


@pytest.mark.parametrize("name", ["PATH", "HOME", "x=y", "a" * 60])
def test_nothing_of_the_nodes_environment_is_seen(abi, name):
    response = abi.get("/environment?name=" + name)
    assert (response.status, response.text) == (403, "-1")


def test_denials_of_one_process_are_logged_once_a_second(serve, workshop):
    node = serve(apps.app({"GET /": "stdio#print"}, {"stdio": workshop.c("stdio")}))
    assert node.get("/?n=200").text == "refused\n"
    node.log.wait_for("request", "status=200")
    assert len(node.log.having("WARN denied")) == 1


# ---- standard output


def test_standard_output_is_refused_unless_it_is_granted(serve, workshop):
    node = serve(apps.app({"GET /": "stdio#print", "GET /err": "stdio#complain"},
                          {"stdio": workshop.c("stdio")}))
    assert node.get("/").text == "refused\n"
    line = node.log.wait_for("WARN denied", "stdout")[0]
    assert "allow-stdio = true" in line and "component=stdio" in line
    assert node.get("/err").text == "said\n"
    assert not node.log.having("printed line") and not node.log.having("to standard error")


@pytest.mark.parametrize("capability", [{"allow-stdio": True}, {"inherits": "trusted"}])
def test_granted_standard_output_lands_in_the_log(serve, workshop, capability):
    node = serve(apps.app({"GET /": "stdio#print", "GET /err": "stdio#complain"},
                          {"stdio": {"source": workshop.c("stdio"), "capability": "talker"}},
                          capabilities={"talker": capability}))
    assert node.get("/?n=3").text == "printed\n"
    for i in (1, 2, 3):
        assert node.log.wait_for("INFO guest", "stream=stdout", f'"printed line {i}"')
    assert node.get("/err").text == "said\n"
    assert node.log.wait_for("stream=stderr", "to standard error")
    assert not node.log.having("WARN denied")
    assert [line for line in node.out.all() if "printed" in line] == []


def test_a_log_that_nobody_reads_does_not_stop_the_server(workshop, home):
    # Standard error is a pipe that is full: lines are dropped, requests are answered.
    home.write("mote.toml", apps.zoo(workshop))
    reader, writer = os.pipe()
    process = home.start("serve", stderr=writer)
    os.close(writer)
    try:
        out = Lines(process.stdout)
        address = out.wait_for("listening on ")[0][len("listening on "):]
        with Connection(address) as connection:
            for _ in range(20):
                connection.send(request("GET", "/nowhere") * 500)
                for _ in range(500):
                    assert connection.read().status == 404
        admin = "unix:" + home.path("runtime", "mote", "mote.sock")
        dropped = wait_until(lambda: fetch(admin, "GET", "/v1/stats").json()["log_lines_dropped"])
        assert dropped > 0
        process.terminate()
        assert process.wait(60) == 0
    except subprocess.TimeoutExpired:
        raise AssertionError("the log's reader holds up the end") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(reader)
