"""What RUSM publishes is there as it is published: a component that imports all of it, by tests/guests/rusm/wit, is linked."""

import os
import re

import pytest

from guests import GUESTS, run_tool

MANIFEST = '''
[[serve]]
listen = "127.0.0.1:0"
[serve.routes]
"GET /" = "all#any"
[components.all]
'''

with open(os.path.join(GUESTS, "rusm", "wit", "rusm-runtime.wit"), encoding="utf-8") as published:
    WIT = published.read()


def functions(wit):
    """Every function of an interface."""
    return re.findall(r"^    %?([a-z-]+): func\(", wit, re.MULTILINE)


def component_of_all(home, workshop, wit):
    """wasm/all.wasm of `home`, with every function of that text."""
    home.write("wit/rusm-runtime.wit", wit)
    made = home.path("bindings")
    os.makedirs(made)
    os.makedirs(home.path("wasm"))
    workshop.componentize("bindings", home.path("wit"), "process", made)
    with open(os.path.join(made, "process.h"), encoding="utf-8") as file:
        names = re.findall(r"^extern .*?\b(rusm_runtime_\w+)\(", file.read(), re.MULTILINE)
    assert len(names) == len(functions(wit)) >= 39
    source = home.write("all.c", '#include "process.h"\ntypedef void function(void);\nfunction *volatile all[] = {'
                        + ", ".join(f"(function *){name}" for name in names) + "};\nvoid exports_process_run(void) { all[0](); }\n")
    core = home.path("all.core")
    run_tool(os.environ.get("MOTE_CLANG", "clang"), "--target=wasm32-wasi", "-mexec-model=reactor", "-O1", "-Wno-cast-function-type",
             "-I", made, "-x", "c", source, os.path.join(made, "process.c"), "-x", "none",
             os.path.join(made, "process_component_type.o"), "-o", core)
    workshop.componentize("component", home.path("wit"), "process", core, home.path("wasm", "all.wasm"))


def test_all_that_is_published_is_there(serve, home, workshop):
    component_of_all(home, workshop, WIT)
    node = serve(MANIFEST, home=home, file="rusm.toml")
    assert not node.log.having("imports")


@pytest.mark.parametrize("interface, published_as, other", [
    ("actor", "kill: func(target: pid) -> bool;", "kill: func(target: pid) -> u32;"),
    ("actor", "mailbox-depth: u32,", "mailbox-depth: u64,"),
    ("pg", "whereis-tag: func(tag: string)", "whereis-tags: func(tag: string)")])
def test_what_is_not_published_so_is_refused_by_name(home, workshop, interface, published_as, other):
    """That the test above can fail."""
    assert WIT.count(published_as) == 1
    component_of_all(home, workshop, WIT.replace(published_as, other))
    home.write("rusm.toml", MANIFEST)
    done = home.run("serve", "-f", "rusm.toml")
    assert done.status == 2 and f"rusm:runtime/{interface}@0.1.0" in done.err, done
