#!/usr/bin/env python3
"""Sends a node failures by the hundred thousand and sees that nothing of them stays behind.

    bench/soak.py [--build FOLDER] [--requests N] [--seconds N] [--results FILE]

Serves examples/zoo and sends, pipelined on kept-alive connections:
    crash   GET /crash and GET /oom in turns, --requests of them (a million)
    mixed   what succeeds and what fails, a twentieth of that
    left    GET /sleep and GET /stream from clients who leave before the answer, a fiftieth
First many processes at once touch the pool's places; then each phase warms up, notes what the node
holds, sends, and compares: resident memory within 5 % + 2 MiB, descriptors no more than before, memory
mappings no more than a few more, no process left. Every answer's status is checked. With --seconds a
phase ends early when its share of the time is up. Closes with `N passed, N failed`; with --results
the counts go to that file as JSON too.
"""

import argparse
import collections
import json
import os
import re
import select
import socket
import struct
import sys
import tempfile
import time

import proc
from servers import Mote, Trouble, head

CONNECTIONS = 16
DEPTH = 16  # Requests under way on each of them.
ANSWER_SECONDS_MAX = 60
SETTLE_SECONDS_MAX = 30
LEAVERS = 64
SLEEPERS = 512  # More than any phase has under way.
# A place whose memory has grown is mapped in one piece more until it is used again.
MAPPINGS_SLACK = 128
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets.
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
STATUS_LINE_BYTES = 13

FAILING = [("/crash", 502), ("/oom", 502)]
MIXED = [("/", 200), ("/users/7", 200), ("/crash", 502), ("/status/418", 418), ("/headers", 200),
         ("/oom", 502), ("/overflow", 502), ("/silent", 502), ("/denied", 403), ("/nothing", 404)]


class Pipeline:
    """One connection with up to DEPTH requests under way."""

    def __init__(self, server, paths):
        self.paths = paths
        self.next = 0
        self.socket = server.connect()
        self.waiting = collections.deque()
        self.tail = b""

    def send(self):
        data = []
        for _ in range(DEPTH):
            path, status = self.paths[self.next % len(self.paths)]
            self.next += 1
            self.waiting.append((path, str(status).encode()))
            data.append(head(path))
        self.socket.sendall(b"".join(data))

    def receive(self):
        """Take what has come: how many answers. Raises Trouble when one is not as it should be."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise Trouble(f"the node hung up with {len(self.waiting)} requests under way")
        text = self.tail + data
        done = 0
        count = 0
        for found in STATUS_LINE.finditer(text):
            if not self.waiting:
                raise Trouble(f"an answer to nothing: {found.group(0)!r}")
            path, wanted = self.waiting.popleft()
            if found.group(1) != wanted:
                raise Trouble(f"GET {path}: {wanted.decode()} wanted, {found.group(1).decode()} came")
            done = found.end()
            count += 1
        # Bodies here are short texts of ours, which do not look like a status line.
        self.tail = text[max(done, len(text) - STATUS_LINE_BYTES):]
        return count


def send_all(server, paths, requests, deadline):
    """Answers to about so many requests, over all connections. Raises Trouble."""
    pipelines = {}
    answered = 0
    sent = 0
    try:
        for _ in range(CONNECTIONS):
            pipeline = Pipeline(server, paths)
            pipelines[pipeline.socket] = pipeline
            pipeline.send()
            sent += DEPTH
        busy = len(pipelines)
        while busy > 0:
            ready, _, _ = select.select(list(pipelines), [], [], ANSWER_SECONDS_MAX)
            if not ready:
                raise Trouble(f"no answer within {ANSWER_SECONDS_MAX} s")
            for sock in ready:
                pipeline = pipelines[sock]
                answered += pipeline.receive()
                if pipeline.waiting:
                    continue
                if sent < requests and time.monotonic() < deadline:
                    pipeline.send()
                    sent += DEPTH
                else:
                    busy -= 1
    finally:
        for sock in pipelines:
            sock.close()
    return answered


def leave_all(server, requests, deadline):
    """Ask for what takes long, and leave: half of them with a reset. One that stays paces them, so that
    no more are under way than places were touched."""
    left = 0
    while left < requests and time.monotonic() < deadline:
        for index in range(LEAVERS):
            sock = server.connect()
            sock.sendall(head("/sleep?ms=20" if index % 2 else "/stream?n=100000&size=4096"))
            if index % 4 < 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
            left += 1
        with server.connect() as sock:
            sock.sendall(head("/sleep?ms=25"))
            if not sock.recv(4096).startswith(b"HTTP/1.1 200 "):
                raise Trouble("GET /sleep did not answer 200")
    return left


def touch_slots(server):
    """Have so many processes at once that no phase needs a place which was never used: memory and
    mappings of a place stay with the pool."""
    sockets = [server.connect() for _ in range(SLEEPERS)]
    try:
        for sock in sockets:
            sock.sendall(head("/sleep?ms=2000"))
        for sock in sockets:
            if not sock.recv(4096).startswith(b"HTTP/1.1 200 "):
                raise Trouble("GET /sleep did not answer 200")
    finally:
        for sock in sockets:
            sock.close()
    # Stacks are handed out in turns, so each of them is used to its end once.
    send_all(server, [("/overflow", 502)], 3 * SLEEPERS, time.monotonic() + ANSWER_SECONDS_MAX)


def held(pid):
    return {"resident KiB": proc.resident_kib(pid), "descriptors": proc.descriptors(pid),
            "mappings": proc.mappings(pid)}


def idle(server):
    """Whether no process is left but those that stay."""
    stats = server.stats()
    return stats is not None and stats["processes"]["now"] == server.residents


def settled(server, limits):
    """What the node holds once it is idle and within the limits, or else when time is up."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        nobody = idle(server)
        select.select([], [], [], 0.1)  # The connection that asked for it goes, too.
        now = held(server.pid)
        if nobody and all(now[what] <= most for what, most in limits.items()):
            return now, nobody
        if time.monotonic() > deadline:
            return now, nobody


def run_phase(server, name, send, requests, seconds):
    """What is wrong, as lines."""
    warm_up = max(requests // 50, min(requests, 2000))
    begin = time.monotonic()
    send(warm_up, begin + seconds / 4)
    before, _ = settled(server, {})
    limits = dict(before)
    limits["resident KiB"] += before["resident KiB"] // 20 + 2048
    limits["mappings"] += MAPPINGS_SLACK
    begin = time.monotonic()
    answered = send(requests, begin + seconds)
    took = time.monotonic() - begin
    after, nobody = settled(server, limits)
    print(f"{name}: {answered:,} requests in {took:.0f} s; " +
          ", ".join(f"{what} {before[what]:,} -> {after[what]:,}" for what in before), flush=True)
    wrong = [f"{name}: {what}: {before[what]:,} before, {after[what]:,} after, at most {limits[what]:,}"
             for what in before if after[what] > limits[what]]
    if not nobody:
        wrong.append(f"{name}: processes are left after {SETTLE_SECONDS_MAX} s")
    return wrong


def soak(server, options):
    """(passed, what is wrong) of all phases."""
    def sender(paths):
        return lambda requests, deadline: send_all(server, paths, requests, deadline)

    phases = [("crash", sender(FAILING), options.requests, 0.75),
              ("mixed", sender(MIXED), options.requests // 20, 0.1),
              ("left", lambda requests, deadline: leave_all(server, requests, deadline),
               options.requests // 50, 0.15)]
    passed, wrong = 0, []
    server.residents = server.stats()["processes"]["now"]  # Services and supervisors.
    touch_slots(server)
    for name, send, requests, share in phases:
        try:
            lines = run_phase(server, name, send, requests, options.seconds * share)
        except (Trouble, OSError) as error:
            lines = [f"{name}: {error}; the node's last lines:\n{server.last_lines()}"]
        passed += not lines
        wrong += lines[:1] if len(lines) == 1 else ["; ".join(lines)] if lines else []
    return passed, wrong


def without_budget(text):
    """The zoo's manifest with time enough for a machine that does other things as well."""
    return text.replace("max-cpu-ms = 500", "max-cpu-ms = 60000")


def run(options):
    mote = os.path.join(os.path.abspath(options.build), "mote")
    with tempfile.TemporaryDirectory(prefix="mote-soak-") as folder:
        server = Mote(mote, "zoo", folder, without_budget)
        try:
            passed, wrong = soak(server, options)
        finally:
            status = server.stop()
        if status == 0:
            passed += 1
        else:
            wrong.append(f"the node ended with status {status} on SIGTERM:\n{server.last_lines()}")
    return passed, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--requests", type=int, default=1000000, help="of the first phase")
    parser.add_argument("--seconds", type=float, default=7200, help="at most, without warming up")
    parser.add_argument("--results", help="file for the counts, as JSON")
    options = parser.parse_args()
    try:
        passed, wrong = run(options)
    except (Trouble, OSError) as error:
        passed, wrong = 0, [str(error)]
    for line in wrong:
        print("FAILED " + line)
    print(f"{passed} passed, {len(wrong)} failed")
    if options.results:
        with open(options.results, "w", encoding="utf-8") as file:
            json.dump({"passed": passed, "failed": len(wrong)}, file)
    return 0 if not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
