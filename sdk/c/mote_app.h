/**
 * @file
 * What small apps want beside mote.h: texts and JSON without a heap, bodies, calls that outlast a restart of their service.
 * Comes with mote, as mote.h does.
 *
 *     MOTE_HANDLER(greet)
 *     {
 *         char name[64], room[256];
 *         struct mote_text answer = mote_text(room, sizeof room);
 *         mote_param("name", name, sizeof name);
 *         mote_put_text(&answer, "{\"hello\":");
 *         mote_put_json(&answer, name, mote_size_of(name));
 *         mote_put_text(&answer, "}\n");
 *         mote_reply_built(200, "application/json", &answer);
 *     }
 */
#pragma once

#include <mote.h>

/* ---- texts ---- */

/** A text that is written piece by piece into memory of the caller's. What does not fit is left out, and `full` says so. */
struct mote_text {
    char *data;
    size_t size, capacity;
    bool full;
};

static inline struct mote_text mote_text(char *data, size_t capacity)
{
    struct mote_text text = {data, 0, capacity, false};
    return text;
}

static inline void mote_put_bytes(struct mote_text *to, const void *data, size_t size)
{
    if (to->full || size > to->capacity - to->size) {
        to->full = true;
        return;
    }
    /* No loop over `to->size`: clang 14 drops all bytes but the first of what was just written to a local array. */
    __builtin_memcpy(to->data + to->size, data, size);
    to->size += size;
}

static inline void mote_put_text(struct mote_text *to, const char *text)
{
    mote_put_bytes(to, text, mote_size_of(text));
}

static inline void mote_put_number(struct mote_text *to, int64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    mote_put_bytes(to, digits + at, sizeof digits - at);
}

/** A string of JSON, in quotes (RFC 8259, 7). The bytes should be UTF-8. */
static inline void mote_put_json(struct mote_text *to, const void *data, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)data;
    mote_put_text(to, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];
        char escaped[6] = {'\\', 'u', '0', '0', (char)('0' + c / 16), "0123456789abcdef"[c % 16]};
        if (c == '"' || c == '\\') {
            escaped[1] = (char)c;
            mote_put_bytes(to, escaped, 2);
        } else if (c == '\n') {
            mote_put_text(to, "\\n");
        } else if (c < ' ') {
            mote_put_bytes(to, escaped, sizeof escaped);
        } else {
            mote_put_bytes(to, &bytes[i], 1);
        }
    }
    mote_put_text(to, "\"");
}

/* ---- requests and answers ---- */

/** A number of the route, as in "/items/:id". False: it is none, or too large. */
static inline bool mote_param_number(const char *name, uint64_t *ret)
{
    char text[21];
    int32_t size = mote_param(name, text, sizeof text);
    *ret = 0;
    for (int32_t i = 0; i < size && (size_t)size < sizeof text; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || *ret > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *ret = *ret * 10 + digit;
    }
    return size > 0 && (size_t)size < sizeof text;
}

/** All of the request's body. Its size; MOTE_LIMIT: it is larger than the buffer; else as mote_read(). */
static inline int32_t mote_read_all(void *buffer, size_t capacity)
{
    size_t size = 0;
    for (;;) {
        char more;
        bool full = size == capacity;
        int32_t got = full ? mote_read(&more, 1)
                           : mote_read((char *)buffer + size, capacity - size);
        if (got <= 0 || full) {
            return got < 0 ? got : got > 0 ? (int32_t)MOTE_LIMIT : (int32_t)size;
        }
        size += (size_t)got;
    }
}

/** The whole answer, of a text that was built; 500 where it did not fit. `type`: "text/html; charset=utf-8". */
static inline int32_t mote_reply_built(int status, const char *type, const struct mote_text *text)
{
    char room[160];
    struct mote_text headers = mote_text(room, sizeof room - 1);
    mote_put_text(&headers, "content-type: ");
    mote_put_text(&headers, type);
    mote_put_text(&headers, "\n");
    room[headers.size] = '\0';
    return text->full || headers.full ? mote_reply_text(500, "the answer is too large\n")
                                      : mote_reply(status, room, text->data, text->size);
}

/* ---- services ---- */

/** As mote_call(), but where the service is just being started (again) it is waited for, for 2 seconds at most. `again`: what is
 *  asked may be asked twice, so that it is asked again also when the service has ended without an answer. */
static inline int32_t mote_ask(const char *service, const char *function, const void *in,
                               size_t in_size, void *out, size_t out_capacity, bool again)
{
    int32_t result = MOTE_NOT_FOUND;
    for (int tries = 0; tries < 200; tries++) {
        bool there = mote_whereis(service) != 0;
        if (there) {
            result = mote_call(service, function, in, in_size, out, out_capacity);
        }
        /* Not found although it is there: it has no such function; or it has ended meanwhile. */
        bool gone = !there || (result == MOTE_NOT_FOUND && mote_whereis(service) == 0);
        if (!gone && !(again && result == MOTE_CLOSED)) {
            break;
        }
        mote_sleep_ms(10);
    }
    return result;
}
