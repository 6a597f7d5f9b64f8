/* The room of /chat: one process that keeps the last messages, numbers them, and publishes each to a group. */
#define MOTE_SERVICE_BYTES 131072
#include "room.h"

enum { KEPT = 40 };

static struct {
    uint64_t id;
    uint32_t size;
    char json[ROOM_JSON_BYTES];
} ring[KEPT];
static uint64_t count;
static uint64_t last_id;

static char *put(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    return at;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(at, first);
}

/* A string of JSON, of at most six times its size. */
static char *put_string(char *at, const char *text, size_t most)
{
    static const char hex[] = "0123456789abcdef";
    *at++ = '"';
    for (size_t i = 0; i < most && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c < ' ') {
            at = put(at, "\\u00");
            *at++ = hex[c / 16];
            *at++ = hex[c % 16];
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    return at;
}

/* Ids go up over restarts too: the first one is the time. */
static uint64_t next_id(void)
{
    uint64_t now_ms = mote_wall_clock_ns() / 1000000;
    last_id = now_ms > last_id ? now_ms : last_id + 1;
    return last_id;
}

MOTE_FUNCTION(say)
{
    const struct room_said *said = in;
    if (in_size != sizeof *said) {
        return MOTE_INVALID;
    }
    uint64_t now_ms = mote_wall_clock_ns() / 1000000;
    size_t slot = (size_t)(count++ % KEPT);
    ring[slot].id = next_id();
    char *at = put_number(put(ring[slot].json, "{\"id\":"), last_id);
    at = put(at, ",\"name\":");
    at = put_string(at, said->name, sizeof said->name);
    at = put(at, ",\"text\":");
    at = put_string(at, said->text, sizeof said->text);
    at = put(at, ",\"via\":");
    at = put_string(at, said->via, sizeof said->via);
    at = put_number(put(at, ",\"at\":"), now_ms);
    at = put_number(put(at, ",\"here\":"), (uint64_t)mote_members(ROOM_GROUP, NULL, 0));
    at = put(at, "}");
    ring[slot].size = (uint32_t)(at - ring[slot].json);
    mote_publish(ROOM_GROUP, ring[slot].id, ring[slot].json, ring[slot].size, NULL);
    return mote_put(out, out_capacity, &ring[slot].id, sizeof ring[slot].id);
}

MOTE_FUNCTION(since)
{
    uint64_t id = 0;
    if (in_size != sizeof id) {
        return MOTE_INVALID;
    }
    __builtin_memcpy(&id, in, sizeof id);
    char *at = out, *end = at + out_capacity;
    for (uint64_t i = count > KEPT ? count - KEPT : 0; i < count; i++) {
        size_t slot = (size_t)(i % KEPT);
        struct room_entry entry = {ring[slot].id, ring[slot].size, 0};
        if (entry.id > id && (size_t)(end - at) >= sizeof entry + entry.size) {
            __builtin_memcpy(at, &entry, sizeof entry);
            __builtin_memcpy(at + sizeof entry, ring[slot].json, entry.size);
            at += sizeof entry + entry.size;
        }
    }
    return (int32_t)(at - (char *)out);
}

static const struct mote_function functions[] = {{"say", say}, {"since", since}};
MOTE_SERVICE(room, functions)
