/* The smallest component that answers by wasi:http/incoming-handler: for the benchmarks. Made into hello.wasm by make.sh. */
#include "wasi_http.h"

static uint8_t heap[1024];
static size_t used;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t size)
{
    (void)old, (void)old_size;
    size_t begin = (used + align - 1) / align * align;
    if (begin + size > sizeof heap) {
        __builtin_trap();
    }
    used = begin + size;
    return heap + begin;
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.12#handle"))) void handle_request(
    handle request, handle outparam)
{
    (void)request;
    struct area area;
    handle fields = fields_new();
    fields_append(fields, "content-type", 12, "text/plain", 10, &area);
    handle response = response_new(fields);
    response_body(response, &area);
    handle body = (handle)area.first;
    outgoing_stream(body, &area);
    handle out = (handle)area.first;
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    stream_write(out, "hello\n", 6, &area);
    output_drop(out);
    outgoing_finish(body, 0, 0, &area);
}
