"""`mote check --explain`: what a component imports, what is granted by which line, and what would grant the rest."""

import json

import pytest

IMPORTS = {
    # Import -> the type, the key that grants it, what is said without it, what has to be written.
    "mote env_get": ("(param i32 i32 i32 i32) (result i32)", "env", "denied", 'env = ["NAME"]'),
    "mote spawn": ("(param i32 i32 i32 i32 i32 i32) (result i32)", "allow-spawn", "denied",
                   'allow-spawn = ["COMPONENT"]'),
    "mote fetch_start": ("(param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", "allow-network", "denied",
                         'allow-network = ["HOST"]'),
    "mote kill": ("(param i64) (result i32)", "allow-process-control", "partly",
                  "allow-process-control = true"),
    "mote whereis": ("(param i32 i32 i32 i32 i32) (result i32)", "allow-namespaces", "partly",
                     'allow-namespaces = ["NAMESPACE"]'),
    "wasi_snapshot_preview1 fd_write": ("(param i32 i32 i32 i32) (result i32)", "allow-stdio", "denied",
                                        "allow-stdio = true"),
    "wasi_snapshot_preview1 environ_get": ("(param i32 i32) (result i32)", "env", "denied", 'env = ["NAME"]'),
    "wasi_snapshot_preview1 path_open": ("(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)", "preopen",
                                         "denied", 'preopen = [{ path = "FOLDER", guest = "/FOLDER", mode = "ro" }]'),
    "mote self": ("(result i64)", None, "granted", None),
}

GRANTS = '''
[capabilities.base]
allow-stdio = true
env = ["LANGUAGE_OF_APP"]
allow-namespaces = ["other"]
allow-network = ["example.com", "10.0.0.0/8"]
[capabilities.web]
inherits = "base"
env = ["TOKEN_OF_APP"]
allow-spawn = ["guest"]
allow-process-control = true
preopen = [{ path = "data", guest = "/data" }]
'''


@pytest.fixture
def app(home, workshop):
    """app(capability) writes a manifest with one component that imports something of everything."""
    def make(capability=None, more=()):
        lines = "".join('(import "%s" "%s" (func %s))' % (*name.split(), IMPORTS[name][0]) for name in IMPORTS)
        lines += "".join(f'(import "mote" "{name}" (func))' for name in more)
        module = workshop.wat_text("explained" + "-".join(more),
                                   f'(module {lines} (memory (export "memory") 1) (func (export "_start")))')
        home.write("data/file", "")
        named = f'capability = "{capability}"\n' if capability else ""
        home.write("mote.toml", f'[components.guest]\nsource = "{module}"\n{named}' + GRANTS)
    return make


def explained(home, **variables):
    done = home.run("check", "--explain", "guest", "--json", environment=variables)
    told = json.loads(done.out)
    return done, told, {f"{one['module']} {one['name']}": one for one in told["imports"]}


def test_without_a_grant_the_line_that_would_give_it_is_told(home, app):
    app()
    done, told, imports = explained(home)
    assert done.status == 0 and told["profile"] == "sandboxed" and told["capabilities"] == []
    assert list(imports) == list(IMPORTS), "all of them, in the order of the file"
    for name, (_, key, state, needs) in IMPORTS.items():
        assert (imports[name]["state"], imports[name].get("needs")) == (state, needs), name
        if key:
            assert told["grants"][key]["needs"] == needs
            assert "[components.guest]" in imports[name]["in"]


def test_a_grant_is_told_with_its_line_and_capability(home, app):
    app("web")
    done, told, imports = explained(home, TOKEN_OF_APP="hidden-token")
    assert done.status == 0 and told["capabilities"] == ["web", "base"]
    lines = open(home.path("mote.toml"), encoding="utf-8").read().splitlines()
    for name, (_, key, _, _) in IMPORTS.items():
        assert imports[name]["state"] == "granted", name
        if key:
            number = int(imports[name]["from"].split(":")[1].split()[0])
            section = max(i for i, line in enumerate(lines[:number]) if line.startswith("["))
            assert lines[number - 1].startswith(key), imports[name]
            assert imports[name]["from"].endswith(lines[section])
    assert "TOKEN_OF_APP (line" in imports["mote env_get"]["by"]
    assert "LANGUAGE_OF_APP" in imports["mote env_get"]["by"] and "not set" in imports["mote env_get"]["by"]
    assert "hidden-token" not in done.out + done.err, "names of variables, never their values"


def test_a_profile_is_told_as_what_grants(home, app):
    app("trusted")
    _, told, imports = explained(home)
    for name in ("mote spawn", "mote kill", "wasi_snapshot_preview1 fd_write", "mote self"):
        assert (imports[name]["state"], imports[name]["from"]) == ("granted", "profile trusted")
    for name in ("mote env_get", "wasi_snapshot_preview1 path_open"):
        assert imports[name]["state"] == "denied", "no profile grants variables or folders"
    assert told["profile"] == "trusted"


def test_what_mote_does_not_offer_is_told_though_the_component_cannot_run(home, app):
    app(more=["teleport"])
    done, _, imports = explained(home)
    assert done.status == 2 and "mote::teleport" in done.err
    assert imports["mote teleport"]["state"] == "missing"


def test_it_is_told_to_people_in_lines(home, app):
    app("web")
    done = home.run("check", "--explain", "guest", environment={"TOKEN_OF_APP": "hidden-token"})
    assert done.status == 0
    assert "capability: web < base < sandboxed\n" in done.out
    line = next(line for line in done.out.splitlines() if "mote::spawn" in line)
    assert line.split()[:5] == ["granted", "mote::spawn", "allow-spawn", "=", '["guest"];']
    assert line.endswith("[capabilities.web]")
    assert "hidden-token" not in done.out + done.err
    app()
    line = next(line for line in home.run("check", "--explain", "guest").out.splitlines() if "::env_get" in line)
    assert line.split(maxsplit=2) == ["denied", "mote::env_get", 'needs: env = ["NAME"]']


def test_names_of_imports_cannot_reach_the_terminal_raw(home, workshop):
    module = workshop.wat_text("loud", r'(module (import "mo\1b[2Jte" "a\0ab" (func)) (func (export "_start")))')
    home.write("mote.toml", f'[components.guest]\nsource = "{module}"\n')
    done = home.run("check", "--explain", "guest")
    assert done.status == 2 and "\x1b" not in done.out + done.err
    assert r"mo\x1b[2Jte::a\x0ab" in done.out


@pytest.mark.parametrize("words, told", [(["nobody"], "there is no [components.nobody]"), ([], "--explain")])
def test_a_component_that_is_not_there_is_status_2(home, app, words, told):
    app()
    done = home.run("check", "--explain", *words)
    assert done.status == 2 and told in done.err + done.out


def test_interfaces_of_components_are_told(home):
    import guests
    home.write("print.wasm", guests.component("print"))
    home.write("mote.toml", '[components.guest]\nsource = "print.wasm"\n')
    done, told, imports = explained(home)
    assert done.status == 0 and told["kind"] == "a component"
    states = {name.split("@")[0]: one["state"] for name, one in imports.items()}
    assert states["wasi:cli/stdout"] == "denied", states
