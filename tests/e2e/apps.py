"""Manifests of the tests' apps."""

import os

from program import ROOT

ZOO_FOLDER = os.path.join(ROOT, "examples", "zoo")


def value(one):
    """A Python value as TOML."""
    if isinstance(one, bool):
        return "true" if one else "false"
    if isinstance(one, int):
        return str(one)
    if isinstance(one, (list, tuple)):
        return "[" + ", ".join(value(element) for element in one) + "]"
    return '"' + str(one).replace("\\", "\\\\").replace('"', '\\"') + '"'


def keys(settings):
    return "".join(f"{key} = {value(one)}\n" for key, one in (settings or {}).items())


def section(title, settings):
    return f"[{title}]\n{keys(settings)}\n" if settings else ""


def app(routes, components, serve=None, headers=None, capabilities=None, node=None, log=None):
    """A manifest with one listener.

    routes        {"GET /": "name#entry"}
    components    {"name": "/path/of.wasm"} or {"name": {"source": ..., ...}}
    capabilities  {"name": {...}}
    The others are the settings of the section of that name."""
    text = section("node", node) + section("log", log)
    text += "[[serve]]\n" + keys({"listen": "127.0.0.1:0", **(serve or {})})
    text += section("serve.headers", headers)
    text += "[serve.routes]\n" + "".join(f'"{key}" = "{one}"\n' for key, one in routes.items())
    for name, settings in components.items():
        if isinstance(settings, str):
            settings = {"source": settings}
        text += f"[components.{name}]\n" + keys(settings)
    for name, settings in (capabilities or {}).items():
        text += f"[capabilities.{name}]\n" + keys(settings)
    return text


ZOO_ROUTES = {
    "GET /": "zoo#hello",
    "GET /users/:id": "zoo#user",
    "POST /echo": "zoo#echo",
    "GET /status/:code": "zoo#status",
    "GET /headers": "zoo#headers",
    "GET /stream": "zoo#stream",
    "GET /sleep": "zoo#nap",
    "GET /crash": "zoo#crash",
    "GET /oom": "zoo#oom",
    "GET /spin": "zoo#spin",
    "GET /overflow": "zoo#overflow",
    "GET /silent": "zoo#silent",
    "GET /late-crash": "zoo#late_crash",
    "GET /denied": "zoo#denied",
    "WS /ws": "zoo#ws_echo",
}


def zoo(workshop, component=None, capability=None, routes=None, **sections):
    """The zoo with other settings than in examples/zoo; without any it is the same app."""
    return app(routes or ZOO_ROUTES,
               {"zoo": {"source": workshop.zoo(), "capability": "visitor", **(component or {})}},
               capabilities={"visitor": {"inherits": "sandboxed", "max-cpu-ms": 500,
                                         **(capability or {})}}, **sections)


def zoo_example(workshop):
    """examples/zoo by its own manifest, built, on any free port."""
    folder = os.path.join(workshop.zoo_folder(), "wasm")
    with open(os.path.join(ZOO_FOLDER, "mote.toml"), encoding="utf-8") as file:
        manifest = file.read()
    return manifest.replace('"wasm/', f'"{folder}/').replace("127.0.0.1:8080", "127.0.0.1:0")
