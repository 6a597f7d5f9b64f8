"""A node that runs out of descriptors says 503 or lets clients wait; it never spins, and it recovers."""

import os
import resource

import pytest

import apps
from client import Closed
from waiting import wait_until

LIMIT = 160  # leaves some for connections besides what the node itself needs


def limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def cpu_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spend_a_second(connection):
    for _ in range(20):
        connection.send_request("GET", "/sleep?ms=50")
        assert connection.read().status == 200


@pytest.fixture
def exhausted(serve, workshop):
    """A node that takes more connections than it has descriptors for, a connection that it serves, and
    more clients than it can accept."""
    # Told to take more than there are descriptors for.
    node = serve(apps.zoo(workshop, node={"max-connections": 10000, "workers": 2}), preexec=limited)
    served = node.connect()
    served.send_request("GET", "/")
    assert served.read().status == 200
    clients = [node.connect() for _ in range(LIMIT + 40)]
    for client in clients:
        client.send_request("GET", "/")
    yield node, served, clients
    served.close()
    for client in clients:
        client.close()


def descriptors(node):
    return len(os.listdir(f"/proc/{node.process.pid}/fd"))


def test_those_who_cannot_be_accepted_wait_and_the_others_are_served(exhausted):
    node, served, _ = exhausted
    wait_until(lambda: descriptors(node) >= LIMIT - 4)
    before = cpu_seconds(node)
    spend_a_second(served)
    assert cpu_seconds(node) - before < 0.5, "it spins"


def test_those_who_wait_are_served_once_others_leave(exhausted):
    node, _, clients = exhausted
    wait_until(lambda: descriptors(node) >= LIMIT - 4)
    # Whoever is answered leaves; all the others come to their turn.
    for client in clients:
        assert client.read().status == 200
        client.close()


def test_requests_are_answered_while_descriptors_are_short(exhausted):
    node, served, _ = exhausted
    wait_until(lambda: descriptors(node) >= LIMIT - 4)
    for _ in range(50):
        served.send_request("GET", "/")
        assert served.read().text == "hello\n"
    served.send_request("POST", "/echo", body=b"b" * 100000)
    assert len(served.read().body) == 100000


def test_by_default_there_are_descriptors_for_every_connection_and_for_refusals(serve, workshop):
    node = serve(apps.zoo(workshop), preexec=limited)
    most = node.stats()["connections"]["max"]
    assert 0 < most < LIMIT
    clients, refused = [], 0
    try:
        for _ in range(most + 20):
            client = node.connect()
            client.send_request("GET", "/")
            clients.append(client)
        for client in clients:
            try:
                answer = client.read()
            except Closed:
                refused += 1
                continue
            assert answer.status in (200, 503)
            refused += answer.status == 503
        assert refused >= 20
        assert node.stats()["connections"]["refused"] == refused
        assert descriptors(node) < LIMIT
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
    assert node.get("/").status == 200


def test_the_node_can_be_asked_and_stopped_without_descriptors(exhausted):
    node, _, clients = exhausted
    wait_until(lambda: descriptors(node) >= LIMIT - 4)
    for client in clients[:20]:
        client.close()
    assert node.stats()["connections"]["now"] > 0
    node.terminate()
    assert node.wait() == 0


IDLE = 10000
IDLE_KIB_MAX = 2  # each; about 0.7 on x86-64


@pytest.mark.soak
@pytest.mark.unsanitized
def test_ten_thousand_idle_connections_cost_little_and_all_are_answered(serve, workshop):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 1000:
        pytest.skip(f"needs {IDLE + 1000} descriptors, there may be {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        idle_connections(serve(apps.zoo(workshop, serve={"idle-timeout-ms": 86400000},
                                        log={"access": False})))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def idle_connections(node):
    for _ in range(200):  # what every worker needs once
        assert node.get("/").status == 200
    empty = node.resident_bytes()
    clients = [node.connect() for _ in range(IDLE)]
    for client in clients:
        client.send_request("GET", "/")
    for client in clients:
        assert client.read().status == 200
    wait_until(lambda: node.stats()["connections"]["now"] == IDLE)
    stats = node.stats()
    assert stats["connections"]["buffered_bytes"] == 0, "an idle connection holds no buffer"
    each = (node.resident_bytes() - empty) / IDLE / 1024
    print(f"{each:.2f} KiB resident for each of {IDLE} idle connections")
    assert each < IDLE_KIB_MAX
    before = cpu_seconds(node)
    with node.connect() as other:
        spend_a_second(other)
    assert cpu_seconds(node) - before < 0.5, "idle connections cost processor time"
    for client in clients:
        client.send_request("GET", "/")
    for client in clients:
        assert client.read().status == 200
        client.close()
    wait_until(lambda: node.stats()["connections"]["now"] == 0)
