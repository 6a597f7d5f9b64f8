"""The parts of `make bench` that are about guests in other languages: the same handler in Go, a fresh instance for each request, against
net/http natively (bench/peers/hello); in C and Rust against the smallest module that answers, written by hand (bench/guests/small)."""

import contextlib
import os
import shutil
import subprocess

import proc
from rounds import Rounds, alternate
from servers import ROOT, Mote, Trouble, end, wrk
from table import Row
from web import find_go, stopping


class Native:
    """bench/peers/hello."""

    def __init__(self, go, folder):
        program = os.path.join(folder, "peer-hello")
        done = subprocess.run([go, "build", "-o", program, "."], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              cwd=os.path.join(ROOT, "bench", "peers", "hello"), check=False)
        if done.returncode != 0:
            raise Trouble(f"bench/peers/hello: {done.stderr}")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()
        if not self.port:
            end(self.process)
            raise Trouble("bench/peers/hello did not start")

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def processors_of(self):
        return [self.process.pid]

    def stop(self):
        self.process.stdin.close()
        return end(self.process)


def load(server, path, seconds):
    """One run of wrk: (CPU us a request, requests/s)."""
    pids = server.processors_of()
    before = sum(proc.cpu_s(pid) for pid in pids)
    seen = wrk(server.url(path), seconds)
    used = sum(proc.cpu_s(pid) for pid in pids) - before
    return 1e6 * used / seen.requests, seen.per_second


def bench_go(options, folder):
    go = find_go()
    if go is None:
        return [], ["no Go 1.24 or newer: the rows for guests in Go are left out"]
    # The compiler's own cache, which the program's would take the place of.
    said = subprocess.run([go, "env", "GOCACHE", "GOVERSION"], capture_output=True, text=True, check=True).stdout.split()
    os.environ["GOCACHE"] = said[0]
    rounds = Rounds(options.attempts)
    with contextlib.ExitStack() as stack:
        mote = stack.enter_context(stopping(Mote(options.mote, "go", folder, apps="bench/guests")))
        native = stack.enter_context(stopping(Native(go, folder)))
        sides = {"light": (mote, "/"), "http": (mote, "/http"), "native": (native, "/")}
        for server, path in sides.values():
            load(server, path, 1)
        middle, samples = alternate(rounds, options.rounds, {
            name: (lambda side=side: load(*side, options.seconds)) for name, side in sides.items()})
    noise = rounds.noise()
    native = middle["native"]
    return [
        Row("hello in Go, fresh instance each: server CPU a request, against net/http natively", middle["light"][0], native[0],
            unit="us", detail={"samples": samples}, **noise),
        Row("the same: requests a second", middle["light"][1], native[1], unit="/s", **noise),
        Row("the same by net/http in the guest: server CPU a request", middle["http"][0], native[0], unit="us", **noise),
        Row("the same: requests a second", middle["http"][1], native[1], unit="/s", **noise),
    ], [f"go: {said[1]}, wrk as above, {options.rounds} rounds of {options.seconds} s a side; the native one is one process for all"]


def rust_tools():
    """{"CARGO": ..., "RUSTC": ...} that build guests, or None."""
    said = subprocess.run([os.path.join(ROOT, "tools", "rust-wasi.sh")], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return dict(zip(("CARGO", "RUSTC"), said.stdout.split("\n"))) if said.returncode == 0 else None


def bench_small(options, folder):
    tools = rust_tools()
    if tools is None:
        return [], ["no Rust with wasm32-wasip1: the rows for guests in C and Rust are left out"]
    os.environ.update(tools)
    app = os.path.join(folder, "apps", "small")
    shutil.copytree(os.path.join(ROOT, "bench", "guests", "small"), app)
    os.mkdir(os.path.join(app, "wasm"))
    subprocess.run(["wat2wasm", "hand.wat", "-o", "wasm/hand.wasm"], cwd=app, check=True)
    rounds = Rounds(options.attempts)
    names = ("hand", "c", "rust")
    with stopping(Mote(options.mote, "small", folder, apps=os.path.dirname(app))) as mote:
        for name in names:
            load(mote, "/" + name, 1)
        middle, samples = alternate(rounds, options.rounds, {
            name: (lambda name=name: load(mote, "/" + name, options.seconds)) for name in names})
        sizes = ", ".join(f"{name} {os.path.getsize(os.path.join(mote.folder, 'wasm', name + '.wasm'))}" for name in names)
    noise = rounds.noise()
    rows = []
    for name, shown in (("c", "C"), ("rust", "Rust")):
        rows += [
            Row(f"hello in {shown}, fresh instance each: server CPU a request, against a module by hand", middle[name][0], middle["hand"][0],
                unit="us", bar=1.3, detail={"samples": samples}, **noise),
            Row("the same: requests a second", middle[name][1], middle["hand"][1], unit="/s", **noise)]
    return rows, [f"small: one node, {options.rounds} rounds of {options.seconds} s a side; bytes of the files: {sizes}"]


PARTS = {"go": bench_go, "small": bench_small}
