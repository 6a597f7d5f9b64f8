"""A node on an internet of its own: two hosts in network namespaces, and a name server that answers what a test likes."""

import os
import socket
import subprocess
import sys

import pytest

import program
from name_server import NameServer
from origin import Origin

ENTRANCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "internet_entrance.py")
SPACES = ["unshare", "--map-root-user", "--net", "--mount"]


# A cable, and an address of each kind.
CABLE = ("ip link add name here0 type veth peer name there0 && ip addr add 192.0.2.1/24 dev here0 && "
         "ip addr add 2001:db8::1/64 dev here0")


def require():
    """Skip where nobody may make namespaces, or cables between them."""
    for path in ("/etc/resolv.conf", "/etc/nsswitch.conf"):
        if not os.path.exists(path):
            pytest.skip(f"no internet of one's own: there is no {path}")
    try:
        done = subprocess.run([*SPACES, "sh", "-c", CABLE],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as failure:
        pytest.skip(f"no internet of one's own: {failure}")
    if done.returncode != 0:
        pytest.skip(f"no internet of one's own: {done.stderr.strip()}")


class Host(Origin):
    """What listens on port 80 of every address of a host."""

    def __init__(self, listener, behave):
        self.given = listener
        super().__init__(behave)

    def _listen(self, receive_bytes):
        del receive_bytes
        return self.given


class Internet(program.Home):
    """The folder of a node that is started on the first host. `here` is a listener of that host (its loopback too), `there` one of
    everybody else, `names` the name server: there once the node has started."""

    def start(self, *arguments, environment=None, **options):
        if arguments[0] != "serve":
            return super().start(*arguments, environment=environment, **options)
        resolv = self.write("resolv.conf", "nameserver 192.0.2.2\noptions timeout:30 attempts:1\n")
        nsswitch = self.write("nsswitch.conf", "hosts: files dns\n")
        mine, theirs = socket.socketpair()
        with mine, theirs:
            os.set_inheritable(theirs.fileno(), True)
            command = [*SPACES, sys.executable, ENTRANCE, str(theirs.fileno()), resolv, nsswitch, program.binary(), *arguments]
            options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.folder,
                       **options}
            process = subprocess.Popen(command, env=self.environment(**(environment or {})), pass_fds=[theirs.fileno()], **options)
            theirs.close()
            sockets = []
            while len(sockets) < 4:
                word, fds, _, _ = socket.recv_fds(mine, 16, 4)
                if not word:
                    process.kill()
                    raise AssertionError(f"no internet: {process.communicate()[1].decode()}")
                sockets += [socket.socket(fileno=fd) for fd in fds]
        datagrams, names, self.there_socket, self.here_socket = sockets
        self.names = NameServer(datagrams, names)
        return process

    def serve(self, here, there):
        """Behave so on the two hosts."""
        self.here, self.there = Host(self.here_socket, here), Host(self.there_socket, there)

    def close(self):
        self.names.close()
        self.here.close()
        self.there.close()
