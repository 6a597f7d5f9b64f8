#define ZLIB_CONST
#include "serve/websocket_deflate.h"

#include <stdlib.h>
#include <zlib.h>

/* ---- inflate ---- */

struct z_stream_s *websocket_inflate_open(void)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL && inflateInit2(stream, -MAX_WBITS) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    return stream;
}

void websocket_inflate_close(struct z_stream_s *stream)
{
    if (stream != NULL) {
        inflateEnd(stream);
        free(stream);
    }
}

enum { ROOM_MIN = 1024, ROOM_MAX = 64 * 1024 };

/* Room for the next bytes behind `out`: twice what is there, but one byte past the limit at most, which tells that there
 * would be more. 0: out of memory. */
static size_t make_room(struct bytes *out, size_t max_bytes)
{
    size_t room = out->size < ROOM_MIN ? ROOM_MIN : out->size < ROOM_MAX ? out->size : ROOM_MAX;
    size_t most = max_bytes - out->size + 1;
    room = room < most ? room : most;
    return bytes_reserve(out, room) ? room : 0;
}

enum websocket_inflate_result websocket_inflate_feed(struct z_stream_s *stream, const void *data,
                                                     size_t size_bytes, struct bytes *out,
                                                     size_t max_bytes)
{
    stream->next_in = data;
    stream->avail_in = (uInt)size_bytes;
    for (;;) {
        size_t room = make_room(out, max_bytes);
        if (room == 0) {
            return WEBSOCKET_INFLATE_NO_MEMORY;
        }
        stream->next_out = out->data + out->size;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_SYNC_FLUSH);
        out->size += room - stream->avail_out;
        if (out->size > max_bytes) {
            return WEBSOCKET_INFLATE_TOO_LARGE;
        }
        if (result == Z_STREAM_END) {
            /* A final block: others may follow it (RFC 7692, 7.2.3.4). */
            result = inflateReset(stream);
        }
        if (result == Z_MEM_ERROR) {
            return WEBSOCKET_INFLATE_NO_MEMORY;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return WEBSOCKET_INFLATE_BROKEN;
        }
        if (stream->avail_out > 0) {
            if (stream->avail_in == 0) {
                return WEBSOCKET_INFLATED;
            }
            if (result == Z_BUF_ERROR) {
                return WEBSOCKET_INFLATE_BROKEN;
            }
        }
    }
}

enum websocket_inflate_result websocket_inflate_end(struct z_stream_s *stream, struct bytes *out,
                                                    size_t max_bytes)
{
    enum { BETWEEN_BLOCKS = 128 }; /* of data_type: zlib.h, inflate() */
    static const unsigned char tail[] = {0, 0, 0xff, 0xff};
    if (stream->total_in == 0) {
        return WEBSOCKET_INFLATED; /* It ended with a final block. */
    }
    enum websocket_inflate_result result = websocket_inflate_feed(stream, tail, sizeof tail, out,
                                                                  max_bytes);
    bool cut = result == WEBSOCKET_INFLATED && (stream->data_type & BETWEEN_BLOCKS) == 0;
    return cut ? WEBSOCKET_INFLATE_BROKEN : result;
}

/* ---- deflate ---- */

struct z_stream_s *websocket_deflate_open(size_t message_bytes, unsigned window_bits)
{
    enum { LEVEL = 3, BITS_MIN = 9, MEMORY_MIN = 1, MEMORY_OF_BITS = 7 };
    /* No more window, and tables for it, than the message can use: for a small one that is what costs. */
    unsigned bits = BITS_MIN;
    while (bits < window_bits && (size_t)1 << bits < message_bytes) {
        bits++;
    }
    int memory = (int)bits - MEMORY_OF_BITS;
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL &&
        deflateInit2(stream, LEVEL, Z_DEFLATED, -(int)bits,
                     memory < MEMORY_MIN ? MEMORY_MIN : memory, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    return stream;
}

void websocket_deflate_close(struct z_stream_s *stream)
{
    if (stream != NULL) {
        deflateEnd(stream);
        free(stream);
    }
}

void websocket_deflate_give(struct z_stream_s *stream, const void *data, size_t size_bytes)
{
    INVARIANT(stream->avail_in == 0);
    stream->next_in = data;
    stream->avail_in = (uInt)size_bytes;
}

size_t websocket_deflate_take(struct z_stream_s *stream, bool last, void *ret, size_t capacity)
{
    stream->next_out = ret;
    stream->avail_out = (uInt)capacity;
    int result = deflate(stream, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    INVARIANT(result == Z_OK || result == Z_BUF_ERROR);
    return capacity - stream->avail_out;
}
