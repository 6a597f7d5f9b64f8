#!/usr/bin/env python3
"""Measures mote against the bare engine, nginx, Go, Erlang and its own bars, and prints a table.

    bench/run.py [--build FOLDER] [--only spawn,stream,actors,component,dynamic,http,spin,memory,websocket,events,tls,http2,static,go,javascript] [--seconds N] [--rounds N] [--noisy]

Sides take turns, round by round, and a row compares medians; CPU time is what processes used, not
what passed. A round in which programs outside of this run used more than 15 % of a processor is
repeated, up to five times; what stays disturbed is marked noisy, and says nothing (--noisy: do not
repeat). Results also go to bench/results/. docs/benchmarks.md explains every row.
Exit status 0: no bar was missed in a quiet row.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import javascript
import languages
import parked
import proc
import table
import web
from rounds import Rounds, alternate, medians
from servers import ROOT, Mote, Nginx, Spinners, Trouble, end, find_nginx, without_access_log, wrk
from table import Row

ATTEMPTS_MAX = 5
SPAWNS = 200000
CHUNKS = 500000
CHUNK_BYTES = 4096
ROUND_TRIPS = 200000
ROUND_TRIPS_ACROSS = 50000
MONITORED = 100000
RESTARTS = 50000
RESTARTS_BY_TRAP = 10000
RESTARTS_LONG = 100000
SUBSCRIBERS = 10000
PUBLICATIONS = 100
PARKED = 5000
PARKED_WARM = 10
SPINNERS = 8
SENDS = 500000
# Of mote, of Erlang/OTP 25 and of later ones.
WORKER_THREAD = re.compile(r"mote-(\d+)$|(\d+)_scheduler$|erts_sched_(\d+)$")


def say(text):
    print(text, flush=True)


# ---- spawning ----

class Driver:
    """One of the C programs of this folder, asked for one round at a time."""

    def __init__(self, build, name, *arguments):
        path = os.path.join(build, "bench", name)
        if not os.access(path, os.X_OK):
            raise Trouble(f"{path} is not there: meson configure {build} -Dbench=true && ninja -C {build}")
        self.start(name, [path, *arguments])

    def start(self, name, command, folder=None):
        self.name = name
        # A developer's wish for backtraces makes the engine take one at each guest's exit.
        environment = {key: value for key, value in os.environ.items() if key != "RUST_BACKTRACE"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment, cwd=folder)

    def ask(self, side):
        """The three numbers of a round."""
        self.process.stdin.write(side + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        if len(line) != 3:
            raise Trouble(f"{self.name} gave up in a round of '{side}'")
        return [int(number) for number in line]

    def round(self, side):
        """CPU microseconds a piece of work."""
        return self.both(side)[0]

    def both(self, side):
        """CPU and wall microseconds a piece of work."""
        cpu_ns, wall_ns, count = self.ask(side)
        return cpu_ns / count / 1000, wall_ns / count / 1000

    def pin(self, workers):
        """Give each of its workers, or schedulers, a processor of its own."""
        found = {}
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "comm"), encoding="utf-8") as file:
                named = WORKER_THREAD.match(file.read())
            if named:
                found[int(next(number for number in named.groups() if number))] = int(task)
        processors = sorted(os.sched_getaffinity(0))
        if len(found) != workers or len(processors) < workers:
            raise Trouble(f"{self.name} has {len(found)} threads to bind to {len(processors)} processors")
        for (_, task), processor in zip(sorted(found.items()), processors):
            os.sched_setaffinity(task, {processor})

    def stop(self):
        self.process.stdin.close()
        end(self.process)

    def rounds(self, sides, options):
        """({side: samples}, noise) of so many rounds of each, in turns."""
        samples = {side: [] for side in sides}
        rounds = Rounds(options.attempts)
        try:
            for side in sides:
                self.round(side)  # Warm.
            for number in range(options.rounds):
                # Every second round the other way about, so that a drift favours nobody.
                for side in sides if number % 2 == 0 else reversed(sides):
                    samples[side].append(rounds.take(lambda side=side: self.round(side)))
        finally:
            self.stop()
        return samples, rounds.noise()


def bench_spawn(options, _folder):
    driver = Driver(options.build, "bench-spawn", str(SPAWNS))
    samples, noise = driver.rounds(["bare 1", "mote 1", "model 1", "again 1", "bare 2", "mote 2", "again 2"], options)
    us = medians(samples)
    detail = {"samples": samples}
    return [
        Row("spawn + run + exit, CPU, against the bare engine, 1 worker", us["mote 1"], us["bare 1"],
            unit="us", bar=1.25, detail=detail, **noise),
        Row("the same with instances used again, as they are served", us["again 1"], us["bare 1"], unit="us", **noise),
        Row("the same of a component of the component model, against the module", us["model 1"], us["mote 1"],
            unit="us", bar=1.6, **noise),
        Row("the module, 2 workers against 2 threads", us["mote 2"], us["bare 2"], unit="us", **noise),
        Row("spawn + run + exit, CPU, 2 workers against 1", us["mote 2"], us["mote 1"], unit="us",
            bar=1.1, **noise),
        Row("the same with instances used again", us["again 2"], us["again 1"], unit="us", **noise),
        Row("the same, bare engine, 2 threads against 1", us["bare 2"], us["bare 1"], unit="us", **noise),
    ], [f"spawn: {options.rounds} rounds of {SPAWNS} a side"]


# ---- byte streams ----

def bench_stream(options, _folder):
    wasm = os.path.join(options.build, "bench", "stream.wasm")
    driver = Driver(options.build, "bench-stream", wasm, str(CHUNKS))
    samples, noise = driver.rounds(["copy 1", "hot 1", "mote 1", "mote 2"], options)
    speed = {side: CHUNK_BYTES / us / 1000 for side, us in medians(samples).items()}
    return [
        Row("byte stream between two guests, 4 KiB chunks, by CPU, against copying", speed["mote 1"],
            speed["copy 1"], unit="GB/s", bar=0.3, at_least=True, detail={"samples": samples}, **noise),
        Row("the same, against copying one chunk again and again", speed["mote 1"], speed["hot 1"],
            unit="GB/s", **noise),
        Row("the same, 2 workers against 1", speed["mote 2"], speed["mote 1"], unit="GB/s", **noise),
    ], [f"stream: {options.rounds} rounds of {CHUNKS} chunks a side"]


# ---- components ----

COMPONENT_WIT = """package mote:bench;
world bench {
    include mote:runtime/imports@0.1.0;
    export nothing: func();
    export send: func();
    export refused: func();
    export toss: func();
    export self: func();
}
"""


def made(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"{os.path.basename(words[0])}: {done.stderr.strip()}")
    return done.stdout.strip()


def bench_component(options, folder):
    module, core, component = (os.path.join(folder, name) for name in ("module.wasm", "core.wasm", "component.wasm"))
    wit = os.path.join(folder, "wit")
    os.makedirs(os.path.join(wit, "deps", "mote"))
    shutil.copy(os.path.join(ROOT, "sdk", "wit", "mote-runtime.wit"), os.path.join(wit, "deps", "mote"))
    with open(os.path.join(wit, "bench.wit"), "w", encoding="utf-8") as file:
        file.write(COMPONENT_WIT)
    made("wat2wasm", os.path.join(ROOT, "bench", "component-module.wat"), "-o", module)
    made("wat2wasm", os.path.join(ROOT, "bench", "component.wat"), "-o", core)
    made(made(os.path.join(ROOT, "tools", "componentize.sh")), "component", wit, "bench", core, component)
    rounds = {"send": SENDS, "refused": SENDS, "toss": SENDS, "self": SENDS, "spawn": SPAWNS}
    sides = [f"{side} {what} {count}" for what, count in rounds.items() for side in ("component", "module")]
    samples, noise = Driver(options.build, "bench-component", module, component).rounds(sides, options)
    us = medians(samples)
    bars = {"send": ("send of 1 KiB from a component, CPU, against a core module's", 1.5),
            "refused": ("the call alone: 1 KiB to a function that refuses it", None),
            "toss": ("send of 1 KiB to nobody", None),
            "self": ("the same, to oneself and received", None),
            "spawn": ("spawn + run + exit of a component, CPU, against a core module", 1.6)}
    return [Row(text, us[f"component {what} {rounds[what]}"], us[f"module {what} {rounds[what]}"], unit="us", bar=bar,
                detail={"samples": samples}, **noise) for what, (text, bar) in bars.items()], [
                    f"component: {options.rounds} rounds of {SENDS} sends and {SPAWNS} spawns a side"]


# ---- code that guests bring ----

def bench_dynamic(options, _folder):
    driver = Driver(options.build, "bench-dynamic", os.path.join(options.build, "bench", "dynamic.wasm"),
                    os.path.join(options.build, "mote"))
    sides = {what: f"{what} {SPAWNS}" for what in ("registered", "named", "inline")}
    samples, noise = driver.rounds(list(sides.values()), options)
    us = medians(samples)
    texts = {"named": ("spawn_from() of loaded code by its digest + run + exit + down, CPU, against spawn()", 1.3),
             "inline": ("the same, with the code in the call", None)}
    return [Row(text, us[sides[what]], us[sides["registered"]], unit="us", bar=bar, detail={"samples": samples}, **noise)
            for what, (text, bar) in texts.items()], [f"dynamic: {options.rounds} rounds of {SPAWNS} spawns a side"]


# ---- actors ----

class Beam(Driver):
    """actors.erl on so many schedulers. They do not spin when idle: in CPU time that is Erlang's best."""

    def __init__(self, folder, schedulers):
        self.start("erl", ["erl", "-noshell", "+S", f"{schedulers}:{schedulers}", "+sbwt", "none", "+sbwtdcpu",
                           "none", "+sbwtdio", "none", "-pa", folder, "-s", "actors", "main"], folder)

    @staticmethod
    def compile(folder):
        if shutil.which("erl") is None or shutil.which("erlc") is None:
            raise Trouble("no Erlang to compare with: apt-get install erlang-base")
        subprocess.run(["erlc", "-o", folder, os.path.join(ROOT, "bench", "actors.erl")], check=True)

    def both(self, side):
        before = proc.cpu_clock_s(self.process.pid)
        _, wall_ns, count = self.ask(side)
        return 1e6 * (proc.cpu_clock_s(self.process.pid) - before) / count, wall_ns / count / 1000


class Pair:
    """mote's actors and Erlang's, on as many workers as schedulers."""

    def __init__(self, options, folder, workers, stack):
        wasm = os.path.join(options.build, "bench", "actors.wasm")
        self.options = options
        self.workers = workers
        self.mote = stack.enter_context(driving(Driver(options.build, "bench-actors", wasm, str(workers), "64")))
        self.beam = stack.enter_context(driving(Beam(folder, workers)))

    def rows(self, what, side, bar, *, beam_side=None, with_wall=False):
        """Rows of CPU time; their ratio is that of what is done in it."""
        sides = {"mote": lambda: self.mote.both(side), "beam": lambda: self.beam.both(beam_side or side)}
        for warm in sides.values():
            warm()
        if self.workers > 1:
            # Else the kernel has both threads of a side on one processor at times, which is several times cheaper.
            self.mote.pin(self.workers)
            self.beam.pin(self.workers)
        rounds = Rounds(self.options.attempts)
        middle, samples = alternate(rounds, self.options.rounds, sides)
        noise = rounds.noise()
        ours, peer = middle["mote"], middle["beam"]
        rows = [Row(what, ours[0], peer[0], unit="us", ratio=peer[0] / ours[0], bar=bar, at_least=True,
                    detail={"samples": samples}, **noise)]
        if with_wall:
            rows.append(Row("the same, wall clock", ours[1], peer[1], unit="us", ratio=peer[1] / ours[1], **noise))
        return rows


@contextlib.contextmanager
def driving(driver):
    try:
        yield driver
    finally:
        driver.stop()


def late_restarts(driver, options):
    """CPU of the last tenth of many restarts by one supervisor, against the first."""
    rounds = Rounds(options.attempts)
    samples = [rounds.take(lambda: driver.ask(f"tenths {RESTARTS_LONG}")) for _ in range(options.rounds)]
    early, late = (statistics.median(sample[i] / sample[2] / 1000 for sample in samples) for i in (0, 1))
    return Row(f"restarts, CPU: the last tenth of {RESTARTS_LONG:,}, against the first", late, early, unit="us",
               bar=1.1, detail={"samples": samples}, **rounds.noise())


def fan_out(options):
    driver = Driver(options.build, "bench-fanout", str(SUBSCRIBERS))
    publish, send = f"publish {PUBLICATIONS}", f"send {PUBLICATIONS}"
    samples, noise = driver.rounds([publish, send], options)
    ns = {side: 1000 * us for side, us in medians(samples).items()}
    return Row(f"a publication to {SUBSCRIBERS:,}, CPU each, against one push and wake", ns[publish], ns[send],
               unit="ns", bar=2, detail={"samples": samples}, **noise)


def parked_actors(options):
    """Resident memory of guests that wait, each with a link and a monitor."""
    wasm = os.path.join(options.build, "bench", "actors.wasm")
    with proc.Others() as others:
        driver = Driver(options.build, "bench-actors", wasm, "1", str(PARKED + PARKED_WARM))
        with driving(driver):
            held = []
            for count in (PARKED_WARM, PARKED):
                driver.ask(f"park {count}")
                pid = driver.process.pid
                held.append((proc.resident_kib(pid), proc.guests_kib(pid, "/memfd:wasm"), proc.page_tables_kib(pid)))
    resident, guests, tables = ((after - before) / PARKED for before, after in zip(*held))
    noise = {"others": others.share}
    return [
        Row(f"resident memory of a parked process with link and monitor, {PARKED:,} of them: engine and core",
            resident - guests, 13.0, unit="KiB", bar=1.0, detail={"guests_kib": guests}, **noise),
        Row("the same with the guest's own memory", resident, unit="KiB", **noise),
        Row("page tables of the kernel, not in it", tables, unit="KiB", **noise),
    ]


def bench_actors(options, folder):
    rows = []
    Beam.compile(folder)
    with contextlib.ExitStack() as stack:
        one, two = (Pair(options, folder, workers, stack) for workers in (1, 2))
        rows += one.rows("round trip between two guests, CPU, against Erlang", f"pong {ROUND_TRIPS}", 0.5)
        rows += two.rows("the same across two workers, against two schedulers", f"across {ROUND_TRIPS_ACROSS}",
                         1.0, with_wall=True)
        rows += one.rows("spawn + monitor + exit + down, CPU, against Erlang", f"spawn {MONITORED}", 0.2)
        rows += one.rows("supervised one exits -> restarted, answers, CPU, against OTP", f"restart {RESTARTS}", 1.0)
        rows += one.rows("the same against a gen_server", f"restart {RESTARTS}", None, beam_side=f"server {RESTARTS}")
        rows += one.rows("supervised one traps, a line is logged, against an error in OTP, not logged",
                         f"trap {RESTARTS_BY_TRAP}", None)
        rows.append(late_restarts(one.mote, options))
    rows.append(fan_out(options))
    rows += parked_actors(options)
    return rows, [f"actors: {options.rounds} rounds a side, messages of 8 bytes; Erlang/OTP {otp_release()}"]


def otp_release():
    said = subprocess.run(["erl", "-noshell", "-eval", "io:put_chars(erlang:system_info(otp_release)), halt(0)."],
                          stdout=subprocess.PIPE, text=True, check=True)
    return said.stdout


# ---- HTTP ----

def load(server, seconds):
    """One run of wrk: (CPU us a request, requests/s, p99 ms)."""
    pids = server.processors_of()
    before = sum(proc.cpu_s(pid) for pid in pids)
    seen = wrk(server.url(), seconds)
    used = sum(proc.cpu_s(pid) for pid in pids) - before
    return 1e6 * used / seen.requests, seen.per_second, seen.p99_ms


def by_wasi_http(text):
    """The same with a component of wasi:http in place of the module."""
    component = os.path.join(ROOT, "tests", "guests", "components", "hello.wasm")
    return without_access_log(re.sub(r'(?m)^(source *= *).*$', rf'\1"{component}"', text).replace(
        '"hello#hello"', '"hello"'))


def bench_http(options, folder):
    nginx_program = find_nginx()
    mote = Mote(options.mote, "hello", folder, without_access_log)
    nginx = stock = None
    rounds = Rounds(options.attempts)
    try:
        nginx = Nginx(nginx_program, folder)
        stock = Mote(options.mote, "hello", os.path.join(folder, "stock"), by_wasi_http)
        for server in (mote, nginx, stock):
            load(server, 1)
        middle, samples = alternate(rounds, options.rounds, {
            "mote": lambda: load(mote, options.seconds), "nginx": lambda: load(nginx, options.seconds),
            "stock": lambda: load(stock, options.seconds)})
    finally:
        mote.stop()
        if stock is not None:
            stock.stop()
        if nginx is not None:
            nginx.stop()
    noise = rounds.noise()
    ours, peer = middle["mote"], middle["nginx"]
    return [
        Row("GET / hello, fresh instance each: server CPU a request, against nginx", ours[0], peer[0],
            unit="us", bar=1.5, aim="1.25, 1.0", detail={"samples": samples}, **noise),
        Row("the same: requests a second", ours[1], peer[1], unit="/s", **noise),
        Row("the same: p99", ours[2], peer[2], unit="ms", **noise),
        Row("hello of a wasi:http component, fresh instance each: server CPU a request, against the module",
            middle["stock"][0], ours[0], unit="us", **noise),
        Row("the same: requests a second", middle["stock"][1], ours[1], unit="/s", **noise),
    ], [f"http: wrk, 2 threads, 64 keep-alive connections, {options.rounds} rounds of {options.seconds} s a side"]


def bench_spin(options, folder):
    server = Mote(options.mote, "zoo", folder, without_access_log)
    rounds = Rounds(options.attempts)
    answers = []

    def beside_spinners():
        with Spinners(server, SPINNERS) as spinners:
            seen = load(server, options.seconds)
            answers.append(spinners.answers)
        return seen

    try:
        load(server, 1)
        middle, samples = alternate(rounds, max(3, options.rounds // 2), {
            "alone": lambda: load(server, options.seconds), "beside": beside_spinners})
    finally:
        server.stop()
    noise = rounds.noise()
    wrong = {status for seen in answers for status in seen if status != "504"}
    if wrong:
        raise Trouble(f"GET /spin was answered with {sorted(wrong)} instead of 504")
    ours, peer = middle["beside"], middle["alone"]
    return [
        Row(f"GET / with {SPINNERS} x GET /spin beside it: requests a second, against none", ours[1],
            peer[1], unit="/s", bar=0.5, at_least=True, detail={"samples": samples}, **noise),
        Row("the same: p99", ours[2], peer[2], unit="ms", bar=10, **noise),
    ], [f"spin: {sum(sum(seen.values()) for seen in answers)} requests of GET /spin ended by their CPU budget"]


# ---- memory ----

def bench_memory(options, folder):
    with proc.Others() as others:
        seen = parked.measure(options.mote, folder)
    platform = seen["resident_kib"] - seen["guests_kib"]
    row = Row(f"resident memory of a parked process, {seen['processes']:,} of them: engine and core", platform,
              13.0, unit="KiB", bar=1.0, detail=seen, others=others.share)
    whole = Row("the same with the guest's own memory", seen["resident_kib"], unit="KiB", others=others.share)
    private = Row("all of it: proportional share (PSS)", seen["proportional_kib"], unit="KiB",
                  others=others.share)
    tables = Row("page tables of the kernel, not in it", seen["page_tables_kib"], unit="KiB",
                 others=others.share)
    return [row, whole, private, tables], [
        f"memory: {seen['processes']:,} processes, not more because of {seen['limited_by']}; the whole server "
        f"{seen['server_idle_kib'] / 1024:.0f} MiB with as many idle connections, "
        f"{seen['server_full_kib'] / 1024:.0f} MiB with all asleep, "
        f"{seen['server_after_kib'] / 1024:.0f} MiB after they left"]


PARTS = {"spawn": bench_spawn, "stream": bench_stream, "actors": bench_actors, "component": bench_component, "dynamic": bench_dynamic, "http": bench_http,
         "spin": bench_spin, "memory": bench_memory, **web.PARTS, **javascript.PARTS, **languages.PARTS}


def run(options):
    rows, notes = [], []
    trouble = []
    for name in options.only:
        say(f"{name} ...")
        with tempfile.TemporaryDirectory(prefix="mote-bench-") as folder:
            try:
                more, said = PARTS[name](options, folder)
            except (Trouble, OSError) as error:
                trouble.append(f"{name}: {error}")
                say(f"{name} could not be measured: {error}")
                continue
        rows += more
        notes += said
        say(table.aligned(more) + "\n")
    facts = proc.machine()
    say(table.aligned(rows))
    for line in [f"{key}: {value}" for key, value in facts.items()] + notes:
        say(line)
    path = table.write(os.path.join(ROOT, "bench", "results"), time.strftime("%Y%m%d-%H%M%S"), rows,
                       facts, notes + trouble)
    say(f"written to {os.path.relpath(path, ROOT)}")
    if any(row.noisy for row in rows):
        say("noisy: other programs used the machine meanwhile; take no figure from such a row")
    missed = [row for row in rows if row.passed is False and not row.noisy]
    return 1 if missed or trouble else 0


def in_own_session(work):
    """Run `work` in a process session of its own: the kernel shares processors out between sessions,
    and our own is what we do not count as others."""
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            status = work()
        except KeyboardInterrupt:
            status = 130
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGINT))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--seconds", type=int, default=5, help="of one HTTP round")
    parser.add_argument("--rounds", type=int, default=7, help="of each side")
    parser.add_argument("--noisy", action="store_true", help="do not repeat disturbed rounds")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = [name for name in options.only if name not in PARTS]
    if unknown:
        parser.error(f"no part '{unknown[0]}': {', '.join(PARTS)}")
    options.build = os.path.abspath(options.build)
    options.mote = next((path for path in (os.path.join(options.build, "mote"),
                                           os.path.join(options.build, "src", "cli", "mote"))
                         if os.access(path, os.X_OK)), os.path.join(options.build, "mote"))
    options.attempts = 1 if options.noisy else ATTEMPTS_MAX

    def work():
        try:
            return run(options)
        except Trouble as error:
            say(f"bench: {error}")
            return 1

    return in_own_session(work)


if __name__ == "__main__":
    sys.exit(main())
