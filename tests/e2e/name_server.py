"""A small name server (RFC 1035) that lies as it is told: other addresses with every look-up, private ones, too many, or nothing."""

import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
DATAGRAM_BYTES_MAX = 512

SILENCE, FAILURE = "silence", "failure"  # in place of an answer


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def read_question(message):
    """(name, type, bytes of the question)"""
    labels, at = [], 12
    while message[at] != 0:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", message, at + 1)[0], message[12:at + 5]


def record(owner, kind, data):
    """With a time to live of 0: who asks again shall learn something else."""
    return encode(owner) + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


class NameServer:
    """`names[name]` is a list of answers, one for each look-up of that name, the last one for all that follow. An answer is a list
    of addresses, or ["=other.name"] for another name of the same, or SILENCE, or FAILURE. Other names do not exist.
    `asked` are the names asked for, one entry for each look-up of an IPv4 address."""

    def __init__(self, datagrams, listener):
        self.names, self.asked = {}, []
        self.counts, self.unanswered = {}, []
        self.changed = threading.Condition()
        self.failures = []
        self.sockets = [datagrams, listener]
        self.threads = [threading.Thread(target=work, args=(sock,), daemon=True)
                        for work, sock in ((self._datagrams, datagrams), (self._connections, listener))]
        for thread in self.threads:
            thread.start()

    def close(self):
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # as it says of datagrams, and wakes who reads them
        for thread, sock in zip(self.threads, self.sockets):
            thread.join(60)
            sock.close()
        assert not self.failures, self.failures

    def break_silence(self):
        """Refuse what was not answered until now, and from now on."""
        with self.changed:
            late, self.unanswered = self.unanswered, []
            for name in [name for name, answers in self.names.items() if SILENCE in answers]:
                self.names[name] = [FAILURE]
        for message, sender in late:
            self.sockets[0].sendto(self._reply(message, False), sender)

    def wait_asked(self, name, count=1, seconds=60):
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked.count(name) >= count, seconds), self.asked

    def _next(self, name, kind, again):
        """What to say this time. `again`: the same question once more, over the other transport."""
        with self.changed:
            if not again:
                self.counts[name, kind] = self.counts.get((name, kind), 0) + 1
                if kind == A:
                    self.asked.append(name)
                    self.changed.notify_all()
            answers = self.names.get(name)
            return answers[min(self.counts.get((name, kind), 1), len(answers)) - 1] if answers else None

    def _records(self, name, kind, answer, depth=0):
        records = []
        for one in answer:
            if one.startswith("="):
                target = one[1:]
                records.append(record(name, CNAME, encode(target)))
                following = self.names.get(target)
                if following and depth < 8:
                    records += self._records(target, kind, following[0], depth + 1)
                continue
            address = ipaddress.ip_address(one)
            if (kind == A) == (address.version == 4) and kind in (A, AAAA):
                records.append(record(name, kind, address.packed))
        return records

    def _reply(self, message, connected):
        name, kind, question = read_question(message)
        answer = self._next(name, kind, connected)
        if answer == SILENCE:
            return None
        code = NO_SUCH_NAME if answer is None else SERVER_FAILURE if answer == FAILURE else NO_ERROR
        records = self._records(name, kind, answer) if code == NO_ERROR else []

        def reply(records, cut):
            head = struct.pack("!HHHHH", 0x8580 | cut << 9 | code, 1, len(records), 0, 0)
            return message[:2] + head + question + b"".join(records)
        whole = reply(records, 0)
        return whole if connected or len(whole) <= DATAGRAM_BYTES_MAX else reply([], 1)

    def _datagrams(self, sock):
        while True:
            try:
                message, sender = sock.recvfrom(4096)
                if not message:
                    return
                reply = self._reply(message, False)
                if reply is not None:
                    sock.sendto(reply, sender)
                else:
                    with self.changed:
                        self.unanswered.append((message, sender))
            except OSError:
                return
            except Exception as failure:  # pylint: disable=broad-except
                self.failures.append(repr(failure))

    def _connections(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(peer,), daemon=True).start()

    def _connection(self, peer):
        with peer, peer.makefile("rb") as stream:
            peer.settimeout(60)
            try:
                while len(size := stream.read(2)) == 2:
                    reply = self._reply(stream.read(struct.unpack("!H", size)[0]), True)
                    if reply is not None:
                        peer.sendall(struct.pack("!H", len(reply)) + reply)
            except OSError:
                return
