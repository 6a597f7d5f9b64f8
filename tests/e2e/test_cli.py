"""The commands as words: help, mistakes, `version`, `build`."""

import os
import re
import shutil
import stat

import pytest

import apps

COMMANDS = ["serve", "check", "build", "run", "ps", "stats", "version"]


def test_help_lists_every_command(home):
    for words in (["--help"], ["help"], ["-h"]):
        done = home.run(*words)
        assert done.status == 0 and done.err == ""
        for command in COMMANDS:
            assert re.search(rf"^ +{command} ", done.out, re.MULTILINE)


def test_no_command_prints_the_help_and_fails(home):
    done = home.run()
    assert done.status == 2
    assert "usage: mote" in done.err and done.out == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(home, command):
    done = home.run(command, "--help")
    assert done.status == 0 and done.err == ""
    assert done.out.startswith(f"usage: mote {command}")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_status_2_and_one_line(home, command):
    done = home.run(command, "--frobnicate")
    assert done.status == 2
    assert "--frobnicate" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert done.out == ""


@pytest.mark.parametrize("command", ["serve", "check", "ps", "stats", "version"])
def test_a_word_too_many_is_status_2(home, command):
    done = home.run(command, "surplus")
    assert done.status == 2
    assert "'surplus'" in done.err and f"mote {command} --help" in done.err


@pytest.mark.parametrize("words", [["serve", "-f"], ["serve", "--listen"], ["check", "--file"],
                                   ["ps", "--node"], ["build", "-o"]])
def test_an_option_without_its_value_is_status_2(home, words):
    done = home.run(*words)
    assert done.status == 2 and words[1].lstrip("-") in done.err


def test_an_unknown_command_is_status_2(home):
    done = home.run("frobnicate")
    assert done.status == 2
    assert "frobnicate" in done.err and "mote help" in done.err


def test_version_names_mote_and_its_engine(home):
    for words in (["version"], ["--version"]):
        done = home.run(*words)
        assert done.status == 0
        assert re.fullmatch(r"mote \d+\.\d+\.\d+\S* \(wasmtime \d+\.\d+\.\d+\)\n", done.out)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "127.0.0.1:99999", "unix:", "http://x:1",
                                     "256.1.1.1:80", "", "[::1:80"])
def test_an_address_that_is_none_is_status_2(home, workshop, address):
    home.write("mote.toml", apps.zoo(workshop))
    done = home.run("serve", "--listen", address)
    assert done.status == 2
    assert "--listen" in done.err or "mote.toml:" in done.err


def test_an_address_of_another_machine_is_status_1(home, workshop):
    home.write("mote.toml", apps.zoo(workshop, serve={"listen": "192.0.2.1:0"}))
    done = home.run("serve")
    assert done.status == 1
    assert "192.0.2.1" in done.err


# ---- build

GUEST = '#include <mote.h>\nMOTE_HANDLER(hello)\n{\n    mote_reply_text(200, "built\\n");\n}\n'
MANIFEST = ('[[serve]]\nlisten = "127.0.0.1:0"\n[serve.routes]\n"GET /" = "app#hello"\n'
            '[components.app]\nsource = "wasm/app.wasm"\n')


@pytest.fixture(params=["app.c", "src/app.c", "src/app/one.c"])
def project(request, home):
    home.write("mote.toml", MANIFEST)
    home.write(request.param, GUEST)
    return request.param


def test_a_component_is_built_from_its_sources_and_serves(serve, home, project):
    done = home.run("build")
    assert done.status == 0, done
    assert re.search(r"^app: \S*wasm/app\.wasm \(\d+ bytes\)$", done.out, re.MULTILINE)
    assert serve(MANIFEST, home=home).get("/").text == "built\n"


def test_what_is_up_to_date_is_not_built_again(home, project):
    assert home.run("build").status == 0
    path = home.path("wasm", "app.wasm")
    made = os.stat(path).st_ino
    done = home.run("build")
    assert done.status == 0 and "app: up to date" in done.out
    assert os.stat(path).st_ino == made
    assert home.run("build", "--force").status == 0
    assert os.stat(path).st_ino != made
    # Clearly later: file systems count time in steps, and a test is quick.
    later = os.stat(path).st_mtime_ns + 1000000000
    os.utime(home.path(project), ns=(later, later))
    assert "up to date" not in home.run("build").out


def test_several_files_make_one_component(serve, home):
    home.write("mote.toml", MANIFEST)
    home.write("src/app/one.c", '#include <mote.h>\nconst char *text(void);\n'
                                'MOTE_HANDLER(hello) { mote_reply_text(200, text()); }\n')
    home.write("src/app/two.c", 'const char *text(void);\nconst char *text(void) { return "two\\n"; }\n')
    assert home.run("build").status == 0
    assert serve(MANIFEST, home=home).get("/").text == "two\n"


def test_a_compile_error_is_shown_and_leaves_the_old_file(home):
    home.write("mote.toml", MANIFEST)
    home.write("app.c", GUEST)
    assert home.run("build").status == 0
    with open(home.path("wasm", "app.wasm"), "rb") as file:
        before = file.read()
    home.write("app.c", "this is no C\n")
    done = home.run("build")
    assert done.status == 1
    assert "app.c:1:1: error:" in done.err and "app.c did not compile" in done.err
    with open(home.path("wasm", "app.wasm"), "rb") as file:
        assert file.read() == before
    assert os.listdir(home.path("wasm")) == ["app.wasm"]


def test_a_link_error_is_shown(home):
    home.write("mote.toml", MANIFEST)
    home.write("app.c", '#include <mote.h>\nvoid missing(void);\nMOTE_HANDLER(hello) { missing(); }\n')
    done = home.run("build")
    assert done.status == 1
    assert "missing" in done.err and "did not link" in done.err


def test_a_missing_compiler_says_what_to_install(home):
    home.write("mote.toml", MANIFEST)
    home.write("app.c", GUEST)
    done = home.run("build", environment={"MOTE_CLANG": "/nonexistent/clang"})
    assert done.status == 1
    assert "/nonexistent/clang" in done.err and "apt-get install" in done.err


def test_a_component_without_sources_or_file_is_told(home):
    home.write("mote.toml", MANIFEST)
    done = home.run("build")
    assert done.status == 1
    assert "'app'" in done.err and "app.wasm" in done.err


def test_a_component_without_sources_is_left_as_it_is(home, workshop):
    home.write("mote.toml", apps.zoo(workshop))
    done = home.run("build")
    assert done.status == 0 and "left as it is" in done.out


def test_a_broken_manifest_is_status_2(home):
    home.write("mote.toml", "[[serve]]\nlistn = 1\n")
    done = home.run("build")
    assert done.status == 2 and "mote.toml:2:1:" in done.err


def test_another_folder_can_be_built(home):
    home.write("deep/er/mote.toml", MANIFEST)
    home.write("deep/er/app.c", GUEST)
    done = home.run("build", "deep/er")
    assert done.status == 0, done
    assert os.path.exists(home.path("deep/er/wasm/app.wasm"))


def test_single_files_can_be_built(home):
    home.write("one.c", GUEST)
    done = home.run("build", "one.c", "-o", "out.wasm")
    assert done.status == 0, done
    assert os.path.getsize(home.path("out.wasm")) > 0
    mode = stat.S_IMODE(os.stat(home.path("out.wasm")).st_mode)
    assert mode & 0o400


@pytest.mark.parametrize("words", [["-o", "x.wasm"], ["one", "two"]])
def test_wrong_words_for_build_are_status_2(home, words):
    assert home.run("build", *words).status == 2


def test_a_folder_with_blanks_and_quotes_in_its_name_is_no_problem(serve, home):
    folder = "a b'\"$(x)"
    home.write(folder + "/mote.toml", MANIFEST)
    home.write(folder + "/app.c", GUEST)
    done = home.run("build", folder)
    assert done.status == 0, done
    assert home.run("check", "-f", folder + "/mote.toml").status == 0


def test_building_leaves_no_temporary_files(home):
    home.write("mote.toml", MANIFEST)
    home.write("app.c", GUEST)
    os.mkdir(home.path("tmp"))
    for source in (GUEST, "broken"):
        home.write("app.c", source)
        home.run("build", environment={"TMPDIR": home.path("tmp")})
        assert os.listdir(home.path("tmp")) == []


def test_the_header_that_mote_brings_is_the_sdks(home):
    assert shutil.which(os.environ.get("MOTE_CLANG", "clang")), "the tests need clang"
    home.write("one.c", '#include <mote.h>\n_Static_assert(MOTE_NO_MEMORY == -7, "the header\'s numbers");\n'
                        'MOTE_HANDLER(x) {}\n')
    assert home.run("build", "one.c", "-o", "one.wasm").status == 0
