#include "cli/wasm_cursor.h"

struct cursor cursor_failed(void)
{
    return (struct cursor){.failed = true};
}

size_t cursor_left(const struct cursor *cursor)
{
    return cursor->failed ? 0 : (size_t)(cursor->end - cursor->at);
}

bool cursor_done(const struct cursor *cursor)
{
    return !cursor->failed && cursor->at == cursor->end;
}

struct cursor cursor_take(struct cursor *cursor, size_t size)
{
    if (cursor->failed || size > cursor_left(cursor)) {
        cursor->failed = true;
        return cursor_failed();
    }
    struct cursor ret = {.at = cursor->at, .end = cursor->at + size};
    cursor->at += size;
    return ret;
}

uint8_t cursor_byte(struct cursor *cursor)
{
    struct cursor one = cursor_take(cursor, 1);
    return one.failed ? 0 : *one.at;
}

uint32_t cursor_number(struct cursor *cursor)
{
    uint64_t ret = 0;
    for (unsigned shift = 0; shift < 7 * LEB_BYTES_MAX; shift += 7) {
        uint8_t byte = cursor_byte(cursor);
        ret |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            break;
        }
        /* One more would be a sixth. */
        cursor->failed |= shift == 7 * (LEB_BYTES_MAX - 1);
    }
    cursor->failed |= ret > UINT32_MAX;
    return cursor->failed ? 0 : (uint32_t)ret;
}

int64_t cursor_signed(struct cursor *cursor, unsigned bytes_max)
{
    uint64_t ret = 0;
    unsigned shift = 0;
    uint8_t byte = 0x80;
    for (unsigned i = 0; i < bytes_max && (byte & 0x80) != 0; i++) {
        byte = cursor_byte(cursor);
        ret |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    }
    cursor->failed |= (byte & 0x80) != 0;
    if ((byte & 0x40) != 0 && shift < 64) {
        ret |= UINT64_MAX << shift;
    }
    return cursor->failed ? 0 : (int64_t)ret;
}

struct cursor cursor_name(struct cursor *cursor)
{
    uint32_t size = cursor_number(cursor);
    return cursor_take(cursor, size);
}
