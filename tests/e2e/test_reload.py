"""`mote reload`: a new program takes a running node's place, and no client notices."""

import ctypes
import os
import re
import signal
import socket
import stat
import threading

import h2.connection
import h2.events
import pytest
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame

import apps
import program
from client import Connection, fetch
from held import BODY, PATIENT, Held
from http2_client import Raw
from waiting import wait_until

PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(autouse=True)
def children_of_children_are_ours():
    """Who takes over outlives its parent; we want to see how it ends."""
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


class Line:
    """A node and those that take its place, one after the other."""

    def __init__(self, node):
        self.node, self.pids = node, [node.process.pid]
        self.has_ended = False

    def pid(self):
        return self.node.stats()["os_pid"]

    def write(self, manifest):
        self.node.home.write("mote.toml", manifest)

    def reload(self, *options):
        return self.node.home.run("reload", *options)

    def reload_well(self, *options):
        done = self.reload(*options)
        assert done.status == 0, (done, self.node.log_text())
        pid = self.pid()
        assert done.out == f"process {pid} has taken over\n"
        assert pid not in self.pids
        self.pids.append(pid)
        return pid

    def assert_unchanged(self):
        assert self.pid() == self.pids[-1]
        assert self.node.get("/").status == 200
        assert children(self.pids[-1]) == []

    def wait_replaced(self):
        """Wait until all but the last have ended, each well."""
        if len(self.pids) > 1:  # not Node.wait(): its pipes are the next one's too
            assert self.node.process.wait(45) == 0, self.node.log_text()
        for pid in self.pids[1:-1]:
            assert wait_end(pid) == 0, self.node.log_text()
        del self.pids[:-1]

    def end(self):
        if self.has_ended:
            return
        self.wait_replaced()
        self.node.check_baseline()
        os.kill(self.pids[-1], signal.SIGTERM)
        if self.pids[-1] == self.node.process.pid:
            assert self.node.wait() == 0
        else:
            assert wait_end(self.pids[-1]) == 0
            self.node.log.thread.join(10)
            self.node.out.thread.join(10)
        assert not program.FAULTS.search(self.node.log_text())

    def kill(self):
        for pid in self.pids:
            for one in [*children(pid), pid]:
                try:
                    os.kill(one, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def wait_end(pid):
    """The exit status of a process that was left to us, once it has ended."""
    ended = [None]

    def look():
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return False  # its parent has not ended yet
        ended[0] = status
        return found == pid
    wait_until(look, 45, f"the end of process {pid}")
    return os.waitstatus_to_exitcode(ended[0])


def children(pid):
    """Child processes that are alive."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(one) for one in file.read().split()]
    except FileNotFoundError:
        pass
    return found


@pytest.fixture
def line(serve, home):
    """line(manifest, ...) starts a node in `home`; at the end the last of its line must end well."""
    lines = []

    def start(manifest, **options):
        one = Line(serve(manifest, home=home, **options))
        lines.append(one)
        return one

    yield start
    try:
        for one in lines:
            one.end()
    except BaseException:
        for one in lines:
            one.kill()
        raise


@pytest.fixture
def upgradable(home, monkeypatch):
    """The program under a path of its own, where another one can be put."""
    path, real = home.path("mote"), program.binary()
    os.symlink(real, path)
    monkeypatch.setenv("MOTE_BINARY", path)

    def replace(content):
        fresh = home.write("mote.new", content)
        os.chmod(fresh, stat.S_IRWXU)
        os.rename(fresh, path)
        monkeypatch.setenv("MOTE_BINARY", real)  # for `mote reload` itself
        return real

    return replace


# ---- load


class Load:
    """Clients that ask again and again. What goes wrong is kept."""

    def __init__(self, address, keep_alive=6, fresh=4):
        self.address, self.failures, self.count = address, [], 0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        works = [self._keep_alive] * keep_alive + [self._fresh] * fresh
        self.threads = [threading.Thread(target=self._run, args=(work,)) for work in works]
        for thread in self.threads:
            thread.start()

    def _run(self, work):
        try:
            while not self.stopping.is_set():
                work()
        except BaseException as failure:  # whatever it is, it is told
            self.failures.append((work.__name__, repr(failure)))

    def _done(self, answer):
        assert answer.status == 200 and not answer.cut and answer.text == "hello\n", answer
        with self.lock:
            self.count += 1

    def _keep_alive(self):
        with Connection(self.address) as connection:
            while not self.stopping.is_set():
                connection.send_request("GET", "/")
                answer = connection.read()
                self._done(answer)
                if answer.header("connection") == "close":
                    assert connection.is_closed()
                    return

    def _fresh(self):
        self._done(fetch(self.address, "GET", "/"))

    def wait_more(self, count=200):
        """Wait for so many more answers."""
        until = self.count + count
        wait_until(lambda: self.failures or self.count >= until)

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert self.failures == []


def test_twenty_reloads_under_load_fail_no_request(line, workshop):
    one = line(apps.zoo(workshop, log={"access": False}))
    load = Load(one.node.address)
    try:
        for _ in range(20):
            one.reload_well()
            load.wait_more(100)
    finally:
        load.end()
    assert one.node.get("/").status == 200


def test_workers_may_become_more_and_fewer(line, workshop):
    one = line(apps.zoo(workshop, node={"workers": 2}, log={"access": False}))
    load = Load(one.node.address)
    try:
        for workers in (5, 1, 3, 2):
            one.write(apps.zoo(workshop, node={"workers": workers}, log={"access": False}))
            one.reload_well()
            load.wait_more()
            assert one.node.stats()["scheduler"]["workers"] == workers
    finally:
        load.end()
    one.wait_replaced()
    wait_until(lambda: one.node.stats()["descriptors"]["now"] <= one.node.baseline["descriptors"])


def test_a_new_node_serves_the_manifest_as_it_is_now(line, workshop):
    one = line(apps.zoo(workshop))
    assert one.node.get("/new").status == 404
    one.write(apps.zoo(workshop, routes={"GET /new": "zoo#hello", "GET /": "zoo#hello"}))
    one.reload_well()
    assert one.node.get("/new").status == 200


def test_what_runs_is_finished_by_the_old_node(line, workshop):
    one = line(apps.zoo(workshop, serve=PATIENT))
    with Held(one.node) as waiting, Held(one.node, begun=True) as streaming:
        one.node.wait_processes(2)
        one.reload_well()
        assert one.node.get("/").status == 200
        assert waiting.release().header("connection") == "close"
        streaming.release()


def test_idle_connections_are_still_answered_after_a_reload(line, workshop):
    one = line(apps.zoo(workshop))
    with one.node.connect() as used, one.node.connect() as silent:
        used.send_request("GET", "/")
        assert used.read().header("connection") is None
        wait_until(lambda: one.node.stats()["connections"]["now"] == 2)
        one.reload_well()
        for connection in (used, silent):
            connection.send_request("GET", "/")
            answer = connection.read()
            assert (answer.status, answer.header("connection")) == (200, "close")
            assert connection.is_closed()


def test_who_stays_idle_is_closed(line, workshop):
    one = line(apps.zoo(workshop))
    with one.node.connect() as connection:
        connection.send_request("GET", "/")
        assert connection.read().status == 200
        one.reload_well()
        assert connection.is_closed()


def test_connections_that_wait_to_be_accepted_are_not_lost(line, workshop):
    """While nobody accepts, they queue at a socket; whoever comes next answers them."""
    one = line(apps.zoo(workshop))
    os.kill(one.node.process.pid, signal.SIGSTOP)
    waiting = [one.node.connect() for _ in range(50)]
    for connection in waiting:
        connection.send_request("GET", "/")
    os.kill(one.node.process.pid, signal.SIGCONT)
    one.reload_well()
    for connection in waiting:
        assert connection.read().status == 200
        connection.close()


GOAWAY = b"\0\0\x08\x07\0\0\0\0\0"  # the head of such a frame without debug data


class H2:
    """One connection of HTTP/2 with prior knowledge."""

    def __init__(self, address):
        self.sock = Connection(address).sock
        self.state = h2.connection.H2Connection()
        self.state.initiate_connection()
        self.events = []

    def get(self, path):
        stream = self.state.get_next_available_stream_id()
        self.state.send_headers(stream, [(":method", "GET"), (":path", path), (":scheme", "http"),
                                         (":authority", "test")], end_stream=True)
        self.sock.sendall(self.state.data_to_send())
        return stream

    def has(self, kind, stream=None):
        return [event for event in self.events if isinstance(event, kind) and
                (stream is None or event.stream_id == stream)]

    def wait(self, kind, stream=None):
        """Read until such an event is there."""
        while not self.has(kind, stream):
            data = self.sock.recv(65536)
            assert data, f"the connection ended; there were {self.events}"
            self.events += self.state.receive_data(data)
            answer = self.state.data_to_send()
            if answer:
                self.sock.sendall(answer)
        return self.has(kind, stream)[0]


def test_streams_of_http2_are_finished_and_told_to_go_away(line, workshop):
    one = line(apps.zoo(workshop, serve=PATIENT))
    # Not the client above: to it a connection is over with GOAWAY.
    with Raw(one.node) as client:
        client.send(HeadersFrame(1, Encoder().encode([
            (":method", "POST"), (":path", "/echo"), (":scheme", "http"), (":authority", "test")]),
            flags=["END_HEADERS"]).serialize())
        one.node.wait_processes(1)
        one.reload_well()
        while not client.goaways:
            assert client.frame() is not None, "it ended without a word"
        client.send(DataFrame(1, BODY, flags=["END_STREAM"]).serialize())
        assert client.end() == 0
        assert client.ended_streams == {1}


def read_to_the_end(sock):
    """Without python-h2: to it a connection is over with the first GOAWAY."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def test_a_request_of_http2_that_crosses_the_end_is_answered(line, workshop):
    one = line(apps.zoo(workshop))
    client = H2(one.node.address)
    client.wait(h2.events.StreamEnded, client.get("/"))
    one.reload_well()
    # It has not read that the node ends.
    client.get("/")
    data = read_to_the_end(client.sock)
    assert b"hello\n" in data and data.count(GOAWAY) == 2, data


def test_a_connection_that_speaks_http2_only_after_the_handover_is_told_to_go(line, workshop):
    one = line(apps.zoo(workshop))
    sock = Connection(one.node.address).sock
    one.reload_well()
    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "test")],
                        end_stream=True)
    sock.sendall(client.data_to_send())
    data = read_to_the_end(sock)
    assert b"hello\n" in data and data.count(GOAWAY) == 2, data


def test_a_new_program_that_hangs_up_and_stays_is_ended(line, workshop, upgradable, home):
    one = line(apps.zoo(workshop))
    upgradable('#!/bin/bash\neval "exec ${MOTE_HANDOVER%%:*}>&-"\nexec sleep 86400\n')
    done = one.reload()
    assert done.status != 0 and "was ended by signal 9" in done.err, done
    one.assert_unchanged()


def test_services_of_the_new_node_run_before_it_takes_over(line, workshop):
    """What asks a service finds one at any time."""
    one = line(apps.zoo(workshop) + "[components.counter]\n" + apps.keys(
        {"source": workshop.c("actors"), "resident": True, "entry": "counter"}))

    def services():
        return [process["names"] for process in one.node.processes() if process["names"]]
    before = services()
    assert ["counter"] in before
    for _ in range(3):
        one.reload_well()
        assert services() == before


# ---- sockets


def test_unix_sockets_and_the_admin_socket_keep_their_files(line, workshop, home):
    listen = {"listen": "unix:" + home.path("s")}
    one = line(apps.zoo(workshop, serve=listen))
    before = os.stat(home.path("s")).st_ino
    for _ in range(2):
        one.reload_well()
        one.wait_replaced()
        assert os.stat(home.path("s")).st_ino == before
        assert one.node.get("/").status == 200
    assert one.node.ask_admin("/readyz").status == 200
    os.kill(one.pids[-1], signal.SIGTERM)
    assert wait_end(one.pids[-1]) == 0
    assert not os.path.exists(home.path("s"))
    assert not os.path.exists(home.path("runtime", "mote", "mote.sock"))
    one.has_ended = True


def test_a_listener_that_the_manifest_no_longer_has_ends(line, workshop, home):
    routes = '[serve.routes]\n"GET /" = "zoo#hello"\n'
    second = f'[[serve]]\nlisten = "unix:{home.path("s")}"\n{routes}'
    first = f'[[serve]]\nlisten = "127.0.0.1:0"\n{routes}'
    zoo = f'[components.zoo]\nsource = "{workshop.zoo()}"\n'
    one = line(first + second + zoo)
    assert fetch(one.node.addresses[1], "GET", "/").status == 200
    one.write(first + zoo)
    one.reload_well()
    one.node.log.wait_for("no listener wants it")
    assert not os.path.exists(home.path("s"))
    one.wait_replaced()
    assert one.node.get("/").status == 200
    one.write(first + second + zoo)
    one.reload_well()
    assert fetch(one.node.addresses[1], "GET", "/").status == 200
    one.wait_replaced()
    one.node.baseline = one.node.settled()


def test_a_node_of_another_name_gets_an_admin_socket_of_its_own(line, workshop, home):
    one = line(apps.zoo(workshop))
    one.write(apps.zoo(workshop, node={"name": "other"}))
    done = one.reload()
    assert done.status == 0, done
    one.node.admin = "unix:" + home.path("runtime", "mote", "other.sock")
    one.pids.append(one.pid())
    one.wait_replaced()
    assert not os.path.exists(home.path("runtime", "mote", "mote.sock"))
    one.node.baseline = one.node.settled()


# ---- what goes wrong changes nothing


def test_a_broken_manifest_is_told_and_changes_nothing(line, workshop):
    one = line(apps.zoo(workshop))
    one.write("[node]\nworkrs = 1\n")
    done = one.reload()
    assert done.status == 1
    assert "mote.toml:2:1: unknown key 'workrs'" in done.err
    one.node.log.wait_for("ERROR", "this node goes on")
    one.assert_unchanged()
    one.write(apps.zoo(workshop))
    one.reload_well()


def test_a_listener_that_cannot_be_bound_is_told_and_changes_nothing(line, workshop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = line(apps.zoo(workshop))
        one.write(apps.zoo(workshop, serve={"listen": f"127.0.0.1:{port}"}))
        done = one.reload()
        assert done.status == 1
        assert "Address already in use" in done.err
    one.assert_unchanged()


def test_a_service_that_does_not_start_is_told_and_changes_nothing(line, workshop):
    one = line(apps.zoo(workshop))
    one.write(apps.zoo(workshop) + f'[components.bad]\nsource = "{workshop.zoo()}"\n'
              'resident = true\nentry = "crash"\n[node]\nmax-restarts = 0\n')
    done = one.reload()
    assert done.status == 1, done
    assert "bad" in done.err
    one.assert_unchanged()


@pytest.mark.parametrize("content", [b"no program", b"#!/no/such/interpreter\n", b"\x7fELF\x02\x01\x01"])
def test_a_broken_binary_is_told_and_changes_nothing(line, workshop, upgradable, content):
    one = line(apps.zoo(workshop))
    upgradable(content)
    done = one.reload()
    assert done.status == 1
    assert "start " in done.err
    one.assert_unchanged()


def test_a_binary_that_is_gone_is_told_and_changes_nothing(line, workshop, upgradable, home):
    one = line(apps.zoo(workshop))
    upgradable(b"")
    os.unlink(home.path("mote"))
    done = one.reload()
    assert done.status == 1
    assert "No such file" in done.err
    one.assert_unchanged()


def test_a_binary_that_is_another_program_is_told_and_changes_nothing(line, workshop, upgradable):
    one = line(apps.zoo(workshop))
    upgradable("#!/bin/sh\necho not me >&2\nexit 7\n")
    done = one.reload()
    assert done.status == 1
    assert "ended with status 7" in done.err and "not me" in done.err
    one.assert_unchanged()


def test_an_upgraded_file_is_what_is_started_with_the_same_words(line, workshop, upgradable, home):
    one = line(apps.zoo(workshop))
    real = os.path.realpath(home.path("mote"))
    upgradable(f'#!/bin/sh\necho "$@" > {home.path("words")}\nexec {real} "$@"\n')
    one.reload_well()
    with open(home.path("words"), encoding="ascii") as file:
        assert file.read() == "serve -f mote.toml\n"
    assert one.node.get("/").status == 200


HANGING = "#!/bin/sh\nexec sleep 1000\n"


def start_hanging(one):
    """A reload that waits for its new program; returns its process and that program's pid."""
    asking = one.node.home.start("reload")
    found = wait_until(lambda: children(one.pids[-1]))
    assert len(found) == 1
    return asking, found[0]


def test_a_new_node_that_is_killed_half_way_changes_nothing(line, workshop, upgradable):
    one = line(apps.zoo(workshop))
    upgradable(HANGING)
    asking, pid = start_hanging(one)
    os.kill(pid, signal.SIGKILL)
    out, err = asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert b"ended by signal 9" in err, (out, err)
    one.assert_unchanged()


def test_a_new_node_that_is_not_ready_in_time_is_killed_and_changes_nothing(line, workshop, upgradable):
    one = line(apps.zoo(workshop))
    upgradable(HANGING)
    done = one.reload("--timeout-ms", "200")
    assert done.status == 1
    assert "not ready in time" in done.err
    one.assert_unchanged()


def test_of_two_reloads_at_once_the_second_is_refused(line, workshop, upgradable):
    one = line(apps.zoo(workshop))
    upgradable(HANGING)
    asking, pid = start_hanging(one)
    done = one.reload()
    assert done.status == 1
    assert "under way" in done.err
    os.kill(pid, signal.SIGKILL)
    asking.communicate(timeout=30)
    assert asking.returncode == 1
    one.assert_unchanged()


def test_many_reloads_at_once_leave_one_node(line, workshop):
    one = line(apps.zoo(workshop, log={"access": False}))
    load = Load(one.node.address)
    try:
        asking = [one.node.home.start("reload") for _ in range(8)]
        said = [process.communicate(timeout=60) for process in asking]
        won = [re.match(rb"process (\d+) has", out) for out, _ in said]
        one.pids += [int(match.group(1)) for match in won if match]
        assert len(one.pids) >= 2
        load.wait_more()
    finally:
        load.end()
    last = one.pid()
    assert last in one.pids
    one.pids.sort(key=lambda pid: pid == last)
    if one.pids[0] != one.node.process.pid:
        one.pids.remove(one.node.process.pid)
        one.pids.insert(0, one.node.process.pid)


def test_a_node_that_is_stopped_during_a_reload_takes_the_new_one_along(line, workshop, upgradable):
    one = line(apps.zoo(workshop))
    upgradable(HANGING)
    asking, pid = start_hanging(one)
    one.node.terminate()
    assert one.node.wait() == 0
    asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert not os.path.exists(f"/proc/{pid}")
    one.has_ended = True


# ---- who may


def test_a_reload_asks_for_post_and_a_number(line, workshop):
    one = line(apps.zoo(workshop))
    assert one.node.ask_admin("/v1/reload").status == 405
    assert fetch(one.node.admin, "POST", "/v1/reload?timeout_ms=x").status == 400
    one.assert_unchanged()


def test_reload_of_nobody_says_so(home):
    done = home.run("reload")
    assert done.status == 1
    assert "no node answers" in done.err


def test_reload_wants_its_words_right(home):
    assert home.run("reload", "--timeout-ms", "soon").status == 2
    assert home.run("reload", "again").status == 2
    assert "usage: mote reload" in home.run("reload", "--help").out
