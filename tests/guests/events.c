/* Streams of events, and what becomes of them. */
#include <mote.h>

static char text[70000];
static char name[128], id[128];

static void say(const char *what, int32_t result)
{
    char line[64];
    size_t size = mote_size_of(what);
    __builtin_memcpy(line, what, size);
    line[size++] = ' ';
    if (result < 0) {
        line[size++] = '-';
        result = -result;
    }
    if (result >= 10) {
        line[size++] = (char)('0' + result / 10);
    }
    line[size++] = (char)('0' + result % 10);
    line[size] = '\0';
    mote_log(MOTE_INFO, line);
}

/* ?event=&id=&retry=&data=: one event of what is given, in a stream of its own. The log says what came of it. */
MOTE_HANDLER(one)
{
    bool named = mote_query("event", name, sizeof name) >= 0;
    int32_t id_size = mote_query("id", id, sizeof id);
    int32_t size = mote_query("data", text, sizeof text);
    int64_t retry = (int64_t)mote_query_number("retry", UINT64_MAX);
    mote_sse_begin(NULL);
    say("sent",
        mote_abi_sse_send(named ? name : NULL, named ? mote_size_of(name) : 0,
                          id_size >= 0 ? id : NULL, id_size >= 0 ? (size_t)id_size : 0,
                          (int32_t)retry, size >= 0 ? text : NULL, size >= 0 ? (size_t)size : 0));
}

/* ?event=&id=&data=&n=&room=: so many such events through a buffer of that size. */
MOTE_HANDLER(gathered)
{
    static char room[sizeof text];
    uint64_t n = mote_query_number("n", 1);
    struct mote_sse_buffer buffer = {room, (size_t)mote_query_number("room", sizeof room), 0};
    bool named = mote_query("event", name, sizeof name) >= 0;
    bool has_id = mote_query("id", id, sizeof id) >= 0;
    int32_t size = mote_query("data", text, sizeof text);
    struct mote_event event = {named ? name : NULL, has_id ? id : NULL, size >= 0 ? text : NULL,
                               size >= 0 ? (size_t)size : 0};
    uint64_t large = mote_query_number("large", 0);
    if (large > 0 && large <= sizeof text) {
        for (size_t i = 0; i < large; i++) {
            text[i] = i % 97 == 96 ? '\n' : 'f';
        }
        event.data = text;
        event.size = (size_t)large;
    }
    mote_sse_begin(NULL);
    int32_t result = MOTE_OK;
    for (uint64_t i = 0; i < n && result == MOTE_OK; i++) {
        result = mote_sse_put(&buffer, &event);
    }
    say("sent", result);
    say("flushed", mote_sse_flush(&buffer));
}

/* ?n=: so many events with ids that go on where the client was. */
MOTE_HANDLER(count)
{
    uint64_t n = mote_query_number("n", 3);
    char last[16] = "0";
    mote_sse_last_id(last, sizeof last);
    uint64_t at = 0;
    for (const char *c = last; *c >= '0' && *c <= '9'; c++) {
        at = at * 10 + (uint64_t)(*c - '0');
    }
    mote_sse_begin("x-from: here\n");
    mote_sse_retry(10);
    for (uint64_t i = 1; i <= n; i++) {
        char number[16];
        size_t size = 0;
        uint64_t rest = at + i;
        char digits[16];
        do {
            digits[size++] = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest > 0);
        for (size_t d = 0; d < size; d++) {
            number[d] = digits[size - 1 - d];
        }
        number[size] = '\0';
        const struct mote_event event = {"count", number, number, size};
        if (mote_sse_send(&event) != MOTE_OK) {
            return;
        }
    }
}

/* What the request said, as an event each. */
MOTE_HANDLER(request)
{
    mote_sse_begin(NULL);
    mote_request(MOTE_PATH, text, sizeof text);
    mote_sse_data(text);
    mote_request(MOTE_QUERY, text, sizeof text);
    mote_sse_data(text);
    mote_sse_last_id(text, sizeof text);
    mote_sse_data(text);
    mote_header("accept", text, sizeof text);
    mote_sse_data(text);
}

/* An event, then wait for nothing in one of several ways; the log says how that ended. ?how= */
MOTE_HANDLER(wait)
{
    struct mote_mail mail;
    struct mote_stream_pair pair;
    struct mote_wait set[1] = {{MOTE_WAIT_MAIL, 0, 0, 0}};
    struct mote_spawned spawned;
    mote_query("how", name, sizeof name);
    mote_sse_begin(NULL);
    mote_sse_data("waiting");
    switch (name[0]) {
    case 'r':
        say("receive", mote_receive(&mail, text, sizeof text));
        break;
    case 't':
        say("timed", mote_receive_within(NULL, 3600000, &mail, text, sizeof text));
        break;
    case 's':
        say("sleep", mote_sleep_ms(3600000));
        break;
    case 'w':
        say("wait", mote_wait(set, 1, -1));
        break;
    case 'g':
        set[0].kind = MOTE_WAIT_CLIENT_GONE;
        say("gone", mote_wait(set, 1, -1));
        break;
    case 'p':
        mote_stream_open(&pair);
        say("pipe", mote_stream_read(pair.reader, text, sizeof text));
        break;
    case 'c':
        mote_spawn("mute", NULL, 0, NULL, &spawned);
        say("call", mote_call_pid(spawned.pid, 1, NULL, 0, text, sizeof text, -1, NULL));
        mote_kill(spawned.pid);
        break;
    default:
        break;
    }
    say("then", mote_sse_data("more"));
    say("comment", mote_sse_comment("more"));
    say("try", mote_receive_within(NULL, 0, &mail, text, sizeof text));
    say("sleep again", mote_sleep_ms(3600000));
    say("left", mote_client_gone());
}

/* Gets calls and answers none. */
MOTE_WORKER(mute)
{
    struct mote_mail mail;
    while (mote_receive(&mail, text, sizeof text) == MOTE_OK) {
    }
}

/* Never looks whether somebody listens. */
MOTE_HANDLER(deaf)
{
    mote_sse_begin(NULL);
    mote_sse_data("deaf");
    for (volatile uint32_t i = 0;; i++) {
    }
}

/* ?size=: events of that size until one is refused. */
MOTE_HANDLER(flood)
{
    uint64_t size = mote_query_number("size", 1000);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 97 == 96 ? '\n' : 'f';
    }
    const struct mote_event event = {NULL, NULL, text,
                                     size < sizeof text ? (size_t)size : sizeof text};
    mote_sse_begin(NULL);
    int32_t result;
    while ((result = mote_sse_send(&event)) == MOTE_OK) {
    }
    say("flood", result);
}

/* ?n=&size=: so many events, then the end. */
MOTE_HANDLER(run)
{
    uint64_t size = mote_query_number("size", 10), n = mote_query_number("n", 1000);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 97 == 96 ? '\n' : 'f';
    }
    const struct mote_event event = {NULL, NULL, text,
                                     size < sizeof text ? (size_t)size : sizeof text};
    mote_sse_begin(NULL);
    for (uint64_t i = 0; i < n; i++) {
        mote_sse_send(&event);
    }
}

/* An event, then the end in one of several ways. ?how= */
MOTE_HANDLER(end)
{
    mote_query("how", name, sizeof name);
    mote_sse_begin(NULL);
    mote_sse_data("last words");
    switch (name[0]) {
    case 'c':
        __builtin_trap();
    case 'm':
        while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {
        }
        break;
    case 'x':
        mote_exit("enough");
    case 's':
        for (volatile uint32_t i = 0;; i++) {
        }
    case 'h':
        mote_sleep_ms(3600000);
        break;
    default:
        break;
    }
}

/* What is refused, as the log tells. */
MOTE_HANDLER(misuse)
{
    say("early", mote_sse_data("x"));
    say("early write", mote_abi_sse_write("data: x\n\n", 9));
    say("type", mote_sse_begin("content-type: text/plain\n"));
    say("length", mote_sse_begin("content-length: 5\n"));
    say("begin", mote_sse_begin("cache-control: private\n"));
    say("again", mote_sse_begin(NULL));
    say("reply", mote_reply_text(200, "x"));
    say("raw", mote_write_text("x"));
    say("half write", mote_abi_sse_write("data: x\n", 8));
    say("short write", mote_abi_sse_write("\n", 1));
    say("no write", mote_abi_sse_write("", 0));
    const struct mote_event events[] = {{"a\nb", NULL, "x", 1},
                                        {"a\rb", NULL, "x", 1},
                                        {NULL, "a\nb", "x", 1},
                                        {NULL, "a\rb", "x", 1},
                                        {NULL, NULL, NULL, 0}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        say("event", mote_sse_send(&events[i]));
    }
    say("zero", mote_abi_sse_send(NULL, 0, "a\0b", 3, -1, "x", 1));
    say("retry", mote_abi_sse_send(NULL, 0, NULL, 0, -2, "x", 1));
    say("long", mote_abi_sse_send(text, 4097, NULL, 0, -1, "x", 1));
    say("fine", mote_sse_data("fine"));
}

/* No event stream. ?status=; ?how=b: begun, n: nothing */
MOTE_HANDLER(plain)
{
    uint64_t status = mote_query_number("status", 200);
    mote_query("how", name, sizeof name);
    if (name[0] == 'b') {
        say("plain", mote_begin((int)status, "content-type: text/event-stream\n"));
    } else if (name[0] != 'n') {
        say("plain", mote_reply_text((int)status, "plain\n"));
    }
}

/* Joins the group "all", and says each publication until the client leaves. ?busy=: milliseconds of work for each. */
MOTE_HANDLER(listen)
{
    struct mote_mail mail;
    uint64_t busy_ms = mote_query_number("busy", 0);
    mote_join("all");
    mote_sse_begin(NULL);
    mote_sse_data("joined");
    while (mote_receive(&mail, text, sizeof text) == MOTE_OK) {
        for (uint64_t until = mote_clock_ns() + busy_ms * 1000000; mote_clock_ns() < until;) {
        }
        const struct mote_event event = {NULL, NULL, text, mail.size};
        if (mote_sse_send(&event) != MOTE_OK) {
            return;
        }
    }
}

/* Publishes its body to the group "all". */
MOTE_HANDLER(tell)
{
    struct mote_publication sum = {0, 0};
    int32_t got = mote_read(text, sizeof text);
    mote_publish("all", 0, text, got > 0 ? (size_t)got : 0, &sum);
    char reached[16];
    char *end = reached + sizeof reached - 1;
    uint64_t rest = sum.reached;
    *end = '\0';
    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    mote_reply_text(200, end);
}

/* A page that does nothing by itself. */
MOTE_HANDLER(page)
{
    mote_reply(200, "content-type: text/html\n", "<!doctype html><title>page</title>", 34);
}
