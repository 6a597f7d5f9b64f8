"""Resident memory of parked processes: as many GET /sleep as this machine carries, each held open by a
client, less what the same connections took before they asked."""

import re
import select
import time

import proc
from servers import Mote, Trouble, head, raise_descriptors

DESCRIPTORS_RESERVE = 200
PORTS_MAX = 25000  # Of one client address to one server address.
SETTLE_SECONDS_MAX = 120
BATCH = 32


def manifest(text):
    """The zoo's, for requests that stay: no deadline, no idle time-out comes in between."""
    patient = ("listen = \"127.0.0.1:8080\"\ndeadline-ms = 86400000\nidle-timeout-ms = 86400000\n"
               "cancel-on-disconnect = true\n")
    return text.replace('listen = "127.0.0.1:8080"\n', patient, 1)


class Held:
    """What a server holds at one moment."""

    def __init__(self, server):
        pid = server.pid
        self.resident, self.proportional = proc.resident_kib(pid), proc.proportional_kib(pid)
        self.page_tables = proc.page_tables_kib(pid)
        self.guests = proc.guests_kib(pid, server.environment["XDG_CACHE_HOME"])


def settled(server):
    """What it holds once that does not grow any more."""
    pid = server.pid
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    before = proc.resident_kib(pid)
    while time.monotonic() < deadline:
        select.select([], [], [], 0.5)
        now = proc.resident_kib(pid)
        if abs(now - before) <= 16:
            break
        before = now
    return Held(server)


def ask_all(server, sockets, path, answered):
    """Send a request over each connection, a few at a time; with `answered`, wait for each answer."""
    for begin in range(0, len(sockets), BATCH):
        batch = sockets[begin:begin + BATCH]
        for sock in batch:
            sock.sendall(head(path))
        for sock in batch if answered else []:
            data = sock.recv(4096)
            if not data.startswith(b"HTTP/1.1 200 "):
                raise Trouble(f"GET {path}: {data[:60]!r}\n{server.last_lines()}")


def how_many(server):
    """How many processes to park, and what keeps it from being more."""
    found = re.search(r"room for (\d+) processes.*\(limited by (.*)\)", server.room())
    if not found:
        raise Trouble(f"the server said something unexpected of its room: {server.room()}")
    room, why = int(found.group(1)), found.group(2)
    descriptors = raise_descriptors()
    limits = [(room, why), (descriptors - DESCRIPTORS_RESERVE, f"{descriptors} open files"),
              (PORTS_MAX, "client ports on one address")]
    return min(limits)


def wait_for_processes(server, wanted, what):
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        stats = server.stats()
        now = stats["processes"]["now"] if stats else None
        if now == wanted:
            return
        if time.monotonic() > deadline:
            raise Trouble(f"{what}: {now} processes instead of {wanted}\n{server.last_lines()}")
        select.select([], [], [], 0.2)


def measure(mote, folder):
    """{"processes", "limited_by", "resident_kib", "guests_kib", "proportional_kib",
    "page_tables_kib"}, KiB a process; guests_kib is the part of resident_kib that guests' own memories are."""
    server = Mote(mote, "zoo", folder, manifest)
    sockets = []
    try:
        count, limited_by = how_many(server)
        residents = server.stats()["processes"]["now"]  # Services and their supervisor.
        count -= residents
        for _ in range(count):
            sockets.append(server.connect())
            if len(sockets) % BATCH == 0:
                ask_all(server, sockets[-BATCH:], "/", answered=True)
        ask_all(server, sockets[len(sockets) - len(sockets) % BATCH:], "/", answered=True)
        wait_for_processes(server, residents, "before any sleeps")
        before = settled(server)
        ask_all(server, sockets, "/sleep?ms=86000000", answered=False)
        wait_for_processes(server, residents + count, "asleep")
        after = settled(server)
        wait_for_processes(server, residents + count, "still asleep")  # Else the figure is of fewer.
        for sock in sockets:
            sock.close()
        sockets = []
        wait_for_processes(server, residents, "after the clients left")
        left = settled(server)
    finally:
        for sock in sockets:
            sock.close()
        server.stop()
    return {
        "processes": count, "limited_by": limited_by, "room": server.room(),
        "resident_kib": (after.resident - before.resident) / count,
        "guests_kib": (after.guests - before.guests) / count,
        "proportional_kib": (after.proportional - before.proportional) / count,
        "page_tables_kib": (after.page_tables - before.page_tables) / count,
        "server_idle_kib": before.resident, "server_full_kib": after.resident,
        "server_after_kib": left.resident,
    }
