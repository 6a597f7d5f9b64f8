#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Most of what the host tells is short: it is read here first. */
enum { SCRATCH = 4096 };
static char scratch[SCRATCH];

bool bytes_get(JSContext *ctx, JSValueConst value, struct bytes *ret)
{
    *ret = (struct bytes){.data = (const uint8_t *)"", .size = 0, .text = NULL};
    if (JS_IsUndefined(value) || JS_IsNull(value)) {
        return true;
    }
    if (JS_IsString(value)) {
        ret->text = JS_ToCStringLen(ctx, &ret->size, value);
        ret->data = (const uint8_t *)ret->text;
        return ret->text != NULL;
    }
    if (JS_IsArrayBuffer(value)) {
        const uint8_t *data = JS_GetArrayBuffer(ctx, &ret->size, value);
        ret->data = data != NULL ? data : ret->data;
        return data != NULL || ret->size == 0;
    }
    if (JS_GetTypedArrayType(value) == JS_TYPED_ARRAY_UINT8) {
        const uint8_t *data = JS_GetUint8Array(ctx, &ret->size, value);
        ret->data = data != NULL ? data : ret->data;
        return data != NULL || !JS_HasException(ctx);
    }
    JS_ThrowTypeError(ctx, "a string or bytes were expected");
    return false;
}

void bytes_free(JSContext *ctx, struct bytes *bytes)
{
    if (bytes->text != NULL) {
        JS_FreeCString(ctx, bytes->text);
    }
}

JSValue text_of_bytes(JSContext *ctx, const uint8_t *data, size_t size)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < size; i++) {
        seen |= data[i];
    }
    if (seen < 0x80) {
        return JS_NewStringLen(ctx, (const char *)data, size);
    }
    uint16_t *units = malloc(size * sizeof *units);
    if (units == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    for (size_t i = 0; i < size; i++) {
        units[i] = data[i];
    }
    JSValue text = JS_NewStringUTF16(ctx, units, size);
    free(units);
    return text;
}

JSValue text_read(JSContext *ctx, text_reader read, const void *context)
{
    int32_t size = read(context, scratch, sizeof scratch);
    if (size == MOTE_NOT_FOUND) {
        return JS_NULL;
    }
    if (size < 0) {
        return throw_error(ctx, size);
    }
    if ((size_t)size <= sizeof scratch) {
        return text_of_bytes(ctx, (const uint8_t *)scratch, (size_t)size);
    }
    char *buffer = malloc((size_t)size);
    if (buffer == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    int32_t again = read(context, buffer, (size_t)size);
    JSValue text = again < 0 || again > size
                       ? throw_error(ctx, again < 0 ? again : MOTE_LIMIT)
                       : text_of_bytes(ctx, (const uint8_t *)buffer, (size_t)again);
    free(buffer);
    return text;
}

bool u64_get(JSContext *ctx, JSValueConst value, uint64_t *ret)
{
    int64_t number = 0;
    bool good = JS_ToInt64Ext(ctx, &number, value) == 0;
    *ret = (uint64_t)number;
    return good;
}

int64_t timeout_get(JSContext *ctx, JSValueConst value)
{
    double ms = NAN;
    if (JS_ToFloat64(ctx, &ms, value) != 0) {
        JS_FreeValue(ctx, JS_GetException(ctx));
        return -1;
    }
    const double year = 366.0 * 86400 * 1000; /* the longest the host takes */
    if (!(ms >= 0) || ms == INFINITY) {
        return -1;
    }
    return (int64_t)((ms < year ? ms : year) * 1e6);
}

JSValue throw_error(JSContext *ctx, int32_t error)
{
    static const char *const names[] = {
        "ok",        "denied",    "not found", "invalid", "limit", "closed",  "misplaced",
        "no memory", "malformed", "timeout",   "exists",  "full",  "aborted",
    };
    const char *name = error < 0 && -error < (int)(sizeof names / sizeof names[0]) ? names[-error]
                                                                                   : "unknown";
    JSValue thrown = JS_NewPlainError(ctx, "mote: %s", name);
    if (JS_IsException(thrown)) {
        return thrown;
    }
    JS_DefinePropertyValueStr(ctx, thrown, "code", JS_NewString(ctx, name),
                              JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE);
    return JS_Throw(ctx, thrown);
}

JSValue result_of(JSContext *ctx, int64_t result)
{
    return result < 0 ? throw_error(ctx, (int32_t)result) : JS_NewInt64(ctx, result);
}
