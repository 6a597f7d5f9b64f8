/* Of the component of the tests: how it reads its request and writes its answer. */
#include "answer.h"

#define EXPORT(name) __attribute__((export_name(name)))

static uint8_t heap[2 * BLOCK_BYTES];
static size_t used;

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

bool begins(struct text text, const char *with)
{
    size_t size = length_of(with);
    for (size_t i = 0; i < size; i++) {
        if (i >= text.size || text.data[i] != with[i]) {
            return false;
        }
    }
    return true;
}

bool is(struct text text, const char *other)
{
    return text.size == length_of(other) && begins(text, other);
}

void wait_for(handle pollable)
{
    pollable_block(pollable);
    pollable_drop(pollable);
}

/* ---- The answer ---- */

handle outparam, body, out;
bool closed;

void add(handle fields, const char *name, const void *value, size_t size)
{
    struct area area;
    fields_append(fields, name, length_of(name), value, size, &area);
}

void begin(int32_t status, handle fields)
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

void begin_text(int32_t status)
{
    handle fields = fields_new();
    add(fields, "content-type", "text/plain", 10);
    begin(status, fields);
}

/* Until all of it is taken, or the stream is closed. */
void put_bytes(const void *data, size_t size)
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

void put(const char *text)
{
    put_bytes(text, length_of(text));
}

void put_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_bytes(digits + at, sizeof digits - at);
}

void end_with(int32_t has_trailers, handle trailers)
{
    struct area area;
    output_drop(out);
    outgoing_finish(body, has_trailers, trailers, &area);
}

void end(void)
{
    end_with(0, 0);
}

void answer(int32_t status, const char *text)
{
    begin_text(status);
    put(text);
    end();
}

/* ---- The request's body ---- */

handle in_body, in;

void open_body(handle request)
{
    struct area area;
    request_consume(request, &area);
    in_body = (handle)area.first;
    incoming_stream(in_body, &area);
    in = (handle)area.first;
}

/* False: it is over (`*ret_failed`: badly). */
bool read_some(struct text *ret, bool *ret_failed)
{
    struct area area;
    used = 0;
    stream_read(in, BLOCK_BYTES, &area);
    *ret = (struct text){(const char *)(uintptr_t)area.first, area.second};
    *ret_failed = area.tag != 0 && (area.first & 0xff) == 0;
    return area.tag == 0;
}

uint32_t number_in(struct text text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    return number;
}
