/* A guest that does what its request asks for: any host function with any numbers, and any order of
 * calls. What came back is the answer, or a line of the log when an answer was given already. */
#include <mote.h>

/* The same functions with numbers for pointers: a compiler that knows pointers assumes too much. */
#define RAW(name) __attribute__((import_module("mote"), import_name(name)))

RAW("log") int32_t raw_log(int32_t, int32_t, int32_t);
RAW("sleep") int32_t raw_sleep(int64_t);
RAW("random") int32_t raw_random(int32_t, int32_t);
RAW("env_get") int32_t raw_env_get(int32_t, int32_t, int32_t, int32_t);
RAW("request_get") int32_t raw_request_get(int32_t, int32_t, int32_t);
RAW("request_param") int32_t raw_request_param(int32_t, int32_t, int32_t, int32_t);
RAW("request_query_value") int32_t raw_request_query_value(int32_t, int32_t, int32_t, int32_t);
RAW("request_header") int32_t raw_request_header(int32_t, int32_t, int32_t, int32_t);
RAW("request_header_at") int32_t raw_request_header_at(int32_t, int32_t, int32_t);
RAW("request_read") int32_t raw_request_read(int32_t, int32_t);
RAW("respond") int32_t raw_respond(int32_t, int32_t, int32_t, int32_t, int32_t);
RAW("respond_begin") int32_t raw_respond_begin(int32_t, int32_t, int32_t, int64_t);
RAW("respond_write") int32_t raw_respond_write(int32_t, int32_t);

static char results[512];

static char *put_number(char *at, int64_t number)
{
    char digits[20];
    int count = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *at++ = '-';
    }
    while (count > 0) {
        *at++ = digits[--count];
    }
    *at = '\0';
    return at;
}

static void tell(const char *text)
{
    if (mote_reply_text(200, text) != MOTE_OK) {
        mote_log(MOTE_INFO, text);
    }
}

/* "-12", "4294967295", "0x10000": read as 64 bits and cut by whoever takes less. */
static int64_t number_of(const char *text, size_t size)
{
    bool negative = size > 0 && text[0] == '-';
    uint64_t value = 0;
    uint64_t base = 10;
    size_t i = negative ? 1 : 0;
    if (size > i + 2 && text[i] == '0' && text[i + 1] == 'x') {
        base = 16;
        i += 2;
    }
    for (; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        uint64_t digit = c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10;
        value = value * base + digit;
    }
    return (int64_t)(negative ? -value : value);
}

static bool is(const char *text, const char *other)
{
    return __builtin_strcmp(text, other) == 0;
}

static char name[64];

/* The arguments a0 to a4 of the query. "end" is the size of the memory, "end-1" one less; "name" is where
 * ?name= lies, "size" how long it is. */
static void read_arguments(int64_t ret[5])
{
    for (int i = 0; i < 5; i++) {
        char key[3] = {'a', (char)('0' + i), '\0'};
        char text[24];
        int32_t size = mote_query(key, text, sizeof text);
        int64_t end = (int64_t)__builtin_wasm_memory_size(0) * 65536;
        if (size <= 0) {
            ret[i] = 0;
        } else if (is(text, "end")) {
            ret[i] = end;
        } else if (is(text, "end-1")) {
            ret[i] = end - 1;
        } else if (is(text, "name")) {
            ret[i] = (int64_t)(uintptr_t)name;
        } else if (is(text, "size")) {
            ret[i] = (int64_t)mote_size_of(name);
        } else {
            ret[i] = number_of(text, (size_t)size);
        }
    }
}

static int32_t call(const char *function, const int64_t a[5])
{
    int32_t p[5];
    for (int i = 0; i < 5; i++) {
        p[i] = (int32_t)(uint32_t)(uint64_t)a[i];
    }
    if (is(function, "log")) {
        return raw_log(p[0], p[1], p[2]);
    }
    if (is(function, "sleep")) {
        return raw_sleep(a[0]);
    }
    if (is(function, "random")) {
        return raw_random(p[0], p[1]);
    }
    if (is(function, "env_get")) {
        return raw_env_get(p[0], p[1], p[2], p[3]);
    }
    if (is(function, "request_get")) {
        return raw_request_get(p[0], p[1], p[2]);
    }
    if (is(function, "request_param")) {
        return raw_request_param(p[0], p[1], p[2], p[3]);
    }
    if (is(function, "request_query_value")) {
        return raw_request_query_value(p[0], p[1], p[2], p[3]);
    }
    if (is(function, "request_header")) {
        return raw_request_header(p[0], p[1], p[2], p[3]);
    }
    if (is(function, "request_header_at")) {
        return raw_request_header_at(p[0], p[1], p[2]);
    }
    if (is(function, "request_read")) {
        return raw_request_read(p[0], p[1]);
    }
    if (is(function, "respond")) {
        return raw_respond(p[0], p[1], p[2], p[3], p[4]);
    }
    if (is(function, "respond_begin")) {
        return raw_respond_begin(p[0], p[1], p[2], a[3]);
    }
    if (is(function, "respond_write")) {
        return raw_respond_write(p[0], p[1]);
    }
    return 12345;
}

/* ?f=function&a0=&a1=...: that one call. ?begun=1: after the head was given. */
MOTE_HANDLER(one_call)
{
    char function[32];
    int64_t arguments[5];
    mote_query("f", function, sizeof function);
    mote_query("name", name, sizeof name);
    read_arguments(arguments);
    if (mote_query_number("begun", 0) != 0) {
        mote_begin(200, NULL);
    }
    char *end = results;
    const char prefix[] = "result ";
    __builtin_memcpy(end, prefix, sizeof prefix - 1);
    end = put_number(end + sizeof prefix - 1, call(function, arguments));
    tell(results);
}

static char steps[512];
static char headers[512];
static char data[20000];

/* "name:number:number" */
static int32_t do_step(const char *step, size_t size)
{
    size_t colon = 0;
    while (colon < size && step[colon] != ':') {
        colon++;
    }
    size_t second = colon < size ? colon + 1 : size;
    size_t first = second;
    while (second < size && step[second] != ':') {
        second++;
    }
    int64_t number = number_of(step + first, second - first);
    int64_t length = second < size ? number_of(step + second + 1, size - second - 1) : -1;
    const char *lines = headers[0] != '\0' ? headers : NULL;
    switch (step[0]) {
    case 'r': /* respond:status:size */
        return mote_reply((int)number, lines, data, length < 0 ? 2 : (size_t)length);
    case 'b': /* begin:status:length */
        return mote_abi_respond_begin((int32_t)number, lines, mote_size_of(lines), length);
    case 'w': /* write:size */
        return mote_write(data, (size_t)number);
    case 'e': /* eat:capacity, of the body */
        return mote_read(data, (size_t)number);
    case 'g': /* gone */
        return mote_client_gone() ? 1 : 0;
    case 's': /* sleep:ms */
        mote_sleep_ms((uint64_t)number);
        return 0;
    case 't': /* trap */
        __builtin_trap();
    default:
        return 12345;
    }
}

/* ?steps=b:200,w:5&headers=: one after the other. Their results, separated by blanks, are the answer or,
 * if that was given, a line of the log. */
MOTE_HANDLER(script)
{
    int32_t size = mote_query("steps", steps, sizeof steps);
    mote_query("headers", headers, sizeof headers);
    __builtin_memset(data, 'd', sizeof data);
    char *end = results;
    size_t begin = 0;
    for (size_t i = 0; size > 0 && i <= (size_t)size; i++) {
        if (i == (size_t)size || steps[i] == ',') {
            if (end != results) {
                *end++ = ' ';
            }
            end = put_number(end, do_step(steps + begin, i - begin));
            begin = i + 1;
        }
    }
    tell(results);
}

/* The fields of the request, a line each. */
MOTE_HANDLER(fields)
{
    static const char *const names[] = {"method", "path", "query",       "target", "host",
                                        "remote", "id",   "subprotocol", "scheme", "certificate"};
    char value[256];
    mote_begin(200, "content-type: text/plain; charset=utf-8\n");
    for (int32_t i = 0; i <= MOTE_CERTIFICATE; i++) {
        mote_request((enum mote_request_field)i, value, sizeof value);
        mote_write_text(names[i]);
        mote_write_text("=");
        mote_write_text(value);
        mote_write_text("\n");
    }
}

/* What the route's parameters "a", "b" and "*" are, a line each; those it has not are "-". */
MOTE_HANDLER(params)
{
    static const char *const names[] = {"a", "b", "*"};
    char value[256];
    mote_begin(200, "content-type: text/plain; charset=utf-8\n");
    for (int i = 0; i < 3; i++) {
        int32_t size = mote_param(names[i], value, sizeof value);
        mote_write_text(names[i]);
        mote_write_text("=");
        mote_write_text(size < 0 ? "-" : value);
        mote_write_text("\n");
    }
}

/* The value of ?name=, as the guest sees it: "5:value", or the error. */
MOTE_HANDLER(query)
{
    char value[256];
    int32_t size = mote_query("name", value, sizeof value);
    char *end = put_number(results, size);
    *end++ = ':';
    if (size > 0) {
        __builtin_memcpy(end, value, (size_t)size);
        end += size;
    }
    mote_reply(200, NULL, results, (size_t)(end - results));
}

/* Read the whole body, `pause` ms apart; the answer is how much came and how it ended. */
MOTE_HANDLER(swallow)
{
    uint64_t pause_ms = mote_query_number("pause", 0);
    uint64_t piece = mote_query_number("piece", sizeof data);
    uint64_t total = 0;
    int32_t got;
    while ((got = mote_read(data, piece < sizeof data ? (size_t)piece : sizeof data)) > 0) {
        total += (uint64_t)got;
        if (pause_ms > 0) {
            mote_sleep_ms(pause_ms);
        }
    }
    char *end = put_number(results, (int64_t)total);
    *end++ = ' ';
    put_number(end, got);
    tell(results);
}

/* Writes for ever; the log says how much was taken when a write was refused. */
MOTE_HANDLER(flood)
{
    uint64_t total = 0;
    __builtin_memset(data, 'f', sizeof data);
    mote_begin(200, NULL);
    while (mote_write(data, 16384) == MOTE_OK) {
        total += 16384;
    }
    mote_log(MOTE_INFO, "flood: a write was refused");
    (void)total;
}

/* Streams to nobody and never looks: one chunk, then sleeps for ever. */
MOTE_HANDLER(deaf)
{
    mote_begin(200, NULL);
    mote_write_text("one\n");
    for (;;) {
        mote_sleep_ms(3600000);
    }
}

/* Writes a short line every `ms` until that fails, and says so. */
MOTE_HANDLER(drip)
{
    uint64_t ms = mote_query_number("ms", 10);
    mote_begin(200, "content-type: text/event-stream\n");
    while (mote_write_text("drip\n") == MOTE_OK) {
        mote_sleep_ms(ms);
    }
    mote_log(MOTE_INFO, "drip: closed");
}

/* Sleeps, answers, and says what the answer's result was. */
MOTE_HANDLER(late)
{
    mote_sleep_ms(mote_query_number("ms", 200));
    char text[32] = "late: ";
    put_number(text + 6, mote_reply_text(200, "late\n"));
    mote_log(MOTE_INFO, text);
}

/* ?n=: log lines "line 1", "line 2" ... */
MOTE_HANDLER(chatter)
{
    uint64_t n = mote_query_number("n", 1);
    for (uint64_t i = 1; i <= n; i++) {
        char text[32] = "line ";
        put_number(text + 5, (int64_t)i);
        mote_log(MOTE_INFO, text);
    }
    mote_reply_text(200, "said\n");
}

/* Bytes that a terminal would obey. */
MOTE_HANDLER(control)
{
    static const char text[] =
        "red \x1b[31m bell \a del \x7f nel \xc2\x85 bad \xff\xfe end\r\nforged line";
    mote_abi_log(MOTE_INFO, text, sizeof text - 1);
    mote_reply_text(200, "said\n");
}

/* ?name=: the variable, or the error as a number. */
MOTE_HANDLER(environment)
{
    char value[128];
    mote_query("name", name, sizeof name);
    int32_t size = mote_env(name, value, sizeof value);
    if (size < 0) {
        put_number(results, size);
        mote_reply_text(403, results);
    } else {
        mote_reply_text(200, value);
    }
}

static void deep_three(void)
{
    __builtin_trap();
}

static void (*volatile deep_two)(void) = deep_three;

/* A crash below two calls that no compiler removes. */
MOTE_HANDLER(deep_crash)
{
    deep_two();
    mote_log(MOTE_INFO, "unreachable");
}

static uint32_t counter;

/* How many requests this instance has seen: always the first. */
MOTE_HANDLER(count)
{
    counter++;
    put_number(results, counter);
    mote_reply_text(200, results);
}

/* Uses `ms` milliseconds of time by looking at the clock, then answers. */
MOTE_HANDLER(busy)
{
    uint64_t until = mote_clock_ns() + mote_query_number("ms", 50) * 1000000;
    while (mote_clock_ns() < until) {
    }
    mote_reply_text(200, "done\n");
}

/* Begins a stream, then spins. */
MOTE_HANDLER(spin_late)
{
    mote_begin(200, NULL);
    mote_write_text("one\n");
    for (volatile uint32_t i = 0;; i++) {
    }
}

/* Streams one chunk, then sleeps `ms`, then another. */
MOTE_HANDLER(pause)
{
    mote_begin(200, NULL);
    mote_write_text("one\n");
    mote_sleep_ms(mote_query_number("ms", 1000));
    mote_write_text("two\n");
}

/* Random bytes, or a clock, as text: that they can be used. */
MOTE_HANDLER(world)
{
    uint8_t bytes[16];
    uint32_t sum = 0;
    mote_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        sum += bytes[i];
    }
    char *end = put_number(results, sum > 0);
    *end++ = ' ';
    end = put_number(end, mote_clock_ns() > 0);
    *end++ = ' ';
    end = put_number(end, (int64_t)(mote_wall_clock_ns() / 1000000000));
    *end++ = ' ';
    put_number(end, (int64_t)(mote_self() >> 1));
    mote_reply_text(200, results);
}

/* The whole body as the answer, once all of it is there; none when it does not come whole. */
MOTE_HANDLER(gather)
{
    size_t size = 0;
    int32_t got = 1;
    while (size < sizeof data && (got = mote_read(data + size, sizeof data - size)) > 0) {
        size += (size_t)got;
    }
    if (got >= 0) {
        mote_reply(200, NULL, data, size);
    }
}

/* Nothing but 200. */
MOTE_HANDLER(fine)
{
    mote_reply(200, NULL, NULL, 0);
}
