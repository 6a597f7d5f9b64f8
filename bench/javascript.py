"""A handler in JavaScript, with a sandbox of its own for each request, against Node's server, which has one process for all."""

import contextlib
import os
import shutil
import subprocess

import proc
from rounds import Rounds, alternate
from servers import ROOT, Mote, Trouble, end, without_access_log, wrk
from table import Row


class Node:
    """bench/peers/node."""

    def __init__(self, program):
        script = os.path.join(ROOT, "bench", "peers", "node", "hello.mjs")
        self.process = subprocess.Popen([program, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().strip()
        if not port.isdigit():
            end(self.process)
            raise Trouble("bench/peers/node did not start")
        self.port = int(port)

    def processors_of(self):
        return [self.process.pid]

    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def stop(self):
        self.process.stdin.close()
        return end(self.process)


def load(server, seconds):
    pids = server.processors_of()
    before = sum(proc.cpu_s(pid) for pid in pids)
    seen = wrk(server.url(), seconds)
    used = sum(proc.cpu_s(pid) for pid in pids) - before
    return 1e6 * used / seen.requests, seen.per_second, seen.p99_ms


def bench_javascript(options, folder):
    program = shutil.which("node")
    if program is None:
        return [], ["no Node to compare with, its rows are left out: apt-get install nodejs"]
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    rounds = Rounds(options.attempts)
    with contextlib.ExitStack() as stack:
        mote = Mote(options.mote, "javascript", folder, without_access_log, apps="bench/guests")
        stack.callback(mote.stop)
        node = Node(program)
        stack.callback(node.stop)
        sides = {"mote": mote, "node": node}
        for server in sides.values():
            load(server, 1)
        middle, samples = alternate(rounds, options.rounds, {
            name: (lambda server=server: load(server, options.seconds)) for name, server in sides.items()})
    ours, peer = middle["mote"], middle["node"]
    noise = rounds.noise()
    return [
        Row("GET / hello in JavaScript, fresh sandbox each: server CPU a request, against Node", ours[0], peer[0],
            unit="us", bar=2.0, aim="1.0", detail={"samples": samples}, **noise),
        Row("the same: requests a second (Node has one thread for them)", ours[1], peer[1], unit="/s", **noise),
        Row("the same: p99", ours[2], peer[2], unit="ms", **noise),
    ], [f"javascript: Node {version}, bench/peers/node; wrk as for http"]


PARTS = {"javascript": bench_javascript}
