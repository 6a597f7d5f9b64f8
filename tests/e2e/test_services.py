"""Services and supervisors of a manifest: start, restart, escalation, stop."""

import signal

import pytest

import apps
import client
from waiting import wait_until

ROUTES = {"GET /bump": "web#web_bump", "GET /peek": "web#web_peek", "GET /crash": "web#web_crash",
          "GET /steal": "web#web_steal", "GET /nap": "web#web_nap", "GET /late": "web#web_late"}


def manifest(workshop, services, extra="", **sections):
    """An app of the handlers above and these services: {"name": {settings}}."""
    wasm = workshop.c("actors")
    components = {"web": wasm}
    for name, settings in services.items():
        components[name] = {"source": wasm, "entry": name, "resident": True, **settings}
    return apps.app(ROUTES, components, **sections) + extra


def supervisor(name, children, **settings):
    return "[[supervisor]]\n" + apps.keys(
        {"name": name, "children": children,
         **{key.replace("_", "-"): value for key, value in settings.items()}})


def service(node, name):
    """The line of `ps` of the service with that name, or None."""
    found = [one for one in node.processes() if name in one["names"]]
    return found[0] if found else None


def new_service(node, name, old):
    """Wait until another process has the name."""
    def other():
        now = service(node, name)
        return now if now is not None and now["pid"] != old["pid"] else None
    return wait_until(other, what=lambda: f"another '{name}'; log:\n" + node.log_text())


def test_a_service_runs_from_the_start_and_keeps_its_state(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}}))
    assert [node.get("/bump").text for _ in range(3)] == ["1", "2", "3"]
    counter = service(node, "counter")
    assert counter["kind"] == "service" and counter["component"] == "counter"
    parent = [one for one in node.processes() if one["pid"] == counter["parent"]]
    assert [(one["kind"], one["component"]) for one in parent] == [("supervisor", "top")]


def test_a_service_that_crashes_is_there_again_with_fresh_state(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}}))
    assert node.get("/bump").text == "1"
    before = service(node, "counter")
    assert node.get("/crash").status == 503
    new_service(node, "counter", before)
    assert node.get("/bump").text == "1"
    assert node.stats()["supervisors"] == {"restarts": 1, "escalations": 0}
    node.log.wait_for("supervisor 'top' restarts 'counter'")


def test_nobody_can_take_the_name_of_a_service(serve, workshop):
    node = serve(manifest(workshop, {"counter": {"restart": "temporary"}}))
    assert node.get("/steal").status == 200
    before = service(node, "counter")
    assert node.get("/crash").status == 503
    wait_until(lambda: service(node, "counter") is None)
    assert node.get("/steal").status == 200, "also when there is no such process"
    node.baseline = node.settled()  # it does not come back
    assert before["pid"] not in [one["pid"] for one in node.processes()]


def test_a_service_that_does_not_start_prevents_the_start(home, workshop):
    home.write("mote.toml", manifest(workshop, {"counter": {}, "mute": {"start-timeout-ms": 200}}))
    done = home.run("serve")
    assert done.status == 1
    assert "listening" not in done.out
    assert "service 'mute' did not start" in done.err and "mote.toml:" in done.err
    assert "counter stops" in done.err, "what had started is stopped again"


def test_a_service_that_crashes_at_once_prevents_the_start_or_is_restarted(home, workshop):
    """It says that it is ready and then traps: either way the node does not serve on without it."""
    text = manifest(workshop, {"fragile": {}}, node={"max-restarts": 0, "on-escalation": "stop"})
    home.write("mote.toml", text)
    done = home.run("serve")
    assert done.status == 1, done


def test_below_a_supervisor_too_a_service_that_does_not_start_prevents_the_start(home, workshop):
    text = manifest(workshop, {"counter": {}, "mute": {}},
                    supervisor("inner", ["counter", "mute"], start_timeout_ms=1500) +
                    supervisor("outer", ["inner"]))
    home.write("mote.toml", text)
    done = home.run("serve")
    assert done.status == 1
    assert "service 'mute' did not start" in done.err


def test_a_node_whose_services_are_starting_is_not_ready_and_can_be_stopped(home, workshop):
    home.write("mote.toml", manifest(workshop, {"mute": {"start-timeout-ms": 600000}}))
    admin = "unix:" + home.path("runtime", "mote", "mote.sock")
    process = home.start("serve")
    try:
        def starting():
            try:
                return [one for one in client.fetch(admin, "GET", "/v1/processes").json()
                        if one["names"] == ["mute"] and one["state"] == "parked"]
            except (OSError, client.Closed):
                return None
        wait_until(starting)
        assert client.fetch(admin, "GET", "/readyz").status == 503
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1 and out == b""
    assert b"asked to stop before its services had started" in err


def test_supervisors_nest_as_the_manifest_says(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}, "ledger": {}},
                          supervisor("inner", ["counter"]) + supervisor("outer", ["inner", "ledger"])))
    by_pid = {one["pid"]: one for one in node.processes()}

    def above(one):
        names = []
        while "parent" in one:
            one = by_pid[one["parent"]]
            names.append(one["component"])
        return names
    assert above(service(node, "counter")) == ["inner", "outer", "top"]
    assert above(service(node, "ledger")) == ["outer", "top"]


@pytest.mark.parametrize("strategy, restarted", [
    ("one-for-one", {"counter"}), ("one-for-all", {"counter", "ledger", "first"}),
    ("rest-for-one", {"counter", "ledger"})])
def test_a_strategy_says_who_is_restarted(serve, workshop, strategy, restarted):
    wasm = workshop.c("actors")
    text = manifest(workshop, {"counter": {}, "ledger": {}},
                    supervisor("s", ["first", "counter", "ledger"], strategy=strategy))
    text += "[components.first]\n" + apps.keys({"source": wasm, "entry": "ledger", "resident": True})
    node = serve(text)
    names = ("first", "counter", "ledger")
    before = {name: service(node, name)["pid"] for name in names}
    assert node.get("/crash").status == 503

    def changed():
        now = {name: service(node, name) for name in names}
        return None not in now.values() and {
            name for name in names if now[name]["pid"] != before[name]} == restarted
    wait_until(changed, what=lambda: f"{before} {node.processes()}\n" + node.log_text())


def test_a_storm_escalates_and_by_default_the_node_serves_on(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}}, node={"max-restarts": 1, "window-ms": 60000}))
    before = service(node, "counter")
    assert node.get("/crash").status == 503
    new_service(node, "counter", before)
    assert node.get("/crash").status == 503
    node.log.wait_for("all services are down")
    wait_until(lambda: node.get("/bump").status == 503)
    answer = node.ask_admin("/readyz")
    assert (answer.status, answer.text) == (503, "not ready: all services are down\n")
    assert node.get("/nothing").status == 404, "it serves on"
    assert node.stats()["supervisors"] == {"restarts": 1, "escalations": 1}
    assert len(node.log.having("restarts 'counter'")) == 1, "not what came too often"
    node.baseline = node.settled()


def test_a_killed_top_supervisor_leaves_a_node_that_is_not_ready(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}}))
    top = next(one for one in node.processes() if one["component"] == "top")
    assert node.ask_admin("/readyz").status == 200
    assert client.fetch(node.admin, "POST", "/v1/kill?pid=" + top["pid"]).status == 200
    node.log.wait_for("all services are down: the top supervisor has ended")
    wait_until(lambda: node.get("/bump").status == 503)
    assert node.ask_admin("/readyz").status == 503
    assert node.ask_admin("/healthz").status == 200
    node.baseline = node.settled()


def test_a_storm_stops_the_node_that_wants_it(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}},
                          node={"max-restarts": 0, "on-escalation": "stop"}))
    assert node.get("/crash").status == 503
    assert node.wait() == 1
    assert node.log.having("all services are down") and node.log.having("drained")
    said = [line for line in node.log.all() if line.startswith("mote serve:")]
    assert len(said) == 1 and "service 'counter' ended too often: unreachable" in said[0], said


def test_a_supervisor_that_gives_up_is_restarted_by_its_own(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}, "ledger": {}},
                          supervisor("inner", ["counter", "ledger"], max_restarts=0)))
    ledger = service(node, "ledger")
    assert node.get("/crash").status == 503
    new_service(node, "ledger", ledger)
    wait_until(lambda: node.get("/bump").status == 200)
    assert node.stats()["supervisors"]["escalations"] == 1


def test_services_stop_in_the_reverse_order(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}, "ledger": {}}))
    node.terminate()
    assert node.wait() == 0
    order = [line for line in node.log.all() if "starts" in line or "stops" in line]
    assert ["counter starts" in order[0], "ledger starts" in order[1], "ledger stops" in order[2],
            "counter stops" in order[3]] == [True] * 4, order


def test_a_service_that_does_not_stop_is_killed_after_its_time(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}, "obstinate": {"shutdown-ms": 300}}))
    node.terminate()
    assert node.wait() == 0
    assert node.log.having("obstinate was asked")
    assert node.log.having("component=obstinate", "class=killed")
    assert node.log.having("counter stops")


def test_a_request_may_use_a_service_until_it_is_answered(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}}))
    with node.connect() as connection:
        connection.send_request("GET", "/late")
        wait_until(lambda: service(node, "sleeper"))
        node.terminate()
        node.log.wait_for("draining")
        answer = connection.read()
    assert (answer.status, answer.text) == (200, "1")
    assert node.wait() == 0
    assert node.log.having("counter stops")


def test_a_second_signal_ends_a_node_whose_service_does_not_stop(serve, workshop):
    node = serve(manifest(workshop, {"counter": {}, "obstinate": {"shutdown-ms": 60000}}))
    node.terminate()
    node.log.wait_for("obstinate was asked")
    node.terminate()
    assert node.wait() == -signal.SIGTERM


def test_a_node_may_have_services_and_no_listener(home, workshop):
    home.write("mote.toml", "[components.counter]\n" + apps.keys(
        {"source": workshop.c("actors"), "entry": "counter", "resident": True}))
    process = home.start("serve")
    try:
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert b"counter stops" in err


def test_services_must_fit_into_max_processes(home, workshop):
    home.write("mote.toml", manifest(workshop, {"counter": {}, "ledger": {}},
                                     node={"max-processes": 3}))
    done = home.run("check")
    assert done.status == 2
    assert "3 services and supervisors run from the start, and max-processes is 3" in done.err


def test_a_service_needs_an_entry(home, workshop):
    wasm = workshop.c("actors")
    home.write("mote.toml", apps.app(ROUTES, {
        "web": wasm, "nameless": {"source": wasm, "resident": True},
        "wrong": {"source": wasm, "resident": True, "entry": "conuter"}}))
    done = home.run("check")
    assert done.status == 2
    assert len([line for line in done.err.splitlines() if line.startswith("mote.toml:")]) == 2, done


def test_check_shows_what_runs_from_the_start(home, workshop):
    home.write("mote.toml", manifest(workshop, {"counter": {}}, supervisor("s", ["counter"])))
    done = home.run("check")
    assert done.status == 0
    assert "[[supervisor]] s" in done.out and "resident" in done.out
