/**
 * @file
 * Messages to frames, for a client: RFC 6455, 5; RFC 7692, 7.2.1. What a process sends comes as records through a
 * stream, in pieces as the stream has them; each piece becomes a frame of its own, so that nothing waits for the rest of
 * a message, and control frames go in between.
 *
 * Life:    websocket_writer_init() -> ... -> _fini().
 * Threads: none of its own; the stream's reader.
 */
#pragma once

#include "core/stream.h"
#include "serve/websocket_handshake.h"

struct z_stream_s;

/** In front of each message in the stream. */
struct websocket_record {
    uint32_t kind; /**< An opcode: 1 text, 2 binary. */
    uint32_t size_bytes;
};

enum websocket_written {
    WEBSOCKET_WROTE,   /**< A piece. */
    WEBSOCKET_WAITS,   /**< Nothing is there; the stream's reader will be woken. */
    WEBSOCKET_ENDED,   /**< All of it was. */
    WEBSOCKET_ABORTED, /**< The process has given up. */
    WEBSOCKET_FAILED,  /**< Out of memory. */
};

struct websocket_writer {
    struct websocket_deflate_terms deflate;
    uint8_t record[sizeof(struct websocket_record)];
    size_t record_got;
    uint8_t opcode;            /* of the next frame; 0 within a message */
    size_t left;               /* of the message */
    struct z_stream_s *stream; /* of a compressed message */
    uint8_t kept[4];           /* the last bytes it gave: perhaps those that are not sent */
    size_t kept_size;
};

void websocket_writer_init(struct websocket_writer *writer,
                           const struct websocket_deflate_terms *deflate);
void websocket_writer_fini(struct websocket_writer *writer);

/** Move a piece of at most 16 KiB. `*ret_moved`: how much was taken from the stream. */
enum websocket_written websocket_write_piece(struct websocket_writer *writer, struct stream *from,
                                             struct bytes *out, size_t *ret_moved);

/** Append a control frame (8: close, 9: ping, 10: pong). False: out of memory. */
bool websocket_write_control(struct bytes *out, unsigned opcode, const void *data,
                             size_t size_bytes) MUST_USE;

/** Append a close frame; WEBSOCKET_NO_CODE: without one. */
bool websocket_write_close(struct bytes *out, unsigned code, const void *reason,
                           size_t reason_bytes) MUST_USE;
