"""Code that guests bring: spawn_from(), inline and by URL, under a template's grant."""

import hashlib
import os
import subprocess
import urllib.parse

import pytest

import apps
import wasm
from guests import component
from origin import Origin, each
from waiting import wait_until

DENIED, NOT_FOUND, INVALID, LIMIT, CLOSED, MISPLACED, NO_MEMORY, MALFORMED, TIMEOUT, _, _, ABORTED = range(-1, -13, -1)

SAY = '(import "mote" "log" (func $log (param i32 i32 i32) (result i32)))'
LOOPBACK = {"allow-network": ["127.0.0.0/8"]}


def saying(text, more=""):
    """A module whose `run` logs that text."""
    return (f'(module {SAY} (memory (export "memory") 1) (data (i32.const 8) "{text}") '
            f'(func (export "run") (drop (call $log (i32.const 2) (i32.const 8) (i32.const {len(text)}))) {more}))')


class App:
    """A node whose handler `lender` spawns what tests bring, as `model`."""

    def __init__(self, serve, workshop, model=None, lender=None, **sections):
        self.workshop = workshop
        quiet = workshop.wat_text("dynamic-quiet", '(module (memory (export "memory") 1) (func (export "run")))')
        self.node = serve(apps.app(
            {"POST /run": "lender#run", "GET /run": "lender#run"},
            {"lender": {"source": workshop.c("lender"), "capability": "lends"},
             "model": {"source": quiet, "entry": "run", "template": True, "capability": "lent"},
             "other": {"source": quiet, "entry": "run"},
             "hidden": {"source": quiet, "entry": "run", "template": True}},
            capabilities={"lends": {"allow-spawn": ["model", "other"], **(lender or {})}, "lent": model or {}},
            **sections))

    def wat(self, name, text, *features):
        with open(self.workshop.wat_text("dynamic-" + name, text, *features), "rb") as file:
            return file.read()

    def run(self, source, template="model", **query):
        query = urllib.parse.urlencode({"template": template, **query})
        return self.node.post("/run?" + query, source)

    def run_text(self, source, template="model", **query):
        return self.node.get("/run?" + urllib.parse.urlencode({"template": template, "source": source, **query}))

    def compiled(self):
        return len(self.node.log.having("compiling code for template"))

    def forget(self):
        """What the shared cache of the tests has of a test's code may not hide a compilation."""


@pytest.fixture
def app(serve, workshop):
    return lambda **options: App(serve, workshop, **options)


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


def normal(response):
    assert (response.status, response.text) == (200, "normal\n"), response


def failed(response, error):
    assert (response.status, response.text) == (503, f"error -{-error:02}\n"), response


def unique(text):
    """The same, as nobody has compiled it before."""
    return f"{text} {os.urandom(8).hex()}"


def test_a(app):
    one = app()
    r = one.run(one.wat("a", saying(unique("I am new"))))
    print(r, r.text, one.node.log_text())
    assert 0
