/**
 * @file
 * A client's frames to messages: RFC 6455, 5 to 8, with permessage-deflate. Pure: bytes in, events out.
 *
 * Frames are libwslay's work (its frame interface: a piece of a payload at a time, so that no length that a client
 * announces is believed with memory); what they may be, joining, inflating, limits and UTF-8 are ours. A short message that has
 * come whole, in one plain frame, does not need it. Between frames nothing is held.
 *
 * Life:    websocket_reader_init() -> websocket_reader_step() until WEBSOCKET_BAD or no more is wanted -> _fini().
 * Threads: none of its own.
 */
#pragma once

#include "base/utf8.h"
#include "serve/websocket.h"

struct wslay_frame_context;
struct wslay_frame_iocb;
struct z_stream_s;

enum websocket_event {
    WEBSOCKET_MORE,    /**< Everything was used. */
    WEBSOCKET_MESSAGE, /**< `data`, whole; `text` says what it is. */
    WEBSOCKET_PING,    /**< `data` */
    WEBSOCKET_PONG,    /**< `data` */
    WEBSOCKET_CLOSE,   /**< `code` (WEBSOCKET_NO_CODE: none), `data` is the reason. */
    WEBSOCKET_BAD, /**< `code` and `data` say why to the client. It is not to be stepped again. */
};

struct websocket_step {
    enum websocket_event event;
    bool text;
    unsigned code;
    struct text data; /**< Good until the next step. */
};

struct websocket_reader {
    struct wslay_frame_context *frames; /* NULL: between frames, nothing was read ahead */
    struct text *input;                 /* during a step */
    uint64_t fed, framed; /* bytes: given to `frames`; of frames that it has finished */
    size_t message_max;
    bool inflates;
    bool
        discards; /**< Set by its owner, for good: messages come to nothing, control frames go on. */

    bool in_frame; /* within a frame, of which this much has come: */
    uint64_t frame_got;
    uint8_t kind;    /* opcode of the message under way; 0: none */
    bool compressed; /* it is */
    bool delivered;  /* `message` was, and is to be forgotten */
    struct utf8_check utf8;
    struct z_stream_s *inflate;
    struct bytes message;
    uint8_t control[WEBSOCKET_CONTROL_BYTES_MAX];
    size_t control_size;
};

void websocket_reader_init(struct websocket_reader *reader, size_t message_bytes_max,
                           bool inflates);
void websocket_reader_fini(struct websocket_reader *reader);

/** Use some of `input`, which moves on, up to the next event. Some may be used that comes behind it: so step until
 *  WEBSOCKET_MORE, also with nothing new. */
struct websocket_step websocket_reader_step(struct websocket_reader *reader, struct text *input);

/** Whether a step without input would come to WEBSOCKET_MORE. May be false though it would. */
bool websocket_reader_is_between(const struct websocket_reader *reader);

/** Whether a frame has begun and has not ended. */
bool websocket_reader_is_in_frame(const struct websocket_reader *reader);

/** About the memory that it holds for what is under way. */
size_t websocket_reader_held_bytes(const struct websocket_reader *reader);
