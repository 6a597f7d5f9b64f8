/* The answering side of an exchange whose body is compressed. */
#include "serve/exchange_internal.h"

#include <string.h>

/* Compressors may fill half of what may be held: the other half is for what they are there for. */
static bool may_hold(const struct exchange *exchange, size_t bytes)
{
    const struct holding_sum *sum = exchange->home->holding->sum;
    uint64_t half = sum == NULL ? 0 : sum->max_bytes / 2;
    return holding_has_room(exchange->home->holding, half + bytes);
}

struct compression_choice exchange_choose(const struct exchange *exchange, unsigned status,
                                          const struct header *headers, size_t header_count,
                                          uint64_t length)
{
    const struct shaping *shaping = exchange->shaping;
    if (shaping == NULL || shaping->compression == NULL) {
        return (struct compression_choice){ENCODING_IDENTITY, false};
    }
    struct compression_choice choice = compression_choose(shaping->compression, &exchange->request,
                                                          status, headers, header_count, length);
    if (choice.encoding != ENCODING_IDENTITY &&
        !may_hold(exchange, compressor_cost_bytes(choice.encoding))) {
        choice.encoding = ENCODING_IDENTITY;
    }
    return choice;
}

size_t exchange_whole_max(const struct exchange *exchange, unsigned status,
                          const struct header *headers, size_t header_count)
{
    return exchange_choose(exchange, status, headers, header_count, UINT64_MAX).encoding ==
                   ENCODING_IDENTITY
               ? SIZE_MAX
               : COMPRESSOR_BITE;
}

size_t exchange_share(const struct exchange *exchange)
{
    return exchange->compressor == NULL ? EXCHANGE_SHARE_BYTES : COMPRESSOR_BITE;
}

enum encoding exchange_code_whole(enum encoding encoding, const void *body, size_t body_bytes,
                                  struct bytes *ret)
{
    if (encoding == ENCODING_IDENTITY || body_bytes > COMPRESSOR_BITE) {
        return ENCODING_IDENTITY;
    }
    AUTO(compressor_destroyp)
    struct compressor *compressor = compressor_create(encoding, body_bytes);
    bool gains = compressor != NULL && compressor_feed(compressor, body, body_bytes, true, ret) &&
                 ret->size < body_bytes;
    return gains ? encoding : ENCODING_IDENTITY;
}

/* Count what the compressor holds now. */
static void count_held(struct exchange *exchange)
{
    size_t held = exchange->compressor == NULL ? 0 : compressor_held_bytes(exchange->compressor);
    if (held != exchange->compressor_bytes) {
        exchange_hold(exchange, (long long)held - (long long)exchange->compressor_bytes);
        exchange->compressor_bytes = held;
    }
}

bool exchange_begin_coding(struct exchange *exchange, enum encoding encoding)
{
    exchange->compressor = compressor_create(encoding, exchange->promised);
    count_held(exchange);
    return exchange->compressor != NULL;
}

void exchange_end_coding(struct exchange *exchange)
{
    compressor_destroy(TAKE(exchange->compressor));
    count_held(exchange);
}

void exchange_open_coding(struct exchange *exchange)
{
    AUTO(bytes_finip) struct bytes begin = {0};
    size_t written = 0;
    bool good = compressor_begin(exchange->compressor, &begin) &&
                stream_write(&exchange->flow->out, begin.data, begin.size, &written) == STREAM_OK &&
                written == begin.size;
    exchange->coding_failed = !good;
    exchange_hold(exchange, (long long)written);
    count_held(exchange);
}

/* How much of a piece surely fits, once compressed, even into an empty stream. */
static size_t bite_of(const struct exchange *exchange, size_t size_bytes)
{
    size_t fits = exchange->stream_bytes > 256 ? (exchange->stream_bytes - 128) / 5 * 4 : 64;
    size_t bite = size_bytes < COMPRESSOR_BITE ? size_bytes : COMPRESSOR_BITE;
    return bite < fits ? bite : fits;
}

enum exchange_result exchange_write_coded(struct exchange *exchange, const void *data,
                                          size_t size_bytes, size_t *ret_written)
{
    size_t bite = bite_of(exchange, size_bytes);
    *ret_written = 0;
    if (bite == 0) {
        return EXCHANGE_OK;
    }
    /* Room first: what has been compressed can be neither held back nor taken back. */
    size_t bound = compressor_bound(bite) + COMPRESSOR_TAIL_BYTES;
    if (stream_room(&exchange->flow->out, bound) < bound) {
        return EXCHANGE_WAIT;
    }
    AUTO(bytes_finip) struct bytes coded = {0};
    if (!compressor_feed(exchange->compressor, data, bite, false, &coded)) {
        exchange->coding_failed = true;
        return EXCHANGE_NO_MEMORY;
    }
    count_held(exchange);
    INVARIANT(coded.size + COMPRESSOR_TAIL_BYTES <= bound);
    size_t written = 0;
    enum stream_result result = coded.size == 0 ? STREAM_OK
                                                : stream_write(&exchange->flow->out, coded.data,
                                                               coded.size, &written);
    exchange_hold(exchange, (long long)written);
    if (result == STREAM_CLOSED) {
        exchange->coding_failed = true;
        return EXCHANGE_CLOSED;
    }
    if (written < coded.size) {
        exchange->coding_failed = true; /* There was room: memory was not. */
        return EXCHANGE_NO_MEMORY;
    }
    exchange->written += bite;
    *ret_written = bite;
    return EXCHANGE_OK;
}

bool exchange_complete_coding(struct exchange *exchange)
{
    AUTO(bytes_finip) struct bytes tail = {0};
    bool short_of = exchange->promised != UINT64_MAX && exchange->written < exchange->promised;
    if (exchange->coding_failed || short_of ||
        !compressor_feed(exchange->compressor, NULL, 0, true, &tail)) {
        return false;
    }
    INVARIANT(tail.size <= COMPRESSOR_TAIL_BYTES);
    size_t written = 0;
    enum stream_result result = stream_write(&exchange->flow->out, tail.data, tail.size, &written);
    exchange_hold(exchange, (long long)written);
    /* Nobody is left who could mistake it for the whole. */
    return result == STREAM_CLOSED || written == tail.size;
}
