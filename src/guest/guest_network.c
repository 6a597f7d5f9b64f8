/* The network as components have it: sockets of wasi:sockets, requests of wasi:http/outgoing-handler. Both are looked at by the policy
 * of their guest; the requests are the node's client's. */
#include "guest/guest_network.h"

#include "core/node.h"
#include "guest/fetch.h"
#include "guest/guest_internal.h"
#include "guest/network.h"
#include "guest/scratch.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 128 };

/* ---- Sockets ---- */

static bool may_have_sockets(void *process)
{
    const struct guest *guest = process;
    return !network_policy_is_empty(guest->network);
}

static bool is_unspecified(const struct ip *ip)
{
    for (size_t i = 0; i < sizeof ip->bytes; i++) {
        if (ip->bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static const char *name_of(enum engine_socket_use use)
{
    switch (use) {
    case ENGINE_SOCKET_BIND:
        return "bind";
    case ENGINE_SOCKET_LISTEN:
        return "listen";
    case ENGINE_SOCKET_ACCEPT:
        return "accept";
    case ENGINE_SOCKET_CONNECT:
        return "connect";
    case ENGINE_SOCKET_DATAGRAM:
        return "datagram";
    }
    BUG("use %d of a socket", (int)use);
}

static bool allows(void *process, enum engine_socket_use use,
                   const struct engine_socket_address *address)
{
    struct guest *guest = process;
    struct ip ip = ip_make(address->bytes, address->is_v6);
    /* What the system does by itself in front of a connect. Nobody can be reached by it, nor reach it: listening is asked for anew. */
    if (use == ENGINE_SOCKET_BIND && address->port == 0 && is_unspecified(&ip)) {
        return true;
    }
    /* Grants are for going out: nobody is let in. */
    bool is_way_in = use == ENGINE_SOCKET_BIND || use == ENGINE_SOCKET_LISTEN ||
                     use == ENGINE_SOCKET_ACCEPT;
    if (!is_way_in && network_policy_allows(guest->network, &ip, address->port, NULL)) {
        return true;
    }
    /* On another thread its guest may write to the log at this moment. */
    if (worker_current() != NULL) {
        char advice[NETWORK_ADVICE_BYTES];
        network_policy_advise(&ip, address->port, NULL, advice);
        guest_log_denied(guest, name_of(use),
                         is_way_in ? "no allow-network lets a component be connected to," : advice);
    }
    return false;
}

/* ---- Requests ---- */

struct guest_fetch {
    struct guest *guest;
    struct fetch *fetch;
    struct pipe_end *writer, *reader; /* ours until finished */
    struct engine_header *fields;     /* of the head, then of the trailers */
};

static void wake(void *process)
{
    process_wake(process);
    process_release(process);
}

static void retain(void *process)
{
    process_retain(process);
}

static enum engine_fetch_error refusal_of(struct guest *guest, const struct err *err)
{
    switch (err->code) {
    case ERR_DENIED:
        guest_log_denied(guest, "wasi:http", err->text);
        return ENGINE_FETCH_DENIED;
    case ERR_INPUT:
        return ENGINE_FETCH_INVALID;
    case ERR_LIMIT:
        return ENGINE_FETCH_FULL;
    case ERR_NONE:
    case ERR_NOT_FOUND:
    case ERR_MEMORY:
    case ERR_OS:
    case ERR_EXISTS:
        return ENGINE_FETCH_FAILED;
    }
    BUG("error code %d", (int)err->code);
}

/* Of two times the shorter; 0 is none. */
static uint64_t shorter(uint64_t one, uint64_t other)
{
    return one == 0 ? other : other == 0 || one < other ? one : other;
}

static bool start(struct guest_fetch *own, struct fetcher *fetcher,
                  const struct engine_fetch_request *from, struct err *err)
{
    struct guest *guest = own->guest;
    const struct grant *grant = guest->grant;
    struct fetch_field *fields = scratch_room(FIELDS_MAX * sizeof *fields);
    if (from->header_count > FIELDS_MAX) {
        return err_set(err, ERR_INPUT, "more than %d header lines", FIELDS_MAX);
    }
    for (size_t i = 0; i < from->header_count; i++) {
        const struct engine_header *header = &from->headers[i];
        fields[i] = (struct fetch_field){header->name.data, header->value.data, header->name.size,
                                         header->value.size};
    }
    struct fetch_request request = {
        .method = from->method.data,
        .method_bytes = from->method.size,
        .url = from->url.data,
        .url_bytes = from->url.size,
        .fields = fields,
        .field_count = from->header_count,
        .has_body = from->has_body,
        .body_bytes = from->body_bytes,
        .connect_ns = shorter(from->connect_ns, grant->fetch_connect_ns),
        .head_ns = from->head_ns,
        .idle_ns = shorter(from->idle_ns, grant->fetch_idle_ns),
        .whole_ns = grant->fetch_whole_ns,
        .policy = guest->network,
        .buffer_bytes = FETCH_BUFFER_BYTES_MIN};
    struct stream_waker waker = {.wake = wake, .argument = &guest->process, .retain = retain};
    own->fetch = fetch_start(fetcher, &request, waker, &own->writer, &own->reader, err);
    if (own->fetch == NULL) {
        return false;
    }
    if (own->writer != NULL) {
        pipe_set_owner(own->writer, &guest->process);
    }
    pipe_set_owner(own->reader, &guest->process);
    return true;
}

static void *begin(void *process, const struct engine_fetch_request *request,
                   enum engine_fetch_error *ret_error)
{
    struct guest *guest = process;
    struct fetcher *fetcher = fetcher_of(guest->process.node);
    if (guest->network == NULL || fetcher == NULL) {
        guest_log_denied(guest, "wasi:http", "allow-network = [\"HOST\"]");
        *ret_error = ENGINE_FETCH_DENIED;
        return NULL;
    }
    if (guest->transfers >= guest->grant->fetches_max) {
        *ret_error = ENGINE_FETCH_FULL;
        return NULL;
    }
    struct guest_fetch *own = calloc(1, sizeof *own);
    if (own == NULL) {
        *ret_error = ENGINE_FETCH_FAILED;
        return NULL;
    }
    own->guest = guest;
    struct err *err = scratch_err();
    if (!start(own, fetcher, request, err)) {
        *ret_error = refusal_of(guest, err);
        free(own);
        return NULL;
    }
    guest->transfers++;
    return own;
}

/* Names and values stay with the fetch. */
static bool give(struct guest_fetch *own, const struct fetch_head *from,
                 struct engine_fetch_head *ret)
{
    free(own->fields);
    own->fields = calloc(from->field_count + 1, sizeof *own->fields);
    if (own->fields == NULL) {
        return false;
    }
    for (size_t i = 0; i < from->field_count; i++) {
        const struct fetch_field *field = &from->fields[i];
        own->fields[i] = (struct engine_header){{field->name, field->name_bytes},
                                                {field->value, field->value_bytes}};
    }
    *ret = (struct engine_fetch_head){(uint32_t)from->status, own->fields, from->field_count};
    return true;
}

static enum engine_http_result head(void *fetch, struct engine_fetch_head *ret)
{
    struct guest_fetch *own = fetch;
    switch (fetch_poll(own->fetch)) {
    case FETCH_WAITS:
        return ENGINE_HTTP_WAIT;
    case FETCH_ANSWERED:
        return give(own, fetch_head(own->fetch), ret) ? ENGINE_HTTP_OK : ENGINE_HTTP_FAILED;
    case FETCH_FAILED:
        return ENGINE_HTTP_FAILED;
    }
    BUG("unknown state of a fetch");
}

static enum engine_http_result write_some(void *fetch, const uint8_t *data, size_t size_bytes,
                                          size_t *ret_taken)
{
    struct guest_fetch *own = fetch;
    *ret_taken = 0;
    if (own->writer == NULL) {
        return ENGINE_HTTP_CLOSED;
    }
    enum stream_result result = stream_write(pipe_stream(own->writer), data, size_bytes, ret_taken);
    return result == STREAM_OK     ? ENGINE_HTTP_OK
           : result == STREAM_WAIT ? ENGINE_HTTP_WAIT
                                   : ENGINE_HTTP_CLOSED;
}

static void finish(void *fetch, bool complete)
{
    struct guest_fetch *own = fetch;
    if (own->writer != NULL) {
        pipe_finish(TAKE(own->writer), complete, PIPE_NO_REASON);
    }
}

static enum engine_http_result read_some(void *fetch, uint8_t *data, size_t capacity,
                                         size_t *ret_read)
{
    struct guest_fetch *own = fetch;
    switch (stream_read(pipe_stream(own->reader), data, capacity, ret_read)) {
    case STREAM_OK:
        return ENGINE_HTTP_OK;
    case STREAM_WAIT:
        return ENGINE_HTTP_WAIT;
    case STREAM_ENDED:
        return ENGINE_HTTP_ENDED;
    case STREAM_CLOSED:
    case STREAM_ABORTED:
        return ENGINE_HTTP_FAILED;
    }
    BUG("unknown result of a stream");
}

static void trailers(void *fetch, struct engine_fetch_head *ret)
{
    struct guest_fetch *own = fetch;
    const struct fetch_head *from = fetch_trailers(own->fetch);
    if (from == NULL || !give(own, from, ret)) {
        ret->header_count = 0;
    }
}

static void log_denial(struct guest_fetch *own)
{
    char advice[NETWORK_ADVICE_BYTES];
    if (fetch_denial(own->fetch, advice)) {
        guest_log_denied(own->guest, "wasi:http", advice);
    }
}

static enum engine_fetch_error error(void *fetch)
{
    struct guest_fetch *own = fetch;
    switch (fetch_error(own->fetch, NULL)) {
    case FETCH_OK:
    case FETCH_MEMORY:
        return ENGINE_FETCH_FAILED;
    case FETCH_DENIED:
        log_denial(own);
        return ENGINE_FETCH_DENIED;
    case FETCH_NAME:
        return ENGINE_FETCH_NAME;
    case FETCH_CONNECT:
        return ENGINE_FETCH_CONNECT;
    case FETCH_TLS:
        return ENGINE_FETCH_TLS;
    case FETCH_TIMEOUT:
        return ENGINE_FETCH_TIMEOUT;
    case FETCH_CLOSED:
    case FETCH_CANCELLED:
        return ENGINE_FETCH_CLOSED;
    case FETCH_PROTOCOL:
        return ENGINE_FETCH_PROTOCOL;
    case FETCH_LIMIT:
        return ENGINE_FETCH_HEAD_SIZE;
    }
    BUG("unknown error of a fetch");
}

static void drop(void *fetch)
{
    struct guest_fetch *own = fetch;
    own->guest->transfers--;
    finish(own, false);
    pipe_finish(own->reader, false, PIPE_NO_REASON);
    fetch_destroy(own->fetch);
    free(own->fields);
    free(own);
}

void guest_network_start(void)
{
    static const struct engine_network functions = {.sockets = may_have_sockets,
                                                    .allows = allows,
                                                    .fetch = begin,
                                                    .head = head,
                                                    .write = write_some,
                                                    .finish = finish,
                                                    .read = read_some,
                                                    .trailers = trailers,
                                                    .error = error,
                                                    .drop = drop};
    engine_set_network(&functions);
}
