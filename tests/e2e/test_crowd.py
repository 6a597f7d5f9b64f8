"""Very many listeners of one room."""

import resource
import select
import socket

import pytest

import apps
from client import request
from waiting import SLOW

SPARE = 200  # descriptors of this process and connections of the node that are for other things


class Crowd:
    """Clients on bare sockets. Of each only the end of what came is kept."""

    def __init__(self, node, count):
        host, port = node.address[len("http://"):].split(":")
        self.poll, self.tails, self.socks = select.epoll(), {}, {}
        for _ in range(count):
            sock = socket.create_connection((host, int(port)))
            sock.sendall(request("GET", "/events"))
            sock.setblocking(False)
            self.socks[sock.fileno()], self.tails[sock.fileno()] = sock, b""
            self.poll.register(sock, select.EPOLLIN)

    def wait_all(self, text, seconds=120):
        """Wait until everybody has heard this, which comes once."""
        left = {number for number, tail in self.tails.items() if text not in tail}
        while left:
            ready = self.poll.poll(seconds * SLOW)
            assert ready, f"{len(left)} of {len(self.socks)} did not hear {text!r}"
            for number, _ in ready:
                data = self.socks[number].recv(65536)
                assert data, f"a client was cut after {self.tails[number]!r}"
                self.tails[number] = (self.tails[number] + data)[-4096:]
                if text in self.tails[number]:
                    left.discard(number)

    def close(self):
        self.poll.close()
        for sock in self.socks.values():
            sock.close()


def crowd(serve, workshop, wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        node = serve(apps.zoo_example(workshop).replace("127.0.0.1:0\"", "127.0.0.1:0\"\nheartbeat-ms = 1000"))
        stats = node.stats()
        count = min(wanted, hard - SPARE, stats["processes"]["max"] - SPARE, stats["connections"]["max"] - SPARE)
        assert count >= min(wanted, 500), stats
        everybody = Crowd(node, count)
        try:
            everybody.wait_all(b"retry: 1000\n\n")
            node.wait_processes(count + node.baseline["processes"])
            for i in range(5):
                assert node.post("/chat/messages?name=ann", b"news %d!" % i).status == 204
                everybody.wait_all(b'"news %d!"' % i)
            everybody.wait_all(b":\n\n")
        finally:
            everybody.close()
        node.wait_processes(node.baseline["processes"])
        return count
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_listeners_hear_everything(serve, workshop):
    assert crowd(serve, workshop, 1000) > 0


@pytest.mark.soak
def test_ten_thousand_listeners_or_as_many_as_the_machine_carries_hear_everything(serve, workshop):
    print(crowd(serve, workshop, 10000), "listeners")
