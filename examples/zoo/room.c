/* The room of /chat: one process that keeps the last messages, numbers them, and publishes each to a group. */
#include "room.h"

enum { KEPT = 40, LOG_BYTES = 49152 };

/* Entry, JSON, entry, JSON ..., the oldest first: as many as there is room for, at most KEPT. */
static unsigned char kept[LOG_BYTES];
static size_t kept_size;
static uint64_t count, last_id;

static struct room_entry entry_at(size_t offset)
{
    struct room_entry entry;
    __builtin_memcpy(&entry, kept + offset, sizeof entry);
    return entry;
}

static size_t step(size_t offset)
{
    return sizeof(struct room_entry) + entry_at(offset).size;
}

/* Keep one more, and forget the oldest ones for it. */
static void keep(const struct room_entry *entry, const char *json)
{
    size_t size = sizeof *entry + entry->size, gone = 0;
    while (count >= KEPT || kept_size - gone + size > LOG_BYTES) {
        gone += step(gone);
        count--;
    }
    __builtin_memmove(kept, kept + gone, kept_size - gone);
    kept_size -= gone;
    __builtin_memcpy(kept + kept_size, entry, sizeof *entry);
    __builtin_memcpy(kept + kept_size + sizeof *entry, json, entry->size);
    kept_size += size;
    count++;
}

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
    static char json[ROOM_JSON_BYTES];
    const struct room_said *said = in;
    if (in_size != sizeof *said) {
        return MOTE_INVALID;
    }
    uint64_t now_ms = mote_wall_clock_ns() / 1000000;
    struct room_entry entry = {next_id(), 0, 0};
    char *at = put_number(put(json, "{\"id\":"), entry.id);
    at = put_string(put(at, ",\"name\":"), said->name, sizeof said->name);
    at = put_string(put(at, ",\"text\":"), said->text, sizeof said->text);
    at = put_string(put(at, ",\"via\":"), said->via, sizeof said->via);
    at = put_number(put(at, ",\"at\":"), now_ms);
    at = put_number(put(at, ",\"here\":"), (uint64_t)mote_members(ROOM_GROUP, NULL, 0));
    at = put(at, "}");
    entry.size = (uint32_t)(at - json);
    keep(&entry, json);
    mote_publish(ROOM_GROUP, entry.id, json, entry.size, NULL);
    return mote_put(out, out_capacity, &entry.id, sizeof entry.id);
}

MOTE_FUNCTION(since)
{
    uint64_t id = 0;
    if (in_size != sizeof id) {
        return MOTE_INVALID;
    }
    __builtin_memcpy(&id, in, sizeof id);
    size_t offset = 0;
    while (offset < kept_size && entry_at(offset).id <= id) {
        offset += step(offset);
    }
    mote_answer(mail, kept + offset, kept_size - offset);
    return MOTE_LATER;
}

static const struct mote_function functions[] = {{"say", say}, {"since", since}};
MOTE_SERVICE(room, functions)
