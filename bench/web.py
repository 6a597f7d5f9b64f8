"""What browsers and proxies ask for beside plain HTTP: WebSockets and events against a Go program
(bench/peers/web), TLS, HTTP/2 and files against nginx."""

import contextlib
import os
import re
import shutil
import subprocess

import parked
import proc
from rounds import Rounds, alternate
from servers import (NGINX_HELLO, ROOT, Mote, Nginx, Trouble, end, find_nginx, raise_descriptors,
                     without_access_log, wrk)
from table import Row

CLIENTS = 64
IDLE_SOCKETS = 4000
IDLE_WARM = 100
UPGRADE = (b"GET /echo HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
TEXT_OF_A_CLIENT = b"\x81\x82\x37\xfa\x21\x3d" + bytes([ord("h") ^ 0x37, ord("i") ^ 0xfa])
STREAMS = 10
FILES = {"64 KiB": (64 << 10, 64), "10 MiB": (10 << 20, 8)}  # bytes, connections


def cpu_s(server):
    return sum(proc.cpu_clock_s(pid) for pid in server.processors_of())


def rows_of(options, sides):
    """Each side once to be warm, then in turns: (medians, samples, noise)."""
    for side in sides.values():
        side()
    rounds = Rounds(options.attempts)
    middle, samples = alternate(rounds, options.rounds, sides)
    return middle, samples, rounds.noise()


@contextlib.contextmanager
def stopping(server):
    try:
        yield server
    finally:
        server.stop()


# ---- the peer in Go ----

def find_go():
    for candidate in (os.environ.get("GO", "go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        found = shutil.which(candidate)
        if found:
            return found
    return None


class Go:
    """bench/peers/web, built with what its go.sum names."""

    @staticmethod
    def build(go, folder):
        program = os.path.join(folder, "peer-web")
        done = subprocess.run([go, "build", "-mod=readonly", "-o", program, "."], stdin=subprocess.DEVNULL,
                              cwd=os.path.join(ROOT, "bench", "peers", "web"), capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise Trouble(f"bench/peers/web: {done.stderr}")
        return program

    def __init__(self, go, folder):
        self.process = subprocess.Popen([self.build(go, folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        ports = self.process.stdout.readline().split()
        if len(ports) != 2:
            end(self.process)
            raise Trouble("bench/peers/web did not start")
        self.sockets, self.events = (int(port) for port in ports)

    def processors_of(self):
        return [self.process.pid]

    def stop(self):
        self.process.stdin.close()
        return end(self.process)


@contextlib.contextmanager
def both_sides(options, folder):
    """(mote with bench/guests/web, the same in Go or None, what is to say of it)."""
    with contextlib.ExitStack() as stack:
        mote = stack.enter_context(stopping(Mote(options.mote, "web", folder, apps="bench/guests")))
        go = find_go()
        if go is None:
            yield mote, None, ["no Go to compare with, its rows are left out: apt-get install golang, or set GO"]
            return
        version = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
        peer = stack.enter_context(stopping(Go(go, folder)))
        yield mote, peer, [f"{version}, bench/peers/web with two processors"]


def crowd(options, server, mode, port, path):
    """One run of bench-crowd: (CPU us of the server each, a second, CPU us of the clients each)."""
    before = cpu_s(server)
    done = subprocess.run([os.path.join(options.build, "bench", "bench-crowd"), mode, str(port), path, str(CLIENTS),
                           str(1000 * options.seconds)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    used = cpu_s(server) - before
    if done.returncode != 0:
        raise Trouble(f"bench-crowd {mode} {path}: {done.stderr}")
    count, wall_ns, own_ns = (int(number) for number in done.stdout.split())
    if count == 0:
        raise Trouble(f"bench-crowd {mode} {path}: nothing came")
    return 1e6 * used / count, 1e9 * count / wall_ns, own_ns / count / 1000


def compare(options, sides):
    """`sides`: {name: (server, mode, port, path)}."""
    return rows_of(options, {name: (lambda side=side: crowd(options, *side)) for name, side in sides.items()})


# ---- WebSockets ----

def idle_sockets(options, folder):
    """Resident memory of WebSockets whose guest has answered once and waits, each with its connection."""
    server = Mote(options.mote, "web", os.path.join(folder, "idle"), apps="bench/guests")
    sockets = []
    held = []
    with stopping(server), contextlib.ExitStack() as stack:
        raise_descriptors()
        room, _ = parked.how_many(server)
        residents = server.stats()["processes"]["now"]
        count = min(IDLE_SOCKETS, room - IDLE_WARM - residents)
        for more in (IDLE_WARM, count):
            for _ in range(more):
                sockets.append(stack.enter_context(server.connect()))
                open_socket(server, sockets[-1])
            parked.wait_for_processes(server, residents + len(sockets), "idle WebSockets")
            held.append(parked.settled(server))
    warm, full = held
    return count, (full.resident - warm.resident) / count, (full.guests - warm.guests) / count


def open_socket(server, sock):
    sock.sendall(UPGRADE)
    head = b""
    while b"\r\n\r\n" not in head:
        head += receive(server, sock)
    sock.sendall(TEXT_OF_A_CLIENT)
    echo = head.partition(b"\r\n\r\n")[2]
    while len(echo) < 4:
        echo += receive(server, sock)
    if not head.startswith(b"HTTP/1.1 101 ") or echo != b"\x81\x02hi":
        raise Trouble(f"no echo: {head!r} {echo!r}")


def receive(server, sock):
    data = sock.recv(4096)
    if not data:
        raise Trouble(f"a WebSocket was closed\n{server.last_lines()}")
    return data


def socket_rows(options, mote, go):
    rows = []
    middle, samples, noise = compare(options, {"mote": (mote, "echo", mote.port, "/echo"),
                                               "go": (go, "echo", go.sockets, "/"),
                                               "helped": (go, "echo", go.sockets, "/helped")})
    ours, peer, helped = middle["mote"], middle["go"], middle["helped"]
    rows += [
        Row(f"WebSocket echo, {CLIENTS} clients: server CPU a message, against gobwas/ws", ours[0], peer[0],
            unit="us", bar=0.7, detail={"samples": samples}, **noise),
        Row("the same against the loop of gobwas/ws's documentation", ours[0], helped[0], unit="us", **noise),
        Row("the same: messages a second, against the first", ours[1], peer[1], unit="/s", **noise),
    ]
    middle, samples, noise = compare(options, {"mote": (mote, "visit", mote.port, "/echo"),
                                               "go": (go, "visit", go.sockets, "/")})
    ours, peer = middle["mote"], middle["go"]
    rows += [
        Row("WebSockets opened, echoed, closed, by CPU, a sandbox each, against gobwas/ws", 1e6 / ours[0],
            1e6 / peer[0], unit="/s", bar=0.8, at_least=True, detail={"samples": samples}, **noise),
        Row("the same, wall clock", ours[1], peer[1], unit="/s", **noise),
    ]
    return rows


def bench_websocket(options, folder):
    rows = []
    with both_sides(options, folder) as (mote, go, said):
        if go is not None:
            rows += socket_rows(options, mote, go)
    os.mkdir(os.path.join(folder, "idle"))
    with proc.Others() as others:
        count, whole, guests = idle_sockets(options, os.path.join(folder, "idle"))
    rows.append(Row(f"resident memory of an idle WebSocket with its own instance, {count:,} of them", whole, 24.0,
                    unit="KiB", bar=1.0, detail={"guests_kib": guests}, others=others.share))
    return rows, said + [f"websocket: bench-crowd, {options.rounds} rounds of {options.seconds} s a side"]


# ---- events ----

def bench_events(options, folder):
    with both_sides(options, folder) as (mote, go, said):
        if go is None:
            return [], said
        middle, samples, noise = compare(options, {
            "mote": (mote, "events", mote.port, "/row"), "mote paced": (mote, "events", mote.port, "/paced"),
            "mote buffered": (mote, "events", mote.port, "/buffered"),
            "go": (go, "events", go.events, "/flushed"), "go paced": (go, "events", go.events, "/paced"),
            "go printed": (go, "events", go.events, "/printed"),
            "go buffered": (go, "events", go.events, "/buffered")})
    speed = {name: 1e6 / figures[0] for name, figures in middle.items()}
    return [
        Row(f"events to {CLIENTS} clients, by CPU, against Go that flushes each", speed["mote"], speed["go"],
            unit="/s", bar=1.0, at_least=True, detail={"samples": samples}, **noise),
        Row("the same, one each millisecond", speed["mote paced"], speed["go paced"], unit="/s", **noise),
        Row("1,000 events in a row, through a buffer, by CPU, against Go through one", speed["mote buffered"],
            speed["go printed"], unit="/s", bar=2.0, at_least=True, **noise),
        Row("the same against Go that appends bytes by hand", speed["mote buffered"], speed["go buffered"], unit="/s",
            **noise),
        Row("1,000 sent one by one, against the same", speed["mote"], speed["go buffered"], unit="/s", **noise),
    ], said + [f"events: bench-crowd, {options.rounds} rounds of {options.seconds} s a side"]


# ---- against nginx ----

def certificate(folder):
    """Paths of one for 127.0.0.1, and of its key."""
    paths = os.path.join(folder, "bench.pem"), os.path.join(folder, "bench.key")
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "30", "-subj", "/CN=127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"openssl: {done.stderr}")
    return paths


def with_tls(paths):
    return lambda text: without_access_log(text) + f'\n[serve.tls]\ncertificate = "{paths[0]}"\nkey = "{paths[1]}"\n'


def by_wrk(options, server, path="/", connections=CLIENTS):
    before = cpu_s(server)
    seen = wrk(server.url(path), options.seconds, connections)
    return 1e6 * (cpu_s(server) - before) / seen.requests, seen.per_second


def by_h2load(options, server, streams):
    before = cpu_s(server)
    done = subprocess.run(["h2load", "-t2", f"-c{CLIENTS}", f"-m{streams}", f"-D{options.seconds}", server.url()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    used = cpu_s(server) - before
    found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", done.stdout)
    speed = re.search(r"([\d.]+) req/s", done.stdout)
    if done.returncode != 0 or not found or not speed or int(found.group(3)) != 0 or found.group(2) == "0":
        raise Trouble(f"h2load: {done.stdout}{done.stderr}")
    return 1e6 * used / int(found.group(2)), float(speed.group(1))


def hello_rows(options, mote, nginx, what, take):
    middle, samples, noise = rows_of(options, {"mote": lambda: take(mote), "nginx": lambda: take(nginx)})
    ours, peer = middle["mote"], middle["nginx"]
    return [
        Row(f"GET / hello by {what}: server CPU a request, against nginx", ours[0], peer[0], unit="us", bar=1.2,
            detail={"samples": samples}, **noise),
        Row("the same: requests a second", ours[1], peer[1], unit="/s", **noise),
    ]


def bench_tls(options, folder):
    paths = certificate(folder)
    words = f"ssl_certificate {paths[0]}; ssl_certificate_key {paths[1]}; ssl_protocols TLSv1.2 TLSv1.3; "
    with stopping(Mote(options.mote, "hello", folder, with_tls(paths))) as mote, \
            stopping(Nginx(find_nginx(), folder, words + NGINX_HELLO, " ssl")) as nginx:
        rows = hello_rows(options, mote, nginx, "TLS", lambda server: by_wrk(options, server))
    return rows, [f"tls: wrk, {CLIENTS} keep-alive connections, {options.rounds} rounds of {options.seconds} s a side"]


def bench_http2(options, folder):
    if shutil.which("h2load") is None:
        raise Trouble("no h2load: apt-get install nghttp2-client")
    rows = []
    with stopping(Mote(options.mote, "hello", folder, without_access_log)) as mote, \
            stopping(Nginx(find_nginx(), folder, NGINX_HELLO, " http2")) as nginx:
        for streams, what in ((1, "HTTP/2"), (STREAMS, f"HTTP/2, {STREAMS} at once on each connection")):
            rows += hello_rows(options, mote, nginx, what,
                               lambda server, streams=streams: by_h2load(options, server, streams))
    return rows, [f"http2: h2load, {CLIENTS} connections, {options.rounds} rounds of {options.seconds} s a side"]


STATIC_MANIFEST = """
[[serve]]
listen = "127.0.0.1:8080"

[[serve.static]]
prefix = "/"
folder = "public"
"""


def bench_static(options, folder):
    rows = []
    with stopping(Mote(options.mote, "site", folder, lambda _: without_access_log(STATIC_MANIFEST))) as mote:
        public = os.path.join(mote.folder, "public")
        for size, _ in FILES.values():
            with open(os.path.join(public, str(size)), "wb") as file:
                file.write(os.urandom(size))
        words = f"root {public}; sendfile on; tcp_nopush on; "
        with stopping(Nginx(find_nginx(), folder, words)) as nginx:
            for name, (size, connections) in FILES.items():
                middle, samples, noise = rows_of(options, {
                    side: lambda server=server, size=size, connections=connections:
                    by_wrk(options, server, f"/{size}", connections)
                    for side, server in (("mote", mote), ("nginx", nginx))})
                ours, peer = middle["mote"], middle["nginx"]
                rows += [
                    Row(f"a file of {name}: by CPU, against nginx", 1e6 / ours[0], 1e6 / peer[0], unit="/s",
                        bar=0.9, at_least=True, detail={"samples": samples}, **noise),
                    Row("the same, wall clock", ours[1], peer[1], unit="/s", **noise),
                ]
    return rows, [f"static: wrk, 64 and 8 connections, {options.rounds} rounds of {options.seconds} s a side"]


PARTS = {"websocket": bench_websocket, "events": bench_events, "tls": bench_tls, "http2": bench_http2,
         "static": bench_static}
