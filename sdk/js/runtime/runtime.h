/**
 * @file
 * The JavaScript runtime: QuickJS with the host's functions below it and the Web's interfaces (web/) above it, made into
 * one core module. It is run twice. `mote build` instantiates it, hands it an app's script (mote_load) and keeps what its
 * memory and globals are then as a new module; each instance of that module begins there, and runs one entry.
 *
 * Threads: one; WebAssembly has no others here.
 */
#pragma once

#include <mote.h>
#include <quickjs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory.c ---- */

/** QuickJS's allocator: classes of small blocks out of chunks that are filled from their beginning. */
extern const JSMallocFunctions memory_functions;

/** Called once before the snapshot: what is free so far stays unused, and there is room behind it, so that what an
 *  instance allocates lies side by side and touches few pages, and seldom makes its memory grow. */
void memory_settle(void);

/** Call `visit` for every block that is in use, before the snapshot. */
void memory_each(void (*visit)(void *block));

/* ---- quickjs_settle.h ---- */

/** Make all properties that would come to be at their first use. */
void quickjs_settle(JSContext *ctx);

/** Keep a block for ever, whoever refers to it. */
void quickjs_immortal(void *block);

/* ---- values.c ---- */

/** Bytes of a string (as UTF-8), of an ArrayBuffer, or of a view of one. Ended by bytes_free(). */
struct bytes {
    const uint8_t *data;
    size_t size;
    const char *text; /* what bytes_free() gives back */
};

/** False: an exception is pending. `value` null or undefined: no bytes. */
bool bytes_get(JSContext *ctx, JSValueConst value, struct bytes *ret);
void bytes_free(JSContext *ctx, struct bytes *bytes);

/** A function of the host that copies text out as snprintf does. */
typedef int32_t (*text_reader)(const void *context, char *buffer, size_t capacity);

/** What it reads: a string of bytes (each a code unit), null when it answers "not found". Throws on other errors. */
JSValue text_read(JSContext *ctx, text_reader read, const void *context);

/** A string with a code unit for each byte. */
JSValue text_of_bytes(JSContext *ctx, const uint8_t *data, size_t size);

/** Bytes as text: what is no UTF-8 becomes U+FFFD as the Encoding Standard says. */
JSValue text_of_utf8(JSContext *ctx, const uint8_t *data, size_t size);

bool text_is_utf8(const uint8_t *data, size_t size);

/** A u64 from a BigInt or a number. */
bool u64_get(JSContext *ctx, JSValueConst value, uint64_t *ret);

/** Milliseconds as the host's nanoseconds; what is no number, infinite or below 0 waits for ever. */
int64_t timeout_get(JSContext *ctx, JSValueConst value);

/** A number of the host's: an error below 0 is thrown. */
JSValue result_of(JSContext *ctx, int64_t result);

/** Throw an error of the host with its name in `code`. */
JSValue throw_error(JSContext *ctx, int32_t error);

/* ---- tables of what JavaScript finds in `native` ---- */

struct natives {
    const JSCFunctionListEntry *entries;
    int count;
};

extern const struct natives encoding_natives, http_natives, stream_natives, process_natives,
    url_natives, cbor_natives, supervisor_natives, crypto_natives;

#define NATIVE(name)                                                                               \
    static JSValue name(JSContext *ctx, __attribute__((unused)) JSValueConst self,                 \
                        __attribute__((unused)) int argc,                                          \
                        __attribute__((unused)) JSValueConst *argv)

/** True from the first run of an entry: before it there is no host. */
extern bool runtime_is_live;
