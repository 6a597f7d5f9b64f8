"""Guests in Go: whether they can be built here, and building them."""

import os
import re
import shutil
import subprocess

from program import ROOT

GUESTS = os.path.join(ROOT, "tests", "guests", "go")
MINOR_MIN = 24


def why_not():
    """Why guests in Go cannot be built here, or None."""
    if shutil.which("go") is None:
        return "there is no Go: install 1.24 or newer from https://go.dev/dl"
    version = subprocess.run(["go", "env", "GOVERSION"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             check=False, env=dict(os.environ, GOTOOLCHAIN="local")).stdout.strip()
    found = re.match(r"go1\.(\d+)", version)
    return None if found and int(found.group(1)) >= MINOR_MIN else f"Go is {version}, older than 1.{MINOR_MIN}"


MISSING = why_not()


def environment():
    """The compiler's own cache is the user's, so that a build takes a second; nothing is downloaded."""
    cache = subprocess.run(["go", "env", "GOCACHE"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           check=True).stdout.strip()
    return {"GOCACHE": cache, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}


def manifest_of(name):
    """A manifest for `mote build`: nothing but where the component is to be."""
    return f'[[serve]]\n[serve.routes]\n"GET /" = "{name}#hello"\n[components.{name}]\nsource = "wasm/{name}.wasm"\n'


def build(home, name, folder="app"):
    """tests/guests/go/NAME, built in a copy."""
    copy = home.path(folder)
    if not os.path.exists(copy):
        shutil.copytree(GUESTS, copy)
    home.write(os.path.join(folder, "mote.toml"), manifest_of(name))
    done = home.run("build", folder, environment=environment(), seconds=600)
    return done, os.path.join(copy, "wasm", name + ".wasm")


def made(workshop, name):
    """The Wasm of tests/guests/go/NAME, built once a session."""
    key = "go-" + name
    if key not in workshop.made:
        done, workshop.made[key] = build(workshop.home, name, "go")
        assert done.status == 0, done
    return workshop.made[key]
