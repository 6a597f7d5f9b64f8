#include "serve/websocket_reader.h"

#include "serve/websocket_deflate.h"

#include <string.h>
#include <wslay/wslay.h>

enum {
    FRAMES_BYTES = 4400,     /* of a wslay_frame_context, about */
    WHOLE_BYTES = 16 * 1024, /* of a message that is taken in one go */
    FIN = 0x80,
    MASKED = 0x80,
    LENGTH_IN_TWO = 126,
};

static struct websocket_step bad(unsigned code, const char *why)
{
    return (struct websocket_step){
        .event = WEBSOCKET_BAD, .code = code, .data = {why, strlen(why)}};
}

static const struct websocket_step more = {.event = WEBSOCKET_MORE};

/* ---- wslay ---- */

static ssize_t on_want(uint8_t *buffer, size_t capacity, int flags, void *argument)
{
    (void)flags;
    struct websocket_reader *reader = argument;
    struct text *input = reader->input;
    size_t size = input->size < capacity ? input->size : capacity;
    if (size == 0) {
        return -1;
    }
    memcpy(buffer, input->data, size);
    input->data += size;
    input->size -= size;
    reader->fed += size;
    return (ssize_t)size;
}

static bool open_frames(struct websocket_reader *reader)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = on_want};
    reader->fed = reader->framed = 0;
    return wslay_frame_context_init(&reader->frames, &callbacks, reader) == 0;
}

/* Nothing more can be made of what has come. Between frames nothing needs to be kept. */
static struct websocket_step pause_frames(struct websocket_reader *reader)
{
    if (!reader->in_frame && reader->fed == reader->framed) {
        wslay_frame_context_free(reader->frames);
        reader->frames = NULL;
    }
    return more;
}

/* RFC 6455, 5.2: as it was sent, for wslay refuses lengths that are longer than need be. */
static uint64_t frame_bytes(const struct wslay_frame_iocb *frame)
{
    uint64_t size = frame->payload_length;
    unsigned length = size > UINT16_MAX ? 8 : size > WEBSOCKET_CONTROL_BYTES_MAX ? 2 : 0;
    return 2 + length + (frame->mask != 0 ? 4 : 0) + size;
}

/* ---- Messages ---- */

static struct websocket_step take_inflated(struct websocket_reader *reader,
                                           enum websocket_inflate_result result, size_t before)
{
    switch (result) {
    case WEBSOCKET_INFLATED:
        break;
    case WEBSOCKET_INFLATE_BROKEN:
        return bad(WEBSOCKET_BAD_TEXT, "bad compressed data");
    case WEBSOCKET_INFLATE_TOO_LARGE:
        return bad(WEBSOCKET_TOO_BIG, "message too large");
    case WEBSOCKET_INFLATE_NO_MEMORY:
        return bad(WEBSOCKET_INTERNAL, "out of memory");
    }
    if (reader->kind == WSLAY_TEXT_FRAME &&
        !utf8_check_feed(&reader->utf8, reader->message.data + before,
                         reader->message.size - before)) {
        return bad(WEBSOCKET_BAD_TEXT, "text that is not UTF-8");
    }
    return more;
}

static struct websocket_step finish_message(struct websocket_reader *reader, struct text data)
{
    bool text = reader->kind == WSLAY_TEXT_FRAME;
    reader->kind = 0;
    if (text && !utf8_check_is_whole(&reader->utf8)) {
        return bad(WEBSOCKET_BAD_TEXT, "text that is not UTF-8");
    }
    reader->delivered = true;
    return (struct websocket_step){.event = WEBSOCKET_MESSAGE, .text = text, .data = data};
}

static struct websocket_step take_compressed(struct websocket_reader *reader,
                                             const struct wslay_frame_iocb *piece, bool last)
{
    size_t before = reader->message.size;
    struct websocket_step step =
        take_inflated(reader,
                      websocket_inflate_feed(reader->inflate, piece->data, piece->data_length,
                                             &reader->message, reader->message_max),
                      before);
    if (!last || step.event != WEBSOCKET_MORE) {
        return step;
    }
    before = reader->message.size;
    step = take_inflated(
        reader, websocket_inflate_end(reader->inflate, &reader->message, reader->message_max),
        before);
    websocket_inflate_close(TAKE(reader->inflate));
    if (step.event != WEBSOCKET_MORE) {
        return step;
    }
    return finish_message(reader,
                          (struct text){(const char *)reader->message.data, reader->message.size});
}

static struct websocket_step take_plain(struct websocket_reader *reader,
                                        const struct wslay_frame_iocb *piece, bool last)
{
    struct bytes *message = &reader->message;
    if (reader->kind == WSLAY_TEXT_FRAME &&
        !utf8_check_feed(&reader->utf8, piece->data, piece->data_length)) {
        return bad(WEBSOCKET_BAD_TEXT, "text that is not UTF-8");
    }
    if (last && message->size == 0) {
        return finish_message(reader, (struct text){(const char *)piece->data, piece->data_length});
    }
    if (!bytes_append(message, piece->data, piece->data_length)) {
        return bad(WEBSOCKET_INTERNAL, "out of memory");
    }
    if (!last) {
        return more;
    }
    return finish_message(reader, (struct text){(const char *)message->data, message->size});
}

/* ---- Frames ---- */

/* Nobody wants it: no work for it, and no memory. */
static struct websocket_step discard(struct websocket_reader *reader, bool last)
{
    websocket_inflate_close(TAKE(reader->inflate));
    bytes_fini(&reader->message);
    if (last) {
        reader->kind = 0;
    }
    return more;
}

static struct websocket_step begin_message(struct websocket_reader *reader,
                                           const struct wslay_frame_iocb *frame)
{
    reader->kind = frame->opcode;
    reader->compressed = wslay_get_rsv1(frame->rsv) != 0;
    reader->utf8 = (struct utf8_check){0};
    if (reader->compressed && !reader->discards) {
        reader->inflate = websocket_inflate_open();
        if (reader->inflate == NULL) {
            return bad(WEBSOCKET_INTERNAL, "out of memory");
        }
    }
    return more;
}

/* What a data frame may be, and how large (RFC 6455, 5.4; RFC 7692, 6). */
static struct websocket_step begin_data(struct websocket_reader *reader,
                                        const struct wslay_frame_iocb *frame)
{
    bool continues = frame->opcode == WSLAY_CONTINUATION_FRAME;
    if (!continues && frame->opcode != WSLAY_TEXT_FRAME && frame->opcode != WSLAY_BINARY_FRAME) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "unknown opcode");
    }
    if (continues != (reader->kind != 0)) {
        return bad(WEBSOCKET_PROTOCOL_ERROR,
                   continues ? "nothing to continue" : "a message within a message");
    }
    if (frame->rsv != 0 && (continues || !reader->inflates || frame->rsv != WSLAY_RSV1_BIT)) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "reserved bit");
    }
    struct websocket_step step = continues ? more : begin_message(reader, frame);
    if (step.event == WEBSOCKET_MORE && !reader->compressed &&
        frame->payload_length > reader->message_max - reader->message.size) {
        return bad(WEBSOCKET_TOO_BIG, "message too large");
    }
    return step;
}

static struct websocket_step begin_frame(struct websocket_reader *reader,
                                         const struct wslay_frame_iocb *frame)
{
    reader->in_frame = true;
    reader->frame_got = 0;
    if (frame->mask == 0) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "a frame without a mask");
    }
    if (!wslay_is_ctrl_frame(frame->opcode)) {
        return begin_data(reader, frame);
    }
    reader->control_size = 0;
    if (frame->opcode != WSLAY_PING && frame->opcode != WSLAY_PONG &&
        frame->opcode != WSLAY_CONNECTION_CLOSE) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "unknown opcode");
    }
    return frame->rsv != 0 ? bad(WEBSOCKET_PROTOCOL_ERROR, "reserved bit") : more;
}

/* RFC 6455, 5.5.1 and 7.4. */
static struct websocket_step close_of(const struct websocket_reader *reader)
{
    struct websocket_step step = {.event = WEBSOCKET_CLOSE, .code = WEBSOCKET_NO_CODE};
    if (reader->control_size == 0) {
        return step;
    }
    if (reader->control_size == 1) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "half a close code");
    }
    step.code = (unsigned)reader->control[0] << 8 | reader->control[1];
    if (!websocket_code_is_valid(step.code)) {
        return bad(WEBSOCKET_PROTOCOL_ERROR, "bad close code");
    }
    struct utf8_check utf8 = {0};
    step.data = (struct text){(const char *)reader->control + 2, reader->control_size - 2};
    if (!utf8_check_feed(&utf8, step.data.data, step.data.size) || !utf8_check_is_whole(&utf8)) {
        return bad(WEBSOCKET_BAD_TEXT, "a close reason that is not UTF-8");
    }
    return step;
}

static struct websocket_step take_control(struct websocket_reader *reader,
                                          const struct wslay_frame_iocb *piece, bool whole)
{
    /* wslay lets no longer ones through. */
    INVARIANT(piece->data_length <= sizeof(reader->control) - reader->control_size);
    if (piece->data_length > 0) {
        memcpy(reader->control + reader->control_size, piece->data, piece->data_length);
    }
    reader->control_size += piece->data_length;
    if (!whole) {
        return more;
    }
    struct text data = {(const char *)reader->control, reader->control_size};
    if (piece->opcode == WSLAY_CONNECTION_CLOSE) {
        return close_of(reader);
    }
    return (struct websocket_step){
        .event = piece->opcode == WSLAY_PING ? WEBSOCKET_PING : WEBSOCKET_PONG, .data = data};
}

static struct websocket_step take_piece(struct websocket_reader *reader,
                                        const struct wslay_frame_iocb *piece)
{
    if (!reader->in_frame) {
        struct websocket_step step = begin_frame(reader, piece);
        if (step.event != WEBSOCKET_MORE) {
            return step;
        }
    }
    reader->frame_got += piece->data_length;
    bool whole = reader->frame_got == piece->payload_length;
    if (whole) {
        reader->in_frame = false;
        reader->framed += frame_bytes(piece);
    }
    if (wslay_is_ctrl_frame(piece->opcode)) {
        return take_control(reader, piece, whole);
    }
    bool last = whole && piece->fin != 0;
    if (reader->discards) {
        return discard(reader, last);
    }
    return reader->compressed ? take_compressed(reader, piece, last)
                              : take_plain(reader, piece, last);
}

/* ---- Short messages ---- */

/* Used within one step, and good until the next one. */
static _Thread_local uint8_t scratch[WHOLE_BYTES];

static void unmask(uint8_t *to, const uint8_t *from, size_t size, const uint8_t mask[4])
{
    uint64_t mask_twice, eight;
    memcpy(&mask_twice, mask, 4);
    memcpy((uint8_t *)&mask_twice + 4, mask, 4);
    size_t at = 0;
    for (; size - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, from + at, sizeof eight);
        eight ^= mask_twice;
        memcpy(to + at, &eight, sizeof eight);
    }
    for (; at < size; at++) {
        to[at] = from[at] ^ mask[at % 4];
    }
}

/* How long the head of a frame is that is a short message, whole, plain and masked, as nearly all are; 0: it is another one, or
 * its head is not all there. */
static size_t whole_head(const uint8_t *data, size_t size, size_t *ret_length)
{
    bool message = size >= 2 &&
                   (data[0] == (FIN | WSLAY_TEXT_FRAME) || data[0] == (FIN | WSLAY_BINARY_FRAME));
    if (!message || (data[1] & MASKED) == 0) {
        return 0;
    }
    *ret_length = data[1] & ~(unsigned)MASKED;
    if (*ret_length < LENGTH_IN_TWO) {
        return 6;
    }
    if (*ret_length > LENGTH_IN_TWO || size < 4) {
        return 0;
    }
    *ret_length = (size_t)data[2] << 8 | data[3];
    return *ret_length < LENGTH_IN_TWO ? 0 : 8; /* Longer than need be: wslay's to refuse. */
}

/* Such a one without wslay, which has a context to make for it and looks at each byte. False: `ret` is not set. */
static bool take_whole(const struct websocket_reader *reader, struct text *input,
                       struct websocket_step *ret)
{
    const uint8_t *data = (const uint8_t *)input->data;
    size_t length = 0, head = whole_head(data, input->size, &length);
    if (head == 0 || length > sizeof scratch || length > reader->message_max ||
        input->size < head + length) {
        return false;
    }
    unmask(scratch, data + head, length, data + head - 4);
    input->data += head + length;
    input->size -= head + length;
    struct utf8_check utf8 = {0};
    bool text = data[0] == (FIN | WSLAY_TEXT_FRAME);
    if (text && (!utf8_check_feed(&utf8, scratch, length) || !utf8_check_is_whole(&utf8))) {
        *ret = bad(WEBSOCKET_BAD_TEXT, "text that is not UTF-8");
    } else {
        *ret = (struct websocket_step){
            .event = WEBSOCKET_MESSAGE, .text = text, .data = {(const char *)scratch, length}};
    }
    return true;
}

/* ---- Steps ---- */

void websocket_reader_init(struct websocket_reader *reader, size_t message_bytes_max, bool inflates)
{
    *reader = (struct websocket_reader){.message_max = message_bytes_max, .inflates = inflates};
}

void websocket_reader_fini(struct websocket_reader *reader)
{
    if (reader->frames != NULL) {
        wslay_frame_context_free(reader->frames);
        reader->frames = NULL;
    }
    websocket_inflate_close(TAKE(reader->inflate));
    bytes_fini(&reader->message);
}

struct websocket_step websocket_reader_step(struct websocket_reader *reader, struct text *input)
{
    if (reader->delivered) {
        reader->delivered = false;
        bytes_fini(&reader->message);
    }
    if (reader->frames == NULL) {
        struct websocket_step whole;
        if (input->size == 0) {
            return more;
        }
        if (reader->kind == 0 && !reader->discards && take_whole(reader, input, &whole)) {
            return whole;
        }
        if (!open_frames(reader)) {
            return bad(WEBSOCKET_INTERNAL, "out of memory");
        }
    }
    reader->input = input;
    for (;;) {
        struct wslay_frame_iocb piece = {0};
        ssize_t got = wslay_frame_recv(reader->frames, &piece);
        if (got == WSLAY_ERR_WANT_READ || got == WSLAY_ERR_INVALID_CALLBACK) {
            return pause_frames(reader);
        }
        if (got < 0) {
            return bad(WEBSOCKET_PROTOCOL_ERROR, "bad frame");
        }
        struct websocket_step step = take_piece(reader, &piece);
        if (step.event != WEBSOCKET_MORE) {
            return step;
        }
    }
}

bool websocket_reader_is_between(const struct websocket_reader *reader)
{
    return reader->frames == NULL;
}

bool websocket_reader_is_in_frame(const struct websocket_reader *reader)
{
    return reader->frames != NULL && (reader->in_frame || reader->fed != reader->framed);
}

size_t websocket_reader_held_bytes(const struct websocket_reader *reader)
{
    return reader->message.capacity + (reader->inflate != NULL ? WEBSOCKET_INFLATE_BYTES : 0) +
           (reader->frames != NULL ? FRAMES_BYTES : 0);
}
