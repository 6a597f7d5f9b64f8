/* Requests to others, in every way that the tests of test_fetch.py need. */
#include <mote.h>

static char url[4096];
static char text[8192];
static char piece[16384];
static char method[16] = "GET";

static void number(char *to, int32_t value)
{
    char digits[12];
    size_t count = 0;
    uint32_t rest = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[count++] = '-';
    }
    while (count > 0) {
        *to++ = digits[--count];
    }
    *to++ = '\n';
    *to = '\0';
}

/* "aborted 5": why there is no answer. */
static void tell_failure(int32_t error, int32_t reason)
{
    char line[32];
    number(line, error == MOTE_ABORTED ? reason : error);
    mote_reply_text(error == MOTE_DENIED ? 403 : error == MOTE_ABORTED ? 502 : 500, line);
}

static struct mote_fetch_options options_of_query(void)
{
    return (struct mote_fetch_options){
        .redirects = (uint32_t)mote_query_number("redirects", 0),
        .connect_ms = (uint32_t)mote_query_number("connect", 0),
        .head_ms = (uint32_t)mote_query_number("head", 0),
        .idle_ms = (uint32_t)mote_query_number("idle", 0),
        .deadline_ms = (uint32_t)mote_query_number("deadline", 0),
    };
}

/* Read the query. False: the answer was given. */
static bool open(struct mote_fetch *fetch, struct mote_fetch_options *options)
{
    char headers[1024] = "";
    (void)mote_query("url", url, sizeof url);
    (void)mote_query("method", method, sizeof method);
    (void)mote_query("headers", headers, sizeof headers);
    int32_t error = mote_fetch_open(method[0] != '\0' ? method : "GET", url, headers, options,
                                    fetch);
    if (error < 0) {
        tell_failure(error, 0);
    }
    return error == 0;
}

static bool wait_head(struct mote_fetch *fetch)
{
    int32_t error = mote_fetch_wait(fetch, -1);
    if (error < 0) {
        tell_failure(error, mote_fetch_reason(fetch));
    }
    return error == 0;
}

static void pass_on(struct mote_fetch *fetch)
{
    int32_t got;
    while ((got = mote_fetch_read(fetch, piece, sizeof piece)) > 0) {
        mote_write(piece, (size_t)got);
    }
    if (got < 0) {
        char line[48] = "\nbroken ";
        number(line + 8, mote_stream_reason(fetch->ends.answer));
        mote_write_text(line);
    }
}

/* GET /get?url=&method=&headers=&redirects=&connect=&head=&idle=&deadline= */
MOTE_HANDLER(get)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    if (open(&fetch, &options)) {
        if (wait_head(&fetch)) {
            mote_begin((int)fetch.head.status, NULL);
            pass_on(&fetch);
        }
        mote_fetch_close(&fetch);
    }
}

/* GET /head: the answer's headers, and "x" asked for alone; its trailers. */
MOTE_HANDLER(head)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    if (!open(&fetch, &options)) {
        return;
    }
    if (mote_abi_fetch_headers(fetch.ends.fetch, text, sizeof text) != MOTE_MISPLACED) {
        mote_log(MOTE_WARN, "headers before the head");
    }
    if (wait_head(&fetch)) {
        mote_begin((int)fetch.head.status, NULL);
        int32_t size = mote_abi_fetch_headers(fetch.ends.fetch, text, sizeof text);
        mote_write(text, (size_t)size);
        size = mote_fetch_header(&fetch, "X", text, sizeof text);
        if (size >= 0) {
            mote_write_text("alone: ");
            mote_write(text, (size_t)size);
            mote_write_text("\n");
        }
        while (mote_fetch_read(&fetch, piece, sizeof piece) > 0) {
        }
        size = mote_abi_fetch_trailers(fetch.ends.fetch, text, sizeof text);
        mote_write_text("trailers:\n");
        mote_write(text, (size_t)size);
    }
    mote_fetch_close(&fetch);
}

/* POST /post: the body goes on as it comes. */
MOTE_HANDLER(post)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    options.flags = MOTE_FETCH_BODY;
    options.body_bytes = mote_query_number("length", 0);
    if (options.body_bytes > 0) {
        options.flags |= MOTE_FETCH_LENGTH;
    }
    if (!open(&fetch, &options)) {
        return;
    }
    int32_t got;
    while ((got = mote_read(piece, sizeof piece)) > 0) {
        if (mote_fetch_write(&fetch, piece, (size_t)got) < 0) {
            break;
        }
    }
    mote_fetch_finish(&fetch);
    if (wait_head(&fetch)) {
        mote_begin((int)fetch.head.status, NULL);
        pass_on(&fetch);
    }
    mote_fetch_close(&fetch);
}

/* GET /duplex?n=: n pieces, each answered before the next one is sent. */
MOTE_HANDLER(duplex)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    options.flags = MOTE_FETCH_BODY;
    uint64_t n = mote_query_number("n", 10);
    if (!open(&fetch, &options)) {
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        char ping[2] = {(char)('a' + i % 26), '\0'};
        char pong[2] = "?";
        if (mote_fetch_write(&fetch, ping, 1) != 1 || (i == 0 && !wait_head(&fetch)) ||
            mote_fetch_read(&fetch, pong, 1) != 1 || pong[0] != ping[0]) {
            mote_reply_text(500, "no echo\n");
            mote_fetch_close(&fetch);
            return;
        }
    }
    mote_fetch_finish(&fetch);
    bool ended = mote_fetch_read(&fetch, piece, sizeof piece) == 0;
    mote_fetch_close(&fetch);
    mote_reply_text(ended ? 200 : 500, ended ? "echoed\n" : "no end\n");
}

/* GET /hold: asks, and then does nothing more until it is killed. */
MOTE_HANDLER(hold)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    if (open(&fetch, &options) && wait_head(&fetch)) {
        mote_begin(200, NULL);
        mote_write_text("holding\n");
        mote_sleep_ms(3600000);
    }
}

/* GET /leave?n=: asks n times and returns; the platform clears up. */
MOTE_HANDLER(leave)
{
    struct mote_fetch_options options = options_of_query();
    uint64_t n = mote_query_number("n", 1);
    for (uint64_t i = 0; i < n; i++) {
        struct mote_fetch fetch;
        if (!open(&fetch, &options)) {
            return;
        }
    }
    mote_reply_text(200, "left\n");
}

/* GET /many?n=: how many can be open at once, and what the next one is told. */
MOTE_HANDLER(many)
{
    struct mote_fetch_options options = options_of_query();
    struct mote_fetch fetches[64];
    uint64_t n = mote_query_number("n", 64);
    (void)mote_query("url", url, sizeof url);
    uint64_t count = 0;
    int32_t error = 0;
    while (count < n && count < 64 &&
           (error = mote_fetch_open("GET", url, NULL, &options, &fetches[count])) == 0) {
        count++;
    }
    char line[32];
    number(line, (int32_t)count);
    size_t size = mote_size_of(line);
    line[size - 1] = ' ';
    number(line + size, error);
    for (uint64_t i = 0; i < count; i++) {
        mote_fetch_close(&fetches[i]);
    }
    mote_reply_text(200, line);
}

/* GET /race?url=&other=: which of two answers first. */
MOTE_HANDLER(race)
{
    struct mote_fetch first, second;
    struct mote_fetch_options options = options_of_query();
    if (!open(&first, &options)) {
        return;
    }
    (void)mote_query("other", url, sizeof url);
    if (mote_fetch_open("GET", url, NULL, &options, &second) != 0) {
        mote_reply_text(500, "no second\n");
        return;
    }
    struct mote_wait set[2] = {{.kind = MOTE_WAIT_FETCHED, .handle = first.ends.fetch},
                               {.kind = MOTE_WAIT_FETCHED, .handle = second.ends.fetch}};
    int32_t ready = mote_wait(set, 2, -1);
    mote_reply_text(200, ready < 1      ? "none\n"
                         : set[0].ready ? set[1].ready ? "both\n" : "first\n"
                                        : "second\n");
    mote_fetch_close(&first);
    mote_fetch_close(&second);
    set[0].kind = MOTE_WAIT_FETCHED;
    if (mote_wait(set, 1, 0) != MOTE_NOT_FOUND) {
        mote_log(MOTE_WARN, "a stale handle is known");
    }
}

/* GET /cut?url=: announces ten bytes, sends three, and gives up. */
MOTE_HANDLER(cut)
{
    struct mote_fetch fetch;
    struct mote_fetch_options options = options_of_query();
    options.flags = MOTE_FETCH_BODY | MOTE_FETCH_LENGTH;
    options.body_bytes = 10;
    if (open(&fetch, &options)) {
        mote_fetch_write(&fetch, "abc", 3);
        if (mote_query_number("end", 0) != 0) {
            mote_fetch_finish(&fetch);
        } else {
            mote_stream_abort(fetch.ends.body, 7);
            fetch.ends.body = 0;
        }
        if (wait_head(&fetch)) {
            mote_reply_text(200, "answered\n");
        }
        mote_fetch_close(&fetch);
    }
}
