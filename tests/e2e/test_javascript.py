"""JavaScript guests: what a script is given, and what becomes of what it does wrong."""

import os
import re
import shutil
import subprocess
import urllib.parse

import pytest

import apps
from event_stream import parse
from frames import BINARY, TEXT, Socket, closing, frame
from origin import Origin, each
from program import ROOT
from waiting import wait_until

SCRIPTS = os.path.join(ROOT, "tests", "javascript")
SHARED = ("run.js", "url.js", "headers.js", "encoding.js", "streams.js", "platform.js", "files.js", "crypto.js")
GETS = ("random", "thrower", "rejecter", "nothing", "never", "evil", "spin", "hog", "deep", "nested", "large", "late", "timers",
        "afterwards", "variable", "events", "proxy", "both", "denied", "aborted", "bump", "spawner", "asker",
        "cast", "uncoded", "supervised", "news", "handed")


@pytest.fixture
def node(use_shared, workshop):
    wasm = workshop.javascript()
    routes = {"GET /": "app#fetch", "POST /echo": "app#echo", "POST /items/:item": "app#upper", "POST /proxy": "app#proxy",
              "POST /coded": "app#coded", "WS /socket": "app#socket", **{"GET /" + name: "app#" + name for name in GETS}}
    components = {"app": {"source": wasm, "capability": "app"},
                  "counter": {"source": wasm, "entry": "counter", "resident": True},
                  "answerer": {"source": wasm, "entry": "answerer", "resident": True},
                  "child": {"source": wasm, "entry": "child"},
                  "worker": {"source": wasm, "entry": "worker"}}
    return use_shared("javascript", apps.app(
        routes, components, capabilities={"app": {
            "allow-network": ["127.0.0.0/8"], "allow-spawn": ["child", "worker"], "env": ["PATH"], "max-cpu-ms": 2000,
            "max-memory-mb": 64}}, node={"fetch-keep-ms": 50}))


@pytest.fixture
def origin():
    """origin(behave) starts a server of the test's own."""
    made = []

    def start(behave):
        made.append(Origin(behave))
        return made[-1]
    yield start
    for one in made:
        one.close()


def ask(node, entry, *urls):
    return node.get(f"/{entry}?" + urllib.parse.urlencode([("url", url) for url in urls]))


# ---- requests and answers


def test_a_request_gets_a_sandbox_of_its_own(node):
    for _ in range(3):
        response = node.get("/?x=1")
        assert (response.status, response.text) == (200, "hello 1 GET /\n"), response
        assert response.header("content-type") == "text/plain;charset=UTF-8"
        assert response.header("x-made") == "by js"


def test_a_body_is_streamed_through(node):
    body = bytes(range(256)) * 2000
    response = node.post("/echo", body, [("Content-Type", "x/y")])
    assert (response.status, response.header("content-type"), response.body) == (201, "x/y", body)
    assert node.post("/echo", b"").body == b""


def test_a_request_is_read_and_a_route_has_parameters(node):
    assert node.post("/items/a%20b", b"12345").json() == {"length": 5, "item": "a b"}


def test_nothing_random_is_in_the_image(node):
    first, second = node.get("/random").json(), node.get("/random").json()
    assert first[0] != second[0] and first[1] != second[1], (first, second)
    assert first[2] > 1000000000000, "the clock stood still while the app was loaded"


def test_a_large_answer_is_whole(node):
    response = node.get("/large")
    assert (response.status, len(response.body)) == (200, 3000000)


def test_timers_run_in_their_order(node):
    assert node.get("/timers").json() == ["first", True]


def test_what_waits_for_no_answer_goes_on_behind_it(node):
    assert node.get("/afterwards").text == "answered"
    node.log.wait_for("after the answer { a: [ 1, 'two' ] }")


def test_variables_are_those_of_the_capability(node):
    assert node.get("/variable").text == "string undefined"


def test_a_stream_of_events(node):
    response = node.get("/events")
    assert response.header("content-type") == "text/event-stream"
    assert [(event.data, event.id) for event in parse(response.body)[0]] == [
        ("event 1", "1"), ("event 2", "2"), ("event 3", "3")]


def test_a_websocket(node):
    with Socket(node.address, "/socket") as socket:
        socket.expect(TEXT, b"welcome to /socket")
        socket.send_text("one")
        socket.send_text("zwei ü")
        socket.expect(TEXT, b"1: one")
        socket.expect(TEXT, "2: zwei ü".encode())
        socket.send(frame(BINARY, b"\x01\x02"))
        socket.expect(BINARY, b"\x02\x03")
        socket.send_text("close")
        assert socket.read_message()[1:] == (4001, "as asked")
        socket.send(closing(4001))
    node.log.wait_for("closed 4001")


# ---- requests to others


def test_a_request_to_another_streams_both_ways(node, origin):
    def behave(peer, method, target):
        body = peer.read_body()
        peer.answer(f"{method} {target} {peer.header('x-from')} ".encode() + body, headers=["content-type: a/b"])
    server = origin(each(behave))
    response = node.post("/proxy?" + urllib.parse.urlencode({"url": server.url("/there")}), b"sent")
    assert (response.status, response.header("x-type")) == (200, "a/b"), response
    assert response.text == "POST /there js sent"


def test_two_requests_are_under_way_at_once(node, origin):
    """Neither is answered before both have come."""
    peers = []

    def behave(peer, method, target):
        peers.append(peer)
        wait_until(lambda: len(peers) == 2, what="two requests")
        peer.answer(f"{method} {target}".encode())
    server = origin(each(behave))
    assert ask(node, "both", server.url("/a"), server.url("/b")).json() == ["GET /a", "GET /b"]


def test_a_denied_request_says_so(node):
    assert node.get("/denied").text == "TypeError: fetch failed: the address is not granted (allow-network)"


def test_a_request_can_be_given_up(node, origin):
    server = origin(lambda peer: (peer.read_head(), peer.wait_end()))
    assert ask(node, "aborted", server.url()).text == "TimeoutError"


# ---- processes


def test_a_service_is_called_like_functions(node):
    first = node.get("/bump").json()
    assert first[1] == first[0] + 1 and first[2:] == [
        {"text": "x"}, "full: mote: full: there is no room", "not found", "mote: invalid", "TypeError"], first
    node.log.wait_for("nobody's business")
    assert node.get("/bump").json()[0] == first[1] + 2


def test_a_cast_is_a_call_without_an_answer(node):
    assert node.get("/cast").json() == 5


def test_a_supervisor_has_its_children(node):
    assert sorted(map(str, node.get("/supervised").json()[0])) == ["None", "{'n': 1}"]
    assert node.get("/supervised").json()[1:] == [[["one", True, 0], ["child", True, 0]], "RangeError"]


def test_what_is_published_becomes_events(node):
    assert [(event.event, event.data, event.id) for event in parse(node.get("/news").body)[0]] == [
        ("news", "first\nsecond", "1"), ("news", '{"n":2}', "2")]


def test_streams_go_both_ways_between_processes(node):
    assert node.get("/handed").text == "200000 199 300000"


@pytest.mark.parametrize("coded, text", [
    ("00", "0"), ("1864", "100"), ("1b001fffffffffffff", "9007199254740991"), ("1b0020000000000000", '"9007199254740992n"'),
    ("1bffffffffffffffff", '"18446744073709551615n"'), ("3bffffffffffffffff", '"-18446744073709551616n"'),
    ("3b7fffffffffffffff", '"-9223372036854775808n"'), ("20", "-1"), ("3b001ffffffffffffe", "-9007199254740991"),
    ("f4", "false"), ("f5", "true"), ("f6", "null"), ("fb3ff199999999999a", "1.1"), ("fb8000000000000000", '"-0"'),
    ("fb7ff0000000000000", '"Infinity"'), ("60", '""'), ("64f0908591", '"\U00010151"'), ("4401020304", '"bytes 1,2,3,4"'),
    ("80", "[]"), ("8301820203820405", "[1,[2,3],[4,5]]"), ("a0", "{}"), ("a26161016162820203", '{"a":1,"b":[2,3]}'),
    ("81" * 64 + "01", "[" * 64 + "1" + "]" * 64)])
def test_cbor_is_read_and_written_as_others_do(node, coded, text):
    assert node.post("/coded", bytes.fromhex(coded)).json() == [text, list(bytes.fromhex(coded))]


@pytest.mark.parametrize("coded, text", [
    ("f93c00", "1"), ("f90400", "0.00006103515625"), ("f90200", "0.000030517578125"), ("f97bff", "65504"), ("f9fc00", '"-Infinity"'), ("fa47c35000", "100000"),
    ("1b0000000000000001", "1"), ("c074323031332d30332d32315432303a30343a30305a", '"2013-03-21T20:04:00Z"'),
    ("a1016161", '{"1":"a"}'), ("a1695f5f70726f746f5f5f01", '{"__proto__":1}'), ("", "undefined"), ("f7", "undefined")])
def test_cbor_of_others_is_read(node, coded, text):
    assert node.post("/coded", bytes.fromhex(coded)).json()[0] == text


@pytest.mark.parametrize("coded", [
    "18", "1c", "ff", "f8ff", "5f4100ff", "9fff", "bfff", "61ff", "62c3", "5bffffffffffffffff", "9bffffffffffffffff", "bb00ffffffffffffff",
    "8101ff", "0000", "a1f601", "a1810101", "8201", "81" * 66 + "01", pytest.param("a1" * 5000, id="names-of-names"), "d9"])
def test_cbor_that_is_none_is_malformed(node, coded):
    assert node.post("/coded", bytes.fromhex(coded)).json() == ["malformed"]


def test_what_cannot_be_sent_is_an_error(node):
    assert node.get("/uncoded").json() == [
        "TypeError", "TypeError", "RangeError", "RangeError", "RangeError", "a16164" + "7818" + b"1970-01-01T00:00:00.000Z".hex(),
        "63efbfbd", "81f6", "81fb3ff8000000000000", "fb8000000000000000", "fb4340000000000000", "3b001ffffffffffffe"]


def test_a_worker_is_spawned_and_answers(node):
    assert node.get("/spawner").json() == ["send", {"text": "SHOUT"}, None, None]


def test_calls_by_hand(node):
    assert node.get("/asker").text == "answer to question"


# ---- what goes wrong


def test_an_exception_is_a_502_with_its_place_in_the_log(node):
    assert node.get("/thrower").status == 502
    node.log.wait_for("TypeError: cannot read property 'property' of undefined", "component=app", "stream=log")
    node.log.wait_for("at thrower (app.js:27:", "stream=log")
    assert node.get("/rejecter").status == 502
    node.log.wait_for("class=exited", "RangeError: later and more")


@pytest.mark.parametrize("entry, text", [("nothing", "the handler returned no Response"),
                                         ("never", "waits for something that can never happen"),
                                         ("evil", "Uncaught")])
def test_a_handler_without_a_response_is_a_502(node, entry, text):
    assert node.get("/" + entry).status == 502
    node.log.wait_for(text)


def test_an_endless_loop_ends_by_its_budget(node):
    assert node.get("/spin").status == 504
    assert node.get("/").status == 200


def test_a_memory_hog_ends_at_its_ceiling(node):
    assert node.get("/hog").status == 502
    node.log.wait_for("crashed: memory")
    assert node.get("/").status == 200


def test_what_nests_too_deep_is_an_exception(node):
    assert node.get("/deep").text == "RangeError true"


def test_json_that_nests_too_deep_ends_the_process(node):
    assert node.get("/nested").status == 502
    node.log.wait_for("stack overflow")
    assert node.get("/").status == 200


def test_a_stream_that_breaks_off_is_no_whole_answer(node):
    with node.connect() as connection:
        connection.send_request("GET", "/late")
        head = connection.read_head()
        assert head.status == 200
        body = connection.receive_all()
        assert body.count(b"part") == 2 and not body.endswith(b"0\r\n\r\n")


def test_many_headers_reach_the_script(node):
    assert node.get("/", [(f"X-{i}", "y" * 100) for i in range(60)]).status == 200


# ---- the platform's interfaces, beside those of another


def shared_script():
    script = ""
    for name in SHARED:
        with open(os.path.join(SCRIPTS, name), encoding="utf-8") as file:
            script += file.read()
    return script


def recorded():
    with open(os.path.join(SCRIPTS, "expected.txt"), encoding="utf-8") as file:
        return file.read().splitlines()


def test_the_webs_interfaces_do_what_they_do_elsewhere(serve, home, workshop):
    """expected.txt is what Node says to the same script."""
    home.write("ours/app.js", shared_script() + "export default { async fetch() { return new Response(await all()); } };\n")
    wasm = home.path("ours.wasm")
    workshop.script(home.path("ours"), wasm)
    got = serve(apps.app({"GET /": "app#fetch"}, {"app": {"source": wasm, "capability": "app"}},
                         capabilities={"app": {"max-cpu-ms": 60000}})).get("/").text.splitlines()
    expected = recorded()
    assert len(expected) > 500
    assert [line for line in got if line not in expected] == []
    assert got == expected


def test_what_is_recorded_is_what_node_says(home):
    program = shutil.which("node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else ""
    if not version.startswith("v20."):
        pytest.skip("there is no Node 20; others differ in some cases")
    script = home.write("theirs.mjs", shared_script() + "process.stdout.write(await all());\n")
    done = subprocess.run([program, script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines() == recorded()


# ---- mote build


def build(home, files):
    for name, text in files.items():
        home.write(os.path.join("app", name), text)
    home.write("app/mote.toml", '[components.app]\nsource = "wasm/app.wasm"\n')
    return home.run("build", home.path("app"))


def test_a_script_is_built_when_it_is_newer_and_its_exports_are_entries(home):
    assert build(home, {"src/app.js": "export const one = () => 1;\nexport const data = 5;\n"}).status == 0
    assert "up to date" in home.run("build", home.path("app")).out
    os.utime(home.path("app/src/app.js"), (4000000000, 4000000000))
    assert "up to date" not in home.run("build", home.path("app")).out
    home.write("mote.toml", apps.app({"GET /": "app#two"}, {"app": "app/wasm/app.wasm"}))
    done = home.run("check")
    assert done.status != 0 and "no export two; it exports one" in done.err, done


@pytest.mark.parametrize("script, line", [
    ("export default {\n    fetch( { return 1; }\n};\n", "app.js:2:"),
    ("const x = 1;\n  missing.call();\nexport default { fetch() {} };\n", "app.js:2:3: error: ReferenceError: missing is not defined"),
    ("export const data = 1;\n", "app.js: error: TypeError: nothing is exported that could be run"),
    ("await new Promise(() => {});\nexport const one = () => 1;\n", "the top level waits"),
    ("export const one = () => 1;\nMath.random();\n", "app.js:2:6: error: TypeError: random numbers cannot be had while"),
])
def test_what_is_wrong_at_the_top_level_is_an_error_of_the_build(home, script, line):
    done = build(home, {"app.js": script})
    assert done.status == 1 and line in done.err, done
    assert not os.path.exists(home.path("app/wasm/app.wasm"))


def test_an_endless_top_level_is_found(home):
    done = build(home, {"app.js": "for (;;) {}\nexport const one = () => 1;\n"})
    assert done.status == 1 and "it did not come to an end" in done.err, done


def test_typescript_and_modules_are_bundled_and_errors_name_the_file(serve, home):
    if shutil.which("esbuild") is None:
        pytest.skip("there is no esbuild (Debian: apt-get install esbuild)")
    done = build(home, {
        "src/app.ts": 'import { greet } from "./greet";\nimport { param } from "mote";\n'
                      "export default { fetch(request: Request): Response { return new Response(greet(param(\"who\"))); } };\n",
        "src/greet.ts": "export interface Nothing { x: number }\n\n"
                        "export const greet = (who: string | null): string => {\n"
                        "    if (who === \"crash\") {\n        throw new Error(\"as asked\");\n    }\n"
                        "    return `hello ${who}`;\n};\n"})
    assert done.status == 0, done
    node = serve(apps.app({"GET /:who": "app#fetch"}, {"app": home.path("app/wasm/app.wasm")}))
    assert node.get("/you").text == "hello you"
    assert node.get("/crash").status == 502
    node.log.wait_for("at greet (src/greet.ts:5:")


def test_typescript_without_a_bundler_says_what_to_get(home):
    home.write("app/app.ts", "export const one = (): number => 1;\n")
    home.write("app/mote.toml", '[components.app]\nsource = "app.wasm"\n')
    done = home.run("build", home.path("app"), environment=home.environment(MOTE_ESBUILD="/nowhere/esbuild"))
    assert done.status == 1 and "npm install --save-dev esbuild" in done.err, done


def test_the_samples_of_the_documentation(serve, home, workshop):
    with open(os.path.join(ROOT, "docs", "javascript.md"), encoding="utf-8") as file:
        first, second = re.findall(r"^```js\n(.*?)^```", file.read(), re.DOTALL | re.MULTILINE)
    made = {}
    for name, text in (("first", first), ("second", second)):
        home.write(name + "/app.js", text)
        made[name] = home.path(name + ".wasm")
        workshop.script(home.path(name), made[name])
    node = serve(apps.app(
        {"GET /*": "first#fetch", "GET /greet/:name": "second#greet", "WS /chat": "second#chat", "GET /ticks": "second#ticks",
         "GET /bump": "second#bump"},
        {**made, "counter": {"source": made["second"], "entry": "counter", "resident": True}}))
    assert node.get("/").text == "hello\n"
    assert node.get("/greet/you").json() == {"hello": "you"}
    assert [event.data for event in parse(node.get("/ticks").body)[0]] == ["0", "1", "2"]
    assert [node.get("/bump").json() for _ in range(2)] == [1, 2]
    with Socket(node.address, "/chat") as socket:
        socket.expect(TEXT, b"welcome")
        socket.send_text("again")
        socket.expect(TEXT, b"again")
        socket.finish()


# ---- apps by `mote new`


@pytest.mark.parametrize("template", ["api", "chat", "hello", "todo", "worker"])
def test_a_new_app_is_built_and_its_own_tests_hold(home, template):
    done = home.run("new", "shop", "--lang", "javascript", "--template", template)
    assert done.status == 0, done
    made = {os.path.relpath(os.path.join(at, name), home.path("shop")) for at, _, names in os.walk(home.path("shop")) for name in names}
    assert {"mote.toml", "README.md", ".gitignore", ".editorconfig", "jsconfig.json"} <= made
    done = home.run("check", "-f", "shop/mote.toml")
    assert done.status != 0, "it is not built yet"
    done = home.run("test", cwd=home.path("shop"), seconds=300)
    assert done.status == 0 and "1 of 1 tests hold" in done.out, done
    done = home.run("check", "-f", "shop/mote.toml")
    assert done.status == 0 and "warning" not in done.err, done
    with open(home.path("shop/.mote/mote.d.ts"), encoding="utf-8") as file:
        assert 'declare module "mote"' in file.read(), "types for editors"
