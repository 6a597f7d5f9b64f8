"""`mote check`: the manifest and its components, and every setting in force."""

import json
import os
import re

import pytest

import apps

LIMITS = {
    # The quota table of the specification: section, key, default.
    "node": {"tick-ms": 1, "max-memory-mb": 64, "drain-ms": 30000},
    "serve": {"deadline-ms": 30000, "stream-deadline-ms": 0, "header-timeout-ms": 10000,
              "idle-timeout-ms": 60000, "body-bytes-per-second": 1024, "max-header-bytes": 32768,
              "max-header-count": 128, "max-target-bytes": 8192, "max-body-bytes": 10485760,
              "stream-buffer-bytes": 262144, "disconnect-grace-ms": 5000},
    "component": {"max-memory-mb": 64, "max-cpu-ms": 10000, "mailbox-messages": 10000,
                  "mailbox-bytes": 16777216, "log-lines-per-second": 100},
}


def plain(workshop, **sections):
    return apps.app({"GET /": "zoo#hello"}, {"zoo": workshop.zoo()}, **sections)


def errors(done):
    return [line for line in done.err.splitlines() if " INFO " not in line]


def value_of(one):
    """The value of a member of the report, whatever it is wrapped in."""
    return one["value"] if isinstance(one, dict) and "value" in one else one


def test_a_good_manifest_is_status_0_and_lists_every_setting(home, workshop):
    home.write("mote.toml", plain(workshop))
    done = home.run("check")
    assert done.status == 0, done
    assert errors(done) == []
    for settings in LIMITS.values():
        for key, default in settings.items():
            shown = r"\d+" if default else "off"
            assert re.search(rf"^ *{key} +(\S*{default}\S*|{shown}) ", done.out, re.MULTILINE), (
                key, done.out)
    assert "max-processes" in done.out and "max-connections" in done.out
    assert "default" in done.out


def test_defaults_are_the_specifications(home, workshop):
    home.write("mote.toml", plain(workshop))
    report = json.loads(home.run("check", "--json").out)
    for key, default in LIMITS["node"].items():
        assert value_of(report["node"][key]) == default, key
    for key, default in LIMITS["serve"].items():
        assert value_of(report["serve"][0][key]) == default, key
    for key, default in LIMITS["component"].items():
        assert value_of(report["components"]["zoo"][key]) == default, key
    assert value_of(report["node"]["max-processes"]) > 100, "worked out from this machine"
    assert value_of(report["node"]["workers"]) >= 1


def test_settings_show_where_they_come_from(home, workshop):
    home.write("mote.toml", plain(workshop, serve={"deadline-ms": 1234}, node={"name": "blue"}))
    done = home.run("check")
    line = next(line for line in done.out.splitlines() if "1234" in line)
    number = int(re.search(r"mote\.toml:(\d+)", line).group(1))
    with open(home.path("mote.toml"), encoding="utf-8") as file:
        assert "deadline-ms" in file.read().splitlines()[number - 1]


def test_the_report_can_be_json(home, workshop):
    home.write("mote.toml", plain(workshop, headers={"X-A": "b"}))
    report = json.loads(home.run("check", "--json").out)
    assert report["manifest"] == "mote.toml"
    route = report["serve"][0]["routes"][0]
    assert (route["method"], route["pattern"], route["component"], route["entry"]) == (
        "GET", "/", "zoo", "hello")


def test_the_report_has_the_problems_with_their_places(home, workshop):
    zoo = {"source": workshop.zoo(), "entry": "hello", "resident": True}
    home.write("mote.toml", apps.app({"GET /": "zoo"}, {"zoo": zoo}))
    done = home.run("check", "--json")
    report = json.loads(done.out)
    assert done.status == 0 and "node" in report
    assert [one["severity"] for one in report["problems"]] == ["warning"]
    home.write("mote.toml", "[node]\nnmae = 1\n" + apps.app({"GET /": "zoo#helo"}, {"zoo": zoo}))
    done = home.run("check", "--json")
    assert done.status == 2
    report = json.loads(done.out)
    assert report["manifest"] == "mote.toml" and "node" not in report
    assert [(one["severity"], one["line"], one["column"]) for one in report["problems"]] == [("error", 2, 1)]
    assert report["problems"][0]["text"] in done.err


def test_an_entry_that_does_not_exist_is_told_with_its_place_and_what_was_meant(home, workshop):
    home.write("mote.toml", apps.app({"GET /": "zoo#helo", "GET /x": "zoo#hello"}, {"zoo": workshop.zoo()}))
    done = home.run("check", "--json")
    problem, = json.loads(done.out)["problems"]
    assert (done.status, problem["line"], problem["column"]) == (2, 4, 11)
    assert "no export helo" in problem["text"] and problem["text"].endswith("did you mean 'hello'?")
    assert f"mote.toml:4:11: {problem['text']}" in done.err


def test_secrets_are_not_shown(home, workshop):
    home.write("mote.toml", apps.app(
        {"GET /": "zoo#hello"}, {"zoo": {"source": workshop.zoo(), "capability": "reader",
                                         "args": ["${TOKEN}"]}},
        headers={"X-Token": "${TOKEN}"}, capabilities={"reader": {"env": ["TOKEN"]}}))
    for arguments in ([], ["--json"]):
        done = home.run("check", *arguments, environment={"TOKEN": "hunter2"})
        assert done.status == 0, done
        assert "hunter2" not in done.out + done.err
        assert "TOKEN" in done.out


def test_all_errors_are_told_at_once_with_their_places(home, workshop):
    home.write("mote.toml", """[node]
worker = 2

[[serve]]
listen = "nowhere"
deadline-ms = "30 s"

[serve.routes]
"GET /" = "zo#hello"
"GET  /x" = "zoo#hello"

[components.zoo]
source = "missing.wasm"
capability = "sandbox"
""")
    done = home.run("check")
    assert done.status == 2
    assert done.out == ""
    places = [re.match(r"mote\.toml:(\d+):(\d+): ", line) for line in errors(done)]
    assert all(places), done
    lines = [int(place.group(1)) for place in places]
    assert lines == sorted(lines)
    assert {2, 5, 6, 9, 13, 14} <= set(lines), done
    assert "'workers'" in done.err, "what was probably meant"
    assert "'zoo'" in done.err and "'sandboxed'" in done.err


def test_an_unregistered_component_of_a_route_is_refused(home, workshop):
    home.write("mote.toml", apps.app({"GET /": "nobody#x"}, {"zoo": workshop.zoo()}))
    for command in ("check", "serve"):
        done = home.run(command)
        assert done.status == 2
        assert re.search(r"mote\.toml:\d+:\d+: .*'nobody'", done.err)


def test_a_route_without_an_entry_is_refused(home, workshop):
    home.write("mote.toml", apps.app({"GET /": "zoo"}, {"zoo": workshop.zoo()}))
    done = home.run("check")
    assert done.status == 2
    assert "no entry" in done.err and "zoo#" in done.err


def test_an_entry_of_the_component_is_used(serve, workshop):
    node = serve(apps.app({"GET /": "zoo"}, {"zoo": {"source": workshop.zoo(), "entry": "hello"}}))
    assert node.get("/").text == "hello\n"


def test_another_file_can_be_named(home, workshop):
    home.write("sub/other.toml", plain(workshop))
    for option in ("-f", "--file"):
        done = home.run("check", option, "sub/other.toml")
        assert done.status == 0
    assert "sub/other.toml" in json.loads(home.run("check", "--json", "-f", "sub/other.toml").out)["manifest"]


def test_sources_are_found_beside_the_manifest(home, workshop):
    with open(workshop.zoo(), "rb") as file:
        home.write("app/wasm/zoo.wasm", file.read())
    home.write("app/mote.toml", '[[serve]]\n[serve.routes]\n"GET /" = "zoo#hello"\n[components.zoo]\n')
    assert home.run("check", "-f", "app/mote.toml").status == 0


def test_variables_are_filled_in(serve, workshop, home):
    home.write(".env", "WHERE=127.0.0.1\n")
    manifest = plain(workshop, serve={"listen": "${WHERE}:${PORT:-0}"})
    assert serve(manifest, home=home).get("/").status == 200


def test_a_variable_that_is_not_set_is_told(home, workshop):
    home.write("mote.toml", plain(workshop, serve={"listen": "${NOT_SET_ANYWHERE}:0"}))
    done = home.run("check")
    assert done.status == 2
    assert "NOT_SET_ANYWHERE" in done.err


def test_a_manifest_that_is_not_there_is_told(home):
    for command in ("check", "serve"):
        done = home.run(command)
        assert done.status == 2
        assert done.err.startswith("mote.toml: ") and "no such file" in done.err


def test_a_manifest_that_is_a_folder_is_told(home):
    os.mkdir(home.path("mote.toml"))
    done = home.run("check")
    assert done.status == 2
    assert "mote.toml" in done.err and len(errors(done)) == 1


def test_a_manifest_whose_reading_fails_is_told(home):
    # Its first page is mapped by nobody: reading it is an error, whoever reads.
    done = home.run("check", "-f", "/proc/self/mem")
    assert done.status == 2
    assert done.err.startswith("/proc/self/mem: ") and len(errors(done)) == 1


def test_a_manifest_that_may_not_be_read_is_told(home, workshop, is_root):
    if is_root:
        pytest.skip("root can read everything")
    os.chmod(home.write("mote.toml", plain(workshop)), 0)
    done = home.run("check")
    assert done.status == 2
    assert "Permission denied" in done.err


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[node\n", b"\0", b"x" * 100, b"[[serve]]\n" * 3,
                                     b"a = " + b"[" * 10000, b"\xef\xbb\xbf[[serve]]\n"])
def test_nonsense_is_refused_with_a_place(home, content):
    home.write("mote.toml", content)
    for command in ("check", "serve"):
        done = home.run(command)
        assert done.status == 2
        assert done.err.startswith("mote.toml:"), done


def test_a_listener_is_needed_to_serve(home, workshop):
    home.write("mote.toml", f'[components.zoo]\nsource = "{workshop.zoo()}"\n')
    done = home.run("serve")
    assert done.status == 2
    assert "[[serve]]" in done.err


def test_more_listen_options_than_listeners_are_refused(home, workshop):
    home.write("mote.toml", plain(workshop))
    done = home.run("serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    assert done.status == 2
    assert "--listen" in done.err


def test_a_preopen_of_the_manifests_folder_is_refused(home, workshop):
    home.write("mote.toml", apps.app(
        {"GET /": "zoo#hello"}, {"zoo": {"source": workshop.zoo(), "capability": "files"}},
        capabilities={"files": {"preopen": [home.folder + "::/data"]}}))
    done = home.run("check")
    assert done.status == 2
    assert re.search(r"mote\.toml:\d+:\d+: ", done.err)


def test_more_processes_than_this_machine_can_hold_are_told_of(home, workshop):
    home.write("mote.toml", plain(workshop, node={"max-processes": 4000000}))
    done = home.run("check")
    assert "max-processes" in done.err and re.search(r"mote\.toml:2\b", done.err), done
    assert "max_map_count" in done.err or "memory" in done.err, "what limits it"


def test_check_starts_nothing(home, workshop):
    home.write("mote.toml", plain(workshop, serve={"listen": "unix:" + home.path("x.sock")}))
    assert home.run("check").status == 0
    assert not os.path.exists(home.path("x.sock"))
    assert not os.path.exists(home.path("runtime", "mote", "mote.sock"))
