/* Streams of bytes between processes, and waiting: for them, for mail, for answers, for time. */
#include "runtime.h"

#include <stdlib.h>

enum { WAIT_MAX = 65, READ_MAX = 1 << 20 };

/* wait([kind, handle, ...], ms) -> [ready, ...] with 0 or 1; null: the time is over; a number: an error */
NATIVE(wait_for)
{
    static struct mote_wait set[WAIT_MAX];
    int64_t count = 0;
    if (JS_GetLength(ctx, argv[0], &count) != 0) {
        return JS_EXCEPTION;
    }
    count = count / 2 < WAIT_MAX ? count / 2 : WAIT_MAX;
    for (int64_t i = 0; i < count; i++) {
        int32_t kind = 0;
        JSValue one = JS_GetPropertyInt64(ctx, argv[0], 2 * i);
        JSValue two = JS_GetPropertyInt64(ctx, argv[0], 2 * i + 1);
        set[i] = (struct mote_wait){0};
        bool good = JS_ToInt32(ctx, &kind, one) == 0 && JS_ToInt32(ctx, &set[i].handle, two) == 0;
        JS_FreeValue(ctx, one);
        JS_FreeValue(ctx, two);
        if (!good) {
            return JS_EXCEPTION;
        }
        set[i].kind = (uint32_t)kind;
    }
    int64_t timeout = timeout_get(ctx, argv[1]);
    int32_t result = count == 0 ? mote_abi_sleep(timeout)
                                : mote_abi_wait(set, (size_t)count, timeout);
    if (result == MOTE_TIMEOUT || (count == 0 && result >= 0)) {
        return JS_NULL;
    }
    if (result < 0) {
        return JS_NewInt32(ctx, result);
    }
    JSValue ready = JS_NewArray(ctx);
    for (int64_t i = 0; !JS_IsException(ready) && i < count; i++) {
        JS_SetPropertyUint32(ctx, ready, (uint32_t)i, JS_NewInt32(ctx, set[i].ready != 0));
    }
    return ready;
}

/* streamRead(stream, capacity) -> Uint8Array, null at the end, or an error below 0 (-9: nothing yet) */
NATIVE(stream_read)
{
    int32_t stream = 0;
    uint32_t capacity = 0;
    if (JS_ToInt32(ctx, &stream, argv[0]) != 0 || JS_ToUint32(ctx, &capacity, argv[1]) != 0) {
        return JS_EXCEPTION;
    }
    capacity = capacity < READ_MAX ? capacity : READ_MAX;
    uint8_t *buffer = malloc(capacity);
    if (buffer == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    int32_t size = mote_abi_stream_try_read(stream, buffer, capacity);
    JSValue read = size < 0    ? JS_NewInt32(ctx, size)
                   : size == 0 ? JS_NULL
                               : JS_NewUint8ArrayCopy(ctx, buffer, (size_t)size);
    free(buffer);
    return read;
}

/* streamWrite(stream, bytes, offset) -> how many were taken, or an error below 0 (-9: none now) */
NATIVE(stream_write)
{
    int32_t stream = 0;
    uint32_t offset = 0;
    struct bytes data;
    if (JS_ToInt32(ctx, &stream, argv[0]) != 0 || JS_ToUint32(ctx, &offset, argv[2]) != 0 ||
        !bytes_get(ctx, argv[1], &data)) {
        return JS_EXCEPTION;
    }
    int32_t result = offset >= data.size ? 0
                                         : mote_abi_stream_try_write(stream, data.data + offset,
                                                                     data.size - offset);
    bytes_free(ctx, &data);
    return JS_NewInt32(ctx, result);
}

/* streamOpen() -> [reader, writer] */
NATIVE(stream_open)
{
    struct mote_stream_pair ends = {0};
    int32_t result = mote_abi_stream_open(0, &ends);
    if (result < 0) {
        return throw_error(ctx, result);
    }
    JSValue made = JS_NewArray(ctx);
    if (!JS_IsException(made)) {
        JS_SetPropertyUint32(ctx, made, 0, JS_NewInt32(ctx, ends.reader));
        JS_SetPropertyUint32(ctx, made, 1, JS_NewInt32(ctx, ends.writer));
    }
    return made;
}

/* The functions of one end: all take a handle and answer a number. */
enum end_call { END_END, END_CLOSE, END_REASON };

static JSValue end_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int call)
{
    (void)self;
    (void)argc;
    int32_t stream = 0;
    if (JS_ToInt32(ctx, &stream, argv[0]) != 0) {
        return JS_EXCEPTION;
    }
    switch ((enum end_call)call) {
    case END_END:
        return JS_NewInt32(ctx, mote_abi_stream_end(stream));
    case END_CLOSE:
        return JS_NewInt32(ctx, mote_abi_stream_close(stream));
    case END_REASON:
        return JS_NewInt32(ctx, mote_abi_stream_reason(stream));
    }
    return JS_UNDEFINED;
}

/* streamAbort(stream, reason) */
NATIVE(stream_abort)
{
    int32_t stream = 0, reason = 0;
    if (JS_ToInt32(ctx, &stream, argv[0]) != 0 || JS_ToInt32(ctx, &reason, argv[1]) != 0) {
        return JS_EXCEPTION;
    }
    return JS_NewInt32(ctx, mote_abi_stream_abort(stream, reason));
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("wait", 2, wait_for),
    JS_CFUNC_DEF("streamRead", 2, stream_read),
    JS_CFUNC_DEF("streamWrite", 3, stream_write),
    JS_CFUNC_DEF("streamOpen", 0, stream_open),
    JS_CFUNC_MAGIC_DEF("streamEnd", 1, end_call, END_END),
    JS_CFUNC_MAGIC_DEF("streamClose", 1, end_call, END_CLOSE),
    JS_CFUNC_MAGIC_DEF("streamReason", 1, end_call, END_REASON),
    JS_CFUNC_DEF("streamAbort", 2, stream_abort),
};

const struct natives stream_natives = {entries, sizeof entries / sizeof entries[0]};
