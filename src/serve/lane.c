#include "serve/lane.h"

#include "serve/access.h"

#include <stdlib.h>

/* Emptied buffers up to this size are kept for the next connection. */
enum { KEEP_BYTES = 16 * 1024 };

bool lane_init(struct lane *lane, struct lane_common *common, struct loop *loop, struct err *err)
{
    *lane = (struct lane){.common = common, .loop = loop, .env = node_env(common->node)};
    lane->home = (struct exchange_home){
        .worker = &loop->worker, .ended = access_log_exchange, .holding = &lane->holding};
    lane->holding.sum = &common->holding;
    list_init(&lane->open);
    list_init(&lane->closed);
    pid_source_init(&lane->ids, lane->env);
    lane->receive = malloc(LANE_RECEIVE_BYTES);
    lane->gather = malloc(LANE_GATHER_BYTES);
    return (lane->receive != NULL && lane->gather != NULL) || err_set_memory(err);
}

void lane_fini(struct lane *lane)
{
    for (unsigned i = 0; i < lane->exchange_count; i++) {
        exchange_release(lane->exchanges[i]);
    }
    for (unsigned i = 0; i < lane->buffer_count; i++) {
        bytes_fini(&lane->buffers[i]);
    }
    bytes_fini(&lane->spans);
    free(lane->receive);
    free(lane->gather);
}

struct exchange *lane_take_exchange(struct lane *lane)
{
    struct exchange *exchange = lane->exchange_count > 0 ? lane->exchanges[--lane->exchange_count]
                                                         : exchange_create(&lane->home);
    if (exchange != NULL && exchange->request.spans.storage == NULL) {
        exchange->request.spans = lane->spans;
        lane->spans = (struct bytes){0};
    }
    return exchange;
}

void lane_give_exchange(struct lane *lane, struct exchange *exchange)
{
    if (exchange_is_free(exchange) && lane->exchange_count < LANE_SPARE_EXCHANGES) {
        exchange_recycle(exchange);
        lane->exchanges[lane->exchange_count++] = exchange;
    } else {
        exchange_release(exchange);
    }
}

void lane_take_spans(struct lane *lane, struct exchange *exchange)
{
    struct bytes *spans = &exchange->request.spans;
    if (lane->spans.storage == NULL && spans->capacity <= KEEP_BYTES) {
        bytes_clear(spans);
        lane->spans = *spans;
        *spans = (struct bytes){0};
    } else {
        bytes_fini(spans);
    }
}

struct bytes lane_take_buffer(struct lane *lane)
{
    if (lane->buffer_count > 0) {
        return lane->buffers[--lane->buffer_count];
    }
    return (struct bytes){0};
}

void lane_give_buffer(struct lane *lane, struct bytes *buffer)
{
    if (buffer->capacity > 0 && buffer->capacity <= KEEP_BYTES &&
        lane->buffer_count < LANE_SPARE_BUFFERS) {
        bytes_clear(buffer);
        lane->buffers[lane->buffer_count++] = *buffer;
        *buffer = (struct bytes){0};
    } else {
        bytes_fini(buffer);
    }
}

void lane_count_response(struct lane *lane, unsigned status)
{
    unsigned hundreds = status / 100;
    lane_count(&lane->responses[hundreds < 6 ? hundreds : 0]);
}
