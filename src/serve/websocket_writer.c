#include "serve/websocket_writer.h"

#include "serve/websocket_deflate.h"

#include <string.h>

enum {
    PIECE_BYTES = 16 * 1024,
    FRAME_HEAD_MAX = 10,
    COMPRESS_BYTES_MIN = 256, /* below, it costs more than it saves */
    FIN = 0x80,
    RSV1 = 0x40,
};

void websocket_writer_init(struct websocket_writer *writer,
                           const struct websocket_deflate_terms *deflate)
{
    *writer = (struct websocket_writer){.deflate = *deflate};
}

void websocket_writer_fini(struct websocket_writer *writer)
{
    websocket_deflate_close(TAKE(writer->stream));
}

static size_t head_bytes(size_t size)
{
    return size <= WEBSOCKET_CONTROL_BYTES_MAX ? 2 : size <= UINT16_MAX ? 4 : FRAME_HEAD_MAX;
}

/* RFC 6455, 5.2; a server masks nothing. */
static void put_head(uint8_t *head, unsigned first, size_t size)
{
    size_t head_size = head_bytes(size);
    head[0] = (uint8_t)first;
    head[1] = (uint8_t)(head_size == 2 ? size : head_size == 4 ? 126 : 127);
    for (size_t i = 2; i < head_size; i++) {
        head[i] = (uint8_t)((uint64_t)size >> 8 * (head_size - 1 - i));
    }
}

/* False: out of memory, also for the payload. */
static bool write_head(struct bytes *out, unsigned first, size_t size)
{
    if (!bytes_reserve(out, head_bytes(size) + size)) {
        return false;
    }
    put_head(out->data + out->size, first, size);
    out->size += head_bytes(size);
    return true;
}

static bool write_frame(struct bytes *out, unsigned first, const void *data, size_t size)
{
    return write_head(out, first, size) && bytes_append(out, data, size);
}

bool websocket_write_control(struct bytes *out, unsigned opcode, const void *data,
                             size_t size_bytes)
{
    return write_frame(out, FIN | opcode, data, size_bytes);
}

bool websocket_write_close(struct bytes *out, unsigned code, const void *reason,
                           size_t reason_bytes)
{
    uint8_t payload[WEBSOCKET_CONTROL_BYTES_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    if (code == WEBSOCKET_NO_CODE) {
        return websocket_write_control(out, 8, NULL, 0);
    }
    if (reason_bytes > 0) {
        memcpy(payload + 2, reason, reason_bytes);
    }
    return websocket_write_control(out, 8, payload, 2 + reason_bytes);
}

/* ---- Pieces ---- */

static enum websocket_written written_of(enum stream_result result)
{
    switch (result) {
    case STREAM_OK:
        return WEBSOCKET_WROTE;
    case STREAM_WAIT:
        return WEBSOCKET_WAITS;
    case STREAM_ENDED:
        return WEBSOCKET_ENDED;
    case STREAM_ABORTED:
    case STREAM_CLOSED:
        return WEBSOCKET_ABORTED;
    }
    BUG("stream result %d", (int)result);
}

/* WROTE: the record is complete. */
static enum websocket_written read_record(struct websocket_writer *writer, struct stream *from,
                                          size_t *ret_moved)
{
    while (writer->record_got < sizeof writer->record) {
        size_t got = 0;
        enum stream_result result = stream_read(from, writer->record + writer->record_got,
                                                sizeof writer->record - writer->record_got, &got);
        if (result != STREAM_OK) {
            return written_of(result);
        }
        writer->record_got += got;
        *ret_moved += got;
        if (writer->record_got == sizeof writer->record) {
            struct websocket_record record;
            memcpy(&record, writer->record, sizeof record);
            writer->opcode = (uint8_t)record.kind;
            writer->left = record.size_bytes;
            writer->kept_size = 0;
            if (writer->deflate.on && writer->left >= COMPRESS_BYTES_MIN) {
                /* Without memory for it, it goes as it is. */
                writer->stream = websocket_deflate_open(writer->left, writer->deflate.window_bits);
            }
        }
    }
    return WEBSOCKET_WROTE;
}

/* One frame of the message; the next ones continue it. */
static bool write_part(struct websocket_writer *writer, struct bytes *out, const void *data,
                       size_t size, bool last)
{
    unsigned first = writer->opcode | (last ? FIN : 0U);
    if (writer->opcode != 0 && writer->stream != NULL) {
        first |= RSV1;
    }
    writer->opcode = 0;
    return write_frame(out, first, data, size);
}

/* As much as is there, in one look at the stream: behind the room for a head, which depends on how much that is. */
static enum websocket_written write_plain(struct websocket_writer *writer, struct stream *from,
                                          struct bytes *out, size_t *ret_size)
{
    size_t most = writer->left < PIECE_BYTES ? writer->left : PIECE_BYTES, size = 0;
    size_t head = head_bytes(most);
    if (!bytes_reserve(out, head + most)) {
        return WEBSOCKET_FAILED;
    }
    uint8_t *begin = out->data + out->size;
    enum stream_result result = most == 0 ? STREAM_OK
                                          : stream_read(from, begin + head, most, &size);
    if (result != STREAM_OK) {
        return written_of(result); /* No half frame may stand in front of the close. */
    }
    if (head_bytes(size) < head) {
        memmove(begin + head_bytes(size), begin + head, size);
    }
    put_head(begin, writer->opcode | (size == writer->left ? FIN : 0U), size);
    out->size += head_bytes(size) + size;
    writer->opcode = 0;
    *ret_size = size;
    return WEBSOCKET_WROTE;
}

/* Deflate a piece. The last four bytes of the message are known when there are no more: so four are always kept. */
static enum websocket_written write_deflated(struct websocket_writer *writer, struct bytes *out,
                                             const uint8_t *data, size_t size, bool last)
{
    uint8_t room[sizeof writer->kept + PIECE_BYTES];
    size_t got;
    websocket_deflate_give(writer->stream, data, size);
    do {
        memcpy(room, writer->kept, writer->kept_size);
        got = websocket_deflate_take(writer->stream, last, room + writer->kept_size, PIECE_BYTES);
        size_t there = writer->kept_size + got;
        bool end = last && got < PIECE_BYTES;
        size_t keep = there < sizeof writer->kept ? there : sizeof writer->kept;
        if ((end || there > keep) && !write_part(writer, out, room, there - keep, end)) {
            return WEBSOCKET_FAILED;
        }
        memcpy(writer->kept, room + there - keep, keep);
        writer->kept_size = keep;
    } while (got == PIECE_BYTES);
    return WEBSOCKET_WROTE;
}

static enum websocket_written write_compressed(struct websocket_writer *writer, struct stream *from,
                                               struct bytes *out, size_t *ret_size)
{
    uint8_t piece[PIECE_BYTES];
    size_t most = writer->left < PIECE_BYTES ? writer->left : PIECE_BYTES;
    enum stream_result result = stream_read(from, piece, most, ret_size);
    return result == STREAM_OK
               ? write_deflated(writer, out, piece, *ret_size, *ret_size == writer->left)
               : written_of(result);
}

enum websocket_written websocket_write_piece(struct websocket_writer *writer, struct stream *from,
                                             struct bytes *out, size_t *ret_moved)
{
    *ret_moved = 0;
    enum websocket_written written = read_record(writer, from, ret_moved);
    if (written != WEBSOCKET_WROTE) {
        return written;
    }
    size_t size = 0;
    written = writer->stream == NULL ? write_plain(writer, from, out, &size)
                                     : write_compressed(writer, from, out, &size);
    if (written != WEBSOCKET_WROTE) {
        return written;
    }
    *ret_moved += size;
    writer->left -= size;
    if (writer->left == 0) {
        writer->record_got = 0;
        websocket_deflate_close(TAKE(writer->stream));
    }
    return WEBSOCKET_WROTE;
}
