"""Guests that look for a way out of the folders they were given."""

import os
import subprocess

import pytest


@pytest.fixture
def detour(home, workshop):
    """detour(WORDS) in a folder /data for writing and /ro for reading, with a secret beside them."""
    for name in ("given", "given/sub", "readable", "readable/sub"):
        os.mkdir(home.path(name))
    home.write("given/file.txt", "inside\n")
    home.write("given/sub/file.txt", "inside\n")
    home.write("readable/file.txt", "inside\n")
    home.write("outside.txt", "secret\n")

    class Detour:
        command = workshop.command("detour")
        options = ["run", "--dir", home.path("given") + "::/data", "--dir", home.path("readable") + "::/ro:ro"]

        def __call__(self, *words):
            done = home.run(*self.options, self.command, *words)
            assert "secret" not in done.out and "root:" not in done.out, done
            with open(home.path("outside.txt"), encoding="ascii") as outside:
                assert outside.read() == "secret\n"
            return done

        def start(self, *words, **options):
            return home.start(*self.options, self.command, *words, **options)
    return Detour()


READ_ONLY = ["append", "truncate", "both", "create", "quiet-truncate", "quiet-create", "size", "write", "times", "open-times",
             "mkdir", "rmdir", "unlink", "symlink", "rename", "rename-out", "rename-in", "link", "link-out", "link-in", "rights"]


@pytest.mark.parametrize("way", READ_ONLY)
def test_what_is_for_reading_only_stays_as_it_is(detour, home, way):
    def state():
        status = os.stat(home.path("readable", "file.txt"))
        return (sorted(os.listdir(home.path("readable"))), status.st_size, status.st_mtime_ns, status.st_nlink,
                sorted(os.listdir(home.path("given"))))
    before = state()
    done = detour(way)
    assert (done.status, done.out[:4]) == (1, "no: "), done
    assert state() == before


@pytest.mark.parametrize("path", ["/data/../outside.txt", "/data/sub/../../outside.txt", "/data/sub/../../given/../outside.txt",
                                  "/data/file.txt/../../outside.txt", "/proc/self/environ", "/proc/self/root/etc/passwd",
                                  "/data/../../../../../../../../etc/passwd", "../outside.txt", "/dev/null", "/dev/fd/0"])
def test_no_path_leads_out(detour, path):
    assert detour("open", path).status == 1


@pytest.mark.parametrize("target", ["../outside.txt", "/etc/passwd", "..", "../..", "/", "/proc/self/root", "sub/../../outside.txt"])
def test_no_link_leads_out_whoever_made_it(detour, home, target):
    os.symlink(target, home.path("given", "made-outside"))
    os.symlink("made-outside", home.path("given", "chain"))
    for path in ("made-outside", "chain", "made-outside/outside.txt", "made-outside/etc/passwd", "chain/passwd", "sub/../chain"):
        assert detour("open", "/data/" + path).status == 1
    made = detour("symlink", target, "/data/made-inside")
    for path in ("made-inside", "made-inside/outside.txt", "made-inside/etc/passwd"):
        assert detour("open", "/data/" + path).status == 1
    if target.startswith("/"):
        assert made.status == 1, "an absolute link cannot be made at all"


@pytest.mark.parametrize("words", [("rename", "/data/file.txt", "/data/../taken.txt"), ("rename", "/data/../outside.txt", "/data/taken"),
                                   ("rename", "/data/sub", "/data/../sub"), ("link", "/data/../outside.txt", "/data/taken"),
                                   ("link", "/data/file.txt", "/data/../taken.txt"), ("link", "/data/up/outside.txt", "/data/taken"),
                                   ("rename", "/data/up/outside.txt", "/data/taken"), ("rename", "/data/file.txt", "/data/up/taken.txt"),
                                   ("symlink", "x", "/data/../taken.txt"), ("symlink", "x", "/data/up/taken.txt"),
                                   ("readlink", "/data/up/link")])
def test_nothing_is_moved_or_linked_over_the_border(detour, home, words):
    os.symlink("..", home.path("given", "up"))
    os.symlink("outside.txt", home.path("link"))
    before = sorted(os.listdir(home.folder)), sorted(os.listdir(home.path("given")))
    assert detour(*words).status == 1
    assert (sorted(os.listdir(home.folder)), sorted(os.listdir(home.path("given")))) == before


def test_a_guessed_descriptor_is_nothing(detour):
    assert detour("descriptors", "5").out == "found 0\n"


def test_without_a_folder_there_is_no_descriptor_of_one(home, workshop):
    assert home.run("run", workshop.command("detour"), "descriptors", "3").out == "found 0\n"


def test_a_folder_that_is_moved_away_is_no_way_up(detour, home):
    process = detour.start("moved", stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"open\n"
    os.rename(home.path("given", "sub"), home.path("moved"))
    out, err = process.communicate(b"\n", timeout=60)
    assert out.decode().count("no: ") == 3 and b"secret" not in out, (out, err)


def swap(first, second, times):
    """Put two things in each other's place, again and again."""
    for _ in range(times):
        os.rename(first, first + ".kept")
        os.rename(second, first)
        os.rename(first, second)
        os.rename(first + ".kept", first)


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("way", ["race", "race-writes"])
def test_no_swap_at_the_right_moment_leads_out(detour, home, what, way):
    """Something inside and a link to the outside change places all the time that the guest opens it."""
    os.mkdir(home.path("beside"))
    home.write("beside/file.txt", "secret\n")
    place = "sub" if what == "folder" else "file.txt"
    os.symlink(home.path("beside") if what == "folder" else "../beside/file.txt", home.path("given", "link"))
    process = detour.start(way, "/data/sub/file.txt" if what == "folder" else "/data/file.txt")
    assert process.stdout.readline() == b"begun\n"
    swap(home.path("given", place), home.path("given", "link"), 5000)
    assert process.poll() is None, "it has been at it all the time"
    home.write("given/stop", "")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert b"secret" not in out
    with open(home.path("beside", "file.txt"), encoding="ascii") as beside:
        assert beside.read() == "secret\n"
    assert os.listdir(home.path("beside")) == ["file.txt"]


# ---- on a node, whose log tells what would have to be granted


@pytest.fixture
def files(serve, home, workshop):
    """files(PREOPENS) starts a node whose guest opens files."""
    home.write("app/given/file", "inside")

    def start(preopens):
        return serve(f"""
[[serve]]
listen = "127.0.0.1:0"
[serve.routes]
"GET /create" = "guest#create"
"GET /insist" = "guest#insist"
[components.guest]
source = "{workshop.c("files")}"
capability = "guest"
[capabilities.guest]
{preopens}
""", home=home)
    return start


def test_a_folder_that_was_not_granted_is_told_in_the_log(files):
    node = files("")
    assert node.get("/insist").text == "refused"
    line = node.log.wait_for("WARN denied", "call=path_open")[0]
    assert "preopen = [{ path = " in line and "under the capability of [components.guest]" in line


@pytest.mark.parametrize("target", ["/create?path=/data/file&write=1", "/create?path=/data/new&write=1",
                                    "/create?path=/data/../mote.toml"])
def test_what_a_folder_for_reading_refuses_is_told_in_the_log(files, home, target):
    node = files(f'preopen = ["{home.path("app", "given")}::/data"]')
    assert node.get("/create?path=/data/file").text == "opened"
    assert node.get("/create?path=/data/none").text == "refused", "not there"
    assert not node.log.having("WARN denied")
    assert node.get(target).text == "refused"
    assert 'mode = ' in node.log.wait_for("WARN denied", "call=path_open")[0]


def test_what_was_granted_is_not_told(files, home):
    node = files(f'preopen = ["{home.path("app", "given")}::/data:rw"]')
    assert node.get("/create?path=/data/new&write=1").text == "opened"
    assert node.get("/create?path=/data/new").text == "opened"
    assert not node.log.having("WARN denied")
