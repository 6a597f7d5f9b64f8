"""Guests that try to do what they were not granted, directly and by detours: denied, told in the log, and nothing leaks."""

import json

import pytest

from waiting import wait_until

DENIED, NOT_FOUND, INVALID, CLOSED, EXISTS = -1, -2, -3, -5, -10
KILLED, NOPROC = 7, 8


def manifest(workshop, capability="", more="", namespace="a"):
    """An intruder in one namespace, a vault in another, a service and a caller beside the intruder."""
    source = workshop.c("escape")
    return f'''
[[serve]]
listen = "127.0.0.1:0"
[serve.routes]
"GET /try" = "intruder#attempt"
"GET /client" = "caller#client"
"GET /stumble" = "intruder#stumble"
[components.intruder]
source = "{source}"
capability = "intruder"
namespace = "{namespace}"
[components.vault]
source = "{source}"
entry = "vault"
resident = true
namespace = "b"
[components.neighbour]
source = "{source}"
entry = "vault"
resident = true
namespace = "a"
restart = "temporary"
capability = "neighbour"
[components.slow]
source = "{source}"
entry = "slow"
resident = true
namespace = "a"
[components.caller]
source = "{source}"
namespace = "a"
[capabilities.neighbour]
[capabilities.intruder]
{capability}
{more}
'''


@pytest.fixture
def app(use_shared, workshop):
    """Two apps on one node, shared by tests that leave it as it is."""
    return use_shared("escape", manifest(workshop))


def pid_of(node, component):
    return next(one["pid"] for one in node.processes() if one["component"] == component)


def attempt(node, do, **words):
    """What came of one attempt: numbers, and text."""
    query = "&".join(f"{key}={value}" for key, value in {"do": do, **words}.items())
    response = node.get("/try?" + query)
    assert response.status == 200, response
    return [int(word) if word.lstrip("-").isdigit() else word for word in response.text.split()]


def denials(node):
    return len(node.log.having("WARN denied"))


@pytest.fixture
def untouched(app):
    """After the test the services are who they were, and nobody has heard anything."""
    before = [pid_of(app, name) for name in ("vault", "neighbour", "slow")]
    yield app
    assert [pid_of(app, name) for name in ("vault", "neighbour", "slow")] == before
    assert not app.log.having("vault was reached")


# ---- another app on the same node


def test_the_processes_of_another_namespace_are_not_listed(untouched):
    count, *pids = attempt(untouched, "list")
    everybody = {int(one["pid"]): one["component"] for one in untouched.processes()}
    assert count == len(pids) and int(pid_of(untouched, "neighbour")) in pids
    assert "vault" not in [everybody.get(pid) for pid in pids]


@pytest.mark.parametrize("do, found, none", [("whereis", "vault", [NOT_FOUND, 0]), ("whereis", "gold", None),
                                             ("tagged", "treasure", None), ("members", "guards", None)])
def test_a_name_of_another_namespace_is_not_there(untouched, do, found, none):
    """The neighbour has the same names in the intruder's own namespace; the vault's are not among what is found."""
    seen = attempt(untouched, do, name=found)
    assert int(pid_of(untouched, "vault")) not in seen
    if none is not None:
        assert seen == none
    else:
        assert int(pid_of(untouched, "neighbour")) in seen, "its own namespace can be asked"


@pytest.mark.parametrize("do, name", [("whereis", "gold"), ("tagged", "treasure"), ("members", "guards"),
                                      ("publish", "guards")])
def test_asking_another_namespace_by_its_name_is_denied_and_told(untouched, do, name):
    assert attempt(untouched, do, name=name, space="b")[0] == DENIED
    line = untouched.log.wait_for("WARN denied", f"call={do}")[-1]
    assert "allow-namespaces = " in line and "b" in line and "[components.intruder]" in line


@pytest.mark.parametrize("do, answer", [
    ("info", [NOT_FOUND]), ("kill", [NOT_FOUND]), ("exit", [NOT_FOUND]), ("send", [0]), ("call", [CLOSED]),
    ("link", [0, NOPROC]), ("monitor", [0, NOPROC]), ("unlink", [0]), ("children", [NOT_FOUND])])
def test_a_pid_of_another_namespace_is_as_good_as_none(untouched, do, answer):
    """The pid is right, told by somebody else: still nobody is there, and that it exists cannot be told from it."""
    assert attempt(untouched, do, pid=pid_of(untouched, "vault")) == answer
    assert attempt(untouched, do, pid=4711) == answer


def test_the_same_names_may_be_had_in_each_namespace(serve, workshop):
    node = serve(manifest(workshop, namespace="c"))
    assert attempt(node, "register", name="gold") == [0, 0]
    assert attempt(node, "register", name="vault") == [0, 0], "reserved in the other one only"
    assert attempt(node, "join", name="guards") == [0, 0, 1], "heard by itself alone"
    assert not node.log.having("vault was reached")


def test_who_is_told_so_reaches_another_namespace_and_no_more(serve, workshop):
    node = serve(manifest(workshop, 'allow-namespaces = ["b"]'))
    vault = pid_of(node, "vault")
    assert attempt(node, "whereis", name="vault", space="b") == [0, int(vault)]
    assert attempt(node, "info", pid=vault) == [0]
    assert attempt(node, "send", pid=vault) == [0]
    node.log.wait_for("vault was reached")
    for do in ("kill", "exit", "link"):
        assert attempt(node, do, pid=vault) == [DENIED], "to reach is not to control"
    assert attempt(node, "whereis", name="vault", space="c")[0] == DENIED
    assert pid_of(node, "vault") == vault


def test_control_reaches_no_further_than_the_namespaces(serve, workshop):
    node = serve(manifest(workshop, "allow-process-control = true"))
    vault = pid_of(node, "vault")
    for do in ("kill", "exit"):
        assert attempt(node, do, pid=vault) == [NOT_FOUND]
    # Its supervisor is the platform's, in no namespace of the intruder's.
    supervisors = [one["pid"] for one in node.processes() if one["kind"] == "supervisor"]
    assert supervisors
    for pid in supervisors:
        assert attempt(node, "children", pid=pid) == [NOT_FOUND]
    assert pid_of(node, "vault") == vault
    node.baseline = node.settled()


# ---- processes of its own namespace


@pytest.mark.parametrize("do", ["kill", "exit", "link"])
def test_a_process_that_is_not_its_own_is_not_to_be_ended(untouched, do):
    seen = len(untouched.log.having("WARN denied", f"call={'exit_signal' if do == 'exit' else do}"))
    assert attempt(untouched, do, pid=pid_of(untouched, "neighbour")) == [DENIED]
    line = untouched.log.wait_for("WARN denied", f"call={'exit_signal' if do == 'exit' else do}", count=seen + 1)[-1]
    assert "allow-process-control = true under the capability of [components.intruder]" in line


def test_with_the_grant_it_may_be_ended(serve, workshop):
    node = serve(manifest(workshop, "allow-process-control = true"))
    assert attempt(node, "kill", pid=pid_of(node, "neighbour")) == [0]
    node.log.wait_for("process exited", "component=neighbour", "class=killed")
    node.baseline = node.settled()


def test_who_accepts_links_may_be_linked_by_anybody(serve, workshop):
    text = manifest(workshop).replace("[capabilities.neighbour]", "[capabilities.neighbour]\naccept-links = true")
    node = serve(text)
    assert attempt(node, "exit", pid=pid_of(node, "neighbour")) == [0]
    node.log.wait_for("process exited", "component=neighbour")
    node.baseline = node.settled()


def test_a_guessed_pid_is_nobodys(untouched):
    assert attempt(untouched, "forge-pids", pid=pid_of(untouched, "neighbour")) == [0]


def test_a_guessed_handle_is_nobodys(untouched):
    assert attempt(untouched, "forge-handles") == [0]


def test_a_reply_to_somebody_elses_call_is_dropped(app):
    slow = pid_of(app, "slow")
    with app.connect() as client, app.connect() as second:
        client.send_request("GET", f"/client?pid={slow}")
        wait_until(lambda: [one for one in app.processes() if one["note"] == "caller"])
        caller = next(one["pid"] for one in app.processes() if one["note"] == "caller")
        assert attempt(app, "forge-reply", pid=caller) == [0]
        second.send_request("GET", f"/client?pid={slow}")
        # Which of the two was first at the service is its own affair: none of them was told anything forged.
        assert sorted([client.read().text, second.read().text]) == ["0 second", "0 true"]


def test_a_name_that_the_manifest_has_given_away_cannot_be_had_even_when_its_holder_is_gone(serve, workshop):
    node = serve(manifest(workshop, "allow-process-control = true"))
    holder = pid_of(node, "neighbour")
    assert attempt(node, "register", name="neighbour") == [EXISTS, int(holder)]
    assert attempt(node, "kill", pid=holder) == [0]
    node.log.wait_for("process exited", "component=neighbour")
    assert attempt(node, "register", name="neighbour")[0] == DENIED
    assert "reserved by the manifest" in node.log.wait_for("WARN denied", "call=register")[0]
    node.baseline = node.settled()


# ---- spawning


@pytest.mark.parametrize("name", ["vault", "vault%23vault", "neighbour", "intruder%23errand", "nobody", "*"])
@pytest.mark.parametrize("do, call", [("spawn", "spawn"), ("supervise", "supervisor_start")])
def test_a_component_that_is_not_on_the_list_is_not_spawned(untouched, do, call, name):
    spawned = untouched.stats()["processes"]["spawned"]
    assert attempt(untouched, do, name=name) == [DENIED], "whether it exists cannot be told either"
    line = untouched.log.wait_for("WARN denied", f"call={call}")[-1]
    assert "allow-spawn = " in line and "[components.intruder]" in line
    assert untouched.stats()["processes"]["spawned"] == spawned + 1, "the attempt itself"


@pytest.mark.parametrize("name", ["", "%23errand", "errand%00", "intruder%23", "Errand", "../errand", "errand/", "errand%20",
                                  "erran", "errands"])
def test_a_name_that_is_nearly_on_the_list_is_not_on_it(serve, workshop, name):
    node = serve(manifest(workshop, 'allow-spawn = ["intruder"]'))
    assert attempt(node, "spawn", name=name)[0] in (DENIED, INVALID)
    assert attempt(node, "spawn", name="intruder%23errand") == [0]


def test_a_child_has_its_own_grant_whatever_its_spawner_has(serve, workshop):
    """By a component that may read the variable nothing is gained: what it is asked for is its own affair."""
    text = manifest(workshop, 'allow-spawn = ["intruder"]\nenv = ["GIVEN_TO_APP"]')
    node = serve(text, environment={"GIVEN_TO_APP": "given", "SECRET_OF_NODE": "hidden"})
    assert attempt(node, "errand", name="GIVEN_TO_APP") == [0, 5, "given"]
    assert attempt(node, "errand", name="SECRET_OF_NODE") == [0, DENIED]
    assert "hidden" not in node.log_text()


@pytest.mark.parametrize("words, key", [({"memory": 65}, "max-memory-mb = 65"), ({"cpu": 10001}, "max-cpu-ms = 10001"),
                                        ({"memory": 4294967295}, "max-memory-mb"),
                                        ({"deadline": 1001}, "deadline-ms = 1001")])
def test_a_spawn_narrows_and_never_widens(serve, workshop, words, key):
    text = manifest(workshop, 'allow-spawn = ["intruder"]\ndeadline-ms = 1000')
    node = serve(text)
    assert attempt(node, "spawn", name="intruder%23errand", **words) == [DENIED]
    line = node.log.wait_for("WARN denied", "call=spawn")[0]
    assert key in line and "[components.intruder]" in line
    assert attempt(node, "spawn", name="intruder%23errand", memory=64, cpu=10000, deadline=1000) == [0]


def test_what_nobody_granted_is_in_no_profile(serve, workshop):
    node = serve(manifest(workshop, 'inherits = "trusted"'), environment={"SECRET_OF_NODE": "hidden"})
    assert attempt(node, "spawn", name="caller%23attempt") == [0], "any component"
    assert attempt(node, "env", name="SECRET_OF_NODE") == [DENIED]
    assert attempt(node, "whereis", name="vault", space="b")[0] == DENIED
    assert attempt(node, "info", pid=pid_of(node, "vault")) == [NOT_FOUND]


def test_an_inherited_grant_can_be_taken_back(serve, workshop):
    node = serve(manifest(workshop, 'inherits = "trusted"\nallow-spawn = []\nallow-process-control = false'))
    assert attempt(node, "spawn", name="caller%23attempt") == [DENIED]
    assert attempt(node, "kill", pid=pid_of(node, "neighbour")) == [DENIED]


# ---- variables and secrets

SECRET = "s3cr3t-4711"


@pytest.mark.parametrize("name", ["PATH", "HOME", "SECRET_OF_NODE", "given_to_app", "GIVEN_TO_APP%3D", "GIVEN_TO_APP%00", "%3D",
                                  "GIVEN_TO"])
def test_only_granted_variables_are_seen(serve, workshop, name):
    node = serve(manifest(workshop, 'env = ["GIVEN_TO_APP"]'),
                 environment={"GIVEN_TO_APP": "given", "SECRET_OF_NODE": SECRET, "given_to_app": SECRET})
    assert attempt(node, "env", name="GIVEN_TO_APP") == [5, "given"]
    assert attempt(node, "env", name=name) == [DENIED]
    assert "env = " in node.log.wait_for("WARN denied", "call=env_get")[0]


def test_secrets_are_in_no_list_log_report_or_output(serve, home, workshop):
    """Granted to the guest by variable, by argument and by .env, and then the guest crashes."""
    text = manifest(workshop, 'env = ["TOKEN_OF_APP"]').replace(
        "[components.intruder]", '[components.intruder]\nargs = ["${TOKEN_OF_APP}", "${DOTENV_OF_APP}"]').replace(
        "[serve.routes]", '[serve.headers]\nx-told = "${TOKEN_OF_APP}"\n[serve.routes]')
    home.write(".env", f"DOTENV_OF_APP={SECRET}-file\n")
    variables = {"TOKEN_OF_APP": SECRET}
    node = serve(text, home=home, environment=variables)
    assert attempt(node, "env", name="TOKEN_OF_APP") == [len(SECRET), SECRET]
    assert node.get("/stumble").status == 502
    node.log.wait_for("process exited", "class=crashed")
    told = [node.log_text(), "\n".join(node.out.all()), json.dumps(node.processes()), json.dumps(node.stats()),
            open(f"/proc/{node.process.pid}/cmdline", encoding="utf-8").read()]
    for words in (["ps"], ["ps", "--json"], ["top", "--once"], ["stats"], ["check"], ["check", "--json"],
                  ["check", "--explain", "intruder"], ["check", "--explain", "intruder", "--json"]):
        done = home.run(*words, environment=variables)
        assert done.status == 0, done
        told += [done.out, done.err]
    assert not [one for one in told if SECRET in one]


# ---- what belongs to the node


@pytest.mark.parametrize("folder", ["/proc", "/proc/self", "/sys", "/sys/kernel", "runtime", "runtime/mote", "link", "/"])
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_no_preopen_reaches_what_is_the_nodes_own(home, workshop, folder, mode):
    import os
    os.symlink("/proc", home.path("link"))
    os.makedirs(home.path("runtime", "mote"), exist_ok=True)
    home.write("app/mote.toml", manifest(workshop, f'preopen = ["{os.path.join(home.folder, folder)}::/x:{mode}"]'))
    done = home.run("check", "-f", "app/mote.toml")
    assert done.status == 2 and "which no guest may reach" in done.err, done


@pytest.mark.parametrize("folder", ["cache", "cache/inside", ".", "later/cache"])
def test_no_folder_of_a_command_holds_compiled_code(home, workshop, folder):
    """What is compiled is run as native code the next time: who could write there would be free."""
    import os
    cache = home.path("later", "cache") if folder.startswith("later") else home.path("cache")
    given = home.path("later") if folder.startswith("later") else home.path(folder)
    os.makedirs(home.path("cache", "inside"), mode=0o700)
    os.makedirs(home.path("later"))
    for mode in ("", ":ro"):
        done = home.run("run", "--cache", cache, "--dir", f"{given}::/data{mode}", workshop.command("file"), "list", "/data")
        assert done.status == 2 and "which no guest may reach" in done.err, done
    assert not os.path.exists(home.path("later", "cache"))


@pytest.mark.parametrize("folder", ["/proc", "/proc/self/cwd", "/sys"])
def test_no_folder_of_a_command_is_the_kernels(home, workshop, folder):
    done = home.run("run", "--dir", f"{folder}::/data", workshop.command("file"), "list", "/data")
    if folder == "/proc/self/cwd":
        assert done.status == 0, "a link out of there is what it leads to"
    else:
        assert done.status == 2 and "which no guest may reach" in done.err, done
