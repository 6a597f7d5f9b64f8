"""Names that mean something else than they seem to: with a real name server, and somebody behind every address."""

import threading
import urllib.parse

import pytest

import client
import guests
import internet
from apps import keys
from name_server import FAILURE, SILENCE
from origin import each
from program import Node
from waiting import wait_until

SHARE = 4                                     # RESOLVER_SHARE_MAX
NAME, TIMEOUT = 2, 5                          # enum mote_fetch_reason
DNS_ERROR, REQUEST_DENIED, ACCESS_DENIED = 1, 15, 1  # of wasi:http's and wasi:sockets' error-codes
PUBLIC, OTHER_PUBLIC, TALKATIVE, PUBLIC6 = "93.184.216.34", "93.184.216.35", "93.184.216.36", "2606:2800:220:1::1"

GRANTS = {"public": ["*"], "named": ["*.granted.test", "exact.test"], "block": ["10.0.0.0/8"], "loopback": ["localhost"],
          "both": ["db.test", "10.0.0.5:80"], "sockets": ["*"]}


def manifest(workshop, home):
    """One node, and a core module and a component for each grant."""
    text = '[node]\nworkers = 1\nfetch-keep-ms = 2000\n[log]\nformat = "json"\n'
    parts = ""
    for name, rules in GRANTS.items():
        text += f'[[serve]]\nlisten = "unix:{home.path(name)}"\n[serve.routes]\n"* /*" = "{name}-web"\n'
        text += f'"GET /get" = "{name}-core#get"\n'
        parts += f"[components.{name}-core]\n" + keys({"source": workshop.c("fetcher"), "capability": name})
        parts += f"[components.{name}-web]\n" + keys({"source": guests.component_path("http"), "capability": name})
        parts += f"[capabilities.{name}]\n" + keys({"inherits": "sandboxed", "allow-network": rules})
    return text + parts


def redirect_or_greet(where):
    def behave(peer, method, target):
        del method
        to = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("to")
        if to:
            peer.answer(status="302 Found", headers=[f"Location: {to[0]}"])
        else:
            peer.answer(f"{where}: {peer.header('Host')}".encode())
    polite = each(behave)

    def serve(peer):
        if peer.socket.getsockname()[0].endswith(TALKATIVE):
            peer.send(b"a word of the peer")
        else:
            polite(peer)
    return serve


class World:
    """The node and its internet."""

    def __init__(self, home, node):
        self.home, self.node, self.names = home, node, home.names
        self.fresh = 0

    def name(self, *answers, below="test"):
        """A name that nobody has asked for yet, with these answers one after the other."""
        self.fresh += 1
        name = f"n{self.fresh}.{below}"
        self.names.names[name] = list(answers)
        return name

    def ask(self, kind, grant, url, **query):
        address = self.node.addresses[list(GRANTS).index(grant)]
        target = "/get?" + urllib.parse.urlencode({"url": url, **query}) if kind == "core" else "/fetch?" + url
        return client.fetch(address, "GET", target)

    def raw(self, target):
        return client.fetch(self.node.addresses[list(GRANTS).index("sockets")], "GET", target)

    def denied(self, kind, grant, url, told="allow-network", **query):
        """It was, and the log says so, with `told`."""
        component = f"{grant}-{'core' if kind == 'core' else 'web'}"
        words = ("denied", f'"{component}"', "allow-network", told)
        before = len(self.node.log.having(*words))
        text = self.ask(kind, grant, url, **query).text
        assert text in (["-1\n"] if kind == "core" else [f"error {REQUEST_DENIED}\n", f"refused at once: {REQUEST_DENIED}\n"]), text
        self.node.log.wait_for(*words, count=before + 1)


@pytest.fixture(scope="module")
def started(cache, workshop):
    internet.require()
    home = internet.Internet(cache)
    node = None
    try:
        node = Node(home, manifest(workshop, home))
        home.serve(redirect_or_greet("here"), redirect_or_greet("there"))
        yield World(home, node)
    finally:
        if node is not None:
            node.finish()
            home.close()
        home.remove()


@pytest.fixture
def world(started):
    """Nobody at home is reached, and the node lives on."""
    made = started.home.here.made
    yield started
    assert started.node.is_running()
    assert started.home.here.made == made, "somebody at the node's own host was reached"


@pytest.fixture(params=["core", "component"])
def kind(request):
    """Who asks: a core module by the ABI, a component by wasi:http."""
    return request.param


PRIVATE = ["127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "10.0.0.5", "172.16.0.1", "192.168.1.1", "100.64.0.1",
           "168.63.129.16", "192.0.2.1", "255.255.255.255", "224.0.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
           "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:5", "fc00::1", "fe80::1", "2002:7f00:1::", "2001:db8::1"]


def test_a_name_of_a_public_address_leads_there(world, kind):
    for address in (PUBLIC, PUBLIC6):
        name = world.name([address])
        response = world.ask(kind, "public", f"http://{name}/")
        assert (response.status, response.text) == (200, f"there: {name}")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_of_a_private_address_does_not_get_through(world, kind, address):
    made = world.home.there.made
    name = world.name([address])
    world.denied(kind, "public", f"http://{name}/")
    name = world.name([address], below="granted.test")
    world.denied(kind, "named", f"http://{name}/")
    assert world.home.there.made == made


@pytest.mark.parametrize("target", ["localhost", "inner", "chain"])
def test_another_name_of_a_private_one_does_not_get_through(world, kind, target):
    inner = world.name(["127.0.0.1"])
    chain = world.name([f"={inner}"])
    names = {"localhost": "localhost", "inner": inner, "chain": chain}
    world.names.names["localhost"] = [["127.0.0.1"]]
    world.denied(kind, "public", f"http://{world.name(['=' + names[target]])}/")


def test_of_several_addresses_only_public_ones_are_used(world, kind):
    name = world.name(["127.0.0.1", "::1", "10.0.0.5", PUBLIC, "169.254.169.254"])
    assert world.ask(kind, "public", f"http://{name}/").text == f"there: {name}"


def ask_until_looked_up(world, kind, name, count):
    """What comes of asking for the name, once it was looked up so many times: answers are kept for a while, in few places."""
    for _ in range(1000):
        response = world.ask(kind, "public", f"http://{name}/")
        if world.names.asked.count(name) >= count:
            return response
        other = world.name([PUBLIC])
        assert world.ask("core", "public", f"http://{other}/").text == f"there: {other}"
    raise AssertionError(f"{name} was not looked up again")


def test_a_name_that_means_something_else_the_next_time_does_not_get_through(world, kind):
    """Nor by the connection that is still open from the first time."""
    name = world.name([PUBLIC], ["127.0.0.1"], ["10.0.0.5", "::ffff:127.0.0.1"], [OTHER_PUBLIC])
    assert ask_until_looked_up(world, kind, name, 1).text == f"there: {name}"
    refused = "-1\n" if kind == "core" else f"error {REQUEST_DENIED}\n"
    assert ask_until_looked_up(world, kind, name, 2).text == refused
    assert ask_until_looked_up(world, kind, name, 3).text == refused
    assert ask_until_looked_up(world, kind, name, 4).text == f"there: {name}"


def test_a_redirect_leads_to_no_private_name(world):
    outer, other, inner = world.name([PUBLIC]), world.name([OTHER_PUBLIC]), world.name(["127.0.0.1"])
    def through(to):
        return f"http://{outer}/?" + urllib.parse.urlencode({"to": to})
    assert world.ask("core", "public", through(f"http://{other}/"), redirects=5).text == f"there: {other}"
    world.denied("core", "public", through(f"http://{inner}/"), redirects=5)
    world.denied("core", "public", through("http://127.0.0.1/"), redirects=5)
    world.denied("core", "public", through(f"http://{other}/?" + urllib.parse.urlencode({"to": f"http://{inner}/"})), redirects=5)


def test_a_redirect_leads_to_no_other_name_than_was_granted(world):
    outer, secret = world.name([PUBLIC], below="granted.test"), world.name([PUBLIC])
    url = f"http://{outer}/?" + urllib.parse.urlencode({"to": f"http://{secret}/"})
    world.denied("core", "named", url, redirects=5, told=secret)
    assert secret not in world.names.asked


# ---- what a look-up tells others


@pytest.mark.parametrize("grant", ["named", "block", "loopback", "both"])
def test_a_name_that_no_rule_has_is_not_told_to_any_name_server(world, kind, grant):
    secret = world.name(["10.0.0.5"])
    world.denied(kind, grant, f"http://{secret}/", told=secret)
    assert secret not in world.names.asked


def test_a_name_and_its_private_address_may_be_granted_together(world, kind):
    world.names.names["db.test"] = [["10.0.0.5"]]
    assert world.ask(kind, "both", "http://db.test/").text == "there: db.test"
    assert world.ask(kind, "both", "http://10.0.0.5/").text == "there: 10.0.0.5"
    assert world.ask(kind, "block", "http://10.0.0.5/").text == "there: 10.0.0.5"


# ---- name servers that behave badly


@pytest.mark.parametrize("answers", [None, [FAILURE], [[]], [["=nobody.test"]]])
def test_a_name_that_has_no_address_is_an_error_of_its_own(world, kind, answers):
    name = world.name(*answers or [])
    if answers is None:
        del world.names.names[name]
    text = world.ask(kind, "public", f"http://{name}/").text
    assert text == (f"{NAME}\n" if kind == "core" else f"error {DNS_ERROR}\n")


def test_hundreds_of_addresses_are_none_too_many(world, kind):
    private = [f"10.1.{i // 250}.{i % 250 + 1}" for i in range(200)]
    world.denied(kind, "public", f"http://{world.name(private)}/")
    public = [f"93.184.{i // 250}.{i % 250 + 1}" for i in range(200)]
    name = world.name(public)
    assert world.ask(kind, "public", f"http://{name}/").text == f"there: {name}"


def test_a_silent_name_server_holds_nobody_but_who_asked(world):
    """More look-ups than one grant has threads for: they end in time, and others' names are found meanwhile."""
    names = [world.name(SILENCE) for _ in range(6)]
    answers = {}

    def ask(name):
        answers[name] = world.ask("core", "public", f"http://{name}/", connect=2000).text
    threads = [threading.Thread(target=ask, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(set(names) & set(world.names.asked)) == SHARE, what="look-ups in all threads of a grant")
    good = world.name([PUBLIC], below="granted.test")
    assert world.ask("core", "named", f"http://{good}/").text == f"there: {good}"
    for thread in threads:
        thread.join(60)
    world.names.break_silence()
    assert answers == {name: f"{TIMEOUT}\n" for name in names}


# ---- sockets, which know addresses only


def test_a_socket_reaches_a_public_address(world):
    assert world.raw(f"/connect?{TALKATIVE}:80").text == "a word of the peer"


@pytest.mark.parametrize("address", [one for one in PRIVATE if ":" not in one])
def test_a_socket_reaches_no_private_address(world, address):
    made = world.home.there.made
    text = world.raw(f"/connect?{address}:80").text
    assert text in (f"not connected: {ACCESS_DENIED}\n", f"refused at once: {ACCESS_DENIED}\n") or "refused at once" in text, text
    assert world.home.there.made == made


def test_names_are_not_looked_up_for_sockets(world):
    name = world.name([PUBLIC])
    assert world.raw(f"/resolve?{name}").status == 502
    assert name not in world.names.asked
