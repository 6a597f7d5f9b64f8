#include "serve/compressor.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_LEVEL = 4,
    GZIP_WINDOW_MIN = 9, /* 8 is not what it says in raw and gzip streams */
    GZIP_WINDOW_MAX = 14,
    GZIP_MEMORY_BELOW_WINDOW =
        7,             /* so that the hash table has as many entries as the window bytes */
    GZIP_WRAPPER = 16, /* added to the window: gzip's header and trailer */
    BROTLI_QUALITY = 5,
    BROTLI_WINDOW_MAX = 16,
    BLOCK_HEAD_BYTES = 16, /* keeps what follows aligned for anything */
    OUT_STEP_BYTES = 512,
};

struct compressor {
    enum encoding encoding;
    size_t held_bytes;
    z_stream gzip;
    BrotliEncoderState *brotli;
};

/* Both libraries take their memory here, so that it can be counted. */
static void *block_take(void *opaque, size_t size_bytes)
{
    struct compressor *compressor = opaque;
    if (size_bytes > SIZE_MAX - BLOCK_HEAD_BYTES) {
        return NULL;
    }
    char *block = malloc(size_bytes + BLOCK_HEAD_BYTES);
    if (block == NULL) {
        return NULL;
    }
    *(size_t *)(void *)block = size_bytes;
    compressor->held_bytes += size_bytes;
    return block + BLOCK_HEAD_BYTES;
}

static void block_give(void *opaque, void *address)
{
    struct compressor *compressor = opaque;
    if (address != NULL) {
        char *block = (char *)address - BLOCK_HEAD_BYTES;
        compressor->held_bytes -= *(size_t *)(void *)block;
        free(block);
    }
}

static voidpf gzip_take(voidpf opaque, uInt items, uInt size_bytes)
{
    return block_take(opaque, (size_t)items * size_bytes);
}

static void gzip_give(voidpf opaque, voidpf address)
{
    block_give(opaque, address);
}

/* The least power of two that holds `length`, between the two. */
static int window_for(uint64_t length, int least, int most)
{
    int window = least;
    while (window < most && ((uint64_t)1 << window) < length) {
        window++;
    }
    return window;
}

static bool begin_gzip(struct compressor *compressor, uint64_t length)
{
    int window = window_for(length, GZIP_WINDOW_MIN, GZIP_WINDOW_MAX);
    compressor->gzip = (z_stream){.zalloc = gzip_take, .zfree = gzip_give, .opaque = compressor};
    return deflateInit2(&compressor->gzip, GZIP_LEVEL, Z_DEFLATED, window + GZIP_WRAPPER,
                        window - GZIP_MEMORY_BELOW_WINDOW, Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool begin_brotli(struct compressor *compressor, uint64_t length)
{
    compressor->brotli = BrotliEncoderCreateInstance(block_take, block_give, compressor);
    if (compressor->brotli == NULL) {
        return false;
    }
    int window = window_for(length, BROTLI_MIN_WINDOW_BITS, BROTLI_WINDOW_MAX);
    return BrotliEncoderSetParameter(compressor->brotli, BROTLI_PARAM_QUALITY, BROTLI_QUALITY) &&
           BrotliEncoderSetParameter(compressor->brotli, BROTLI_PARAM_LGWIN, (uint32_t)window);
}

struct compressor *compressor_create(enum encoding encoding, uint64_t length)
{
    AUTO(compressor_destroyp) struct compressor *compressor = calloc(1, sizeof(*compressor));
    if (compressor == NULL) {
        return NULL;
    }
    compressor->encoding = encoding;
    bool begun = encoding == ENCODING_GZIP ? begin_gzip(compressor, length)
                                           : begin_brotli(compressor, length);
    return begun ? TAKE(compressor) : NULL;
}

void compressor_destroy(struct compressor *compressor)
{
    if (compressor == NULL) {
        return;
    }
    if (compressor->encoding == ENCODING_GZIP) {
        deflateEnd(&compressor->gzip);
    } else if (compressor->brotli != NULL) {
        BrotliEncoderDestroyInstance(compressor->brotli);
    }
    INVARIANT(compressor->held_bytes == 0);
    free(compressor);
}

static bool feed_gzip(struct compressor *compressor, const void *data, size_t size_bytes, bool end,
                      struct bytes *out)
{
    z_stream *gzip = &compressor->gzip;
    gzip->next_in = (Bytef *)(uintptr_t)data;
    gzip->avail_in = (uInt)size_bytes;
    do {
        if (!bytes_reserve(out, OUT_STEP_BYTES)) {
            return false;
        }
        uInt room = (uInt)(out->capacity - (size_t)(out->data - out->storage) - out->size);
        gzip->next_out = out->data + out->size;
        gzip->avail_out = room;
        int result = deflate(gzip, end ? Z_FINISH : Z_SYNC_FLUSH);
        INVARIANT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        out->size += room - gzip->avail_out;
    } while (gzip->avail_out == 0);
    return true;
}

static bool feed_brotli(struct compressor *compressor, const void *data, size_t size_bytes,
                        bool end, struct bytes *out)
{
    const uint8_t *next_in = data;
    size_t in_left = size_bytes;
    do {
        if (!bytes_reserve(out, OUT_STEP_BYTES)) {
            return false;
        }
        size_t room = out->capacity - (size_t)(out->data - out->storage) - out->size;
        size_t out_left = room;
        uint8_t *next_out = out->data + out->size;
        if (!BrotliEncoderCompressStream(compressor->brotli,
                                         end ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH,
                                         &in_left, &next_in, &out_left, &next_out, NULL)) {
            return false;
        }
        out->size += room - out_left;
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(compressor->brotli) ||
             (end && !BrotliEncoderIsFinished(compressor->brotli)));
    return true;
}

static bool feed(struct compressor *compressor, const void *data, size_t size_bytes, bool end,
                 struct bytes *out)
{
    return compressor->encoding == ENCODING_GZIP
               ? feed_gzip(compressor, data, size_bytes, end, out)
               : feed_brotli(compressor, data, size_bytes, end, out);
}

bool compressor_begin(struct compressor *compressor, struct bytes *out)
{
    return feed(compressor, NULL, 0, false, out);
}

bool compressor_feed(struct compressor *compressor, const void *data, size_t size_bytes, bool end,
                     struct bytes *out)
{
    INVARIANT(size_bytes <= UINT32_MAX);
    if (size_bytes == 0 && !end) {
        return true;
    }
    return feed(compressor, data, size_bytes, end, out);
}

size_t compressor_held_bytes(const struct compressor *compressor)
{
    return compressor->held_bytes;
}

size_t compressor_cost_bytes(enum encoding encoding)
{
    /* Measured with their default sizes of pieces. */
    enum { GZIP_COST = 136 * 1024, BROTLI_COST = 900 * 1024 };
    return encoding == ENCODING_GZIP ? GZIP_COST : BROTLI_COST;
}
