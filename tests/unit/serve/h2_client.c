#include "h2_client.h"

#include "base/number.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { H2_WAIT_MS = 20000 };

static struct h2_answer *answer_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user_data)
{
    (void)flags, (void)user_data;
    if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
        uint64_t status = 0;
        INVARIANT(number_parse((const char *)value, value_size, 999, &status));
        answer_of(session, frame->hd.stream_id)->status = (unsigned)status;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *user_data)
{
    (void)flags, (void)user_data;
    INVARIANT(bytes_append(&answer_of(session, id)->body, data, size));
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2_client *h2 = user_data;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->goaway = true;
        h2->goaway_code = frame->goaway.error_code;
    } else if (end && (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
        answer_of(session, frame->hd.stream_id)->whole = true;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    (void)user_data;
    struct h2_answer *answer = answer_of(session, id);
    if (answer != NULL) {
        answer->ended = true;
        answer->code = code;
    }
    return 0;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length,
                       uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    (void)session, (void)id, (void)user_data;
    struct h2_answer *answer = source->ptr;
    size_t size = answer->size < length ? answer->size : length;
    if (size == 0 && answer->open_ended) {
        answer->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    memcpy(buffer, answer->data, size);
    answer->data += size;
    answer->size -= size;
    if (answer->size == 0 && !answer->open_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)size;
}

void h2_open(struct h2_client *h2, const char *address, uint32_t window_bytes)
{
    *h2 = (struct h2_client){.client = client_connect(address)};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    INVARIANT(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_no_auto_window_update(option, window_bytes > 0);
    INVARIANT(nghttp2_session_client_new2(&h2->session, callbacks, h2, option) == 0);
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window_bytes};
    INVARIANT(
        nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, &settings, window_bytes > 0) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
}

void h2_close(struct h2_client *h2)
{
    nghttp2_session_del(h2->session);
    client_close(&h2->client);
    for (unsigned i = 0; i < h2->count; i++) {
        bytes_fini(&h2->answers[i].body);
    }
}

static nghttp2_nv line(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

struct h2_answer *h2_request(struct h2_client *h2, const char *method, const char *path,
                             const char *protocol, const char *data, size_t size, bool open_ended)
{
    INVARIANT(h2->count < H2_ANSWERS_MAX);
    struct h2_answer *answer = &h2->answers[h2->count++];
    *answer = (struct h2_answer){.data = data, .size = size, .open_ended = open_ended};
    nghttp2_nv lines[] = {line(":method", method), line(":path", path), line(":scheme", "http"),
                          line(":authority", "a"),
                          line(":protocol", protocol == NULL ? "" : protocol)};
    nghttp2_data_provider provider = {.source.ptr = answer, .read_callback = on_read};
    bool body = size > 0 || open_ended;
    answer->id = nghttp2_submit_request(h2->session, NULL, lines,
                                        ARRAY_LENGTH(lines) - (protocol == NULL),
                                        body ? &provider : NULL, answer);
    INVARIANT(answer->id > 0);
    return answer;
}

void h2_send(struct h2_client *h2, struct h2_answer *answer, const char *data, size_t size,
             bool end)
{
    INVARIANT(answer->size == 0);
    answer->data = data;
    answer->size = size;
    answer->open_ended = !end;
    if (answer->deferred) {
        answer->deferred = false;
        INVARIANT(nghttp2_session_resume_data(h2->session, answer->id) == 0);
    }
}

void h2_turn(struct h2_client *h2, bool wait)
{
    const uint8_t *data = NULL;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(h2->session, &data)) > 0) {
        ssize_t sent = 0;
        for (ssize_t at = 0; at < size && sent >= 0; at += sent) {
            sent = send(h2->client.fd, data + at, (size_t)(size - at), MSG_NOSIGNAL);
        }
    }
    INVARIANT(size == 0);
    if (!wait) {
        return;
    }
    INVARIANT(!h2->closed);
    struct pollfd poll_fd = {.fd = h2->client.fd, .events = POLLIN};
    int ready = poll(&poll_fd, 1, H2_WAIT_MS);
    for (unsigned i = 0; ready != 1 && i < h2->count; i++) {
        const struct h2_answer *answer = &h2->answers[i];
        fprintf(stderr, "stream %d: status %u, %zu bytes, ended %d, whole %d\n", answer->id,
                answer->status, answer->body.size, answer->ended, answer->whole);
    }
    INVARIANT(ready == 1);
    uint8_t buffer[16384];
    ssize_t got = recv(h2->client.fd, buffer, sizeof(buffer), 0);
    if (got <= 0) {
        h2->closed = true;
        return;
    }
    INVARIANT(nghttp2_session_mem_recv(h2->session, buffer, (size_t)got) == got);
}
