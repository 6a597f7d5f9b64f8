"""A request that is under way for exactly as long as a test wants: its body is not whole."""

from client import request

# What a listener must allow for that.
PATIENT = {"body-bytes-per-second": 0, "deadline-ms": 86400000}

BODY = b"held-body"


class Held:
    """POST of an echo. With `begun` the answer is a stream that has begun, without it there is none yet."""

    def __init__(self, node, target="/echo", begun=False):
        self.sent = len(BODY) // 2 if begun else 0
        self.connection = node.connect()
        self.connection.send(request("POST", target, [("Content-Length", str(len(BODY)))], BODY[:self.sent]))
        self.head = self.connection.read_head() if begun else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def release(self):
        """Let it be answered; returns the answer."""
        self.connection.send(BODY[self.sent:])
        answer = self.connection.read_body(self.head or self.connection.read_head())
        assert answer.status == 200 and answer.body == BODY and not answer.cut, answer
        return answer
