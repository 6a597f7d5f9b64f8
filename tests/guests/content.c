/* A guest that answers with the head and as much text as its query says, in one of several ways. */
#include <mote.h>

enum { BODY_MAX = 4 << 20 };

static char body[BODY_MAX];
static char headers[4096];

static uint32_t number(const char *name, uint32_t fallback)
{
    char text[16];
    int32_t size = mote_query(name, text, sizeof text);
    uint32_t value = 0;
    for (int32_t i = 0; i < size; i++) {
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    return size > 0 ? value : fallback;
}

/* Letters without order: they compress to a bit more than half. */
static void fill(uint32_t size)
{
    uint32_t state = 1;
    for (uint32_t i = 0; i < size; i++) {
        state = state * 1103515245u + 12345u;
        body[i] = (char)('a' + ((state >> 16) & 15));
    }
}

static uint32_t read_settings(uint32_t *ret_status, int32_t *ret_lines)
{
    uint32_t size = number("size", 5000);
    size = size < BODY_MAX ? size : BODY_MAX;
    *ret_status = number("status", 200);
    *ret_lines = mote_query("headers", headers, sizeof headers);
    *ret_lines = *ret_lines > 0 ? *ret_lines : 0;
    fill(size);
    return size;
}

MOTE_HANDLER(whole)
{
    uint32_t status;
    int32_t lines;
    uint32_t size = read_settings(&status, &lines);
    headers[lines] = '\0';
    mote_reply((int32_t)status, headers, body, size);
}

static void write_pieces(uint32_t size)
{
    uint32_t piece = number("piece", 1000), times = number("times", 1);
    for (uint32_t i = 0; i < times; i++) {
        for (uint32_t at = 0; at < size; at += piece) {
            uint32_t bite = size - at < piece ? size - at : piece;
            if (mote_abi_respond_write(body + at, bite) != MOTE_OK) {
                mote_log(MOTE_INFO, "the write failed");
                return;
            }
        }
    }
}

MOTE_HANDLER(pieces)
{
    uint32_t status;
    int32_t lines;
    uint32_t size = read_settings(&status, &lines);
    mote_abi_respond_begin((int32_t)status, headers, (size_t)lines, -1);
    write_pieces(size);
}

MOTE_HANDLER(sized)
{
    uint32_t status;
    int32_t lines;
    uint32_t size = read_settings(&status, &lines);
    mote_abi_respond_begin((int32_t)status, headers, (size_t)lines, size + number("missing", 0));
    write_pieces(size);
}

MOTE_HANDLER(crashing)
{
    uint32_t status;
    int32_t lines;
    uint32_t size = read_settings(&status, &lines);
    mote_abi_respond_begin((int32_t)status, headers, (size_t)lines, -1);
    write_pieces(size);
    __builtin_trap();
}

MOTE_HANDLER(staying)
{
    uint32_t status;
    int32_t lines;
    uint32_t size = read_settings(&status, &lines);
    mote_abi_respond_begin((int32_t)status, headers, (size_t)lines, -1);
    write_pieces(size);
    for (;;) {
        mote_sleep_ms(3600000);
    }
}

MOTE_HANDLER(ticks)
{
    uint32_t pause = number("pause", 0);
    mote_sse_begin(NULL);
    do {
        mote_sleep_ms(pause);
    } while (mote_sse_data("tick") == MOTE_OK);
}
