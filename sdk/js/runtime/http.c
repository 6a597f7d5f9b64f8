/* The request and its answer, events, WebSockets, and requests to others. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static int32_t read_field(const void *context, char *buffer, size_t capacity)
{
    int32_t result = mote_abi_request_get(*(const int32_t *)context, buffer, capacity);
    return result == MOTE_MISPLACED ? MOTE_NOT_FOUND : result;
}

/* requestGet(field) -> text; null: no request here */
NATIVE(request_get)
{
    int32_t field = 0;
    return JS_ToInt32(ctx, &field, argv[0]) != 0 ? JS_EXCEPTION
                                                 : text_read(ctx, read_field, &field);
}

static int32_t read_header(const void *context, char *buffer, size_t capacity)
{
    return mote_abi_request_header_at(*(const uint32_t *)context, buffer, capacity);
}

/* requestHeader(index) -> "Name: value" or null */
NATIVE(request_header)
{
    uint32_t index = 0;
    return JS_ToUint32(ctx, &index, argv[0]) != 0 ? JS_EXCEPTION
                                                  : text_read(ctx, read_header, &index);
}

static int32_t read_param(const void *context, char *buffer, size_t capacity)
{
    const struct bytes *name = context;
    return mote_abi_request_param((const char *)name->data, name->size, buffer, capacity);
}

/* requestParam(name) -> bytes as code units, or null */
NATIVE(request_param)
{
    struct bytes name;
    if (!bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    JSValue value = text_read(ctx, read_param, &name);
    bytes_free(ctx, &name);
    return value;
}

/* requestRead(capacity) -> Uint8Array, null at the end; waits */
NATIVE(request_read)
{
    uint32_t capacity = 0;
    if (JS_ToUint32(ctx, &capacity, argv[0]) != 0) {
        return JS_EXCEPTION;
    }
    uint8_t *buffer = malloc(capacity);
    if (buffer == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    int32_t size = mote_abi_request_read(buffer, capacity);
    JSValue read = size < 0    ? throw_error(ctx, size)
                   : size == 0 ? JS_NULL
                               : JS_NewUint8ArrayCopy(ctx, buffer, (size_t)size);
    free(buffer);
    return read;
}

/* respond(status, headers, body) */
NATIVE(respond)
{
    int32_t status = 0;
    struct bytes headers, body;
    if (JS_ToInt32(ctx, &status, argv[0]) != 0 || !bytes_get(ctx, argv[1], &headers)) {
        return JS_EXCEPTION;
    }
    if (!bytes_get(ctx, argv[2], &body)) {
        bytes_free(ctx, &headers);
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_respond(status, (const char *)headers.data, headers.size, body.data,
                                      body.size);
    if (result == 1) { /* only the head was taken */
        result = mote_abi_respond_write(body.data, body.size);
    }
    bytes_free(ctx, &headers);
    bytes_free(ctx, &body);
    return JS_NewInt32(ctx, result);
}

/* respondBegin(status, headers, length) */
NATIVE(respond_begin)
{
    int32_t status = 0;
    int64_t length = -1;
    struct bytes headers;
    if (JS_ToInt32(ctx, &status, argv[0]) != 0 || JS_ToInt64(ctx, &length, argv[2]) != 0 ||
        !bytes_get(ctx, argv[1], &headers)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_respond_begin(status, (const char *)headers.data, headers.size,
                                            length);
    bytes_free(ctx, &headers);
    return JS_NewInt32(ctx, result);
}

typedef int32_t (*writer)(const void *data, size_t size);

static JSValue write_with(JSContext *ctx, JSValueConst value, writer write)
{
    struct bytes data;
    if (!bytes_get(ctx, value, &data)) {
        return JS_EXCEPTION;
    }
    int32_t result = data.size == 0 ? MOTE_OK : write(data.data, data.size);
    bytes_free(ctx, &data);
    return JS_NewInt32(ctx, result);
}

/* respondWrite(data): waits while the client is slow */
NATIVE(respond_write)
{
    return write_with(ctx, argv[0], mote_abi_respond_write);
}

static int32_t begin_events(const void *data, size_t size)
{
    return mote_abi_sse_begin(data, size);
}

/* sseBegin(headers) */
NATIVE(sse_begin)
{
    struct bytes headers;
    if (!bytes_get(ctx, argv[0], &headers)) {
        return JS_EXCEPTION;
    }
    int32_t result = begin_events(headers.data, headers.size);
    bytes_free(ctx, &headers);
    return JS_NewInt32(ctx, result);
}

/* sseWrite(whole events) */
NATIVE(sse_write)
{
    return write_with(ctx, argv[0], mote_abi_sse_write);
}

NATIVE(client_gone)
{
    return JS_NewBool(ctx, mote_abi_client_gone() == 1);
}

/* wsSend(string or bytes) */
NATIVE(ws_send)
{
    struct bytes data;
    if (!bytes_get(ctx, argv[0], &data)) {
        return JS_EXCEPTION;
    }
    int32_t kind = JS_IsString(argv[0]) ? MOTE_WS_TEXT : MOTE_WS_BINARY;
    int32_t result = mote_abi_ws_send(kind, data.data, data.size);
    bytes_free(ctx, &data);
    return JS_NewInt32(ctx, result);
}

/* wsClose(code, reason) */
NATIVE(ws_close)
{
    uint32_t code = 0;
    struct bytes reason;
    if (JS_ToUint32(ctx, &code, argv[0]) != 0 || !bytes_get(ctx, argv[1], &reason)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_ws_close(code, (const char *)reason.data, reason.size);
    bytes_free(ctx, &reason);
    return JS_NewInt32(ctx, result);
}

static JSValue started(JSContext *ctx, int32_t result, const struct mote_fetched *fetched)
{
    if (result < 0) {
        return JS_NewInt32(ctx, result);
    }
    JSValue made = JS_NewArray(ctx);
    if (!JS_IsException(made)) {
        JS_SetPropertyUint32(ctx, made, 0, JS_NewInt32(ctx, fetched->fetch));
        JS_SetPropertyUint32(ctx, made, 1, JS_NewInt32(ctx, fetched->body));
        JS_SetPropertyUint32(ctx, made, 2, JS_NewInt32(ctx, fetched->answer));
    }
    return made;
}

/* fetchStart(method, url, headers, redirects, length: -1 unknown, null none) -> [fetch, body, answer] or an error */
NATIVE(fetch_start)
{
    struct mote_fetch_options options = {0};
    struct bytes parts[3] = {{0}};
    bool good = JS_ToUint32(ctx, &options.redirects, argv[3]) == 0;
    if (good && !JS_IsNull(argv[4])) {
        int64_t length = -1;
        good = JS_ToInt64(ctx, &length, argv[4]) == 0;
        options.flags = MOTE_FETCH_BODY | (length >= 0 ? MOTE_FETCH_LENGTH : 0);
        options.body_bytes = length >= 0 ? (uint64_t)length : 0;
    }
    size_t count = 0;
    while (good && count < 3) {
        good = bytes_get(ctx, argv[count], &parts[count]);
        count += good;
    }
    JSValue result = JS_EXCEPTION;
    if (good) {
        struct mote_fetched fetched = {0};
        int32_t status = mote_abi_fetch_start(
            (const char *)parts[0].data, parts[0].size, (const char *)parts[1].data, parts[1].size,
            (const char *)parts[2].data, parts[2].size, &options, &fetched);
        result = started(ctx, status, &fetched);
    }
    while (count > 0) {
        bytes_free(ctx, &parts[--count]);
    }
    return result;
}

/* fetchHead(fetch) -> the status, or an error below 0; never waits */
NATIVE(fetch_head)
{
    int32_t fetch = 0;
    struct mote_fetch_head head = {0};
    if (JS_ToInt32(ctx, &fetch, argv[0]) != 0) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_fetch_head(fetch, &head, 0);
    return JS_NewInt32(ctx, result < 0 ? result : (int32_t)head.status);
}

static int32_t read_fetch_headers(const void *context, char *buffer, size_t capacity)
{
    return mote_abi_fetch_headers(*(const int32_t *)context, buffer, capacity);
}

/* fetchHeaders(fetch) -> lines of "name: value" */
NATIVE(fetch_headers)
{
    int32_t fetch = 0;
    return JS_ToInt32(ctx, &fetch, argv[0]) != 0 ? JS_EXCEPTION
                                                 : text_read(ctx, read_fetch_headers, &fetch);
}

NATIVE(fetch_reason)
{
    int32_t fetch = 0;
    return JS_ToInt32(ctx, &fetch, argv[0]) != 0 ? JS_EXCEPTION
                                                 : JS_NewInt32(ctx, mote_abi_fetch_reason(fetch));
}

NATIVE(fetch_close)
{
    int32_t fetch = 0;
    return JS_ToInt32(ctx, &fetch, argv[0]) != 0 ? JS_EXCEPTION
                                                 : JS_NewInt32(ctx, mote_abi_fetch_close(fetch));
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("requestGet", 1, request_get),
    JS_CFUNC_DEF("requestHeader", 1, request_header),
    JS_CFUNC_DEF("requestParam", 1, request_param),
    JS_CFUNC_DEF("requestRead", 1, request_read),
    JS_CFUNC_DEF("respond", 3, respond),
    JS_CFUNC_DEF("respondBegin", 3, respond_begin),
    JS_CFUNC_DEF("respondWrite", 1, respond_write),
    JS_CFUNC_DEF("sseBegin", 1, sse_begin),
    JS_CFUNC_DEF("sseWrite", 1, sse_write),
    JS_CFUNC_DEF("clientGone", 0, client_gone),
    JS_CFUNC_DEF("wsSend", 1, ws_send),
    JS_CFUNC_DEF("wsClose", 2, ws_close),
    JS_CFUNC_DEF("fetchStart", 5, fetch_start),
    JS_CFUNC_DEF("fetchHead", 1, fetch_head),
    JS_CFUNC_DEF("fetchHeaders", 1, fetch_headers),
    JS_CFUNC_DEF("fetchReason", 1, fetch_reason),
    JS_CFUNC_DEF("fetchClose", 1, fetch_close),
};

const struct natives http_natives = {entries, sizeof entries / sizeof entries[0]};
