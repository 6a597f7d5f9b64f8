"""The end of a node: SIGTERM finishes what runs, refuses what is new, and cuts what does not end."""

import signal

import pytest

import apps
from client import Closed, fetch
from held import PATIENT, Held
from waiting import wait_until


def refuses(node):
    """Whether new connections find nobody."""
    try:
        node.get("/")
    except (ConnectionRefusedError, ConnectionResetError, Closed, BrokenPipeError):
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_node_ends_with_status_0(serve, workshop, number):
    node = serve(apps.zoo(workshop))
    assert node.get("/").status == 200
    node.process.send_signal(number)
    assert node.wait() == 0
    assert node.log.having("drained")


def test_a_sighup_ends_nothing(serve, workshop):
    node = serve(apps.zoo(workshop))
    node.process.send_signal(signal.SIGHUP)
    node.log.wait_for("SIGHUP")
    assert node.get("/").status == 200


def test_a_running_request_is_finished(serve, workshop):
    node = serve(apps.zoo(workshop, serve=PATIENT))
    with Held(node) as held:
        node.wait_processes(1)
        node.terminate()
        wait_until(lambda: refuses(node))
        assert held.release().header("connection").lower() == "close"
        assert held.connection.is_closed()
    assert node.wait() == 0


def test_a_running_stream_is_finished(serve, workshop):
    node = serve(apps.zoo(workshop, serve=PATIENT))
    with Held(node, begun=True) as held:
        node.terminate()
        wait_until(lambda: refuses(node))
        held.release()
    assert node.wait() == 0


def test_new_connections_are_refused_while_it_drains(serve, workshop):
    node = serve(apps.zoo(workshop, serve=PATIENT))
    with Held(node) as held:
        node.wait_processes(1)
        node.terminate()
        wait_until(lambda: refuses(node))
        assert node.is_running()
        held.release()
    assert node.wait() == 0


def test_idle_connections_are_closed_when_it_drains(serve, workshop):
    node = serve(apps.zoo(workshop))
    with node.connect() as used, node.connect() as silent:
        used.send_request("GET", "/")
        assert used.read().status == 200
        node.terminate()
        assert used.is_closed()
        assert silent.is_closed()
    assert node.wait() == 0


def test_readiness_ends_with_the_drain_and_health_does_not(serve, workshop):
    node = serve(apps.zoo(workshop, serve=PATIENT))
    assert node.ask_admin("/readyz").status == 200
    with Held(node) as held:
        node.wait_processes(1)
        node.terminate()
        wait_until(lambda: node.ask_admin("/readyz").status == 503)
        assert node.ask_admin("/healthz").status == 200
        held.release()
    assert node.wait() == 0


def test_what_does_not_end_in_time_is_cut(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 300}, serve={"deadline-ms": 86400000}))
    with node.connect() as sleeping, node.connect() as streaming:
        sleeping.send_request("GET", "/sleep?ms=86400000")
        streaming.send_request("GET", "/stream?n=1000000&size=10&ms=10")
        head = streaming.read_head()
        node.wait_processes(2)
        node.terminate()
        assert streaming.read_body(head).cut
        rest = sleeping.receive_all()
        assert rest == b"" or rest.startswith(b"HTTP/1.1 50"), "cut, or told so"
    assert node.wait() == 0
    assert node.log.having("cut")


def test_a_drain_of_zero_cuts_at_once(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 0}, serve={"deadline-ms": 86400000}))
    with node.connect() as connection:
        connection.send_request("GET", "/sleep?ms=86400000")
        node.wait_processes(1)
        node.terminate()
        assert node.wait() == 0


def test_a_second_sigterm_does_not_wait(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 86400000}, serve={"deadline-ms": 86400000}))
    with node.connect() as connection:
        connection.send_request("GET", "/sleep?ms=86400000")
        node.wait_processes(1)
        node.terminate()
        node.log.wait_for("draining")
        # The line is written before the signal is let through.
        wait_until(lambda: (node.is_running() and node.terminate()) or not node.is_running())
        assert node.wait() == -signal.SIGTERM


def test_a_client_that_reads_nothing_does_not_hold_up_the_end(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 500}))
    with node.connect(receive_bytes=4096) as connection:
        connection.send_request("GET", "/stream?n=100000000&size=16384")
        assert connection.read_head().status == 200
        node.terminate()
        assert node.wait() == 0


def test_spinning_guests_do_not_hold_up_the_end(serve, workshop):
    node = serve(apps.zoo(workshop, node={"drain-ms": 300}, component={"max-cpu-ms": 86400000},
                          serve={"deadline-ms": 86400000}))
    connections = [node.connect() for _ in range(4)]
    for connection in connections:
        connection.send_request("GET", "/spin")
    node.wait_processes(4)
    node.terminate()
    assert node.wait() == 0
    for connection in connections:
        connection.close()


def test_the_admin_socket_is_gone_after_the_end_and_a_new_node_takes_its_name(serve, workshop, home):
    manifest = apps.zoo(workshop)
    first = serve(manifest, home=home)
    assert fetch(first.admin, "GET", "/healthz").status == 200
    first.terminate()
    assert first.wait() == 0
    second = serve(manifest, home=home)
    assert second.stats()["os_pid"] == second.process.pid


def test_a_killed_nodes_admin_socket_is_replaced(serve, workshop, home):
    manifest = apps.zoo(workshop)
    first = serve(manifest, home=home)
    first.process.kill()
    first.wait()
    second = serve(manifest, home=home)
    assert second.ask_admin("/healthz").status == 200


def test_two_nodes_of_one_name_do_not_run_at_once(serve, workshop, home):
    serve(apps.zoo(workshop), home=home)
    home.write("other.toml", apps.zoo(workshop))
    done = home.run("serve", "-f", "other.toml")
    assert done.status == 1
    assert "mote" in done.err and "run already" in done.err
