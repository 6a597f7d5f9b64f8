"""WASI preview 1 through `mote run`: each call, and its errors, as a guest sees them. The guests say what is not right."""

import os
import subprocess

import pytest

from waiting import wait_until

FILES = ["open_flags", "read_and_write", "positions", "at_positions", "append", "folders", "read_folder", "rename_files",
         "hard_links", "symbolic_links", "sizes", "times", "descriptors", "rights"]
WORLD = ["clocks", "random", "waits", "ended_input", "sockets"]


@pytest.mark.parametrize("case", FILES)
def test_files(home, workshop, case):
    os.mkdir(home.path("given"))
    done = home.run("run", "--dir", home.path("given") + "::/data", workshop.command("wasi_files"), case)
    assert (done.status, done.out, done.err) == (0, "", ""), done


@pytest.mark.parametrize("case", WORLD)
def test_the_world(home, workshop, case):
    done = home.run("run", workshop.command("wasi_world"), case)
    assert (done.status, done.out, done.err) == (0, "", ""), done


def test_arguments(home, workshop):
    done = home.run("run", workshop.command("wasi_world"), "arguments", "two words", "", "\u00e4")
    assert (done.status, done.out) == (0, ""), done


def test_variables(home, workshop):
    done = home.run("run", "--env", "ONE=1", "--env", "TWO==2=", workshop.command("wasi_world"), "variables")
    assert (done.status, done.out) == (0, ""), done


def test_standard_streams(home, workshop):
    done = home.run("run", workshop.command("wasi_world"), "streams")
    assert (done.status, done.out, done.err) == (0, "to both", "to both"), done


def test_a_guest_closes_its_own_streams_only(home, workshop):
    done = home.run("run", workshop.command("wasi_world"), "closed_streams")
    assert (done.status, done.out, done.err) == (0, "", ""), done


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_the_program_does_not_have_is_no_harm(home, workshop, closed):
    """As a service manager may start it. The guest's output is lost, or not to be had; it never goes to a file of the node's."""
    done = home.run("run", workshop.command("wasi_world"), "random", preexec_fn=lambda: os.close(closed))
    assert done.status == 0, done


def test_an_exit_status_of_its_own(home, workshop):
    assert home.run("run", workshop.command("wasi_world"), "leave").status == 77


def test_input_is_waited_for_beside_a_timer(home, workshop):
    process = home.start("run", workshop.command("cat"), stdin=subprocess.PIPE)
    wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1)
    out, _ = process.communicate(b"late\n", timeout=60)
    assert (process.returncode, out) == (0, b"late\n")


def test_more_files_than_a_guest_may_have_open_end_it_by_name(home, workshop):
    os.mkdir(home.path("given"))
    done = home.run("run", "--dir", home.path("given") + "::/data", workshop.command("wasi_files"), "too_many")
    assert done.status == 134 and "256" in done.err, done
