"""Guests in Rust: whether they can be built here, and building them."""

import os
import shutil
import subprocess

from program import ROOT

GUESTS = os.path.join(ROOT, "tests", "guests", "rust")


def find():
    """(cargo, rustc) that can build them, as tools/rust-wasi.sh says, which made what is missing before; or None."""
    done = subprocess.run([os.path.join(ROOT, "tools", "rust-wasi.sh"), "--look"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    tools = done.stdout.split("\n")[:2]
    return tools if done.returncode == 0 and all(tools) else None


TOOLS = find()
MISSING = None if TOOLS else "no compiler with the libraries of wasm32-wasip1: rustup target add wasm32-wasip1, or tools/rust-wasi.sh"


def environment():
    """Nothing is downloaded, and what belongs to a build lies in the test's own folder."""
    cargo, rustc = TOOLS
    return {"CARGO": cargo, "RUSTC": rustc, "CARGO_NET_OFFLINE": "true", "CARGO_HOME": None, "CARGO_TARGET_DIR": None, "RUSTFLAGS": None}


def manifest_of(name):
    """A manifest for `mote build`: nothing but where the component is to be."""
    return f'[[serve]]\n[serve.routes]\n"GET /" = "{name}#hello"\n[components.{name}]\nsource = "wasm/{name}.wasm"\n'


def build(home, name, folder="app"):
    """tests/guests/rust/NAME, built in a copy."""
    copy = home.path(folder)
    if not os.path.exists(copy):
        shutil.copytree(GUESTS, copy)
    home.write(os.path.join(folder, "mote.toml"), manifest_of(name))
    done = home.run("build", folder, environment=environment(), seconds=600)
    return done, os.path.join(copy, "wasm", name + ".wasm")


def made(workshop, name):
    """The Wasm of tests/guests/rust/NAME, built once a session."""
    key = "rust-" + name
    if key not in workshop.made:
        done, workshop.made[key] = build(workshop.home, name, "rust")
        assert done.status == 0, done
    return workshop.made[key]
