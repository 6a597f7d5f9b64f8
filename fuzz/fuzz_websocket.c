/* Any bytes of a client are messages or refused, and however they are cut into pieces, the same comes out, with frames that are
 * compressed too. The first byte of the input says how to cut, the second whether permessage-deflate was agreed on. */
#include "serve/websocket_reader.h"

#include <string.h>

enum { MESSAGE_MAX = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* What came out, as bytes that can be compared. */
struct run {
    struct websocket_reader reader;
    struct bytes record;
    bool bad;
};

static void note(struct run *run, const struct websocket_step *step)
{
    uint8_t head[] = {(uint8_t)step->event, step->text, (uint8_t)(step->code >> 8),
                      (uint8_t)step->code};
    bool noted = bytes_append(&run->record, head, sizeof head) &&
                 bytes_append(&run->record, step->data.data, step->data.size);
    INVARIANT(noted);
}

static bool is_utf8(struct text text)
{
    struct utf8_check check = {0};
    return utf8_check_feed(&check, text.data, text.size) && utf8_check_is_whole(&check);
}

/* What callers rely on without looking. */
static void check(const struct run *run, const struct websocket_step *step)
{
    switch (step->event) {
    case WEBSOCKET_MESSAGE:
        INVARIANT(step->data.size <= MESSAGE_MAX);
        INVARIANT(!step->text || is_utf8(step->data));
        break;
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        INVARIANT(step->data.size <= WEBSOCKET_CONTROL_BYTES_MAX);
        break;
    case WEBSOCKET_CLOSE:
        INVARIANT(step->code == WEBSOCKET_NO_CODE || websocket_code_is_valid(step->code));
        INVARIANT(step->data.size <= WEBSOCKET_REASON_BYTES_MAX && is_utf8(step->data));
        break;
    case WEBSOCKET_BAD:
        INVARIANT(websocket_code_is_valid(step->code));
        INVARIANT(step->data.size <= WEBSOCKET_REASON_BYTES_MAX);
        break;
    case WEBSOCKET_MORE:
        break;
    }
    INVARIANT(run->reader.message.size <= MESSAGE_MAX + 1);
}

static void feed(struct run *run, const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    while (!run->bad) {
        struct websocket_step step = websocket_reader_step(&run->reader, &input);
        check(run, &step);
        if (step.event == WEBSOCKET_MORE) {
            INVARIANT(input.size == 0);
            return;
        }
        run->bad = step.event == WEBSOCKET_BAD;
        if (!run->bad) { /* Of two faults in one piece, either may be found first. */
            note(run, &step);
        }
    }
}

static void run_init(struct run *run, bool inflates)
{
    memset(run, 0, sizeof *run);
    websocket_reader_init(&run->reader, MESSAGE_MAX, inflates);
}

static void run_fini(struct run *run)
{
    websocket_reader_fini(&run->reader);
    bytes_fini(&run->record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2) {
        return 0;
    }
    uint32_t seed = data[0];
    bool inflates = (data[1] & 1) != 0;
    data += 2;
    size_bytes -= 2;
    struct run whole, cut;
    run_init(&whole, inflates);
    run_init(&cut, inflates);
    feed(&whole, data, size_bytes);
    for (size_t at = 0, size = 0; at < size_bytes; at += size) {
        /* Seeds below 16 are fixed sizes, the others a sequence of small ones. */
        seed = seed < 16 ? seed : seed * 1103515245 + 12345;
        size = seed < 16 ? seed + 1 : 1 + (seed >> 16) % 23;
        size = size_bytes - at < size ? size_bytes - at : size;
        feed(&cut, data + at, size);
    }
    INVARIANT(whole.bad == cut.bad);
    INVARIANT(whole.record.size == cut.record.size);
    INVARIANT(whole.record.size == 0 ||
              memcmp(whole.record.data, cut.record.data, whole.record.size) == 0);
    run_fini(&whole);
    run_fini(&cut);
    return 0;
}
