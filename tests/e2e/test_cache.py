"""The cache of compiled code: it saves compiling, and whatever is wrong with it is no reason not to serve."""

import os
import resource
import signal
import stat

import pytest

import apps


@pytest.fixture
def fresh(serve, workshop, home):
    """fresh(...): serve the zoo with a cache folder of its own."""
    def start(folder="own-cache", **options):
        arguments = ["--cache", folder if folder.startswith("/") else home.path(folder)]
        manifest = apps.zoo(workshop, node={"workers": 1})
        return serve(manifest, options=arguments, home=home, **options)
    return start


def stop(node):
    node.terminate()
    assert node.wait() == 0


def answers(node):
    """It serves. Code that is in no file takes a descriptor at its first use by a worker, and keeps it."""
    assert node.get("/").status == 200
    node.baseline = node.settled()
    for _ in range(5):
        assert node.get("/").status == 200
    return True


def compiled(node):
    return bool(node.log.having("compiling component"))


def files(home, folder="own-cache"):
    return sorted(os.listdir(home.path(folder)))


def test_the_second_start_compiles_nothing(fresh, home):
    first = fresh()
    assert compiled(first)
    stop(first)
    assert len(files(home)) == 1
    second = fresh()
    assert not compiled(second)
    assert second.get("/").status == 200


def test_the_cache_is_closed_to_others(fresh, home):
    fresh()
    assert stat.S_IMODE(os.stat(home.path("own-cache")).st_mode) == 0o700
    path = home.path("own-cache", files(home)[0])
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0


def test_the_folder_of_the_user_is_the_default(serve, workshop, home):
    node = serve(apps.zoo(workshop), home=home, environment={"XDG_CACHE_HOME": home.path("xdg")})
    assert node.get("/").status == 200
    assert len(files(home, "xdg/mote")) == 1


def damage_truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def damage_empty(path):
    os.truncate(path, 0)


def damage_garbage(path):
    with open(path, "r+b") as file:
        file.write(b"\x7fELF garbage" * 20)


def damage_text(path):
    with open(path, "wb") as file:
        file.write(b"no artefact at all\n")


@pytest.mark.parametrize("damage", [damage_truncate, damage_empty, damage_garbage, damage_text])
def test_a_damaged_file_is_compiled_anew(fresh, home, damage):
    stop(fresh())
    name = files(home)[0]
    damage(home.path("own-cache", name))
    node = fresh()
    assert compiled(node)
    assert answers(node)
    stop(node)
    assert not compiled(fresh()), "and the new one is good"


def test_what_does_not_link_is_compiled_once_only(home, workshop):
    stranger = workshop.wat_text("stranger", '(module (import "nobody" "f" (func)) (memory (export "memory") 1) '
                                             '(func (export "_start")))')
    manifest = apps.app({"GET /": "odd#_start"}, {"odd": stranger}, node={"workers": 1})
    home.write("mote.toml", manifest)
    first = home.run("serve", "--cache", home.path("own-cache"))
    assert first.status == 2 and "nobody::f" in first.err
    assert "compiling component" in first.err
    second = home.run("serve", "--cache", home.path("own-cache"))
    assert second.status == 2 and "nobody::f" in second.err
    assert "compiling component" not in second.err
    assert len(files(home)) == 1


def test_a_file_that_others_may_write_is_not_trusted(fresh, home):
    stop(fresh())
    os.chmod(home.path("own-cache", files(home)[0]), 0o666)
    node = fresh()
    assert compiled(node)
    assert answers(node)


def test_a_link_in_place_of_a_file_is_not_trusted(fresh, home):
    stop(fresh())
    path = home.path("own-cache", files(home)[0])
    os.rename(path, home.path("moved"))
    os.symlink(home.path("moved"), path)
    node = fresh()
    assert compiled(node)
    assert answers(node)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707, 0o777])
def test_a_folder_open_to_others_is_refused_with_a_warning_and_the_node_serves(fresh, home, mode):
    os.mkdir(home.path("own-cache"))
    os.chmod(home.path("own-cache"), mode)
    node = fresh()
    line = node.log.wait_for("WARN", "cache")[0]
    assert home.path("own-cache") in line and "0700" in line
    assert files(home) == []
    assert answers(node)


def test_a_link_as_folder_is_refused_with_a_warning_and_the_node_serves(fresh, home):
    os.mkdir(home.path("real"), 0o700)
    os.symlink(home.path("real"), home.path("own-cache"))
    node = fresh()
    assert node.log.wait_for("WARN", "cache")
    assert answers(node)


def test_a_folder_that_cannot_be_made_is_a_warning_and_the_node_serves(fresh, home):
    home.write("file", "")
    node = fresh(home.path("file", "cache"))
    assert node.log.wait_for("WARN", "cache")
    assert answers(node)


def no_room():
    """As if the disk were full: no file of this process may grow past a page."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk_is_a_warning_and_the_node_serves(fresh, home):
    node = fresh(preexec=no_room)
    assert node.log.wait_for("WARN", "will be compiled again")
    assert answers(node)
    assert files(home) == [], "nothing half-written stays"


def test_mote_run_does_without_a_cache_too(home, workshop):
    home.write("file", "")
    done = home.run("run", "--cache", home.path("file", "cache"), workshop.command("finish"), "return", "3")
    assert done.status == 3


def test_mote_run_uses_the_cache(home, workshop):
    for _ in range(2):
        done = home.run("run", "--cache", home.path("own-cache"), workshop.command("finish"), "return", "3")
        assert done.status == 3
        assert len(files(home)) == 1


def test_two_starts_at_once_share_a_cache(home, workshop):
    processes = [home.start("run", "--cache", home.path("own-cache"), workshop.command("finish"),
                            "return", "4") for _ in range(4)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 4, err
    assert len(files(home)) == 1
