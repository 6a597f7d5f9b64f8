"""`mote run`: a WASI command in this terminal."""

import os
import signal
import subprocess
import time

import pytest

import guests
from waiting import SANITIZER, wait_until


@pytest.fixture
def finish(workshop):
    return workshop.command("finish")


@pytest.fixture
def file(workshop):
    return workshop.command("file")


# ---- words, variables, streams


def test_arguments_reach_the_command(home, workshop):
    done = home.run("run", workshop.command("echo"), "one", "two words", "--three", "", "-h", "--help")
    assert done.status == 0
    assert done.out.splitlines() == ["argument 1: one", "argument 2: two words", "argument 3: --three",
                                     "argument 4: ", "argument 5: -h", "argument 6: --help"]
    assert done.err == ""


def test_only_given_variables_reach_the_command(home, workshop):
    done = home.run("run", "--env", "A=1", "--env", "B=x=y", "--env", "PASSED", "--env", "UNSET",
                    "--env", "EMPTY=", workshop.command("echo"),
                    environment={"PASSED": "on", "SECRET": "s", "UNSET": None})
    assert done.status == 0
    assert sorted(done.out.splitlines()) == ["variable A=1", "variable B=x=y", "variable EMPTY=",
                                             "variable PASSED=on"]


def test_standard_input_reaches_standard_output_whole(home, workshop):
    data = os.urandom(1 << 20) * 10
    done = home.run("run", workshop.command("cat"), stdin=data)
    assert done.status == 0
    assert done.out_bytes == data
    assert done.err == f"{len(data)} bytes\n"


def test_an_empty_standard_input_ends_at_once(home, workshop):
    done = home.run("run", workshop.command("cat"))
    assert (done.status, done.out, done.err) == (0, "", "0 bytes\n")


def test_input_that_comes_later_is_waited_for(home, workshop):
    process = home.start("run", workshop.command("cat"), stdin=subprocess.PIPE)
    os.write(process.stdin.fileno(), b"one\n")
    wait_until(lambda: "S" in proc_state(process.pid))
    process.stdin.write(b"two\n")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"one\ntwo\n", b"8 bytes\n")


def test_much_output_comes_whole(home, workshop):
    done = home.run("run", workshop.command("say"), "5000000")
    assert done.status == 0
    assert len(done.out_bytes) == 5000000


def test_output_to_a_closed_pipe_ends_the_command(home, workshop):
    process = home.start("run", workshop.command("say"), "100000000")
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) != 0
    process.stderr.close()


# ---- how it ends


@pytest.mark.parametrize("status", [0, 1, 3, 42, 125, 255])
@pytest.mark.parametrize("way", ["return", "exit"])
def test_the_status_of_the_command_is_the_programs(home, finish, way, status):
    done = home.run("run", finish, way, str(status))
    assert done.status == status
    assert done.err == ""


def test_output_before_an_exit_is_not_lost(home, finish):
    assert home.run("run", finish, "exit", "0").out == "before the exit\n"


def test_abort_is_134_with_a_backtrace_that_names_functions(home, finish):
    done = home.run("run", finish, "abort")
    assert done.status == 134
    assert done.err.startswith(f"mote run: {finish}: crashed: ")
    assert "#0 abort" in done.err and "main" in done.err


def test_a_trap_is_134_with_its_reason(home, finish):
    done = home.run("run", finish, "trap")
    assert done.status == 134
    assert "unreachable" in done.err.splitlines()[0]
    assert "fall_into_the_trap" in done.err


def test_endless_recursion_is_134(home, finish):
    done = home.run("run", finish, "recurse")
    assert done.status == 134
    assert "stack overflow" in done.err


def test_memory_past_the_ceiling_is_137_and_says_how_to_raise_it(home, finish):
    done = home.run("run", "--max-memory-mb", "3", finish, "memory")
    assert done.status == 137
    assert "crashed: memory" in done.err and "3072 KiB" in done.err
    assert "--max-memory-mb" in done.err


def test_the_default_ceiling_is_64_mib(home, finish):
    done = home.run("run", finish, "memory")
    assert done.status == 137
    assert "65536 KiB" in done.err


def test_a_higher_ceiling_can_be_given(home, finish):
    done = home.run("run", "--max-memory-mb", "200", finish, "memory")
    assert done.status == 137
    assert "204800 KiB" in done.err


@pytest.mark.parametrize("way", [("spin",), ("nap", "3600000")])
def test_a_timeout_is_124(home, finish, way):
    done = home.run("run", "--timeout-ms", "300", finish, *way)
    assert done.status == 124
    assert "crashed: timeout" in done.err


def test_a_timeout_that_is_not_reached_changes_nothing(home, finish):
    assert home.run("run", "--timeout-ms", "100000", finish, "return", "7").status == 7


def test_there_is_no_cpu_limit_of_its_own(home, finish):
    # The default budget of a handler, 10 s, does not hold here: --timeout-ms decides.
    done = home.run("run", "--timeout-ms", "1500", finish, "spin")
    assert "timeout" in done.err


def proc_cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def proc_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


@pytest.mark.skipif(SANITIZER is not None, reason="sanitizers use CPU of their own")
def test_sleeping_costs_no_cpu(home, finish):
    process = home.start("run", finish, "nap", "3600000")
    try:
        # Started up: from some moment on nothing is used over a second of looking.
        seen = []

        def quiet():
            seen.append((time.monotonic(), proc_cpu(process.pid)))
            now = seen[-1]
            return any(now[0] - then[0] >= 1 and now[1] - then[1] <= 2 for then in seen)
        wait_until(quiet, 30)
        assert process.poll() is None
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_sleep_ends(home, finish):
    assert home.run("run", finish, "nap", "50").out == "slept\n"


def test_a_signal_ends_the_program(home, finish):
    process = home.start("run", finish, "nap", "3600000")
    wait_until(lambda: os.path.exists(f"/proc/{process.pid}/task")
               and len(os.listdir(f"/proc/{process.pid}/task")) > 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode != 0


# ---- files


@pytest.fixture
def folder(home):
    """A folder to give, with something beside it that must stay out of reach."""
    os.mkdir(home.path("given"))
    home.write("given/file.txt", "content\n")
    home.write("outside.txt", "secret\n")
    return home.path("given")


def test_a_given_folder_can_be_read_and_written(home, file, folder):
    done = home.run("run", "--dir", f"{folder}::/data", file, "read", "/data/file.txt")
    assert (done.status, done.out) == (0, "content\n")
    done = home.run("run", "--dir", f"{folder}::/data", file, "write", "/data/new.txt", "new")
    assert done.status == 0
    with open(os.path.join(folder, "new.txt"), encoding="ascii") as written:
        assert written.read() == "new"
    done = home.run("run", "--dir", f"{folder}::/data", file, "list", "/data")
    assert {"file.txt", "new.txt"} <= set(done.out.split())
    assert home.run("run", "--dir", f"{folder}::/data", file, "remove", "/data/new.txt").status == 0
    assert not os.path.exists(os.path.join(folder, "new.txt"))


def test_a_folder_without_a_guest_name_keeps_its_own(home, file, folder):
    done = home.run("run", "--dir", folder, file, "read", os.path.join(folder, "file.txt"))
    assert (done.status, done.out) == (0, "content\n")


def test_several_folders_are_kept_apart(home, file, folder):
    os.mkdir(home.path("other"))
    home.write("other/file.txt", "other\n")
    options = ["--dir", f"{folder}::/one", "--dir", f"{home.path('other')}::/two:ro"]
    assert home.run("run", *options, file, "read", "/one/file.txt").out == "content\n"
    assert home.run("run", *options, file, "read", "/two/file.txt").out == "other\n"


@pytest.mark.parametrize("words", [("write", "/data/file.txt", "x"), ("write", "/data/new", "x"),
                                   ("remove", "/data/file.txt"), ("link", "file.txt", "/data/link")])
def test_a_read_only_folder_cannot_be_changed(home, file, folder, words):
    done = home.run("run", "--dir", f"{folder}::/data:ro", file, *words)
    assert done.status == 1 and done.err != ""
    assert os.listdir(folder) == ["file.txt"]
    with open(os.path.join(folder, "file.txt"), encoding="ascii") as kept:
        assert kept.read() == "content\n"
    assert home.run("run", "--dir", f"{folder}::/data:ro", file, "read", "/data/file.txt").status == 0


def test_nothing_is_there_without_a_folder(home, file, folder):
    for path in ("/", ".", "/etc/passwd", os.path.join(folder, "file.txt")):
        assert home.run("run", file, "list" if path in "/." else "read", path).status == 1


@pytest.mark.parametrize("path", ["/data/../outside.txt", "/data/./../outside.txt", "/data/sub/../../outside.txt",
                                  "/data//../outside.txt", "../outside.txt", "/data/../data/../outside.txt",
                                  "/outside.txt", "/etc/passwd"])
def test_dots_do_not_lead_out(home, file, folder, path):
    os.mkdir(os.path.join(folder, "sub"))
    done = home.run("run", "--dir", f"{folder}::/data", file, "read", path)
    assert done.status == 1
    assert "secret" not in done.out and "root:" not in done.out


@pytest.mark.parametrize("target", ["../outside.txt", "/etc/passwd", "absolute", "../given/../outside.txt"])
def test_links_do_not_lead_out(home, file, folder, target):
    if target == "absolute":
        target = home.path("outside.txt")
    os.symlink(target, os.path.join(folder, "link"))
    os.symlink("..", os.path.join(folder, "up"))
    for path in ("/data/link", "/data/up/outside.txt", "/data/up/given/link"):
        done = home.run("run", "--dir", f"{folder}::/data", file, "read", path)
        assert done.status == 1
        assert "secret" not in done.out and "root:" not in done.out
    done = home.run("run", "--dir", f"{folder}::/data", file, "write", "/data/link", "overwritten")
    with open(home.path("outside.txt"), encoding="ascii") as outside:
        assert outside.read() == "secret\n"


def test_a_link_that_a_guest_makes_does_not_lead_out(home, file, folder):
    for target in ("../outside.txt", home.path("outside.txt")):
        home.run("run", "--dir", f"{folder}::/data", file, "link", target, "/data/made")
        done = home.run("run", "--dir", f"{folder}::/data", file, "read", "/data/made")
        assert "secret" not in done.out
        if os.path.lexists(os.path.join(folder, "made")):
            os.unlink(os.path.join(folder, "made"))


def test_a_link_inside_the_folder_works(home, file, folder):
    os.symlink("file.txt", os.path.join(folder, "link"))
    done = home.run("run", "--dir", f"{folder}::/data", file, "read", "/data/link")
    assert (done.status, done.out) == (0, "content\n")


@pytest.mark.parametrize("word", ["nowhere", "nowhere::/data", "outside.txt::/data"])
def test_a_folder_that_cannot_be_given_is_told_before_anything_runs(home, file, folder, word):
    done = home.run("run", "--dir", word, file, "read", "/data/file.txt")
    assert done.status == 2
    assert word.split("::")[0] in done.err


# ---- components


def test_a_component_runs(home):
    path = home.write("run.wasm", guests.component("run"))
    done = home.run("run", path)
    assert (done.status, done.out, done.err) == (0, "", "")


def test_a_component_prints_and_exits_with_its_status(home):
    path = home.write("print.wasm", guests.component("print"))
    done = home.run("run", path)
    assert (done.status, done.out) == (1, "hello from a component\n")


def test_a_component_that_answers_err_is_status_1(home):
    path = home.write("fail.wasm", guests.component("fail"))
    assert home.run("run", path).status == 1


def test_a_component_that_is_no_command_says_what_it_exports(home):
    path = home.write("plain.wasm", guests.component("plain"))
    done = home.run("run", path)
    assert done.status == 1
    assert "wasi:cli/run" in done.err and "show" in done.err


# ---- what belongs to mote


def test_a_guest_may_use_what_every_guest_has(home, workshop):
    path = workshop.wat_text("run-mote", """(module
        (import "mote" "sleep" (func $sleep (param i64) (result i32)))
        (import "mote" "clock" (func $clock (result i64)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $sleep (i64.const 1000000)))
          (if (i64.eqz (call $clock)) (then unreachable))))""")
    assert home.run("run", path).status == 0


def test_a_guest_that_logs_does_so_on_standard_error(home, workshop):
    path = workshop.wat_text("run-log", """(module
        (import "mote" "log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 8) "careful")
        (func (export "_start") (drop (call $log (i32.const 1) (i32.const 8) (i32.const 7)))))""")
    done = home.run("run", path)
    assert done.status == 0
    assert "careful" in done.err and done.out == ""


@pytest.mark.parametrize("words", [[], ["--max-memory-mb", "0", "x"], ["--max-memory-mb", "5000", "x"],
                                   ["--max-memory-mb", "many", "x"], ["--timeout-ms", "-1", "x"],
                                   ["--timeout-ms", "soon", "x"], ["--env", "=x", "x"], ["--env", "", "x"],
                                   ["--dir", "", "x"], ["--dir", "::x", "x"], ["--frobnicate", "x"],
                                   ["--env"]])
def test_wrong_words_are_status_2_and_one_line(home, words):
    done = home.run("run", *words)
    assert done.status == 2
    assert len(done.err.strip().splitlines()) == 1, done
    assert done.out == ""
