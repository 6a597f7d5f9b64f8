"""`mote run --actor`: one component as the first process of a node of its own."""

import pytest


@pytest.fixture
def act(home, workshop):
    wasm = workshop.c("actors")
    return lambda *words, options=(): home.run("run", "--actor", "--entry", "act", *options, wasm,
                                               *words)


def test_an_actor_that_returns_ends_with_0(act):
    done = act()
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("words, status, told", [
    (["trap"], 134, "unreachable"), (["shutdown"], 0, ""), (["out of luck"], 1, "exited: out of luck"),
    (["out", "of", "luck"], 1, "exited: out of luck")])
def test_its_exit_is_the_programs(act, words, status, told):
    done = act(*words)
    assert done.status == status and told in done.err, done


def test_an_actor_can_spawn_itself_and_outlives_it(act):
    done = act("spawn")
    assert done.status == 0, done


def test_time_is_limited(act):
    assert act("spin", options=["--timeout-ms", "300"]).status == 124


def test_an_entry_is_needed(home, workshop):
    done = home.run("run", "--actor", workshop.c("actors"))
    assert done.status == 1 and "act" in done.err and "--entry NAME" in done.err
    done = home.run("run", "--actor", "--entry", "nothing", workshop.c("actors"))
    assert done.status == 1 and "nothing" in done.err


def test_who_runs_an_actor_as_a_command_is_told_how(home, workshop):
    wasm = workshop.c("actors")
    done = home.run("run", wasm)
    assert done.status == 1
    assert f"mote run --actor --entry NAME {wasm}" in done.err and "mote serve" in done.err


def test_entries_are_for_actors(home, workshop):
    assert home.run("run", "--entry", "act", workshop.c("actors")).status == 2
