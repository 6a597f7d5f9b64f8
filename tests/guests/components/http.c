/* A component that answers by wasi:http/incoming-handler, in as many ways as the tests need: the path of the request says how.
 * Made into http.wasm by make.sh. */
#include "wasi_http.h"

#define EXPORT(name) __attribute__((export_name(name)))

enum { FOREVER_S = 3600, BLOCK_BYTES = 64 * 1024 };

static uint8_t heap[2 * BLOCK_BYTES];
static size_t used;
static uint8_t block[BLOCK_BYTES];

/* Everything that is passed in; forgotten before the next read. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    size_t begin = (used + align - 1) / align * align;
    if (begin + size > sizeof heap) {
        __builtin_trap();
    }
    used = begin + size;
    for (size_t i = 0; i < old_size && i < size; i++) {
        heap[begin + i] = ((uint8_t *)old)[i];
    }
    return heap + begin;
}

static size_t length_of(const char *text)
{
    size_t size = 0;
    while (text[size] != 0) {
        size++;
    }
    return size;
}

struct text {
    const char *data;
    size_t size;
};

static bool begins(struct text text, const char *with)
{
    size_t size = length_of(with);
    for (size_t i = 0; i < size; i++) {
        if (i >= text.size || text.data[i] != with[i]) {
            return false;
        }
    }
    return true;
}

static bool is(struct text text, const char *other)
{
    return text.size == length_of(other) && begins(text, other);
}

static void wait_for(handle pollable)
{
    pollable_block(pollable);
    pollable_drop(pollable);
}

static void sleep_s(int64_t seconds)
{
    wait_for(clock_after(seconds * 1000000000));
}

/* ---- The answer ---- */

static handle outparam, body, out;
static bool closed;

static void add(handle fields, const char *name, const void *value, size_t size)
{
    struct area area;
    fields_append(fields, name, length_of(name), value, size, &area);
}

static void begin(int32_t status, handle fields)
{
    struct area area;
    handle response = response_new(fields);
    if (response_set_status(response, status) != 0) {
        __builtin_trap();
    }
    response_body(response, &area);
    body = (handle)area.first;
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_stream(body, &area);
    out = (handle)area.first;
}

static void begin_text(int32_t status)
{
    handle fields = fields_new();
    add(fields, "content-type", "text/plain", 10);
    begin(status, fields);
}

/* Until all of it is taken, or the stream is closed. */
static void put_bytes(const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > 0 && !closed) {
        struct area area;
        stream_room(out, &area);
        if (area.tag != 0) {
            closed = true;
            return;
        }
        size_t bite = area.number < size ? (size_t)area.number : size;
        if (bite == 0) {
            wait_for(stream_subscribe(out));
            continue;
        }
        stream_write(out, from, bite, &area);
        closed = area.tag != 0;
        from += bite;
        size -= bite;
    }
}

static void put(const char *text)
{
    put_bytes(text, length_of(text));
}

static void put_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_bytes(digits + at, sizeof digits - at);
}

static void end_with(int32_t has_trailers, handle trailers)
{
    struct area area;
    output_drop(out);
    outgoing_finish(body, has_trailers, trailers, &area);
}

static void end(void)
{
    end_with(0, 0);
}

static void answer(int32_t status, const char *text)
{
    begin_text(status);
    put(text);
    end();
}

/* ---- The request's body ---- */

static handle in_body, in;

static void open_body(handle request)
{
    struct area area;
    request_consume(request, &area);
    in_body = (handle)area.first;
    incoming_stream(in_body, &area);
    in = (handle)area.first;
}

/* False: it is over (`*ret_failed`: badly). */
static bool read_some(struct text *ret, bool *ret_failed)
{
    struct area area;
    used = 0;
    stream_read(in, BLOCK_BYTES, &area);
    *ret = (struct text){(const char *)(uintptr_t)area.first, area.second};
    *ret_failed = area.tag != 0 && (area.first & 0xff) == 0;
    return area.tag == 0;
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

static void complain(void)
{
    out = stderr_get();
    put("a word of the guest\n");
    output_drop(out);
    closed = false; /* also where that was refused */
    answer(200, "complained\n");
}

/* ---- Its own requests ---- */

/* "/fetch?http://HOST:PORT/PATH": the answer of that. POST: with the request's body. */
static handle begin_fetch(struct text url, bool post, handle *ret_body)
{
    bool secure = begins(url, "https://");
    size_t host = secure ? 8 : 7, slash = host;
    while (slash < url.size && url.data[slash] != '/') {
        slash++;
    }
    struct area area;
    handle request = outgoing_new(fields_new());
    outgoing_set_method(request, post ? 2 : 0, NULL, 0);
    outgoing_set_scheme(request, 1, secure, NULL, 0);
    outgoing_set_authority(request, 1, url.data + host, slash - host);
    outgoing_set_path(request, 1, url.data + slash, url.size - slash);
    *ret_body = 0;
    if (post) {
        outgoing_body(request, &area);
        *ret_body = (handle)area.first;
    }
    return request;
}

static void send_body(handle to, handle request)
{
    struct text piece;
    struct area area;
    bool failed = false;
    handle answer_out = out, answer_body = body;
    body = to;
    outgoing_stream(body, &area);
    out = (handle)area.first;
    open_body(request);
    while (!closed && read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    end();
    closed = false;
    out = answer_out;
    body = answer_body;
}

static void pass_on(handle response)
{
    struct text piece;
    struct area area;
    bool failed = false;
    begin_text(incoming_status(response));
    incoming_consume(response, &area);
    in_body = (handle)area.first;
    incoming_stream(in_body, &area);
    in = (handle)area.first;
    while (!closed && read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    if (failed) {
        outgoing_drop(body);
    } else {
        end();
    }
}

static void fetch(handle request, struct text url, bool post, bool give_up)
{
    uint8_t ret[96] __attribute__((aligned(8)));
    handle to;
    handle outgoing = begin_fetch(url, post, &to);
    outgoing_handle(outgoing, 0, 0, ret);
    if (ret[0] != 0) {
        begin_text(502);
        put("refused at once: ");
        put_number(ret[8]);
        put("\n");
        end();
        return;
    }
    handle future = *(handle *)(void *)(ret + 8);
    if (post) {
        send_body(to, request);
    }
    if (give_up) {
        future_drop(future);
        answer(200, "given up\n");
        return;
    }
    wait_for(future_subscribe(future));
    future_get(future, ret);
    if (ret[0] != 1 || ret[8] != 0) {
        __builtin_trap();
    }
    if (ret[16] != 0) {
        begin_text(502);
        put("error ");
        put_number(ret[24]);
        put("\n");
        end();
        return;
    }
    pass_on(*(handle *)(void *)(ret + 24));
}

static uint32_t number_in(struct text text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    return number;
}

/* ---- Sockets ---- */

enum { WOULD_BLOCK = 8 };

static void answer_error(const char *what, uint32_t code)
{
    begin_text(502);
    put(what);
    put_number(code);
    put("\n");
    end();
}

/* "A.B.C.D:PORT" as five numbers. */
static void read_address(struct text text, int32_t ret[5])
{
    for (size_t i = 0; i < 5; i++) {
        size_t digits = 0;
        while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
            digits++;
        }
        ret[i] = (int32_t)number_in((struct text){text.data, digits});
        text.data += digits + 1;
        text.size -= digits < text.size ? digits + 1 : digits;
    }
}

/* "/connect?A.B.C.D:PORT": what is said there first. */
static void connect(struct text to)
{
    struct area area;
    int32_t a[5];
    read_address(to, a);
    tcp_create(0, &area);
    if (area.tag != 0) {
        answer_error("no socket: ", area.first & 0xff);
        return;
    }
    handle tcp = (handle)area.first;
    tcp_connect(tcp, network_get(), 0, a[4], a[0], a[1], a[2], a[3], 0, 0, 0, 0, 0, 0, &area);
    if (area.tag != 0) {
        answer_error("refused at once: ", ((uint8_t *)&area)[1]);
        return;
    }
    for (;;) {
        tcp_connected(tcp, &area);
        if (area.tag == 0 || (area.first & 0xff) != WOULD_BLOCK) {
            break;
        }
        wait_for(tcp_subscribe(tcp));
    }
    if (area.tag != 0) {
        answer_error("not connected: ", area.first & 0xff);
        return;
    }
    struct text piece;
    bool failed;
    in = (handle)area.first;
    begin_text(200);
    if (read_some(&piece, &failed)) {
        put_bytes(piece.data, piece.size);
    }
    end();
}

/* "/bind?A.B.C.D:PORT" */
static void bind(struct text to)
{
    struct area area;
    int32_t a[5];
    read_address(to, a);
    tcp_create(0, &area);
    if (area.tag != 0) {
        answer_error("no socket: ", area.first & 0xff);
        return;
    }
    handle tcp = (handle)area.first;
    tcp_bind(tcp, network_get(), 0, a[4], a[0], a[1], a[2], a[3], 0, 0, 0, 0, 0, 0, &area);
    if (area.tag == 0) {
        tcp_bound(tcp, &area);
    }
    if (area.tag != 0) {
        answer_error("not bound: ", ((uint8_t *)&area)[1]);
        return;
    }
    answer(200, "bound\n");
}

/* "/resolve?NAME": whether it has an address. */
static void resolve(struct text name)
{
    struct area area;
    names_resolve(network_get(), name.data, name.size, &area);
    if (area.tag != 0) {
        answer_error("refused at once: ", area.first & 0xff);
        return;
    }
    handle addresses = (handle)area.first;
    for (;;) {
        names_next(addresses, &area);
        if (area.tag == 0 || ((uint8_t *)&area)[2] != WOULD_BLOCK) {
            break;
        }
        wait_for(names_subscribe(addresses));
    }
    if (area.tag != 0) {
        answer_error("not resolved: ", ((uint8_t *)&area)[2]);
        return;
    }
    answer(200, "resolved\n");
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
    } else if (is(path, "/complain")) {
        complain();
    } else if (begins(path, "/tell")) {
        tell(request);
    } else if (begins(path, "/status/")) {
        answer((int32_t)number_in((struct text){path.data + 8, path.size - 8}), "as you wish\n");
    } else if (begins(path, "/fetch?")) {
        fetch(request, (struct text){path.data + 7, path.size - 7}, false, false);
    } else if (begins(path, "/post?")) {
        fetch(request, (struct text){path.data + 6, path.size - 6}, true, false);
    } else if (begins(path, "/forget?")) {
        fetch(request, (struct text){path.data + 8, path.size - 8}, false, true);
    } else if (begins(path, "/connect?")) {
        connect((struct text){path.data + 9, path.size - 9});
    } else if (begins(path, "/bind?")) {
        bind((struct text){path.data + 6, path.size - 6});
    } else if (begins(path, "/resolve?")) {
        resolve((struct text){path.data + 9, path.size - 9});
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
    if (!misbehave((struct text){path, size})) {
        behave(request, (struct text){path, size});
    }
}
