"""Started inside new user, network and mount namespaces: makes an internet of two hosts, hands out sockets of both, and then
becomes the program it is told to run, on the first host.

    internet_entrance.py HANDOVER RESOLV_CONF NSSWITCH_CONF PROGRAM ARGUMENT...

The first host is 192.0.2.1 and 2001:db8::1. The other one is 192.0.2.2 and every address that is not the first one's: whatever the
program connects to, public or private, somebody is there. Through the descriptor HANDOVER go four sockets: a name server's on the
other host (datagrams, and listening), and one listening on port 80 of each host, on every address, the other's first.
"""

import ctypes
import os
import socket
import subprocess
import sys

CLONE_NEWNET = 0x40000000
NAME_SERVER = "192.0.2.2"

HERE = ["link set lo up", "addr add 192.0.2.1/24 dev here0", "addr add 2001:db8::1/64 dev here0 nodad", "link set here0 up",
        "route add default via 192.0.2.2", "-6 route add default via 2001:db8::2"]
THERE = ["link set lo up", "addr add 192.0.2.2/24 dev there0", "addr add 2001:db8::2/64 dev there0 nodad", "link set there0 up",
         "route add local 0.0.0.0/1 dev lo", "route add local 128.0.0.0/1 dev lo", "-6 route add local ::/1 dev lo",
         "-6 route add local 8000::/1 dev lo", "route add table local 192.0.2.1 dev there0",
         "-6 route add table local 2001:db8::1 dev there0"]


def ip(words):
    """The tool of iproute2."""
    done = subprocess.run(["ip", *words.split()], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"ip {words}: {done.stderr.strip()}")


def listener():
    return socket.create_server(("::", 80), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True)


def be_the_other_host(ready, go, handover):
    """In a child: leave, wait for the cable, and give the sockets away, which keep the host alive."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit("no second network namespace: " + os.strerror(ctypes.get_errno()))
    os.write(ready, b"x")
    os.read(go, 1)
    for words in THERE:
        ip(words)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((NAME_SERVER, 53))
    names = socket.create_server((NAME_SERVER, 53), backlog=64)
    sockets = [datagrams, names, listener()]
    socket.send_fds(handover, [b"there"], [one.fileno() for one in sockets])


def main():
    handover = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(handover.fileno(), False)
    ready, told = os.pipe()
    waits, go = os.pipe()
    child = os.fork()
    if child == 0:
        be_the_other_host(told, waits, handover)
        sys.exit(0)
    os.close(told)
    os.close(waits)
    if os.read(ready, 1) == b"x":
        ip(f"link add name here0 type veth peer name there0 netns {child}")
        for words in HERE:
            ip(words)
        os.write(go, b"x")
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(1)
    with listener() as mine:
        socket.send_fds(handover, [b"here"], [mine.fileno()])
    for source, target in zip(sys.argv[2:4], ("/etc/resolv.conf", "/etc/nsswitch.conf")):
        subprocess.run(["mount", "--bind", source, target], stdin=subprocess.DEVNULL, check=True)
    os.execv(sys.argv[4], sys.argv[4:])


if __name__ == "__main__":
    main()
