/* The outlets of connections that last: an event, or a frame, of each message. */
#include "serve/outlet.h"

#include "base/utf8.h"
#include "core/node.h"
#include "serve/websocket_guest.h"
#include "serve/websocket_writer.h"

#include <stdio.h>
#include <string.h>

static uint32_t number_at(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

/* ---- frames ---- */

/* A close, as OUTLET_CLOSE has it. */
static enum outlet_step write_close(struct outlet *outlet, const uint8_t *data, size_t size)
{
    if (size < 2 || size - 2 > WEBSOCKET_REASON_BYTES_MAX) {
        return OUTLET_DONE; /* not of our making */
    }
    unsigned code = data[0] | (unsigned)data[1] << 8;
    struct text reason = {(const char *)data + 2, size - 2};
    struct utf8_check check = {0};
    if (!websocket_code_is_valid(code) || !utf8_check_feed(&check, reason.data, reason.size) ||
        !utf8_check_is_whole(&check)) {
        return OUTLET_DONE;
    }
    (void)websocket_channel_close(outlet->channel, code, reason, false);
    return OUTLET_OVER;
}

static bool is_text(const struct message *mail, const void *data, size_t size)
{
    struct utf8_check check = {0};
    return mail->label == OUTLET_TEXT && utf8_check_feed(&check, data, size) &&
           utf8_check_is_whole(&check);
}

enum { FRAME_SHARE_BYTES = 1 << 20 };

enum outlet_step outlet_write_frame(struct outlet *outlet)
{
    size_t size = 0;
    const uint8_t *data = message_data(outlet->mail, &size);
    if (outlet->mail->label == OUTLET_CLOSE) {
        return write_close(outlet, data, size);
    }
    struct websocket_record record = {.size_bytes = (uint32_t)size};
    if (outlet->moved < sizeof record) {
        record.kind = is_text(outlet->mail, data, size) ? 1 : 2;
    }
    for (size_t sum = 0; outlet->moved < sizeof record + size;) {
        bool head = outlet->moved < sizeof record;
        const uint8_t *from = head ? (const uint8_t *)&record + outlet->moved
                                   : data + (outlet->moved - sizeof record);
        size_t left = head ? sizeof record - outlet->moved : sizeof record + size - outlet->moved;
        size_t taken = 0;
        if (sum >= FRAME_SHARE_BYTES) {
            return OUTLET_AGAIN;
        }
        switch (websocket_channel_send(outlet->channel, from, left, &taken)) {
        case WEBSOCKET_SENT:
            outlet->moved += taken;
            sum += taken;
            break;
        case WEBSOCKET_BLOCKED:
            return OUTLET_BLOCKED;
        case WEBSOCKET_GONE:
            return OUTLET_OVER;
        }
    }
    return OUTLET_DONE;
}

/* ---- events ---- */

enum { EVENT_HEAD_BYTES = 12 };

static bool pack_number(struct bytes *to, uint32_t number)
{
    uint8_t word[] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                      (uint8_t)(number >> 24)};
    return bytes_append(to, word, sizeof word);
}

static uint32_t size_of(struct text text)
{
    return text.data != NULL ? (uint32_t)text.size : UINT32_MAX;
}

static bool pack_text(struct bytes *to, struct text text)
{
    return text.data == NULL || bytes_append(to, text.data, text.size);
}

bool outlet_event_pack(struct bytes *to, const struct sse_event *event)
{
    return pack_number(to, (uint32_t)event->retry_ms) && pack_number(to, size_of(event->event)) &&
           pack_number(to, size_of(event->id)) && pack_text(to, event->event) &&
           pack_text(to, event->id) && pack_text(to, event->data);
}

static struct text take_text(const uint8_t **at, size_t size)
{
    struct text text = {(const char *)*at, size};
    *at += size;
    return text;
}

/* False: not of our making. */
static bool unpack_event(const uint8_t *data, size_t size, struct sse_event *ret)
{
    if (size < EVENT_HEAD_BYTES) {
        return false;
    }
    uint32_t name = number_at(data + 4), id = number_at(data + 8);
    size_t name_bytes = name != UINT32_MAX ? name : 0, id_bytes = id != UINT32_MAX ? id : 0;
    size_t left = size - EVENT_HEAD_BYTES;
    if (name_bytes > left || id_bytes > left - name_bytes) {
        return false;
    }
    const uint8_t *at = data + EVENT_HEAD_BYTES;
    ret->retry_ms = (int32_t)number_at(data);
    ret->event = take_text(&at, name_bytes);
    ret->id = take_text(&at, id_bytes);
    ret->event = name != UINT32_MAX ? ret->event : (struct text){0};
    ret->id = id != UINT32_MAX ? ret->id : (struct text){0};
    ret->data = (struct text){(const char *)at, left - name_bytes - id_bytes};
    return true;
}

/* The event that a message is; data alone where it is anything else. */
static bool read_event(struct outlet *outlet)
{
    size_t size = 0;
    const uint8_t *data = message_data(outlet->mail, &size);
    outlet->event = (struct sse_event){.retry_ms = SSE_NO_RETRY};
    outlet->event.data = (struct text){size > 0 ? (const char *)data : "", size};
    outlet->cursor = (struct sse_cursor){0};
    if (outlet->mail->label == OUTLET_EVENT && !unpack_event(data, size, &outlet->event)) {
        return false;
    }
    return sse_check(&outlet->event) == SSE_GOOD;
}

/* Write what fits of the next piece. */
static enum exchange_result write_piece(struct outlet *outlet, size_t *ret_size)
{
    char piece[4096];
    struct sse_cursor begin = outlet->cursor;
    size_t written = 0;
    *ret_size = sse_write(&outlet->event, &outlet->cursor, piece, sizeof piece);
    if (*ret_size == 0) {
        return EXCHANGE_ENDED;
    }
    enum exchange_result result = exchange_write(outlet->exchange, piece, *ret_size, &written);
    written = result == EXCHANGE_OK ? written : 0;
    if (written < *ret_size) {
        outlet->cursor = begin;
        *ret_size = sse_write(&outlet->event, &outlet->cursor, piece, written);
    }
    return result;
}

enum outlet_step outlet_open_events(struct outlet *outlet)
{
    static const struct header headers[] = {
        {.name = {"Content-Type", 12}, .value = {"text/event-stream", 17}},
        {.name = {"Cache-Control", 13}, .value = {"no-store", 8}}};
    char pid[24];
    int size = snprintf(pid, sizeof pid, "%llu", (unsigned long long)outlet->process.pid.raw);
    struct err err;
    err_clear(&err);
    if (!outlet_spawn(outlet, pid, (size_t)size, outlet->handler->stream_deadline_ns,
                      worker_current(), &err) ||
        exchange_begin_events(outlet->exchange, headers, ARRAY_LENGTH(headers),
                              outlet->handler->heartbeat_ns) != EXCHANGE_OK) {
        outlet->status = 503;
        return OUTLET_OVER;
    }
    outlet->asked = true;
    /* A HEAD wanted to know what there is, not to listen. */
    bool listens = exchange_request(outlet->exchange)->method != METHOD_HEAD;
    return listens ? OUTLET_DONE : OUTLET_OVER;
}

enum outlet_step outlet_write_event(struct outlet *outlet)
{
    if (outlet->moved == 0 && !read_event(outlet)) {
        return OUTLET_DONE;
    }
    outlet->moved = 1;
    exchange_set_within(outlet->exchange, true);
    size_t share = exchange_share(outlet->exchange);
    for (size_t sum = 0, size = 0; sum < share; sum += size) {
        switch (write_piece(outlet, &size)) {
        case EXCHANGE_OK:
            break;
        case EXCHANGE_ENDED:
            exchange_set_within(outlet->exchange, false);
            return OUTLET_DONE;
        case EXCHANGE_WAIT:
            return OUTLET_BLOCKED;
        case EXCHANGE_CLOSED:
        case EXCHANGE_TOO_LARGE:
        case EXCHANGE_MALFORMED:
        case EXCHANGE_INVALID:
        case EXCHANGE_FULL:
        case EXCHANGE_MISPLACED:
        case EXCHANGE_NO_MEMORY:
            return OUTLET_OVER;
        }
    }
    return OUTLET_AGAIN;
}
