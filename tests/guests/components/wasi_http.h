/* What the component of the tests calls of wasi:http and what that is built from, in the canonical ABI: handles and numbers are
 * i32, results of more than one value go to an area. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FROM(module, name) __attribute__((import_module(module), import_name(name)))
#define TYPES(name) FROM("wasi:http/types@0.2.12", name)
#define STREAMS(name) FROM("wasi:io/streams@0.2.12", name)

typedef int32_t handle;

/** Where results go: a tag in the first byte, values behind it. */
struct area {
    _Alignas(8) uint8_t tag;
    uint32_t first;
    union {
        uint32_t second;
        uint64_t number;
    };
    uint8_t rest[64];
};

TYPES("[constructor]fields") handle fields_new(void);
TYPES("[method]fields.append")
void fields_append(handle, const char *name, size_t, const void *value, size_t, struct area *);
TYPES("[method]fields.get") void fields_get(handle, const char *name, size_t, uint32_t ret[2]);
TYPES("[resource-drop]fields") void fields_drop(handle);
TYPES("[method]incoming-request.method") void request_method(handle, struct area *);
TYPES("[method]incoming-request.path-with-query") void request_path(handle, struct area *);
TYPES("[method]incoming-request.scheme") void request_scheme(handle, struct area *);
TYPES("[method]incoming-request.authority") void request_authority(handle, struct area *);
TYPES("[method]incoming-request.headers") handle request_headers(handle);
TYPES("[method]incoming-request.consume") void request_consume(handle, struct area *);
TYPES("[method]incoming-body.stream") void incoming_stream(handle, struct area *);
TYPES("[static]incoming-body.finish") handle incoming_finish(handle);
TYPES("[resource-drop]incoming-body") void incoming_drop(handle);
TYPES("[method]future-trailers.subscribe") handle trailers_subscribe(handle);
TYPES("[method]future-trailers.get") void trailers_get(handle, uint8_t ret[96]);
TYPES("[constructor]outgoing-response") handle response_new(handle fields);
TYPES("[method]outgoing-response.set-status-code") int32_t response_set_status(handle, int32_t);
TYPES("[method]outgoing-response.body") void response_body(handle, struct area *);
TYPES("[static]response-outparam.set")
void outparam_set(handle, int32_t is_error, int32_t, int32_t, int64_t, int32_t, int32_t, int32_t,
                  int32_t);
TYPES("[method]outgoing-body.write") void outgoing_stream(handle, struct area *);
TYPES("[static]outgoing-body.finish")
void outgoing_finish(handle, int32_t has_trailers, handle trailers, struct area *);
TYPES("[resource-drop]outgoing-body") void outgoing_drop(handle);

TYPES("[constructor]outgoing-request") handle outgoing_new(handle fields);
TYPES("[method]outgoing-request.set-method")
int32_t outgoing_set_method(handle, int32_t method, const char *, size_t);
TYPES("[method]outgoing-request.set-path-with-query")
int32_t outgoing_set_path(handle, int32_t some, const char *, size_t);
TYPES("[method]outgoing-request.set-scheme")
int32_t outgoing_set_scheme(handle, int32_t some, int32_t scheme, const char *, size_t);
TYPES("[method]outgoing-request.set-authority")
int32_t outgoing_set_authority(handle, int32_t some, const char *, size_t);
TYPES("[method]outgoing-request.body") void outgoing_body(handle, struct area *);
FROM("wasi:http/outgoing-handler@0.2.12", "handle")
void outgoing_handle(handle request, int32_t has_options, handle options, uint8_t ret[64]);
TYPES("[method]future-incoming-response.subscribe") handle future_subscribe(handle);
TYPES("[method]future-incoming-response.get") void future_get(handle, uint8_t ret[96]);
TYPES("[resource-drop]future-incoming-response") void future_drop(handle);
TYPES("[method]incoming-response.status") int32_t incoming_status(handle);
TYPES("[method]incoming-response.headers") handle incoming_headers(handle);
TYPES("[method]incoming-response.consume") void incoming_consume(handle, struct area *);
TYPES("[resource-drop]incoming-response") void incoming_response_drop(handle);

STREAMS("[method]input-stream.blocking-read") void stream_read(handle, int64_t, struct area *);
STREAMS("[method]output-stream.check-write") void stream_room(handle, struct area *);
STREAMS("[method]output-stream.write")
void stream_write(handle, const void *, size_t, struct area *);
STREAMS("[method]output-stream.subscribe") handle stream_subscribe(handle);
STREAMS("[resource-drop]input-stream") void input_drop(handle);
STREAMS("[resource-drop]output-stream") void output_drop(handle);
FROM("wasi:io/poll@0.2.12", "[method]pollable.block") void pollable_block(handle);
FROM("wasi:io/poll@0.2.12", "[resource-drop]pollable") void pollable_drop(handle);
FROM("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") handle clock_after(int64_t ns);
FROM("wasi:clocks/monotonic-clock@0.2.12", "now") int64_t clock_now(void);
FROM("wasi:cli/stderr@0.2.12", "get-stderr") handle stderr_get(void);

#define TCP(name) FROM("wasi:sockets/tcp@0.2.12", name)
#define NAMES(name) FROM("wasi:sockets/ip-name-lookup@0.2.12", name)

FROM("wasi:sockets/instance-network@0.2.12", "instance-network") handle network_get(void);
FROM("wasi:sockets/tcp-create-socket@0.2.12", "create-tcp-socket")
void tcp_create(int32_t family, struct area *);
TCP("[method]tcp-socket.start-connect")
void tcp_connect(handle, handle network, int32_t family, int32_t port, int32_t, int32_t, int32_t,
                 int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, struct area *);
TCP("[method]tcp-socket.finish-connect") void tcp_connected(handle, struct area *);
TCP("[method]tcp-socket.start-bind")
void tcp_bind(handle, handle network, int32_t family, int32_t port, int32_t, int32_t, int32_t,
              int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, struct area *);
TCP("[method]tcp-socket.finish-bind") void tcp_bound(handle, struct area *);
TCP("[method]tcp-socket.subscribe") handle tcp_subscribe(handle);
NAMES("resolve-addresses") void names_resolve(handle network, const char *, size_t, struct area *);
NAMES("[method]resolve-address-stream.resolve-next-address")
void names_next(handle, struct area *);
NAMES("[method]resolve-address-stream.subscribe") handle names_subscribe(handle);
