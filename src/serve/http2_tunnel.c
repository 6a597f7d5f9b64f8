/* A session that speaks in one stream (RFC 8441): what a connection is to an upgraded session. */
#include "serve/http2_internal.h"

#include <string.h>

static void on_news(struct session_carrier *carrier)
{
    http2_stream_mark(CONTAINER_OF(carrier, struct http2_stream, tunnel_carrier));
}

void http2_tunnel_begin(struct http2_stream *stream)
{
    stream->tunnel_carrier.news = on_news;
    stream->tunnel->carrier = &stream->tunnel_carrier;
    if (stream->http2->draining) {
        stream->tunnel->type->drain(stream->tunnel);
    }
    if (stream->complete && stream->in.size == 0) {
        stream->tunnel->type->finished(stream->tunnel);
    }
    http2_stream_mark(stream);
}

static void credit(struct http2_stream *stream, size_t size)
{
    if (stream->open &&
        nghttp2_session_consume_stream(stream->http2->nghttp2, stream->id, size) != 0) {
        http2_break(stream->http2);
    }
}

void http2_tunnel_receive(struct http2_stream *stream, struct text piece)
{
    struct session *tunnel = stream->tunnel;
    if (stream->in.size == 0 && tunnel->type->wants(tunnel)) {
        tunnel->type->receive(tunnel, piece.data, piece.size);
        credit(stream, piece.size);
    } else if (!bytes_append(&stream->in, piece.data, piece.size)) {
        http2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR, true);
        return;
    }
    http2_stream_account(stream);
    http2_stream_mark(stream);
}

void http2_tunnel_advance(struct http2_stream *stream)
{
    struct session *tunnel = stream->tunnel;
    if (stream->in.size > 0 && tunnel->type->wants(tunnel)) {
        tunnel->type->receive(tunnel, (const char *)stream->in.data, stream->in.size);
        credit(stream, stream->in.size);
        bytes_fini(&stream->in);
        if (stream->complete) {
            tunnel->type->finished(tunnel);
        }
    }
    http2_due_at(stream->http2, tunnel->type->due_ns(tunnel));
    http2_stream_account(stream);
}

ssize_t http2_tunnel_read(struct http2_stream *stream, uint8_t *ret, size_t length, bool *ret_end)
{
    struct session *tunnel = stream->tunnel;
    struct bytes *staged = &stream->staged;
    if (staged->size == 0 && !tunnel->type->produce(tunnel, staged, length)) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    http2_due_at(stream->http2, tunnel->type->due_ns(tunnel));
    size_t size = staged->size < length ? staged->size : length;
    if (size > 0) {
        memcpy(ret, staged->data, size);
        bytes_consume(staged, size);
    }
    if (staged->size == 0) {
        bytes_fini(staged);
    }
    http2_stream_account(stream);
    *ret_end = staged->size == 0 && tunnel->type->over(tunnel);
    return size == 0 && !*ret_end ? NGHTTP2_ERR_DEFERRED : (ssize_t)size;
}
