/* Values as CBOR and back, as calls between languages have them: docs/calls.md. Over mote_cbor.h, since that is here, and
 * since a reader in JavaScript would be slower by far and have its code in every app's image. */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <mote_cbor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, HEAD_MAX = 9 };
static const double SAFE = 9007199254740991.0; /* integers up to it are exact in a Number */

/* ---- writing ---- */

struct output {
    uint8_t *data;
    size_t size, capacity;
};

static bool put_raw(JSContext *ctx, struct output *to, const void *data, size_t size)
{
    if (to->capacity - to->size < size) {
        size_t capacity = 2 * to->capacity + size + 64;
        uint8_t *grown = size < SIZE_MAX / 4 && to->capacity < SIZE_MAX / 4
                             ? realloc(to->data, capacity)
                             : NULL;
        if (grown == NULL) {
            JS_ThrowOutOfMemory(ctx);
            return false;
        }
        to->data = grown;
        to->capacity = capacity;
    }
    if (size > 0) {
        memcpy(to->data + to->size, data, size);
    }
    to->size += size;
    return true;
}

static bool put_head(JSContext *ctx, struct output *to, enum mote_cbor_kind kind, uint64_t number)
{
    uint8_t head[HEAD_MAX];
    struct mote_cbor_writer writer = mote_cbor_write(head, sizeof head);
    mote_cbor_put_head(&writer, kind, number);
    return put_raw(ctx, to, head, writer.size);
}

static bool put_fraction(JSContext *ctx, struct output *to, double number)
{
    uint8_t item[9] = {MOTE_CBOR_SIMPLE << 5 | 27};
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 8; i++) {
        item[1 + i] = (uint8_t)(bits >> 8 * (7 - i));
    }
    return put_raw(ctx, to, item, sizeof item);
}

static bool put_number(JSContext *ctx, struct output *to, double number)
{
    if (!(fabs(number) <= SAFE) || trunc(number) != number || (number == 0 && signbit(number))) {
        return put_fraction(ctx, to, number);
    }
    return number < 0 ? put_head(ctx, to, MOTE_CBOR_NEGATIVE, (uint64_t)(-1 - number))
                      : put_head(ctx, to, MOTE_CBOR_UNSIGNED, (uint64_t)number);
}

/* By its digits: there may be 64 of them, and a sign. */
static bool put_big(JSContext *ctx, struct output *to, JSValueConst value)
{
    size_t size = 0;
    const char *text = JS_ToCStringLen(ctx, &size, value);
    if (text == NULL) {
        return false;
    }
    bool negative = text[0] == '-', good = true;
    uint64_t number = 0;
    for (size_t i = negative ? 1 : 0; i < size && good; i++) {
        good = !__builtin_mul_overflow(number, UINT64_C(10), &number) &&
               !__builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number);
    }
    bool least = !good && strcmp(text, "-18446744073709551616") == 0;
    JS_FreeCString(ctx, text);
    if (!good && !least) {
        JS_ThrowRangeError(ctx, "a BigInt that is sent has at most 64 bits");
        return false;
    }
    return negative ? put_head(ctx, to, MOTE_CBOR_NEGATIVE, least ? UINT64_MAX : number - 1)
                    : put_head(ctx, to, MOTE_CBOR_UNSIGNED, number);
}

static bool put_text(JSContext *ctx, struct output *to, JSValueConst value)
{
    JSAtom name = JS_NewAtom(ctx, "toWellFormed");
    JSValue formed = JS_Invoke(ctx, value, name, 0, NULL);
    JS_FreeAtom(ctx, name);
    size_t size = 0;
    const char *text = JS_IsException(formed) ? NULL : JS_ToCStringLen(ctx, &size, formed);
    bool good = text != NULL && put_head(ctx, to, MOTE_CBOR_TEXT, size) &&
                put_raw(ctx, to, text, size);
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, formed);
    return good;
}

static bool put_value(JSContext *ctx, struct output *to, JSValueConst value, int depth);

static bool put_list(JSContext *ctx, struct output *to, JSValueConst value, int depth)
{
    int64_t count = 0;
    bool good = JS_GetLength(ctx, value, &count) == 0 &&
                put_head(ctx, to, MOTE_CBOR_ARRAY, (uint64_t)count);
    for (int64_t i = 0; good && i < count; i++) {
        JSValue one = JS_GetPropertyInt64(ctx, value, i);
        good = !JS_IsException(one) && put_value(ctx, to, one, depth + 1);
        JS_FreeValue(ctx, one);
    }
    return good;
}

/* As in JSON, what is undefined or a function is left out. */
static bool is_left_out(JSContext *ctx, JSValueConst value)
{
    return JS_IsUndefined(value) || JS_IsFunction(ctx, value) || JS_IsSymbol(value);
}

static bool put_members(JSContext *ctx, struct output *to, JSValueConst value,
                        const JSPropertyEnum *names, uint32_t count, int depth)
{
    struct output members = {0};
    uint64_t put = 0;
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++) {
        JSValue one = JS_GetProperty(ctx, value, names[i].atom);
        good = !JS_IsException(one);
        if (good && !is_left_out(ctx, one)) {
            JSValue name = JS_AtomToString(ctx, names[i].atom);
            good = put_text(ctx, &members, name) && put_value(ctx, &members, one, depth + 1);
            JS_FreeValue(ctx, name);
            put++;
        }
        JS_FreeValue(ctx, one);
    }
    good = good && put_head(ctx, to, MOTE_CBOR_MAP, put) &&
           put_raw(ctx, to, members.data, members.size);
    free(members.data);
    return good;
}

static bool put_map(JSContext *ctx, struct output *to, JSValueConst value, int depth)
{
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &names, &count, value, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) !=
        0) {
        return false;
    }
    bool good = put_members(ctx, to, value, names, count, depth);
    JS_FreePropertyEnum(ctx, names, count);
    return good;
}

/* A Date, for one, says how it is written. */
static bool put_object(JSContext *ctx, struct output *to, JSValueConst value, int depth)
{
    JSValue writer = JS_GetPropertyStr(ctx, value, "toJSON");
    if (JS_IsException(writer)) {
        return false;
    }
    if (!JS_IsFunction(ctx, writer)) {
        JS_FreeValue(ctx, writer);
        return put_map(ctx, to, value, depth);
    }
    JSValue written = JS_Call(ctx, writer, value, 0, NULL);
    bool good = !JS_IsException(written) && put_value(ctx, to, written, depth + 1);
    JS_FreeValue(ctx, written);
    JS_FreeValue(ctx, writer);
    return good;
}

static bool put_bytes(JSContext *ctx, struct output *to, JSValueConst value)
{
    struct bytes bytes;
    bool good = bytes_get(ctx, value, &bytes);
    if (good) {
        good = put_head(ctx, to, MOTE_CBOR_BYTES, bytes.size) &&
               put_raw(ctx, to, bytes.data, bytes.size);
        bytes_free(ctx, &bytes);
    }
    return good;
}

static bool put_simple(JSContext *ctx, struct output *to, uint64_t which)
{
    return put_head(ctx, to, MOTE_CBOR_SIMPLE, which);
}

static bool put_value(JSContext *ctx, struct output *to, JSValueConst value, int depth)
{
    if (depth > DEPTH_MAX) {
        JS_ThrowRangeError(ctx, "a value that is sent nests at most %d deep", DEPTH_MAX);
        return false;
    }
    if (JS_IsNull(value) || JS_IsUndefined(value)) {
        return put_simple(ctx, to, 22);
    }
    if (JS_IsBool(value)) {
        return put_simple(ctx, to, JS_ToBool(ctx, value) ? 21 : 20);
    }
    if (JS_IsNumber(value)) {
        double number = 0;
        return JS_ToFloat64(ctx, &number, value) == 0 && put_number(ctx, to, number);
    }
    if (JS_IsString(value)) {
        return put_text(ctx, to, value);
    }
    if (JS_IsBigInt(value)) {
        return put_big(ctx, to, value);
    }
    if (!JS_IsObject(value) || JS_IsFunction(ctx, value)) {
        JS_ThrowTypeError(ctx, "a function or symbol cannot be sent");
        return false;
    }
    int array = JS_GetTypedArrayType(value);
    if (array == JS_TYPED_ARRAY_UINT8 || JS_IsArrayBuffer(value)) {
        return put_bytes(ctx, to, value);
    }
    if (array >= 0 || JS_IsArray(value)) {
        return put_list(ctx, to, value, depth);
    }
    return put_object(ctx, to, value, depth);
}

/* cborEncode(value) -> Uint8Array */
NATIVE(cbor_encode)
{
    struct output to = {0};
    JSValue made = put_value(ctx, &to, argv[0], 0) ? JS_NewUint8ArrayCopy(ctx, to.data, to.size)
                                                   : JS_EXCEPTION;
    free(to.data);
    return made;
}

/* ---- reading ---- */

static double half_of(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 0x1f);
    double fraction = (double)(bits & 0x3ff);
    double size = exponent == 0    ? ldexp(fraction, -24)
                  : exponent != 31 ? ldexp(fraction + 1024, exponent - 25)
                  : fraction == 0  ? (double)INFINITY
                                   : (double)NAN;
    return bits >> 15 != 0 ? -size : size;
}

static JSValue malformed(JSContext *ctx)
{
    return throw_error(ctx, MOTE_MALFORMED);
}

static JSValue take_simple(JSContext *ctx, uint8_t low, uint64_t number)
{
    float single;
    double whole;
    uint32_t half = (uint32_t)number;
    switch (low) {
    case 20:
        return JS_FALSE;
    case 21:
        return JS_TRUE;
    case 22:
        return JS_NULL;
    case 23:
        return JS_UNDEFINED;
    case 25:
        return JS_NewFloat64(ctx, half_of(number));
    case 26:
        memcpy(&single, &half, sizeof single);
        return JS_NewFloat64(ctx, (double)single);
    case 27:
        memcpy(&whole, &number, sizeof whole);
        return JS_NewFloat64(ctx, whole);
    default:
        return malformed(ctx);
    }
}

/* -1 - number, which has 65 bits: by its digits. */
static JSValue big_of_digits(JSContext *ctx, uint64_t number)
{
    char digits[24];
    int size = number == UINT64_MAX ? snprintf(digits, sizeof digits, "-18446744073709551616")
                                    : snprintf(digits, sizeof digits, "-%" PRIu64, number + 1);
    JSValue global = JS_GetGlobalObject(ctx);
    JSValue make = JS_GetPropertyStr(ctx, global, "BigInt");
    JSValue text = JS_NewStringLen(ctx, digits, (size_t)size);
    JSValue made = JS_Call(ctx, make, JS_UNDEFINED, 1, &text);
    JS_FreeValue(ctx, text);
    JS_FreeValue(ctx, make);
    JS_FreeValue(ctx, global);
    return made;
}

static JSValue take_integer(JSContext *ctx, bool negative, uint64_t number)
{
    if (number <= (uint64_t)SAFE - (negative ? 1 : 0)) {
        return JS_NewInt64(ctx, negative ? -1 - (int64_t)number : (int64_t)number);
    }
    if (!negative) {
        return JS_NewBigUint64(ctx, number);
    }
    if (number <= INT64_MAX) {
        return JS_NewBigInt64(ctx, -1 - (int64_t)number);
    }
    return big_of_digits(ctx, number);
}

static JSValue take_value(JSContext *ctx, struct mote_cbor *from, int depth);

static JSValue take_list(JSContext *ctx, struct mote_cbor *from, uint64_t count, int depth)
{
    JSValue made = JS_NewArray(ctx);
    for (uint64_t i = 0; !JS_IsException(made) && i < count; i++) {
        JSValue one = take_value(ctx, from, depth + 1);
        if (JS_IsException(one) ||
            JS_DefinePropertyValueUint32(ctx, made, (uint32_t)i, one, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, made);
            made = JS_EXCEPTION;
        }
    }
    return made;
}

/* The name of a member, which may be a number. */
static JSAtom take_name(JSContext *ctx, struct mote_cbor *from)
{
    JSValue name = take_value(ctx, from, DEPTH_MAX);
    JSAtom atom = JS_ATOM_NULL;
    if (JS_IsString(name) || JS_IsNumber(name) || JS_IsBigInt(name)) {
        atom = JS_ValueToAtom(ctx, name);
    } else if (!JS_IsException(name)) {
        malformed(ctx);
    }
    JS_FreeValue(ctx, name);
    return atom;
}

static JSValue take_map(JSContext *ctx, struct mote_cbor *from, uint64_t count, int depth)
{
    JSValue made = JS_NewObject(ctx);
    for (uint64_t i = 0; !JS_IsException(made) && i < count; i++) {
        JSAtom name = take_name(ctx, from);
        JSValue one = name == JS_ATOM_NULL ? JS_EXCEPTION : take_value(ctx, from, depth + 1);
        if (JS_IsException(one) ||
            JS_DefinePropertyValue(ctx, made, name, one, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, made);
            made = JS_EXCEPTION;
        }
        JS_FreeAtom(ctx, name);
    }
    return made;
}

static JSValue take_span(JSContext *ctx, struct mote_cbor *from, bool is_text, uint64_t size)
{
    const uint8_t *data = from->at;
    from->at += size;
    if (!is_text) {
        return JS_NewUint8ArrayCopy(ctx, data, (size_t)size);
    }
    return text_is_utf8(data, (size_t)size) ? JS_NewStringLen(ctx, (const char *)data, (size_t)size)
                                            : malformed(ctx);
}

static JSValue take_value(JSContext *ctx, struct mote_cbor *from, int depth)
{
    enum mote_cbor_kind kind;
    uint8_t low;
    uint64_t number;
    if (depth > DEPTH_MAX || !mote_cbor_head(from, &kind, &low, &number)) {
        return malformed(ctx);
    }
    uint64_t room = (uint64_t)(from->end - from->at);
    if ((kind == MOTE_CBOR_ARRAY || kind == MOTE_CBOR_MAP) && number > 0 && depth >= DEPTH_MAX) {
        return malformed(
            ctx); /* Names are read at this depth: one that is a map nests no further. */
    }
    switch (kind) {
    case MOTE_CBOR_UNSIGNED:
    case MOTE_CBOR_NEGATIVE:
        return take_integer(ctx, kind == MOTE_CBOR_NEGATIVE, number);
    case MOTE_CBOR_BYTES:
    case MOTE_CBOR_TEXT:
        return number > room ? malformed(ctx)
                             : take_span(ctx, from, kind == MOTE_CBOR_TEXT, number);
    case MOTE_CBOR_ARRAY:
        return number > room ? malformed(ctx) : take_list(ctx, from, number, depth);
    case MOTE_CBOR_MAP:
        return number > room / 2 ? malformed(ctx) : take_map(ctx, from, number, depth);
    case MOTE_CBOR_SIMPLE:
        return take_simple(ctx, low, number);
    case MOTE_CBOR_TAG: /* is skipped by mote_cbor_head() */
        break;
    }
    return malformed(ctx);
}

/* cborDecode(bytes) -> value; undefined: there are none */
NATIVE(cbor_decode)
{
    struct bytes bytes;
    if (!bytes_get(ctx, argv[0], &bytes)) {
        return JS_EXCEPTION;
    }
    JSValue value = JS_UNDEFINED;
    if (bytes.size > 0) {
        struct mote_cbor from = mote_cbor_read(bytes.data, bytes.size);
        value = take_value(ctx, &from, 0);
        if (!JS_IsException(value) && from.at != from.end) {
            JS_FreeValue(ctx, value);
            value = malformed(ctx);
        }
    }
    bytes_free(ctx, &bytes);
    return value;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("cborEncode", 1, cbor_encode),
    JS_CFUNC_DEF("cborDecode", 1, cbor_decode),
};

const struct natives cbor_natives = {entries, sizeof entries / sizeof entries[0]};
