"""Components that export wasi:cli/run: as workers of other processes and as jobs of a schedule."""

import pytest

import apps
import guests
from waiting import wait_until

COMMANDS = ["print", "fail", "run"]


def manifest(workshop, stdio=True, more=""):
    components = {"spawner": {"source": workshop.c("spawner"), "capability": "spawning"}}
    for name in COMMANDS:
        components[name] = {"source": workshop.bytes(f"cli-{name}", guests.component(name)),
                            "capability": "talker" if stdio else "sandboxed"}
    return apps.app({"GET /run/:name": "spawner#run"}, components, capabilities={
        "spawning": {"inherits": "sandboxed", "allow-spawn": COMMANDS},
        "talker": {"inherits": "sandboxed", "allow-stdio": True}}) + more


@pytest.fixture
def node(use_shared, workshop):
    return use_shared("wasi-cli", manifest(workshop))


def test_a_component_is_spawned_runs_and_ends_normally(node):
    assert node.get("/run/run").text == "normal"


@pytest.mark.parametrize("name", ["print", "fail"])
def test_its_exit_status_is_the_reason_that_its_monitors_hear(node, name):
    assert "exit status 1" in node.get(f"/run/{name}").text
    assert node.log.wait_for("process exited", f"component={name}", "class=crashed", "exit status 1")


def test_what_it_prints_goes_to_the_log(node):
    node.get("/run/print")
    assert node.log.wait_for("guest", "component=print", "stream=stdout", "hello from a component")


def test_without_stdio_nothing_is_printed_and_the_log_says_what_would_allow_it(serve, workshop):
    node = serve(manifest(workshop, stdio=False))
    node.get("/run/print")
    line = node.log.wait_for("denied", "component=print")[-1]
    assert "allow-stdio" in line
    assert not [one for one in node.log.all() if "hello from a component" in one]


def test_a_schedule_runs_it_again_and_again(serve, workshop):
    node = serve(manifest(workshop, more="[[schedule]]\n" + apps.keys({"every": 20, "component": "run"})))
    wait_until(lambda: node.stats()["schedules"][0]["fired"] >= 3)
