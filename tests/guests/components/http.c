/* A component that answers by wasi:http/incoming-handler, in as many ways as the tests need: the path of the request says how.
 * Made into http.wasm by make.sh. */
#include "answer.h"

enum { FOREVER_S = 3600 };

static uint8_t block[BLOCK_BYTES];

#define EXPORT(name) __attribute__((export_name(name)))

static void sleep_s(int64_t seconds)
{
    wait_for(clock_after(seconds * 1000000000));
}

/* What came behind the body; 0: nothing. */
static handle read_trailers(void)
{
    uint8_t ret[96] __attribute__((aligned(8)));
    input_drop(in);
    handle future = incoming_finish(in_body);
    wait_for(trailers_subscribe(future));
    trailers_get(future, ret);
    /* some (8), ok (16), ok (24), some (28): as far as they are aligned. */
    bool there = ret[0] == 1 && ret[8] == 0 && ret[16] == 0 && ret[24] == 1;
    return there ? *(handle *)(void *)(ret + 28) : 0;
}

static void echo(handle request)
{
    struct text piece;
    bool failed = false;
    open_body(request);
    begin_text(200);
    while (!closed && read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    if (failed) {
        outgoing_drop(body);
        return;
    }
    handle trailers = read_trailers();
    if (trailers != 0) {
        uint32_t list[2];
        fields_get(trailers, "x-sum", 5, list);
        handle back = fields_new();
        if (list[1] == 1) {
            const uint32_t *value = (const uint32_t *)(uintptr_t)list[0];
            add(back, "x-sum", (const void *)(uintptr_t)value[0], value[1]);
        }
        end_with(1, back);
        return;
    }
    end();
}

static void upload(handle request)
{
    struct text piece;
    bool failed = false;
    uint64_t size = 0;
    open_body(request);
    while (read_some(&piece, &failed)) {
        size += piece.size;
    }
    begin_text(failed ? 400 : 200);
    put(failed ? "failed after " : "read ");
    put_number(size);
    put("\n");
    end();
}

/* ---- What happens to handlers ---- */

static void grow(void)
{
    while (__builtin_wasm_memory_grow(0, 16) != SIZE_MAX) {
    }
    __builtin_trap();
}

static void spin(void)
{
    for (volatile uint32_t i = 0;; i++) {
    }
}

static void stream(bool endless)
{
    begin_text(200);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        block[i] = 'x';
    }
    for (int i = 0; (endless || i < 16) && !closed; i++) {
        put_bytes(block, sizeof block);
    }
    end();
}

static void events(void)
{
    handle fields = fields_new();
    add(fields, "content-type", "text/event-stream", 17);
    begin(200, fields);
    put("data: one\n\n");
    put("data: two\n\n");
    while (!closed) {
        wait_for(clock_after(20000000));
        put(": still here\n\n");
    }
}

static void sized(size_t length)
{
    handle fields = fields_new();
    add(fields, "content-length", length == 5 ? "5" : "10", length == 5 ? 1 : 2);
    begin(200, fields);
    put("12345");
}

static void tell(handle request)
{
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    struct area area;
    begin_text(200);
    request_method(request, &area);
    put(area.tag == 9 ? "other" : methods[area.tag]);
    request_path(request, &area);
    put(" ");
    put_bytes((const void *)(uintptr_t)area.first, area.second);
    request_scheme(request, &area);
    put((area.first & 0xff) == 0 ? " http " : " https ");
    request_authority(request, &area);
    put_bytes((const void *)(uintptr_t)area.first, area.second);
    uint32_t list[2];
    fields_get(request_headers(request), "x-test", 6, list);
    const uint32_t *values = (const uint32_t *)(uintptr_t)list[0];
    for (uint32_t i = 0; i < list[1]; i++) {
        put(" ");
        put_bytes((const void *)(uintptr_t)values[2 * i], values[2 * i + 1]);
    }
    put("\n");
    end();
}

static void trailers(void)
{
    begin_text(200);
    put("body\n");
    handle fields = fields_new();
    add(fields, "x-sum", "42", 2);
    end_with(1, fields);
}

/* Is busy between its answer's head and end, for longer than a turn. */
static void dawdle(void)
{
    begin_text(200);
    put("in the end\n");
    for (int64_t until = clock_now() + 3000000; clock_now() < until;) {
    }
    end();
}

static void complain(void)
{
    out = stderr_get();
    put("a word of the guest\n");
    output_drop(out);
    closed = false; /* also where that was refused */
    answer(200, "complained\n");
}

static bool misbehave(struct text path)
{
    if (is(path, "/crash")) {
        __builtin_trap();
    } else if (is(path, "/oom")) {
        grow();
    } else if (is(path, "/spin")) {
        spin();
    } else if (is(path, "/sleep")) {
        sleep_s(FOREVER_S);
    } else if (is(path, "/silent")) {
        return true;
    } else if (is(path, "/refuse")) {
        outparam_set(outparam, 1, 0, 0, 0, 0, 0, 0, 0);
    } else if (is(path, "/late-crash")) {
        begin_text(200);
        put("begun\n");
        __builtin_trap();
    } else if (is(path, "/late-sleep")) {
        begin_text(200);
        put("begun\n");
        sleep_s(FOREVER_S);
    } else if (is(path, "/late-spin")) {
        begin_text(200);
        put("begun\n");
        spin();
    } else if (is(path, "/abandoned")) {
        begin_text(200);
        put("begun\n");
        output_drop(out);
        outgoing_drop(body);
    } else if (is(path, "/unfinished")) {
        begin_text(200);
        put("begun\n");
    } else if (is(path, "/short")) {
        sized(10);
    } else if (is(path, "/behind")) {
        answer(200, "complete\n");
        sleep_s(FOREVER_S);
    } else if (is(path, "/behind-crash")) {
        answer(200, "complete\n");
        __builtin_trap();
    } else {
        return false;
    }
    return true;
}

static void behave(handle request, struct text path)
{
    static uint32_t count;
    if (is(path, "/echo")) {
        echo(request);
    } else if (is(path, "/upload")) {
        upload(request);
    } else if (is(path, "/stream") || is(path, "/endless")) {
        stream(is(path, "/endless"));
    } else if (is(path, "/events")) {
        events();
    } else if (is(path, "/sized")) {
        sized(5);
        end();
    } else if (is(path, "/trailers")) {
        trailers();
    } else if (is(path, "/dawdle")) {
        dawdle();
    } else if (is(path, "/complain")) {
        complain();
    } else if (begins(path, "/tell")) {
        tell(request);
    } else if (begins(path, "/status/")) {
        answer((int32_t)number_in((struct text){path.data + 8, path.size - 8}), "as you wish\n");
    } else if (is(path, "/count")) {
        begin_text(200);
        put_number(++count);
        end();
    } else {
        answer(200, "hello\n");
    }
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle_request(handle request, handle to)
{
    static char path[1024];
    struct area area;
    request_path(request, &area);
    size_t size = area.second < sizeof path ? area.second : sizeof path;
    for (size_t i = 0; i < size; i++) {
        path[i] = ((const char *)(uintptr_t)area.first)[i];
    }
    outparam = to;
    if (!misbehave((struct text){path, size}) && !reach_out(request, (struct text){path, size})) {
        behave(request, (struct text){path, size});
    }
}
