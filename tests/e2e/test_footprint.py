"""`mote build` ends the memory of a guest that cannot grow it where its data ends."""

import pytest

import apps

PREFACE = "#include <mote.h>\n"
SMALL = PREFACE + """
static volatile char kept[20000];
MOTE_HANDLER(show) { kept[19999] = 'k'; mote_reply_text(200, kept[19999] == 'k' ? "kept" : "lost"); }
MOTE_HANDLER(reach) { volatile char *at = (volatile char *)32768; *at = 1; mote_reply_text(200, "reached"); }
MOTE_HANDLER(edge) { volatile char *at = (volatile char *)32767; *at = 1; mote_reply_text(200, "edge"); }
"""
GROWS = PREFACE + """
MOTE_HANDLER(show) { mote_reply_text(200, __builtin_wasm_memory_grow(0, 1) == 1 ? "grown" : "not"); }
"""
ASKS = PREFACE + """
MOTE_HANDLER(show) { mote_reply_text(200, __builtin_wasm_memory_size(0) == 1 ? "one page" : "other"); }
"""
NAMES_THE_HEAP = PREFACE + """
extern char __heap_base;
MOTE_HANDLER(show) { char *heap = &__heap_base; heap[30000] = 'h'; mote_reply_text(200, "heap"); }
"""
LIBC = PREFACE + """
#include <stdlib.h>
MOTE_HANDLER(show)
{
    volatile char *room = malloc(100000);
    room[99999] = 'm';
    mote_reply_text(200, room[99999] == 'm' ? "libc" : "lost");
    free((void *)room);
}
"""


def memory_section(path):
    """What the module says of its memory: the content of section 5."""
    with open(path, "rb") as file:
        data = file.read()
    at = 8
    while at < len(data):
        number, at = data[at], at + 1
        size, shift = 0, 0
        while True:
            byte, at = data[at], at + 1
            size |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                break
        if number == 5:
            return data[at:at + size]
        at += size
    raise AssertionError(f"{path} has no memory")


def built(home, source):
    home.write("guest.c", source)
    done = home.run("build", "guest.c", "-o", "guest.wasm")
    assert done.status == 0, done
    return home.path("guest.wasm")


def test_a_memory_ends_with_the_data_and_accesses_behind_it_trap(home, serve):
    path = built(home, SMALL)
    # 10,240 of stack and 20,000 of data: 32,768 bytes, as minimum and maximum.
    assert memory_section(path) == b"\x01\x09\x80\x80\x02\x80\x80\x02\x00"
    app = serve(apps.app({"GET /show": "guest#show", "GET /reach": "guest#reach", "GET /edge": "guest#edge"},
                         {"guest": path}))
    for _ in range(3):
        assert app.get("/show").body == b"kept"
        assert app.get("/edge").body == b"edge"
        assert app.get("/reach").status == 502
    assert app.log.wait_for("process exited", "memory access out of bounds")


@pytest.mark.parametrize("source, answer", [(GROWS, b"grown"), (ASKS, b"one page"),
                                            (NAMES_THE_HEAP, b"heap"), (LIBC, b"libc")],
                         ids=["grows", "asks for its size", "names the heap", "uses libc"])
def test_a_guest_that_may_need_more_keeps_whole_pages(home, serve, source, answer):
    path = built(home, source)
    assert memory_section(path)[1] & 0x08 == 0
    app = serve(apps.app({"GET /show": "guest#show"}, {"guest": path}))
    assert app.get("/show").body == answer
