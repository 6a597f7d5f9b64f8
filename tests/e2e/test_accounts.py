"""What each process used: in `mote ps --json` while it lives, and in the log line of its end."""

import json
import re

import apps
from waiting import wait_until

PAGE = 65536


def account(line):
    """The numbers of a log line."""
    return {key: int(value) for key, value in re.findall(r" (\w+)=(\d+)\b", line)}


def greedy(workshop):
    """Guests that never call the platform: one grows its memory and traps, one computes."""
    return workshop.wat_text("greedy", """(module
        (memory (export "memory") 2)
        (func (export "grow") (drop (memory.grow (i32.const 35))) unreachable)
        (func (export "small") unreachable)
        (func (export "spin") (loop $again (br $again))))""")


def test_the_line_of_a_crash_has_the_account(serve, workshop):
    node = serve(apps.app({"GET /grow": "greedy#grow", "GET /small": "greedy#small", "GET /spin": "greedy#spin"},
                          {"greedy": {"source": greedy(workshop), "max-cpu-ms": 20}}))
    for path, pages in (("/small", 2), ("/grow", 37), ("/spin", 2)):
        assert node.get(path).status in (502, 504)
        seen = account(node.log.wait_for("process exited")[-1])
        assert seen["memory_bytes"] == pages * PAGE, "exact, though it has not called once"
        assert [seen[key] for key in ("messages_received", "bytes_received", "messages_sent", "bytes_sent")] == [0] * 4
        node.log.lines.clear()
    # Its budget is of time on a processor, of which its turns cannot have had less.
    assert node.get("/spin").status == 504
    assert account(node.log.wait_for("process exited", "crashed: cpu")[-1])["cpu_us"] >= 20000


def test_memory_past_its_ceiling_counts_what_was_had(serve, workshop):
    node = serve(apps.app({"GET /grow": "greedy#grow"}, {"greedy": {"source": greedy(workshop), "max-memory-mb": 1}}))
    assert node.get("/grow").status == 502
    assert account(node.log.wait_for("process exited", "crashed: memory")[0])["memory_bytes"] == 2 * PAGE


def test_messages_and_bytes_are_counted_on_both_sides(serve, workshop):
    node = serve(apps.app({"GET /bump": "caller#bump_counter"},
                          {"counter": {"source": workshop.c("actors"), "entry": "counter", "resident": True},
                           "caller": {"source": workshop.c("accounts"), "capability": "caller"}},
                          capabilities={"caller": {}}))

    def counter():
        return next(one for one in node.processes() if one["component"] == "counter")
    assert (counter()["messages_received"], counter()["bytes_received"]) == (0, 0)
    # A call of 50 bytes and two casts of 10, behind the name of a function; then the caller traps.
    assert node.get("/bump").status == 502
    caller = account(node.log.wait_for("process exited", "component=caller")[0])
    assert caller["messages_sent"] == 3 and caller["bytes_sent"] == 70
    assert caller["messages_received"] == 1 and caller["bytes_received"] == 8
    wait_until(lambda: counter()["messages_received"] == 3)
    told = counter()
    assert told["bytes_received"] == 70 and told["messages_sent"] == 1 and told["bytes_sent"] == 8


def test_the_account_is_in_a_log_of_json_too(serve, workshop):
    node = serve(apps.app({"GET /small": "greedy#small"}, {"greedy": greedy(workshop)}, log={"format": "json"}))
    assert node.get("/small").status == 502
    line = json.loads(node.log.wait_for("process exited")[0])
    assert line["memory_bytes"] == 2 * PAGE and line["messages_sent"] == 0 and line["cpu_us"] >= 0
