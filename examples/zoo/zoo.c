/* One route for everything that can happen to a handler. README.md has the list. */
#include <mote.h>

MOTE_HANDLER(hello)
{
    mote_reply_text(200, "hello\n");
}

/* GET /users/:id */
MOTE_HANDLER(user)
{
    char json[320] = "{\"id\":\"";
    char id[128];
    int32_t size = mote_param("id", id, sizeof id);
    if (size < 0 || (size_t)size >= sizeof id) {
        mote_reply_text(400, "an id has at most 127 bytes\n");
        return;
    }
    char *end = json + mote_size_of(json);
    for (const char *c = id; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            *end++ = '\\';
        }
        *end++ = (unsigned char)*c < ' ' ? '?' : *c;
    }
    *end++ = '"';
    *end++ = '}';
    *end++ = '\n';
    mote_reply(200, "content-type: application/json\n", json, (size_t)(end - json));
}

static char chunk[16384];

/* POST /echo: the body goes back as it comes. */
MOTE_HANDLER(echo)
{
    char type[128] = "content-type: ";
    size_t prefix = mote_size_of(type);
    int32_t size = mote_header("content-type", type + prefix, sizeof type - prefix - 1);
    if (size > 0 && (size_t)size < sizeof type - prefix - 1) {
        type[prefix + (size_t)size] = '\n';
        type[prefix + (size_t)size + 1] = '\0';
    }
    bool begun = false;
    int32_t got;
    while ((got = mote_read(chunk, sizeof chunk)) > 0) {
        if (!begun && mote_begin(200, size > 0 ? type : NULL) != MOTE_OK) {
            mote_reply_text(500, "cannot answer\n");
            return;
        }
        begun = true;
        if (mote_write(chunk, (size_t)got) != MOTE_OK) {
            return;
        }
    }
    if (got == 0 && !begun) {
        mote_reply(200, NULL, NULL, 0);
    } else if (got < 0 && begun) {
        __builtin_trap(); /* the client must not take half an echo for a whole one */
    }
}

/* GET /status/:code */
MOTE_HANDLER(status)
{
    char text[8];
    int32_t size = mote_param("code", text, sizeof text);
    int code = 0;
    for (int32_t i = 0; i < size && i < 3 && text[i] >= '0' && text[i] <= '9'; i++) {
        code = code * 10 + (text[i] - '0');
    }
    if (size != 3 || mote_reply_text(code, "as you wish\n") == MOTE_INVALID) {
        mote_reply_text(400, "a status is a number from 200 to 599\n");
    }
}

/* GET /headers: what came in, a line each. */
MOTE_HANDLER(headers)
{
    mote_begin(200, "content-type: text/plain; charset=utf-8\n");
    for (uint32_t i = 0;; i++) {
        int32_t size = mote_header_at(i, chunk, sizeof chunk - 1);
        if (size < 0) {
            return;
        }
        size_t kept = (size_t)size < sizeof chunk - 2 ? (size_t)size : sizeof chunk - 2;
        chunk[kept] = '\n';
        if (mote_write(chunk, kept + 1) != MOTE_OK) {
            return;
        }
    }
}

/* GET /stream?n=&size=&ms=: n pieces of that size, ms apart. */
MOTE_HANDLER(stream)
{
    uint64_t n = mote_query_number("n", 10);
    uint64_t size = mote_query_number("size", 16);
    uint64_t pause_ms = mote_query_number("ms", 0);
    if (size == 0 || size > sizeof chunk) {
        mote_reply_text(400, "size is 1 to 16384\n");
        return;
    }
    __builtin_memset(chunk, 'x', (size_t)size);
    chunk[size - 1] = '\n';
    mote_begin(200, "content-type: text/plain\n");
    for (uint64_t i = 0; i < n; i++) {
        if (mote_write(chunk, (size_t)size) != MOTE_OK) {
            return;
        }
        if (pause_ms > 0) {
            mote_sleep_ms(pause_ms);
        }
    }
}

/* GET /sleep?ms= */
MOTE_HANDLER(nap)
{
    mote_sleep_ms(mote_query_number("ms", 1000));
    mote_reply_text(200, "slept\n");
}

/* GET /crash */
MOTE_HANDLER(crash)
{
    __builtin_trap();
}

/* GET /oom: takes memory until the platform says stop. */
MOTE_HANDLER(oom)
{
    while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {
    }
    mote_reply_text(200, "unreachable: growth beyond the ceiling traps\n");
}

/* GET /spin */
MOTE_HANDLER(spin)
{
    for (volatile uint32_t i = 0;; i++) {
    }
}

/* Ends only if a process had no pid, which no compiler can rule out; the difference makes it need
 * every frame. */
static uint32_t deeper(uint32_t depth)
{
    return mote_self() == 0 ? depth : depth - deeper(depth + 1);
}

/* GET /overflow: recursion without an end. */
MOTE_HANDLER(overflow)
{
    mote_reply_text(200, deeper(0) != 0 ? "unreachable\n" : "unreachable too\n");
}

/* GET /silent: returns without an answer. */
MOTE_HANDLER(silent) {}

/* GET /late-crash: crashes after the first chunk. */
MOTE_HANDLER(late_crash)
{
    mote_begin(200, "content-type: text/plain\n");
    mote_write_text("the last words\n");
    __builtin_trap();
}

/* GET /denied: uses what it was not granted. */
MOTE_HANDLER(denied)
{
    char secret[64];
    int32_t result = mote_env("ZOO_SECRET", secret, sizeof secret);
    if (result == MOTE_DENIED) {
        mote_reply_text(403, "denied: env_get ZOO_SECRET\n");
    } else {
        mote_reply_text(200, "granted\n");
    }
}

/* WS /ws: every message goes back. */
static void ws_echo_message(enum mote_ws_kind kind, const void *data, size_t size)
{
    mote_ws_send(kind, data, size);
}

static const struct mote_ws ws_echo_callbacks = {.message = ws_echo_message};
MOTE_WEBSOCKET(ws_echo, ws_echo_callbacks)
