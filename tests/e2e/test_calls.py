"""Calls between languages: every caller with every service (docs/calls.md)."""

import pytest

import apps
import go_guests
import rust_guests

ANSWER = "sum -3999999700\nzürich not fine 3\nmalformed\nnot found\n"


# Of each language: what makes its guest with `service` and `ask`, and why that cannot be done here.
LANGUAGES = {
    "c": (lambda workshop: workshop.c("calls"), None),
    "go": (lambda workshop: go_guests.made(workshop, "calls"), go_guests.MISSING),
    "javascript": (lambda workshop: workshop.javascript("calls"), None),
    "rust": (lambda workshop: rust_guests.made(workshop, "zoo"), rust_guests.MISSING),
}


def languages():
    return [name for name, (_, missing) in LANGUAGES.items() if not missing]


@pytest.fixture
def node(use_shared, workshop):
    wasm = {name: LANGUAGES[name][0](workshop) for name in languages()}
    components = {}
    for one, source in wasm.items():
        components[one] = source
        components["service-" + one] = {"source": source, "entry": "service", "resident": True}
    return use_shared("calls", apps.app({f"GET /{one}": f"{one}#ask" for one in wasm}, components))


@pytest.mark.parametrize("service", languages())
@pytest.mark.parametrize("caller", languages())
def test_one_language_calls_another(node, caller, service):
    answer = node.get(f"/{caller}?service=service-{service}")
    assert (answer.status, answer.text) == (200, ANSWER)
