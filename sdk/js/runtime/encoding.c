/* UTF-8 both ways, random bytes, clocks, the log: what every script needs of its host. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* How many bytes at `data` are one character, 0: none. `*ret` is the character; on 0 `*ret_bad` bytes are one U+FFFD. */
static size_t utf8_step(const uint8_t *data, size_t size, uint32_t *ret, size_t *ret_bad)
{
    uint8_t first = data[0];
    *ret_bad = 1;
    if (first < 0x80) {
        *ret = first;
        return 1;
    }
    size_t need = first >= 0xc2 && first <= 0xdf   ? 1
                  : first >= 0xe0 && first <= 0xef ? 2
                  : first >= 0xf0 && first <= 0xf4 ? 3
                                                   : 0;
    if (need == 0) {
        return 0;
    }
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    uint32_t point = first & (need == 1 ? 0x1f : need == 2 ? 0x0f : 0x07);
    for (size_t i = 1; i <= need; i++) {
        if (i >= size || data[i] < low || data[i] > high) {
            *ret_bad = i;
            return 0;
        }
        point = point << 6 | (data[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *ret = point;
    return need + 1;
}

static JSValue text_replaced(JSContext *ctx, const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX / sizeof(uint16_t)) {
        return JS_ThrowOutOfMemory(ctx);
    }
    uint16_t *units = malloc(size * sizeof *units); /* never more units than bytes */
    if (units == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        uint32_t point = 0xfffd;
        size_t bad = 0;
        size_t step = utf8_step(data + at, size - at, &point, &bad);
        at += step != 0 ? step : bad;
        if (step == 0) {
            units[count++] = 0xfffd;
        } else if (point >= 0x10000) {
            units[count++] = (uint16_t)(0xd800 + ((point - 0x10000) >> 10));
            units[count++] = (uint16_t)(0xdc00 + (point & 0x3ff));
        } else {
            units[count++] = (uint16_t)point;
        }
    }
    JSValue text = JS_NewStringUTF16(ctx, units, count);
    free(units);
    return text;
}

bool text_is_utf8(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t point;
        size_t bad;
        size_t step = utf8_step(data + at, size - at, &point, &bad);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

JSValue text_of_utf8(JSContext *ctx, const uint8_t *data, size_t size)
{
    return text_is_utf8(data, size) ? JS_NewStringLen(ctx, (const char *)data, size)
                                    : text_replaced(ctx, data, size);
}

/* encode(wellFormedText) -> Uint8Array */
NATIVE(encode)
{
    struct bytes text;
    if (!bytes_get(ctx, argv[0], &text)) {
        return JS_EXCEPTION;
    }
    JSValue made = JS_NewUint8ArrayCopy(ctx, text.data, text.size);
    bytes_free(ctx, &text);
    return made;
}

/* decode(bytes, fatal) -> text, or null when it is not UTF-8 and should be */
NATIVE(decode)
{
    struct bytes bytes;
    if (!bytes_get(ctx, argv[0], &bytes)) {
        return JS_EXCEPTION;
    }
    JSValue text = JS_ToBool(ctx, argv[1]) && !text_is_utf8(bytes.data, bytes.size)
                       ? JS_NULL
                       : text_of_utf8(ctx, bytes.data, bytes.size);
    bytes_free(ctx, &bytes);
    return text;
}

/* latin1(bytes) -> a string with a code unit for each byte */
NATIVE(latin1)
{
    struct bytes bytes;
    if (!bytes_get(ctx, argv[0], &bytes)) {
        return JS_EXCEPTION;
    }
    JSValue text = text_of_bytes(ctx, bytes.data, bytes.size);
    bytes_free(ctx, &bytes);
    return text;
}

static const char early[] =
    "cannot be had while the app is loaded: that happens once, when it is built";

/* random(Uint8Array): filled */
NATIVE(random_fill)
{
    size_t size;
    uint8_t *data = JS_GetUint8Array(ctx, &size, argv[0]);
    if (data == NULL && JS_HasException(ctx)) {
        return JS_EXCEPTION;
    }
    if (!runtime_is_live) {
        return JS_ThrowTypeError(ctx, "random values %s", early);
    }
    int32_t result = size == 0 ? 0 : mote_abi_random(data, size);
    return result < 0 ? throw_error(ctx, result) : JS_UNDEFINED;
}

/* Math.random of each instance, seeded when it is first asked for: the snapshot has no seed in it. */
static uint64_t seed[2];

NATIVE(random_number)
{
    if (!runtime_is_live) {
        return JS_ThrowTypeError(ctx, "random numbers %s", early);
    }
    while ((seed[0] | seed[1]) == 0) {
        mote_abi_random(seed, sizeof seed);
    }
    uint64_t a = seed[0], b = seed[1]; /* xorshift128+ */
    seed[0] = b;
    a ^= a << 23;
    seed[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return JS_NewFloat64(ctx, (double)((seed[1] + b) >> 11) * 0x1p-53);
}

/* clock() -> milliseconds that never go back */
NATIVE(clock_ms)
{
    return JS_NewFloat64(ctx, (double)mote_clock_ns() / 1e6);
}

/* log(level, text) */
NATIVE(log_line)
{
    int32_t level = MOTE_INFO;
    struct bytes text;
    if (JS_ToInt32(ctx, &level, argv[0]) != 0 || !bytes_get(ctx, argv[1], &text)) {
        return JS_EXCEPTION;
    }
    mote_abi_log(level, (const char *)text.data, text.size);
    bytes_free(ctx, &text);
    return JS_UNDEFINED;
}

static int32_t read_env(const void *context, char *buffer, size_t capacity)
{
    const struct bytes *name = context;
    int32_t result = mote_abi_env_get((const char *)name->data, name->size, buffer, capacity);
    return result == MOTE_DENIED ? MOTE_NOT_FOUND : result;
}

/* env(name) -> text or null */
NATIVE(env)
{
    struct bytes name;
    if (!bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    JSValue value = runtime_is_live ? text_read(ctx, read_env, &name) : JS_NULL;
    bytes_free(ctx, &name);
    return value;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("decode", 2, decode),
    JS_CFUNC_DEF("latin1", 1, latin1),
    JS_CFUNC_DEF("random", 1, random_fill),
    JS_CFUNC_DEF("randomNumber", 0, random_number),
    JS_CFUNC_DEF("clock", 0, clock_ms),
    JS_CFUNC_DEF("log", 2, log_line),
    JS_CFUNC_DEF("env", 1, env),
};

const struct natives encoding_natives = {entries, sizeof entries / sizeof entries[0]};
