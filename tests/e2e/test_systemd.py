"""What a service manager and a node say to each other: sockets handed over, notifications, the watchdog."""

import fcntl
import os
import queue
import signal
import socket
import sys
import threading
import time

import pytest

import apps
import program
from client import fetch
from test_reload import children_of_children_are_ours, line, wait_end  # noqa: F401 (fixtures)
from waiting import SLOW

LAUNCHER = """#!{python} -SE
import os
fds = [int(one) for one in os.environ.pop("TEST_FDS", "").split()]
for index, fd in enumerate(fds):
    os.dup2(fd, 3 + index, inheritable=True)
    os.close(fd)
if fds:
    os.environ["LISTEN_FDS"] = str(len(fds))
    os.environ["LISTEN_PID"] = os.environ.get("LISTEN_PID") or str(os.getpid())
if "WATCHDOG_USEC" in os.environ:
    os.environ["WATCHDOG_PID"] = os.environ.get("WATCHDOG_PID") or str(os.getpid())
import sys
os.execv({binary!r}, [{binary!r}] + sys.argv[1:])
"""


class Manager:
    """Starts a node as a service manager would: descriptors from 3 on, and variables about them."""

    def __init__(self, home, monkeypatch):
        self.home, self.sockets, self.variables = home, [], {}
        path = home.write("launcher", LAUNCHER.format(python=sys.executable, binary=program.binary()))
        os.chmod(path, 0o700)
        self.launcher, self.monkeypatch = path, monkeypatch
        self.start_plain = home.start

    def hand_over(self, sock):
        """Its number is far above those that the node is given."""
        self.sockets.append(fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 200))
        sock.close()

    def tcp(self):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sock.listen(64)
        address = "http://127.0.0.1:%d" % sock.getsockname()[1]
        self.hand_over(sock)
        return address

    def unix(self, name):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(name)
        sock.listen(64)
        self.hand_over(sock)

    def notify(self, name):
        """Have the node tell how it is."""
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(name)
        # Its queue has room for ten only, and a node waits for room.
        self.heard = queue.SimpleQueue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.variables["NOTIFY_SOCKET"] = name.replace("\0", "@")

    def _listen(self):
        while message := self.ear.recv(4096):
            self.heard.put(message)

    def hear(self, seconds=20 * SLOW):
        """The next message, as a dictionary."""
        lines = self.heard.get(timeout=seconds).decode().split("\n")
        assert all("=" in one for one in lines), lines
        return dict(one.split("=", 1) for one in lines)

    def hear_until(self, key, value="1", seconds=20 * SLOW):
        """The next message of that word; returns those before it and it."""
        end = time.monotonic() + seconds
        heard = [self.hear(seconds)]
        while heard[-1].get(key) != value:
            heard.append(self.hear(max(0, end - time.monotonic())))
        return heard

    def start(self, *arguments, environment=None, **options):
        if arguments[0] == "serve":
            self.monkeypatch.setenv("MOTE_BINARY", self.launcher)
            environment = {**(environment or {}), **self.variables,
                           "TEST_FDS": " ".join(map(str, self.sockets))}
            options["pass_fds"] = self.sockets
        try:
            return self.start_plain(*arguments, environment=environment, **options)
        finally:
            self.monkeypatch.setenv("MOTE_BINARY", REAL)


REAL = program.binary()


@pytest.fixture
def manager(home, monkeypatch):
    manager = Manager(home, monkeypatch)
    home.start = manager.start
    yield manager
    for fd in manager.sockets:
        os.close(fd)
    if hasattr(manager, "ear"):
        manager.ear.shutdown(socket.SHUT_RDWR)
        manager.listener.join(60)
        manager.ear.close()


def app(workshop, *listens, **sections):
    text = "".join(f'[[serve]]\nlisten = "{listen}"\n[serve.routes]\n"GET /" = "zoo#hello"\n'
                   '"GET /spin" = "zoo#spin"\n' for listen in listens)
    text += f'[components.zoo]\nsource = "{workshop.zoo()}"\nmax-cpu-ms = 500\n'
    return text + "".join(apps.section(title, settings) for title, settings in sections.items())


# ---- sockets


def test_a_socket_is_used_by_its_name_and_stays_when_the_node_ends(serve, workshop, home, manager):
    address = manager.tcp()
    manager.unix(home.path("s"))
    manager.variables["LISTEN_FDNAMES"] = "web:local"
    node = serve(app(workshop, "systemd:local", "systemd:web"), home=home)
    assert node.addresses == ["unix:" + home.path("s"), address]
    for one in node.addresses:
        assert fetch(one, "GET", "/").status == 200
    node.check_baseline()
    node.terminate()
    assert node.wait() == 0
    assert os.path.exists(home.path("s"))  # the manager's file
    # Whoever comes now waits for the next start.
    client = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
    client.close()


def test_a_socket_is_used_by_its_address(serve, workshop, home, manager):
    address = manager.tcp()
    node = serve(app(workshop, address[len("http://"):]), home=home)
    assert node.addresses == [address]
    assert node.get("/").text == "hello\n"


def test_an_abstract_socket_is_served(serve, workshop, home, manager):
    name = "mote-test-%d" % os.getpid()
    manager.unix("\0" + name)
    manager.variables["LISTEN_FDNAMES"] = "hidden"
    node = serve(app(workshop, "systemd:hidden"), home=home)
    assert node.addresses == ["unix:@" + name]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect("\0" + name)
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_a_socket_that_nobody_wants_is_closed_and_told(serve, workshop, home, manager):
    manager.tcp()
    manager.variables["LISTEN_FDNAMES"] = "spare"
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    assert "systemd:spare" in node.log.wait_for("no listener wants it")[0]


def test_a_name_that_was_not_handed_over_is_an_error(home, workshop, manager):
    manager.tcp()
    manager.variables["LISTEN_FDNAMES"] = "web"
    home.write("mote.toml", app(workshop, "systemd:wb"))
    done = home.run("serve")
    assert done.status == 1
    assert "listen on systemd:wb: no socket was handed over by that name" in done.err


def test_a_descriptor_that_is_no_listening_socket_is_an_error(home, workshop, manager):
    manager.hand_over(socket.socket())
    home.write("mote.toml", app(workshop, "systemd:unknown"))
    done = home.run("serve")
    assert done.status == 1
    assert "descriptor 3" in done.err and "no listening stream socket" in done.err


def test_names_that_do_not_fit_are_an_error(home, workshop, manager):
    manager.tcp()
    manager.variables["LISTEN_FDNAMES"] = "a:b"
    home.write("mote.toml", app(workshop, "127.0.0.1:0"))
    done = home.run("serve")
    assert done.status == 1
    assert "LISTEN_FDNAMES" in done.err


def test_sockets_for_another_process_are_not_touched(home, workshop, manager):
    manager.tcp()
    manager.variables.update(LISTEN_FDNAMES="web", LISTEN_PID="1")
    home.write("mote.toml", app(workshop, "systemd:web"))
    assert "no socket was handed over" in home.run("serve").err


def test_a_systemd_name_without_a_name_is_an_error_of_the_manifest(home, workshop):
    home.write("mote.toml", app(workshop, "systemd:"))
    done = home.run("check")
    assert done.status == 2
    assert "systemd:NAME" in done.err


def test_sockets_of_the_manager_go_on_through_a_reload(line, workshop, home, manager):  # noqa: F811
    address = manager.tcp()
    manager.variables["LISTEN_FDNAMES"] = "web"
    one = line(app(workshop, "systemd:web"))
    for _ in range(2):
        one.reload_well()
        assert fetch(address, "GET", "/").status == 200


# ---- notifications


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_and_stopping_are_told(serve, workshop, home, manager, abstract):
    manager.notify(f"\0mote-notify-{os.getpid()}" if abstract else home.path("notify"))
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    ready = manager.hear()
    assert ready["READY"] == "1"
    assert ready["MAINPID"] == str(node.process.pid)
    assert node.address in ready["STATUS"]
    node.terminate()
    assert manager.hear() == {"STOPPING": "1", "STATUS": "draining"}
    assert node.wait() == 0


def test_nothing_is_told_before_the_node_is_ready(home, workshop, manager):
    manager.notify(home.path("notify"))
    home.write("mote.toml", app(workshop, "127.0.0.1:0").replace("hello", "nobody"))
    assert home.run("serve").status == 2
    with pytest.raises(queue.Empty):
        manager.hear(0.2)


def test_sighup_is_a_reload_that_the_manager_hears_of(serve, workshop, home, manager):
    manager.notify(home.path("notify"))
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    manager.hear()
    node.process.send_signal(signal.SIGHUP)
    reloading = manager.hear()
    assert reloading["RELOADING"] == "1"
    assert int(reloading["MONOTONIC_USEC"]) > 0
    assert manager.hear()["READY"] == "1"
    assert node.log.wait_for("SIGHUP")
    assert node.get("/").status == 200


def test_the_new_main_process_is_told_by_the_old_one(line, workshop, home, manager):  # noqa: F811
    manager.notify(home.path("notify"))
    one = line(app(workshop, "127.0.0.1:0"))
    assert manager.hear()["MAINPID"] == str(one.pids[0])
    pid = one.reload_well()
    heard = manager.hear_until("MAINPID", str(pid))
    assert heard[0]["RELOADING"] == "1"
    one.wait_replaced()
    one.write("nonsense")
    assert one.reload().status == 1
    heard = manager.hear_until("RELOADING") + manager.hear_until("READY")
    assert heard[-1]["MAINPID"] == str(pid)
    os.kill(pid, signal.SIGTERM)
    assert all("STOPPING" not in message for message in heard)  # the old one's end is not the service's
    assert manager.hear_until("STOPPING")
    assert wait_end(pid) == 0
    one.has_ended = True


def test_an_unusable_notify_socket_does_not_hinder(serve, workshop, home, manager):
    manager.variables["NOTIFY_SOCKET"] = "nonsense"
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    assert node.log.wait_for("NOTIFY_SOCKET")
    manager.variables["NOTIFY_SOCKET"] = home.path("nobody-listens")
    node = serve(app(workshop, "127.0.0.1:0", node={"name": "second"}), home=home, name="second")
    assert node.get("/").status == 200


# ---- the watchdog


def test_the_watchdog_is_answered_again_and_again(serve, workshop, home, manager):
    manager.notify(home.path("notify"))
    manager.variables["WATCHDOG_USEC"] = "100000"
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    for _ in range(3):
        manager.hear_until("WATCHDOG")
    with node.connect() as busy:  # guests that spin do not stop the loops
        busy.send_request("GET", "/spin")
        for _ in range(3):
            manager.hear_until("WATCHDOG")


def test_the_watchdog_is_not_answered_while_a_loop_hangs(serve, workshop, home, manager):
    manager.notify(home.path("notify"))
    manager.variables["WATCHDOG_USEC"] = "100000"
    node = serve(app(workshop, "127.0.0.1:0", node={"workers": 2}), home=home)
    manager.hear_until("WATCHDOG")
    worker = [int(task) for task in os.listdir(f"/proc/{node.process.pid}/task")
              if open(f"/proc/{node.process.pid}/task/{task}/comm").read().strip() == "mote-1"]
    assert len(worker) == 1
    with hung(worker[0]):
        with pytest.raises(queue.Empty):
            for _ in range(100):  # one may be on its way
                manager.hear_until("WATCHDOG", seconds=1)
    manager.hear_until("WATCHDOG")


class hung:
    """One thread of a process stopped by a tracer, while the others run."""

    def __init__(self, thread):
        self.thread = thread

    def _ptrace(self, request):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        assert libc.ptrace(request, self.thread, None, None) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        self._ptrace(16)  # PTRACE_ATTACH
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def __exit__(self, *_):
        self._ptrace(17)  # PTRACE_DETACH


def test_the_watchdog_of_another_process_is_not_ours(serve, workshop, home, manager):
    manager.notify(home.path("notify"))
    manager.variables.update(WATCHDOG_USEC="100000", WATCHDOG_PID="1")
    node = serve(app(workshop, "127.0.0.1:0"), home=home)
    manager.hear_until("READY")
    with pytest.raises(queue.Empty):
        manager.hear(0.5)
    assert node.get("/").status == 200


def test_the_watchdog_is_answered_by_who_takes_over(line, workshop, home, manager):  # noqa: F811
    manager.notify(home.path("notify"))
    manager.variables["WATCHDOG_USEC"] = "100000"
    one = line(app(workshop, "127.0.0.1:0"))
    manager.hear_until("WATCHDOG")
    pid = one.reload_well()
    one.wait_replaced()
    manager.hear_until("MAINPID", str(pid))
    for _ in range(3):
        manager.hear_until("WATCHDOG")
