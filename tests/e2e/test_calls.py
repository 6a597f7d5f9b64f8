"""Calls between languages: every caller with every service (docs/calls.md)."""

import pytest

import apps
import go_guests
import rust_guests

ANSWER = "sum -3999999700\nzürich not fine 3\nmalformed\nnot found\n"


def languages():
    return ["c"] + ([] if go_guests.MISSING else ["go"]) + ([] if rust_guests.MISSING else ["rust"])


@pytest.fixture
def node(use_shared, workshop):
    made = {"c": lambda: workshop.c("calls"), "go": lambda: go_guests.made(workshop, "calls"),
            "rust": lambda: rust_guests.made(workshop, "zoo")}
    wasm = {one: made[one]() for one in languages()}
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
