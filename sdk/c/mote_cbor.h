/**
 * @file
 * CBOR (RFC 8949) for the arguments and results of calls between languages: docs/calls.md.
 *
 *     MOTE_FUNCTION(add)                          // {"a": 2, "b": 3}
 *     {
 *         struct mote_cbor args = mote_cbor_read(in, in_size), value;
 *         int64_t a, b;
 *         if (!mote_cbor_find(&args, "a", &value) || !mote_cbor_get_int(&value, &a)) ...
 *     }
 *
 * A reader or writer that has failed stays so, and does nothing more: look once, at the end. No libc is needed.
 */
#pragma once

#include <mote.h>

enum mote_cbor_kind {
    MOTE_CBOR_UNSIGNED = 0,
    MOTE_CBOR_NEGATIVE = 1,
    MOTE_CBOR_BYTES = 2,
    MOTE_CBOR_TEXT = 3,
    MOTE_CBOR_ARRAY = 4,
    MOTE_CBOR_MAP = 5,
    MOTE_CBOR_TAG = 6,
    MOTE_CBOR_SIMPLE = 7,
};

/** Where one reads. */
struct mote_cbor {
    const uint8_t *at, *end;
    bool failed; /**< What was read is malformed, or not of the kind that was wanted. */
};

/** Where one writes. */
struct mote_cbor_writer {
    uint8_t *data;
    size_t size, capacity;
    bool failed; /**< It did not fit. */
};

/* ---- reading ---- */

static inline struct mote_cbor mote_cbor_read(const void *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)data;
    return (struct mote_cbor){at, at + size, false};
}

/** Read the first byte of an item, whose tags are skipped, and its number. */
static inline bool mote_cbor_head(struct mote_cbor *from, enum mote_cbor_kind *kind, uint8_t *low,
                                  uint64_t *number)
{
    do {
        size_t size = 0;
        if (from->failed || from->at == from->end) {
            return !(from->failed = true);
        }
        *kind = (enum mote_cbor_kind)(*from->at >> 5);
        *low = *from->at++ & 0x1f;
        *number = *low;
        if (*low >= 24) {
            size = (size_t)1 << (*low - 24);
            if (*low > 27 || (size_t)(from->end - from->at) < size) {
                return !(from->failed = true);
            }
            *number = 0;
            for (size_t i = 0; i < size; i++) {
                *number = *number << 8 | *from->at++;
            }
        }
    } while (*kind == MOTE_CBOR_TAG);
    return true;
}

/** An integer that fits. */
static inline bool mote_cbor_get_int(struct mote_cbor *from, int64_t *ret)
{
    enum mote_cbor_kind kind;
    uint8_t low;
    uint64_t number;
    if (!mote_cbor_head(from, &kind, &low, &number)) {
        return false;
    }
    if (kind > MOTE_CBOR_NEGATIVE || number > INT64_MAX) {
        return !(from->failed = true);
    }
    *ret = kind == MOTE_CBOR_NEGATIVE ? -1 - (int64_t)number : (int64_t)number;
    return true;
}

static inline bool mote_cbor_get_bool(struct mote_cbor *from, bool *ret)
{
    enum mote_cbor_kind kind;
    uint8_t low;
    uint64_t number;
    if (!mote_cbor_head(from, &kind, &low, &number)) {
        return false;
    }
    if (kind != MOTE_CBOR_SIMPLE || (low != 20 && low != 21)) {
        return !(from->failed = true);
    }
    *ret = low == 21;
    return true;
}

static inline bool mote_cbor_get_span(struct mote_cbor *from, enum mote_cbor_kind wanted,
                                      const uint8_t **data, size_t *size)
{
    enum mote_cbor_kind kind;
    uint8_t low;
    uint64_t number;
    if (!mote_cbor_head(from, &kind, &low, &number)) {
        return false;
    }
    if (kind != wanted || number > (uint64_t)(from->end - from->at)) {
        return !(from->failed = true);
    }
    *data = from->at;
    *size = (size_t)number;
    from->at += number;
    return true;
}

/** Text or bytes, where they lie; text is not terminated, and not looked at whether it is UTF-8. */
static inline bool mote_cbor_get_text(struct mote_cbor *from, const char **text, size_t *size)
{
    return mote_cbor_get_span(from, MOTE_CBOR_TEXT, (const uint8_t **)text, size);
}

static inline bool mote_cbor_get_bytes(struct mote_cbor *from, const uint8_t **data, size_t *size)
{
    return mote_cbor_get_span(from, MOTE_CBOR_BYTES, data, size);
}

/** How many elements of a list, or pairs of a map, follow. */
static inline bool mote_cbor_get_count(struct mote_cbor *from, enum mote_cbor_kind wanted,
                                       uint64_t *count)
{
    enum mote_cbor_kind kind;
    uint8_t low;
    if (!mote_cbor_head(from, &kind, &low, count)) {
        return false;
    }
    uint64_t room = (uint64_t)(from->end - from->at); /* each has a byte at least */
    if (kind != wanted || *count > (wanted == MOTE_CBOR_MAP ? room / 2 : room)) {
        return !(from->failed = true);
    }
    return true;
}

/** Pass over one item with all that is in it. */
static inline bool mote_cbor_skip(struct mote_cbor *from)
{
    /* Items left to pass over: without recursion, so that no depth is too deep. */
    for (uint64_t left = 1; left > 0; left--) {
        enum mote_cbor_kind kind;
        uint8_t low;
        uint64_t number;
        if (!mote_cbor_head(from, &kind, &low, &number)) {
            return false;
        }
        uint64_t room = (uint64_t)(from->end - from->at);
        bool is_span = kind == MOTE_CBOR_BYTES || kind == MOTE_CBOR_TEXT;
        if (kind >= MOTE_CBOR_BYTES && kind <= MOTE_CBOR_MAP && number > room) {
            return !(from->failed = true);
        }
        if (is_span) {
            from->at += number;
        } else if (kind == MOTE_CBOR_ARRAY || kind == MOTE_CBOR_MAP) {
            left += kind == MOTE_CBOR_MAP ? 2 * number : number;
        }
    }
    return true;
}

/** In a map that `map` is in front of: the value of a name. `map` stays. False: there is no such name, which is no failure. */
static inline bool mote_cbor_find(const struct mote_cbor *map, const char *name,
                                  struct mote_cbor *ret)
{
    uint64_t count;
    size_t wanted = mote_size_of(name);
    *ret = *map;
    if (!mote_cbor_get_count(ret, MOTE_CBOR_MAP, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        const char *key;
        size_t size;
        if (!mote_cbor_get_text(ret, &key, &size)) {
            return false;
        }
        size_t same = 0;
        while (same < size && same < wanted && key[same] == name[same]) {
            same++;
        }
        if (same == size && same == wanted) {
            return true;
        }
        if (!mote_cbor_skip(ret)) {
            return false;
        }
    }
    return false;
}

/* ---- writing ---- */

static inline struct mote_cbor_writer mote_cbor_write(void *data, size_t capacity)
{
    return (struct mote_cbor_writer){(uint8_t *)data, 0, capacity, false};
}

static inline void mote_cbor_put_raw(struct mote_cbor_writer *to, const void *data, size_t size)
{
    if (to->failed || to->capacity - to->size < size) {
        to->failed = true;
        return;
    }
    if (size > 0) {
        __builtin_memcpy(to->data + to->size, data, size);
    }
    to->size += size;
}

static inline void mote_cbor_put_head(struct mote_cbor_writer *to, enum mote_cbor_kind kind,
                                      uint64_t number)
{
    uint8_t head[9];
    int bytes = number < 24         ? 0
                : number <= 0xff    ? 1
                : number <= 0xffff  ? 2
                : number >> 32 == 0 ? 4
                                    : 8;
    int low = bytes == 0 ? (int)number : bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
    head[0] = (uint8_t)((int)kind << 5 | low);
    for (int i = 0; i < bytes; i++) {
        head[1 + i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
    }
    mote_cbor_put_raw(to, head, 1 + (size_t)bytes);
}

static inline void mote_cbor_put_int(struct mote_cbor_writer *to, int64_t number)
{
    mote_cbor_put_head(to, number < 0 ? MOTE_CBOR_NEGATIVE : MOTE_CBOR_UNSIGNED,
                       number < 0 ? (uint64_t)(-1 - number) : (uint64_t)number);
}

static inline void mote_cbor_put_bool(struct mote_cbor_writer *to, bool value)
{
    mote_cbor_put_head(to, MOTE_CBOR_SIMPLE, value ? 21 : 20);
}

static inline void mote_cbor_put_null(struct mote_cbor_writer *to)
{
    mote_cbor_put_head(to, MOTE_CBOR_SIMPLE, 22);
}

static inline void mote_cbor_put_text(struct mote_cbor_writer *to, const char *text, size_t size)
{
    mote_cbor_put_head(to, MOTE_CBOR_TEXT, size);
    mote_cbor_put_raw(to, text, size);
}

static inline void mote_cbor_put_bytes(struct mote_cbor_writer *to, const void *data, size_t size)
{
    mote_cbor_put_head(to, MOTE_CBOR_BYTES, size);
    mote_cbor_put_raw(to, data, size);
}

/** A list or map of so many elements or pairs, which follow. */
static inline void mote_cbor_put_array(struct mote_cbor_writer *to, uint64_t count)
{
    mote_cbor_put_head(to, MOTE_CBOR_ARRAY, count);
}

static inline void mote_cbor_put_map(struct mote_cbor_writer *to, uint64_t count)
{
    mote_cbor_put_head(to, MOTE_CBOR_MAP, count);
}

/** What a function of a service returns: the size, or MOTE_LIMIT when it did not fit. */
static inline int32_t mote_cbor_end(const struct mote_cbor_writer *writer)
{
    return writer->failed ? MOTE_LIMIT : (int32_t)writer->size;
}
