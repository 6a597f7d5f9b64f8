"""Whole answers: large ones, how much of them is held, and what a guest may do behind its answer."""

import os
import resource
import time

import pytest

import apps
from waiting import wait_until

MIB = 1 << 20
SIZE = 8_000_000

GUEST = f"""(module
  (import "mote" "respond" (func $respond (param i32 i32 i32 i32 i32) (result i32)))
  (import "mote" "respond_write" (func $respond_write (param i32 i32) (result i32)))
  (import "mote" "sleep" (func $sleep (param i64) (result i32)))
  (import "mote" "log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 160)
  (data (i32.const 0) "x-a: b\\n")
  (data (i32.const 100) "invalid")
  (data (i32.const 200) "still here")
  (data (i32.const 300) "it was no room")
  (data (i32.const 400) "its client left")
  (func (export "small")
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 7))))
  (func (export "large") (local $result i32)
    (local.set $result (call $respond (i32.const 200) (i32.const 0) (i32.const 7) (i32.const 0) (i32.const {SIZE})))
    (if (i32.eq (local.get $result) (i32.const 1))
      (then (local.set $result (call $respond_write (i32.const 0) (i32.const {SIZE})))))
    (if (i32.eq (local.get $result) (i32.const -4))
      (then (drop (call $log (i32.const 2) (i32.const 300) (i32.const 14)))))
    (if (i32.eq (local.get $result) (i32.const -5))
      (then (drop (call $log (i32.const 2) (i32.const 400) (i32.const 15))))))
  (func (export "headers")
    ;; A header of 65,537 bytes, then one that fits.
    (memory.fill (i32.const 1000) (i32.const 97) (i32.const 65536))
    (i32.store8 (i32.const 1001) (i32.const 58))
    (i32.store8 (i32.const 66536) (i32.const 10))
    (if (i32.eq (i32.const -3)
          (call $respond (i32.const 200) (i32.const 1000) (i32.const 65537) (i32.const 0) (i32.const 0)))
      (then (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 7) (i32.const 100) (i32.const 7))))))
  (func (export "behind")
    (drop (call $sleep (i64.const 600000000)))
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 7)))
    (drop (call $sleep (i64.const 600000000)))
    (drop (call $log (i32.const 2) (i32.const 200) (i32.const 10))))
  (func (export "endless")
    (drop (call $respond (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 7)))
    (drop (call $sleep (i64.const 86400000000000)))))
"""

ROUTES = {f"GET /{name}": f"answers#{name}" for name in ("small", "large", "headers", "behind", "endless")}


@pytest.fixture
def answers(serve, workshop):
    """answers(...): serve the guest with these settings."""
    def start(**options):
        return serve(apps.app(ROUTES, {"answers": workshop.wat_text("answers", GUEST)}, **options))
    return start


def test_a_large_answer_has_a_length_and_arrives_whole(answers):
    node = answers()
    with node.connect() as connection:
        for _ in range(3):
            connection.send_request("GET", "/large")
            response = connection.read()
            assert response.status == 200
            assert response.header("Content-Length") == str(SIZE)
            assert response.header("x-a") == "b"
            assert len(response.body) == SIZE and not response.cut
    assert node.request("HEAD", "/large").header("Content-Length") == str(SIZE)


def test_a_large_answer_waits_for_its_reader_in_the_guest(answers):
    node = answers()
    with node.connect(receive_bytes=65536) as connection:
        connection.send_request("GET", "/large")
        connection.end_sending()  # which ends a stream, but not this
        wait_until(lambda: [one["state"] for one in node.processes()] == ["parked"])
        assert node.stats()["connections"]["buffered_bytes"] < MIB
        assert len(connection.read().body) == SIZE


def test_the_guest_learns_that_the_reader_of_its_large_answer_left(answers):
    node = answers()
    with node.connect(receive_bytes=65536) as connection:
        connection.send_request("GET", "/large")
        wait_until(lambda: [one["state"] for one in node.processes()] == ["parked"])
        connection.reset()
    node.log.wait_for("its client left")


def test_too_many_bytes_of_headers_are_invalid(answers):
    response = answers().get("/headers")
    assert response.status == 200 and response.text == "invalid"


def test_what_is_held_for_slow_readers_is_bounded(answers):
    node = answers(node={"max-buffered-mb": 1})
    assert node.stats()["connections"]["buffered_bytes_max"] == MIB
    readers = []

    def refused_one_more():
        readers.append(node.connect(receive_bytes=4096))
        readers[-1].send_request("GET", "/large")
        head = readers[-1].read_head()
        return head if head.status == 503 else None
    assert wait_until(refused_one_more).header("Retry-After") == "1"
    assert node.stats()["connections"]["buffered_bytes"] < 2 * MIB
    for reader in readers:
        reader.reset()
    wait_until(lambda: len(node.get("/large").body) == SIZE)


def test_behind_the_answer_the_rules_of_a_stream_hold(answers):
    node = answers(serve={"deadline-ms": 1000})
    with node.connect() as connection:
        connection.send_request("GET", "/behind")
        assert connection.read().text == "invalid"
        node.log.wait_for("still here")


def test_behind_the_answer_the_deadline_of_a_stream_counts(answers):
    node = answers(serve={"stream-deadline-ms": 300})
    with node.connect() as connection:
        connection.send_request("GET", "/endless")
        assert connection.read().text == "invalid"
        node.wait_processes(0)
        node.log.wait_for("crashed: timeout")


def test_a_guest_behind_its_answer_ends_when_its_client_leaves(answers):
    node = answers(serve={"disconnect-grace-ms": 100})
    with node.connect() as connection:
        connection.send_request("GET", "/endless")
        assert connection.read().text == "invalid"
        node.wait_processes(1)
    node.wait_processes(0)


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))


def cpu_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_the_listener_waits_and_does_not_spin(serve, workshop):
    manifest = apps.app(ROUTES, {"answers": workshop.wat_text("answers", GUEST)},
                        node={"workers": 1, "max-connections": 1000})
    node = serve(manifest, preexec=few_descriptors)
    connections = [node.connect() for _ in range(200)]
    wait_until(lambda: len(os.listdir(f"/proc/{node.process.pid}/fd")) >= 128)
    began, used = time.monotonic(), cpu_seconds(node)
    while time.monotonic() - began < 1:
        connections[0].send_request("GET", "/small")
        assert connections[0].read().status == 200  # whoever has a connection is served
        time.sleep(0.05)
    assert cpu_seconds(node) - used < (time.monotonic() - began) / 2
    for connection in connections:
        connection.close()
    wait_until(lambda: node.get("/small").status == 200)


def test_connections_leave_descriptors_for_everything_else(serve, workshop):
    manifest = apps.app(ROUTES, {"answers": workshop.wat_text("answers", GUEST)}, node={"workers": 1})
    node = serve(manifest, preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    assert node.stats()["connections"]["max"] == 1024 - 64 - 64 - (64 + 1)


def test_guests_that_open_files_get_a_quarter_of_the_descriptors(serve, workshop, home):
    os.mkdir(home.path("shared"))
    manifest = apps.app(ROUTES, {"answers": {"source": workshop.wat_text("answers", GUEST),
                                             "capability": "files"}},
                        capabilities={"files": {"preopen": ["shared"]}}, node={"workers": 1})
    node = serve(manifest, home=home,
                 preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    assert node.stats()["connections"]["max"] == 1024 - 64 - 64 - (64 + 1) - 256
