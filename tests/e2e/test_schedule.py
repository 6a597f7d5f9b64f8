"""[[schedule]]: components that are run again and again."""

import apps
import pytest
from waiting import wait_until

ROUTES = {"GET /peek": "web#web_peek"}


def manifest(workshop, schedules, **sections):
    wasm = workshop.c("actors")
    text = apps.app(ROUTES, {
        "web": wasm, "counter": {"source": wasm, "entry": "counter", "resident": True},
        "job": {"source": wasm, "entry": "tick"}}, **sections)
    return text + "".join("[[schedule]]\n" + apps.keys(one) for one in schedules)


def counts(node, index=0):
    return node.stats()["schedules"][index]


def test_an_interval_runs_its_component_again_and_again(serve, workshop):
    node = serve(manifest(workshop, [{"every": 20, "component": "job"}]))
    wait_until(lambda: int(node.get("/peek").text) >= 5)
    assert counts(node)["fired"] >= 5
    assert counts(node)["component"] == "job"


def test_a_job_that_still_runs_is_not_run_again(serve, workshop):
    node = serve(manifest(workshop, [{"every": "50ms", "component": "job", "entry": "dawdle"}]))
    wait_until(lambda: counts(node)["skipped"] >= 3)
    assert counts(node)["fired"] == counts(node)["running"] == 1
    assert len([one for one in node.processes() if one["kind"] == "schedule"]) == 1
    assert len(node.log.wait_for("'job' is skipped")) == 1, "told once"
    node.baseline = node.settled()


def test_a_job_that_may_overlap_is(serve, workshop):
    """Its processes end only with the node, and those above its own limit do not begin."""
    text = manifest(workshop, [{"every": 20, "component": "job", "entry": "dawdle",
                                "overlap": "allow"}])
    node = serve(text.replace("[components.job]\n", "[components.job]\nmax-processes = 3\n"))
    wait_until(lambda: counts(node)["failed"] >= 2)
    assert counts(node)["fired"] == counts(node)["running"] == 3
    node.baseline = node.settled()


def test_a_calendar_is_accepted_and_waits(serve, workshop):
    node = serve(manifest(workshop, [{"cron": "0 0 29 2 *", "component": "job"}]))
    assert counts(node) == {"component": "job", "running": 0, "fired": 0, "skipped": 0, "failed": 0}


def test_a_node_stops_while_jobs_run(serve, workshop):
    node = serve(manifest(workshop, [{"every": 10, "component": "job", "entry": "dawdle"}]))
    wait_until(lambda: counts(node)["running"] == 1)
    node.terminate()
    assert node.wait() == 0


@pytest.mark.parametrize("entry, told", [("ticks", "ticks"), (None, "job")])
def test_a_job_needs_an_entry_that_exists(home, workshop, entry, told):
    one = {"every": 10, "component": "job"}
    if entry is not None:
        one["entry"] = entry
    home.write("mote.toml", manifest(workshop, [one]).replace('entry = "tick"\n', ""))
    done = home.run("check")
    assert done.status == 2
    assert told in done.err and done.err.startswith("mote.toml:")
