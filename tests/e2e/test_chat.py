"""The room of examples/zoo: its feed and its page, the latter in a browser."""

import json
import os
import urllib.parse

import pytest

import apps
import browser as browsers
import pki
from client import fetch
from event_stream import Listener
from waiting import wait_until

in_a_browser = pytest.mark.skipif(browsers.MISSING is not None, reason=str(browsers.MISSING))


@pytest.fixture
def chat(serve, workshop):
    return serve(apps.zoo_example(workshop))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = browsers.Browser(str(tmp_path_factory.mktemp("browser")))
    yield browser
    browser.close()


@pytest.fixture
def tab(browser):
    """tab(): a new one; at the end they go away, and none may have had an error."""
    tabs = browser.tabs()
    yield tabs.new
    assert tabs.close() == []


def say(node, name, text):
    return node.post("/chat/messages?name=" + urllib.parse.quote(name), text.encode()).status


def texts(client, count):
    return [json.loads(client.next().data)["text"] for _ in range(count)]


# ---- the feed


def test_what_one_says_all_hear(chat):
    with chat.connect() as one, chat.connect() as two:
        clients = [Listener(one, "/events"), Listener(two, "/events")]
        wait_until(lambda: chat.stats()["processes"]["now"] >= 2 + chat.baseline["processes"])
        for i in range(5):
            assert say(chat, "ann", f"news {i}") == 204
        for client in clients:
            assert texts(client, 5) == [f"news {i}" for i in range(5)]


def test_who_comes_late_hears_what_was_said(chat):
    for i in range(50):
        say(chat, "ann", f"old {i}")
    with chat.connect() as connection:
        client = Listener(connection, "/events")
        assert texts(client, 40) == [f"old {i}" for i in range(10, 50)]
        say(chat, "ann", "new")
        assert texts(client, 1) == ["new"]


def test_who_comes_back_hears_what_it_missed_and_nothing_twice(chat):
    with chat.connect() as connection:
        client = Listener(connection, "/events")
        say(chat, "ann", "one")
        last = client.next().id
    say(chat, "ann", "two")
    say(chat, "ann", "three")
    with chat.connect() as connection:
        client = Listener(connection, "/events", [("Last-Event-ID", last)])
        assert texts(client, 2) == ["two", "three"]
        say(chat, "ann", "four")
        assert texts(client, 1) == ["four"]


@pytest.mark.parametrize("text", ["\"quoted\" \\ back", "two\nlines\r\nand\tmore", "</script><b>", "é🦡", "\x01\x7f"])
def test_any_text_comes_through(chat, text):
    say(chat, "<i>ann", text)
    with chat.connect() as connection:
        message = json.loads(Listener(connection, "/events").next().data)
        assert (message["name"], message["text"], message["via"]) == ("<i>ann", text, "sse")


@pytest.mark.parametrize("name, text", [("", "x"), ("ann", ""), ("n" * 32, "x"), ("ann", "x" * 400)])
def test_what_is_no_message_is_refused(chat, name, text):
    assert say(chat, name, text) == 400


def test_the_room_is_restarted_empty_and_listeners_stay(chat):
    with chat.connect() as connection:
        client = Listener(connection, "/events")
        say(chat, "ann", "before")
        assert texts(client, 1) == ["before"]
        [room] = [one for one in chat.processes() if one["component"] == "room"]
        assert fetch(chat.admin, "POST", "/v1/kill?pid=" + str(room["pid"])).status == 200
        wait_until(lambda: say(chat, "ann", "after") == 204)
        assert texts(client, 1) == ["after"]


def test_a_hundred_listeners_hear_everything_and_leave_nothing(chat):
    connections = [chat.connect() for _ in range(100)]
    clients = [Listener(one, "/events") for one in connections]
    chat.wait_processes(100 + chat.baseline["processes"])
    for i in range(20):
        say(chat, "ann", str(i))
    for client in clients:
        assert texts(client, 20) == [str(i) for i in range(20)]
    for one in connections:
        one.close()


# ---- the page


def messages(tab):
    return tab.evaluate("[...document.querySelectorAll('#log p')].map(one => one.textContent)")


def open_page(chat, tab, name):
    tab.go(chat.address + "/chat")
    tab.wait("document.getElementById('state').dataset.is === 'open'")
    tab.evaluate(f"document.getElementById('name').value = '{name}'; document.getElementById('name').onchange()")
    return tab


def choose(tab, way):
    tab.evaluate(f"document.querySelector('input[value={way}]').click()")
    tab.wait("document.getElementById('state').dataset.is === 'open'")


@in_a_browser
def test_two_tabs_talk(chat, tab):
    ann, bob = open_page(chat, tab(), "ann"), open_page(chat, tab(), "bob")
    ann.type("#text", "hello, bob")
    for one in (ann, bob):
        one.wait("document.querySelectorAll('#log p').length === 1")
    bob.type("#text", "hello, <b>ann</b>")
    for one in (ann, bob):
        one.wait("document.querySelectorAll('#log p').length === 2")
        assert messages(one) == ["hello, bob", "hello, <b>ann</b>"]
    assert ann.evaluate("document.querySelectorAll('#log li.mine').length") == 1
    assert ann.evaluate("document.getElementById('text').value") == ""


@in_a_browser
def test_a_tab_on_each_transport_hear_each_other(chat, tab):
    ann, bob = open_page(chat, tab(), "ann"), open_page(chat, tab(), "bob")
    choose(bob, "ws")
    ann.type("#text", "by events")
    bob.wait("document.querySelectorAll('#log p').length === 1")
    bob.type("#text", "by a socket")
    for one in (ann, bob):
        one.wait("document.querySelectorAll('#log p').length === 2")
        assert messages(one) == ["by events", "by a socket"]
        assert one.evaluate("[...document.querySelectorAll('.via')].map(one => one.textContent)") == ["sse", "ws"]


@in_a_browser
def test_a_browser_comes_back_and_misses_nothing(chat, tab):
    """Its stream is killed; meanwhile something is said."""
    ann = open_page(chat, tab(), "ann")
    ann.type("#text", "first")
    ann.wait("document.querySelectorAll('#log p').length === 1")
    for i in range(3):
        pids = [one["pid"] for one in chat.processes() if one["component"] == "chat"]
        for pid in pids:
            fetch(chat.admin, "POST", f"/v1/kill?pid={pid}")
        say(chat, "bob", f"missed {i}")
        ann.wait(f"document.querySelectorAll('#log p').length === {i + 2}")
    assert messages(ann) == ["first", "missed 0", "missed 1", "missed 2"]


@in_a_browser
def test_a_browser_that_comes_back_says_which_event_it_had(serve, workshop, tab):
    node = serve(apps.app({"GET /": "events#page", "GET /count": "events#count"}, {"events": workshop.c("events")},
                          serve={"heartbeat-ms": 5}))
    page = tab()
    page.go(node.address + "/")
    page.evaluate("window.heard = []; window.source = new EventSource('/count?n=2');"
                  "source.addEventListener('count', e => heard.push(e.data + ' ' + e.lastEventId))")
    page.wait("heard.length >= 6")
    page.evaluate("source.close()")
    assert page.evaluate("heard.slice(0, 6)") == [f"{i} {i}" for i in range(1, 7)]


@in_a_browser
def test_over_tls_both_transports_and_the_page_share_http_2(serve, workshop, tab):
    """Compressed too: the stream as the manifest asks, the WebSocket because browsers offer it."""
    authority = pki.Authority()
    try:
        certificate, key = authority.issue("localhost", "localhost")
        manifest = apps.zoo_example(workshop).replace("[serve.routes]", "\n".join([
            'compression = true', 'compression-types = ["text/event-stream"]', 'heartbeat-ms = 20',
            "[serve.tls]", apps.keys({"certificate": certificate, "key": key}), "[serve.routes]"]))
        node = serve(manifest)
        pages = [tab(), tab()]
        for page, name in zip(pages, ("ann", "bob")):
            page.send("Security.setIgnoreCertificateErrors", ignore=True)
            open_page(node, page, name)
        ann, bob = pages
        choose(bob, "ws")
        ann.type("#text", "by events")
        bob.wait("document.querySelectorAll('#log p').length === 1")
        bob.type("#text", "by a socket")
        for page in pages:
            page.wait("document.querySelectorAll('#log p').length === 2")
            assert messages(page) == ["by events", "by a socket"]
        assert ann.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        assert ann.evaluate("fetch('events').then(answer => answer.headers.get('content-encoding'))") in ("br", "gzip")
    finally:
        authority.remove()


@in_a_browser
def test_closing_a_tab_ends_its_process(chat, tab):
    one = open_page(chat, tab(), "ann")
    chat.wait_processes(chat.baseline["processes"] + 1)
    one.go("about:blank")
    chat.wait_processes(chat.baseline["processes"])


@in_a_browser
@pytest.mark.parametrize("width, height", [(1200, 800), (360, 640)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_can_be_read(chat, tab, tmp_path, width, height, dark):
    for name, text in [("bob", "Who else is here?"), ("ann", "I am. " + "A long line to wrap. " * 6), ("bob", "x" * 150),
                       ("eve", "two\nlines")]:
        say(chat, name, text)
    page = tab()
    page.look(width, height, dark)
    open_page(chat, page, "ann")
    page.wait("document.querySelectorAll('#log p').length === 4")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight")
    inside = """[...document.querySelectorAll('header, #log, #say, #say input, button')].every(one => {
        const box = one.getBoundingClientRect();
        return box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight && box.width > 30;
    })"""
    assert page.evaluate(inside)
    assert lightness(page, "body") < 0.3 if dark else lightness(page, "body") > 0.7
    for selector in ("#log .who b", "#log p", "#state", "button", "fieldset span"):
        assert contrast(page, selector) >= 4.5, selector
    picture = os.environ.get("MOTE_PICTURES", str(tmp_path))
    path = os.path.join(picture, f"chat-{width}-{'dark' if dark else 'light'}.png")
    page.picture(path)
    with open(path, "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def luminance(color):
    parts = [float(one) for one in color[color.index("(") + 1:-1].split(",")[:3]]
    linear = [one / 255 / 12.92 if one <= 10 else ((one / 255 + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def lightness(page, selector):
    return luminance(page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).backgroundColor")) ** 0.42


def contrast(page, selector):
    """Of a text against what lies behind it (WCAG 2.1, 1.4.3)."""
    front, back = page.evaluate("""(() => {
        const text = document.querySelector('%s');
        let behind = text;
        while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
        return [getComputedStyle(text).color, getComputedStyle(behind).backgroundColor];
    })()""" % selector)
    high, low = sorted((luminance(front), luminance(back)), reverse=True)
    return (high + 0.05) / (low + 0.05)
