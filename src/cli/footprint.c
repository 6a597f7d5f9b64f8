#include "cli/footprint.h"

#include "cli/wasm_cursor.h"

#include <string.h>

/* Of the binary format: https://webassembly.github.io/spec/core/binary/modules.html */
enum {
    HEADER_BYTES = 8,
    PAGE_BYTES = 1 << 16,
    ROUND_BYTES = 1 << 12, /* a page of the machine: less is never handed out */
};

enum section_id {
    SECTION_IMPORT = 2,
    SECTION_MEMORY = 5,
    SECTION_GLOBAL = 6,
    SECTION_EXPORT = 7,
    SECTION_CODE = 10,
};

enum { EXTERN_FUNCTION = 0, EXTERN_GLOBAL = 3 };
enum { LIMITS_MIN_MAX = 0x01, LIMITS_PAGE_SIZE = 0x08 };
enum { OP_END = 0x0b, OP_MEMORY_SIZE = 0x3f, OP_MEMORY_GROW = 0x40 };
enum { OP_I32_CONST = 0x41, OP_I64_CONST = 0x42, OP_F32_CONST = 0x43, OP_F64_CONST = 0x44 };

/* ---- sections ---- */

struct section {
    const uint8_t *begin; /* its id; the body ends where it ends */
    struct cursor body;
    bool found;
};

/* False: malformed, or it is there twice. `found` says whether it is there at all. */
static bool section_find(const struct bytes *wasm, enum section_id wanted, struct section *ret)
{
    static const uint8_t header[HEADER_BYTES] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    *ret = (struct section){0};
    if (wasm->size < HEADER_BYTES || memcmp(wasm->data, header, HEADER_BYTES) != 0) {
        return false;
    }
    struct cursor cursor = {.at = wasm->data + HEADER_BYTES, .end = wasm->data + wasm->size};
    while (cursor_left(&cursor) > 0) {
        const uint8_t *begin = cursor.at;
        uint8_t id = cursor_byte(&cursor);
        uint32_t size = cursor_number(&cursor);
        struct cursor body = cursor_take(&cursor, size);
        if (body.failed) {
            return false;
        }
        if (id == (uint8_t)wanted) {
            if (ret->found) {
                return false;
            }
            *ret = (struct section){.begin = begin, .body = body, .found = true};
        }
    }
    return !cursor.failed;
}

/* At most LEB_BYTES_MAX bytes at `to`; how many. */
static size_t number_write(uint32_t number, uint8_t *to)
{
    size_t size = 0;
    for (; number >= 0x80; number >>= 7) {
        to[size++] = (uint8_t)(number | 0x80);
    }
    to[size++] = (uint8_t)number;
    return size;
}

/* Another body for a section. False: out of memory, nothing changed. */
static bool section_replace(struct bytes *wasm, const struct section *section, enum section_id id,
                            const struct bytes *body)
{
    uint8_t head[1 + LEB_BYTES_MAX] = {(uint8_t)id};
    size_t head_bytes = 1 + number_write((uint32_t)body->size, head + 1);
    size_t before = (size_t)(section->begin - wasm->data);
    const uint8_t *behind = section->body.end;
    AUTO(bytes_finip) struct bytes fresh = {0};
    if (!bytes_append(&fresh, wasm->data, before) || !bytes_append(&fresh, head, head_bytes) ||
        !bytes_append(&fresh, body->data, body->size) ||
        !bytes_append(&fresh, behind, wasm->size - (size_t)(behind - wasm->data))) {
        return false;
    }
    struct bytes old = *wasm;
    *wasm = fresh;
    fresh = old;
    return true;
}

/* Then the indices of globals and memories begin with the module's own. */
static bool imports_are_functions(const struct bytes *wasm)
{
    struct section imports;
    if (!section_find(wasm, SECTION_IMPORT, &imports)) {
        return false;
    }
    if (!imports.found) {
        return true;
    }
    uint32_t count = cursor_number(&imports.body);
    for (uint32_t i = 0; i < count && !imports.body.failed; i++) {
        (void)cursor_name(&imports.body);
        (void)cursor_name(&imports.body);
        if (cursor_byte(&imports.body) != EXTERN_FUNCTION) {
            return false;
        }
        (void)cursor_number(&imports.body);
    }
    return cursor_done(&imports.body);
}

/* ---- where static data ends ---- */

/* Finds the export among those at `body`, and appends the others to `ret_rest`. */
static bool export_take(struct cursor body, uint32_t *ret_global, struct bytes *ret_rest)
{
    uint32_t count = cursor_number(&body);
    uint8_t number[LEB_BYTES_MAX];
    if (count == 0 || !bytes_append(ret_rest, number, number_write(count - 1, number))) {
        return false;
    }
    bool found = false;
    for (uint32_t i = 0; i < count && !body.failed; i++) {
        const uint8_t *begin = body.at;
        struct cursor name = cursor_name(&body);
        uint8_t kind = cursor_byte(&body);
        uint32_t index = cursor_number(&body);
        if (body.failed) {
            return false;
        }
        size_t wanted = strlen(FOOTPRINT_EXPORT);
        if (kind == EXTERN_GLOBAL && cursor_left(&name) == wanted &&
            memcmp(name.at, FOOTPRINT_EXPORT, wanted) == 0) {
            *ret_global = index;
            found = true; /* once: names of exports are unique */
        } else if (!bytes_append(ret_rest, begin, (size_t)(body.at - begin))) {
            return false;
        }
    }
    return found && cursor_done(&body);
}

/* A constant as the linker writes one, up to its end. False: another expression. */
static bool constant_take(struct cursor *cursor, int64_t *ret_integer)
{
    *ret_integer = 0;
    switch (cursor_byte(cursor)) {
    case OP_I32_CONST:
        *ret_integer = cursor_signed(cursor, LEB_BYTES_MAX);
        break;
    case OP_I64_CONST:
        *ret_integer = cursor_signed(cursor, 2 * LEB_BYTES_MAX);
        break;
    case OP_F32_CONST:
        (void)cursor_take(cursor, 4);
        break;
    case OP_F64_CONST:
        (void)cursor_take(cursor, 8);
        break;
    default:
        return false;
    }
    return cursor_byte(cursor) == OP_END && !cursor->failed;
}

/* The value of one of the module's own globals, which has to be a constant greater than zero. */
static bool global_value(const struct bytes *wasm, uint32_t wanted, uint32_t *ret)
{
    struct section globals;
    if (!section_find(wasm, SECTION_GLOBAL, &globals) || !globals.found) {
        return false;
    }
    uint32_t count = cursor_number(&globals.body);
    if (wanted >= count) {
        return false;
    }
    int64_t value = 0;
    for (uint32_t i = 0; i <= wanted; i++) {
        (void)cursor_byte(&globals.body); /* its type: that of the constant */
        (void)cursor_byte(&globals.body); /* whether it may change; the linker's does not */
        if (!constant_take(&globals.body, &value)) {
            return false;
        }
    }
    if (value <= 0 || value > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

bool footprint_take(struct bytes *wasm, uint32_t *ret_end_bytes)
{
    struct section exports;
    if (!imports_are_functions(wasm) || !section_find(wasm, SECTION_EXPORT, &exports) ||
        !exports.found) {
        return false;
    }
    AUTO(bytes_finip) struct bytes rest = {0};
    uint32_t global = 0, end_bytes = 0;
    if (!export_take(exports.body, &global, &rest) || !global_value(wasm, global, &end_bytes) ||
        !section_replace(wasm, &exports, SECTION_EXPORT, &rest)) {
        return false;
    }
    *ret_end_bytes = end_bytes;
    return true;
}

/* ---- the memory ---- */

/* The bytes of memory.size and memory.grow are looked for without reading instructions: an operand
 * that looks like one costs the gain, and nothing else. Their second byte is a memory's index, 0, which
 * may be written as a longer number. */
static bool body_asks_for_size(const struct cursor *body)
{
    for (const uint8_t *at = body->at; body->end - at >= 2; at++) {
        if ((at[0] == OP_MEMORY_SIZE || at[0] == OP_MEMORY_GROW) &&
            (at[1] == 0x00 || at[1] == 0x80)) {
            return true;
        }
    }
    return false;
}

static bool size_is_constant(const struct bytes *wasm)
{
    struct section code;
    if (!section_find(wasm, SECTION_CODE, &code)) {
        return false;
    }
    if (!code.found) {
        return true;
    }
    uint32_t count = cursor_number(&code.body);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = cursor_number(&code.body);
        struct cursor body = cursor_take(&code.body, size);
        if (body.failed || body_asks_for_size(&body)) {
            return false;
        }
    }
    return cursor_done(&code.body);
}

/* The size of the one memory in bytes, when it has pages of 64 KiB and no maximum. */
static bool memory_size(struct cursor body, uint64_t *ret_bytes)
{
    if (cursor_number(&body) != 1 || cursor_byte(&body) != 0) {
        return false;
    }
    *ret_bytes = (uint64_t)cursor_number(&body) * PAGE_BYTES;
    return cursor_done(&body);
}

bool footprint_fit(struct bytes *wasm, uint32_t end_bytes)
{
    struct section memory;
    uint64_t now_bytes = 0;
    uint64_t wanted = ((uint64_t)end_bytes + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
    if (!section_find(wasm, SECTION_MEMORY, &memory) || !memory.found ||
        !memory_size(memory.body, &now_bytes) || wanted >= now_bytes || wanted > UINT32_MAX ||
        !imports_are_functions(wasm) || !size_is_constant(wasm)) {
        return false;
    }
    /* With a maximum the compiler knows the bound as a constant. */
    uint8_t limits[2 + 2 * LEB_BYTES_MAX + 1] = {1, LIMITS_MIN_MAX | LIMITS_PAGE_SIZE};
    size_t size = 2;
    size += number_write((uint32_t)wanted, limits + size);
    size += number_write((uint32_t)wanted, limits + size);
    limits[size++] = 0; /* pages of 2^0 bytes */
    AUTO(bytes_finip) struct bytes body = {0};
    return bytes_append(&body, limits, size) &&
           section_replace(wasm, &memory, SECTION_MEMORY, &body);
}
