"""A client of event streams that reads as the specification says (WHATWG HTML, 9.2.6), and is strict where browsers forgive."""


class Event:
    def __init__(self, data, event, last_id):
        self.data, self.event, self.id = data, event, last_id

    def __repr__(self):
        return f"<{self.event} {self.id!r} {self.data!r}>"


def parse(body):
    """(events, comments, retry, what is left over after the last blank line) of the bytes of a stream."""
    whole, blank, rest = body.rpartition(b"\n\n")
    events, comments, retry, last_id = [], [], None, ""
    assert b"\r" not in whole, "a carriage return, which nobody writes"
    for block in (whole + blank).decode().split("\n\n")[:-1]:
        data, event = [], "message"
        for line in block.split("\n"):
            name, colon, value = line.partition(":")
            assert colon, f"a line without a colon: {line!r}"
            value = value[1:] if value.startswith(" ") else value
            if name == "":
                comments.append(value)
            elif name == "data":
                data.append(value)
            elif name == "event":
                event = value
            elif name == "id":
                last_id = value
            elif name == "retry":
                retry = int(value)
            else:
                raise AssertionError(f"a field that is none: {line!r}")
        if data:
            events.append(Event("\n".join(data), event, last_id))
    return events, comments, retry, rest


class Listener:
    """A client that stays."""

    def __init__(self, connection, target, headers=(), method="GET"):
        self.connection = connection
        connection.send_request(method, target, headers)
        self.response = connection.read_head()
        self.body, self.seen, self.cut, self.ended = b"", 0, False, False

    def more(self):
        """Read a chunk. False: the end."""
        chunk = self.connection.read_chunk()
        self.cut, self.ended = chunk is None, not chunk
        self.body += chunk or b""
        return not self.ended

    def next(self):
        """The next event."""
        while True:
            events = parse(self.body)[0]
            if len(events) > self.seen:
                self.seen += 1
                return events[self.seen - 1]
            assert self.more(), f"the stream ended{' cut' if self.cut else ''} after {self.body!r}"

    def comment(self, count=1):
        """Wait for so many comments."""
        while len(parse(self.body)[1]) < count:
            assert self.more(), f"the stream ended after {self.body!r}"

    def rest(self):
        """Everything to the end."""
        while self.more():
            pass
        return parse(self.body)
